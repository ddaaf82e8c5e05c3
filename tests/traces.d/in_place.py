"""Instructions that do the work of the next one, at the beginning of a trace that takes its place in the bytecode.

Every fourth trace of a chain of side exits does. The additions are there for that chain: in each phase another one gets
floats, so that its guard fails in the trace of the phase before. In the last one, strings are joined in place, or a
list takes the place of another object.
"""


def joins(rows):
    last = None
    for p, q, r, a, b in rows:
        p + p, q + q, r + r
        s = a
        s += b
        last = s
    return last


def appends(rows):
    n = 0
    for p, q, r, target in rows:
        p + p, q + q, r + r
        target.append(n)
        n += 1
    return n


class Other:
    def append(self, n):
        self.n = n


def fresh(function):
    """A copy with bytecode of its own."""
    return type(function)(function.__code__.replace(), globals())


def phases(count, *last):
    numbers = [(1, 1, 1), (.5, 1, 1), (.5, .5, 1), (.5, .5, .5), (.5, .5, .5)]
    return [(*row, *more) for row, more in zip(numbers, last) for _ in range(count)]


for count in 1, 2, 3, 10, 70, 200, 1000:
    print(fresh(joins)(phases(count, *[(1, 2)] * 4, ("left", "right"))))
    other, target = Other(), []
    print(fresh(appends)(phases(count, *[(other,)] * 4, (target,))), other.n, len(target))
