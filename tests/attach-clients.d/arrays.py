"""numpy: calls from C into Python functions, operators, records, errors, the protocol for other classes."""

import numpy as np


def step(value):
    return value * 3 + 1 if value % 2 else value // 2


class Measured:
    """Takes part in numpy's functions."""

    def __init__(self, values, unit):
        self.values, self.unit = np.asarray(values), unit

    def __array_ufunc__(self, function, method, *inputs, **options):
        values = [part.values if isinstance(part, Measured) else part for part in inputs]
        return Measured(getattr(function, method)(*values, **options), self.unit)


def main():
    steps = np.frompyfunc(step, 1, 1)
    values = np.arange(1, 200)
    for _ in range(20):
        values = steps(values).astype(int)
    print(values.sum(), values.max(), np.unique(values)[:10])
    print(np.vectorize(lambda a, b: a - b if a > b else a + b)(values, 7)[:10])
    matrix = np.fromfunction(lambda row, column: (row + 1) * (column + 2) % 5, (6, 6))
    print(np.apply_along_axis(lambda row: sorted(row)[2], 1, matrix), np.linalg.matrix_rank(matrix))
    lengths = Measured([1.5, 2.5], "m")
    print(np.add(np.sqrt(lengths), 1).values, np.add.reduce(lengths).values, lengths.unit)
    records = np.array([(i % 3, f"n{i}", i / 2) for i in range(9)], dtype=[("key", int), ("name", "U4"), ("x", float)])
    print(np.sort(records, order=["key", "x"])["name"])
    with np.errstate(divide="raise"):
        for divisor in (1.0, 0.0):
            try:
                print(np.float64(1.0) / divisor)
            except FloatingPointError as error:
                print("raised", error)
    try:
        np.frompyfunc(lambda value: value / 0, 1, 1)([1])
    except ZeroDivisionError as error:
        print(error)
    generator = np.random.default_rng(1)
    print(generator.permutation(10), generator.normal(size=3).round(6))


main()
