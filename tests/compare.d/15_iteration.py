# for loops and everything else that drives an iterator, over each kind of iterable in one place.
import collections


class Iter:
    def __init__(self, n): self.n = n
    def __iter__(self): return self
    def __next__(self):
        if not self.n:
            raise StopIteration
        self.n -= 1
        return self.n


class Seq:
    def __getitem__(self, i):
        if i == 3:
            raise IndexError("end")
        return i * 2


class Breaks(Iter):
    def __next__(self):
        if self.n == 1:
            raise KeyError("broken")
        return super().__next__()


def gen(n):
    for i in range(n):
        yield i


def reraise():
    yield 1
    raise LookupError("from generator")


def total(xs):
    out = []
    for x in xs:
        out.append(x)
        if len(out) > 5:
            break
    else:
        out.append("else")
    return out


makers = [lambda: [1, 2, 3], lambda: (1, 2), lambda: range(4), lambda: range(5, 0, -2), lambda: range(2 ** 70, 2 ** 70 + 2), lambda: gen(3), lambda: Iter(3),
          lambda: Seq(), lambda: "abc", lambda: {1: 2}, lambda: {3}, lambda: b"xy", lambda: map(str, [1, 2]), lambda: zip("ab", "cd"), lambda: enumerate("q"),
          lambda: reversed([1, 2]), lambda: collections.deque([1]), lambda: {}.items(), lambda: [], lambda: (), lambda: range(0), lambda: gen(0),
          lambda: iter(int, 0), lambda: iter([5, 6].pop, 5), lambda: (x for x in gen(8)), lambda: range(10), lambda: Breaks(3), lambda: reraise(), lambda: 5,
          lambda: None, lambda: int]
for warm in makers:
    scope = {"len": len}
    exec("""def total(xs):
    out = []
    for x in xs:
        out.append(x)
        if len(out) > 5:
            break
    else:
        out.append("else")
    return out""", scope)
    results = []
    for make in [warm] * 20 + makers:
        try:
            results.append(scope["total"](make()))
        except Exception as e:
            results.append((type(e).__name__, str(e)))
    print(results[0], hash(repr(results)))
print(*map(str, results[20:]), sep="\n")

lst = [1, 2, 3]
for x in lst:
    if len(lst) < 6:
        lst.append(x)
print(lst)
for x in lst:
    lst.remove(x)
print(lst)
d = {1: 1}
for bad in ("for k in d: d[k + 1] = 1", "for k in d: del d[k]", "for x in {1, 2}: x.y", "for x.y in [1]: pass", "for [] in [[1]]: pass",
            "for a, b in [(1, 2, 3)]: pass", "[] = 5", "next(iter([]))", "list(iter(1))", "iter(1, 2)", "x, = iter(5)"):
    try:
        exec(bad, {"d": dict(d)})
    except Exception as e:
        print(bad, "->", type(e).__name__, e)


def swap_iter():
    it = iter([1, 2, 3, 4, 5, 6])
    for a in it:
        b = next(it)
        yield a, b
        for c in it:
            yield c
            break


print(list(swap_iter()), list(zip(*[iter(range(6))] * 2)))


def range_forms():
    for i in range(3):
        for j in range(i, 3):
            for k in range(3, j, -1):
                i = "changed"  # does not disturb the loop
                yield i, j, k
    for v in range(-2, 2):
        yield v
    for v in range(2 ** 63 - 2, 2 ** 63 + 1):
        yield v


print(list(range_forms()))


def unpack_many(rows):
    return [a + b for a, b in rows] + [x for (x, y, z), w in [((1, 2, 3), 4)] * 3]


print(unpack_many([(1, 2), [3, 4], "56" and (5, 6)] * 10)[-8:])
a, b = b, a = 1, 2
print(a, b)
it = iter([10, 20])
print(next(it), *it, list(it))
for i, in [(1,), (2,)]:
    print(i)
for i in range(3): i *= 100; print(i)
