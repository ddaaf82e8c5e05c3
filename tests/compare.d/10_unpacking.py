# options: -I -S
def rows(xs):
    a, b = xs
    return a, b


def star(xs):
    a, *b, c = xs
    return a, b, c


def three(xs):
    a, b, c = xs
    return a, b, c


class Iter:
    def __init__(self, n, fail=None):
        self.n, self.fail = n, fail

    def __iter__(self):
        for i in range(self.n):
            yield i
        if self.fail:
            raise self.fail


class Old:
    def __getitem__(self, i):
        if i > 1:
            raise IndexError
        return i * 10


class NotIter:
    __iter__ = None


class BadIter:
    def __iter__(self):
        return 5


inputs = ["ab", "abc", "a", "", [1, 2], [1, 2, 3], [1], (1, 2), (1, 2, 3), (), {1: 2, 3: 4}, range(2), range(5), 5, None,
          Iter(0), Iter(1), Iter(2), Iter(3), Iter(4), Iter(2, KeyError("k")), Iter(3, KeyError("k")), Old(), NotIter(), BadIter()]
for fn in (rows, star, three):
    for xs in inputs:
        try:
            print(fn.__name__, type(xs).__name__, fn(xs))
        except Exception as e:
            print(fn.__name__, type(xs).__name__, type(e).__name__, e)
# The same again when the instructions are specialized for tuples and lists.
for fn in (rows, star, three):
    for _ in range(50):
        for xs in ((1, 2), [1, 2, 3], (1, 2, 3), [1, 2]):
            try:
                r = fn(xs)
            except ValueError as e:
                r = str(e)
    print(r)
for warm, other in (((1, 2), [3, 4]), ([1, 2], (3, 4)), ((1, 2), (1, 2, 3)), ([1, 2], [1]), ((1, 2), "xy")):
    exec("def f(xs):\n  a, b = xs\n  return b, a")
    for _ in range(50):
        f(warm)
    try:
        print(f(other))
    except ValueError as e:
        print(e)
(a, (b, [c, *d])), e = (1, ["x", "yzw"]), 5
print(a, b, c, d, e)
[a, b], c = [1, 2], 3
*a, = range(3)
x = y, z = [7, 8]
print(a, b, c, x, y, z)
a = [0, 1]
i = 0
i, a[i] = 1, 9
print(a)


def swap(a, b, c):
    a, b = b, a
    a, b, c = c, a, b
    return a, b, c


print(swap(1, 2, 3))


class Pair(list):
    def __iter__(self):
        return iter("pq")


def changing(sequences):
    for sequence in sequences:
        try:
            a, b, c, d, e = sequence
        except ValueError as error:
            print(error)
        try:
            () = sequence
        except ValueError as error:
            print(error)
        yield a, b, c, d, e


# A place that meets other types and lengths each time.
five = [object() for _ in range(5)]
for a, b, c, d, e in changing([tuple(five), five, five[:4], (*five, 6), tuple(five), [*five, 6], (), [], five] * 20):
    print([item in five for item in (a, b, c, d, e)], len({a, b, c, d, e}), five.index(a), five.index(e))
a, b = Pair((1, 2))
print(a, b)
