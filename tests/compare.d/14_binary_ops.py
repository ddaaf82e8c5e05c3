# Operators on changing types: what a site was specialized for and what comes next are both taken.
import operator


class Sub(int):
    def __add__(self, other): return "Sub.__add__", int(self), other
    def __radd__(self, other): return "Sub.__radd__", int(self), other
    def __lt__(self, other): return "Sub.__lt__"


class Item:
    def __repr__(self): return "Item()"
    def __getitem__(self, k): return "item", k
    def __contains__(self, k): return k == 1


class Bool:
    def __init__(self, v): self.v = v
    def __bool__(self): return self.v


class Len:
    def __len__(self): return 0


class Cmp:
    def __eq__(self, o): return "eq"
    def __lt__(self, o): return NotImplemented
    def __contains__(self, o): raise KeyError(o)


values = [0, 1, -1, 7, 255, 2 ** 29, 2 ** 30, 2 ** 31 - 1, -2 ** 62, 2 ** 63, 10 ** 30, 0.0, 2.5, -1e300, float("inf"), float("nan"), True, "", "a", "bc",
          "é€", b"x", (), (1, 2), [], [3, 4], {}, {1: 2, "a": 3}, {5}, None, Sub(3), 2j, Item(), range(3), slice(1)]
ops = ["a + b", "a - b", "a * b", "a / b", "a // b", "a % b", "a & b", "a | b", "a ^ b", "a << b", "a @ b", "a < b", "a <= b", "a == b",
       "a != b", "a > b", "a >= b", "a in b", "a not in b", "a is b", "a[b]", "a and b", "a or b", "divmod(a, b)"]


def sensible(op, a, b):
    "Leaves out results of millions of digits or items."
    numbers = [abs(v) for v in (a, b) if isinstance(v, int)]
    if op == "a << b":
        return not isinstance(b, int) or b < 1000
    return op != "a * b" or len(numbers) != 1 or numbers[0] < 1000


for op in ops:
    results = []
    for i, a in enumerate(values):
        scope = {}
        exec(f"def f(a, b):\n    return {op}", scope)
        f = scope["f"]
        for b in values:
            if not sensible(op, a, b):
                continue
            try:
                for _ in range(12):
                    r = f(a, b)
                r = repr(r)
            except Exception as e:
                r = type(e).__name__, str(e)
            results.append(r)
            if i % 9 == 3 and results[-1] != results[max(0, len(results) - 2)]:
                print(op, "|", a, "|", b, "|", r)
    print(op, len(results), hash(tuple(results)))

for op in ["+=", "-=", "*=", "/=", "//=", "%=", "&=", "|=", "^=", "<<=", ">>=", "**=", "@="]:
    scope = {}
    exec(f"def f(a, b):\n    a {op} b\n    return a", scope)
    for a in (6, 2.5, "s", [1], {1}, {1: 1}, (1,), Sub(4), 10 ** 20, None):
        for b in (3, 0, 0.5, "t", [2], {2}, {2: 2}, (2,), None):
            try:
                for _ in range(12):
                    r = scope["f"](a if not isinstance(a, (list, set, dict)) else a.copy(), b)
                r = repr(r)
            except Exception as e:
                r = type(e).__name__, str(e)
            print(op, a, b, r, sep=" | ")


def truth(v):
    if v:
        yield "if"
    if not v:
        yield "not"
    yield "yes" if v else "no"
    yield bool(v)
    n = 0
    while v:
        n += 1
        break
    yield n
    yield v is None
    yield None if v is not None else "None"


for v in values + [Bool(True), Bool(False), Len(), Bool, len, object]:
    for _ in range(10):
        r = list(truth(v))
    print(type(v).__name__, r)
for v in (Bool(5), Bool(None), type("L", (), {"__len__": lambda s: -1})(), type("L", (), {"__len__": lambda s: "x"})()):
    try:
        print(list(truth(v)))
    except Exception as e:
        print(type(e).__name__, e)

s = "chained"
for i in range(60):
    s += "x"  # grows in place when nobody else has it
    if i == 30:
        kept = s
print(len(s), len(kept))


def local_concat(n):
    s = ""
    for i in range(n):
        s = s + str(i)
        s += ","
    return s


print(local_concat(60))
c = Cmp()
for text in ("c == 1", "c < 1", "c <= 1", "1 in c", "1 not in c", "1 < c", "c != 1", "not c == 1", "1 < 2 < c", "-c", "~c", "+c", "-'a'", "~1.5",
             "not c", "[1, 2][True]", "[1, 2][-3]", "(1, 2)[5]", "'é€'[1]", "'abc'[-1]", "{}[c]", "{1: 2}[1.0]", "[1][2 ** 70]", "(1,)[None]",
             "[1, 2, 3][1:2]", "'abc'[::-1]", "(1, 2, 3)['a':]", "c[1]", "c[1:2]", "int[1]", "list[int]", "type[1]"):
    try:
        print(text, "=", eval(text))
    except Exception as e:
        print(text, "->", type(e).__name__, e)


class GetItem:
    def __getitem__(self, k):
        if k == 35:
            raise LookupError("thirty-five")
        return k * 2


g = GetItem()
total = 0
for i in range(60):
    try:
        total += g[i]
    except LookupError as e:
        print(e)
    if i == 45:
        GetItem.__getitem__ = lambda self, k: 1
print(total)
l = list(range(10))
t, d = tuple(l), dict(enumerate(l))
for i in range(50):
    l[i % 10] = l[-1 - i % 10] + t[i % 10] * d[i % 10]
    d[i] = d.get(i, 0) + l[3]
    if i % 10 in l and i not in d or i in {1, 2, 3}:
        l[0] ^= 1
print(l, d)
print(operator.add(1, 2), 3 .__add__(4), Sub(2) + 1, 1 + Sub(2), Sub(1) < 3, 3 > Sub(1))
