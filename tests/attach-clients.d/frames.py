"""pandas: groups, joins, Python functions for rows and groups, time series."""

import io

import pandas as pd


def main():
    sales = pd.DataFrame({"shop": [f"s{i % 4}" for i in range(60)], "day": pd.date_range("2025-01-01", periods=60),
                          "count": [i * 7 % 11 for i in range(60)], "price": [1 + i % 5 / 10 for i in range(60)]})
    sales["total"] = sales.apply(lambda row: row["count"] * row["price"], axis=1)
    print(sales.groupby("shop").agg(sum=("total", "sum"), spread=("count", lambda c: c.max() - c.min())).to_string())
    print(sales.groupby("shop", group_keys=True)["total"].apply(lambda s: s.nlargest(2)).to_string())
    shops = pd.DataFrame({"shop": ["s0", "s1", "s5"], "town": ["A", "B", "C"]})
    print(sales.merge(shops, how="outer", on="shop").groupby("town", dropna=False).size().to_string())
    print(sales.set_index("day")["total"].resample("W").sum().rolling(3).mean().to_string())
    print(sales.pivot_table(index="shop", columns=sales["day"].dt.month, values="count", aggfunc="sum").to_string())
    text = io.StringIO()
    sales.query("count > 8 and shop != 's0'").to_csv(text, index=False)
    again = pd.read_csv(io.StringIO(text.getvalue()), parse_dates=["day"])
    print(again.describe(include="all").to_string())
    try:
        sales["nothing"]
    except KeyError as error:
        print("KeyError", error)


main()
