# environment: PYTHON_JIT_SIDE_EXIT_INITIAL_VALUE=1 PYTHON_JIT_SIDE_EXIT_INITIAL_BACKOFF=1
"""Tuples that machine code takes apart again, and such that something else gets to see.

Their items are numbers, strings, objects that nothing else refers to, and other tuples. They have one identity, their items have
the usual number of references, and end in the usual order, wherever the code leaves.
"""

import gc
import sys

ROUNDS = 60
ended = []


class Loud:
    """Its end sees the variables of its caller."""

    def __init__(self, name):
        self.name = name

    def __del__(self):
        frame = sys._getframe(1)
        ended.append((self.name, frame.f_code.co_name, sorted(frame.f_locals)))


class Point:
    def __init__(self, x, y):
        self.x, self.y = x, y


def pair(a, b):
    return a, b


def nested(a, b):
    return (a, b), pair(b, a), a


def unpacked(values):
    total = 0
    for i, value in enumerate(values):
        a, b = pair(value, i)
        (c, d), (e, f), g = nested(b, i * 3)
        total += b + c * 2 + d + e * 5 + f + g
        if a is not value:
            total = -1
    return total


def rotated(values):
    a = b = c = d = e = 0
    for value in values:
        a, b, c, d, e = e, value, a + 1, c * 0.5, (b, d)
        if type(e) is tuple and len(e) == 2:
            e = len(str(e[0])) + e[1]
    return a, b, c, d, e


def indexed(values):
    result = []
    for i, value in enumerate(values):
        whole = value, i, i * 0.5, (i + 1, value)
        if whole:
            result.append(whole[1] + whole[2] + whole[3][0] + len(whole))
        if whole[0] is not whole[3][1]:
            result.append(whole)
        if whole is None or whole[3] is None:
            result.append(None)
    return result


def constants(values):
    total = 0
    for value in values:
        a, b, c = 1, 2.5, "x"
        total += a + b + len(c) + len((1, 2, 3)[1:])
    return total


def same(values):
    """Two variables and a list have the same tuple."""
    kept, result = [], []
    for i, value in enumerate(values):
        one = value, i
        other = one
        if i % 3 == 0:
            kept.append(one)
        if i % 5 == 0:
            kept.append(other)
        result.append((one is other, one is (value, i), kept[-1] is one, kept[-1] is kept[-1 - (i % 15 == 0)]))
    return kept, result


def counted(values):
    """The references to items, while a tuple has no object, and after that."""
    result = []
    for i in range(ROUNDS):
        item = [i]
        one = item, item
        two = one, item
        result.append((sys.getrefcount(item), len(gc.get_referrers(item)) > 0))
        (a, b), c = two
        result.append((sys.getrefcount(item), sys.getrefcount(one), sys.getrefcount(two), a is b is c))
        one = None
        result.append((sys.getrefcount(item), sys.getrefcount(two), gc.is_tracked(two), gc.is_tracked(two[0])))
        two = a = b = None
        result.append(sys.getrefcount(item))
    return result


def dropped(values):
    """Tuples end unused, with items that nothing else refers to."""
    for i in range(ROUNDS):
        pair(Loud("first"), Loud("second"))
        whole = Loud("a"), i, Loud("b"), (Loud("c"), Loud("d"))
        other = whole
        whole = i
        other = 0.5 * i
    return len(ended)


def partly(values):
    """Items outlive their tuple, or are overwritten one after the other."""
    x = y = None
    for i in range(ROUNDS):
        x, y = pair(Loud("x"), Loud("y"))
        y, x = x, (y, Loud("z"))
        _, x = x
    return type(x), type(y)


def fails(values):
    """An exception while there are tuples without objects."""
    caught = []
    for i, value in enumerate(values):
        whole = Loud("lost"), i
        more = whole, value
        try:
            caught.append(i // (i % 4 - 1) + value)
        except (ZeroDivisionError, TypeError) as error:
            caught.append((type(error).__name__, sorted(error.__traceback__.tb_frame.f_locals), more[0][1], more[1] is value))
        del whole, more
    return caught


def seen(values):
    """Something looks at the variables."""
    result = []
    for i in range(ROUNDS):
        whole = i, (i * 0.5, "text")
        again = whole
        found = look()
        result.append((found["whole"], found["whole"] is found["again"], found["whole"] is again))
    return result


def look():
    return sys._getframe(1).f_locals


def branches(values):
    """The kind of tuple is another one on each way."""
    result, state = [], (0, None)
    for i, value in enumerate(values):
        if i & 1:
            state = i, value
        elif i & 2:
            state = state[0] + 1, (value, state[1])
            state = state[0], state[1][0]
        else:
            state = pair(state[1], i)[1], value
        number, item = state
        result.append(number)
        if item is not value:
            result.append("wrong")
    return result, state


def generated(values):
    def pairs():
        for i, value in enumerate(values):
            yield i, value

    total = 0
    for i, value in pairs():
        total += i
        if value is not values[i]:
            total = -1
    return total


def methods(values):
    total = 0
    for i, value in enumerate(values):
        point = Point(*pair(i, value)) if i % 7 == 0 else Point(i, value)
        x, y = point.x, point.y
        (x, y) = (y, x)
        total += y + (x is value)
        total += (i, i + 1).index(i) + (i, 5, 5).count(5) + ((i, 2) < (i, 3)) + ((i, "a") == (i, "a"))
        total += sum((i, 1)) + max((i, 2)) + sum(x for x in (i, 3)) + (i in (1, i))
    return total


def large(values):
    total = 0
    for i in range(ROUNDS):
        a, b, c, d, e, f, g, h = i, 1, 2, 3, 4, 5, 6, i * 2
        total += a + h
        a, b, c, d, e, f, g, h, k = (i, b, c, d, e, f, g, h, a)
        total += a + h + k
        (a,) = (i,)
        empty = ()
        total += a + len(empty)
    return total


def keys(values):
    table = {}
    for i, value in enumerate(values):
        table[i, i % 3] = value
        table[i % 5, "x"] = i
        if (i - 1, (i - 1) % 3) in table and table[i, i % 3] is value:
            table[pair(i % 2, "y")] = i
    return len(table), sorted(str(key) for key in table)[:5], hash((1, 0)) in map(hash, table)


def depth(values):
    """Each tuple refers to the one of the round before."""
    chain = None
    for i in range(ROUNDS):
        chain = i, chain
    size = 0
    while chain is not None:
        item, chain = chain
        size += item
    return size


def recursive(n):
    if n < 2:
        return n, 0
    a, b = recursive(n - 1)
    return a + b, a


def recursion(values):
    return [recursive(n) for n in range(ROUNDS)][-1]


def unequal(values):
    """Not as many items as names."""
    caught = []
    for i in range(ROUNDS):
        whole = (i, i) if i % 8 else (i, i, i)
        try:
            a, b = whole
        except ValueError as error:
            caught.append(str(error))
    for i in range(ROUNDS):
        try:
            a, b, c = pair(i, Loud("u"))
        except ValueError as error:
            caught.append(str(error))
    return len(caught), caught[-1]


def star(values):
    result = []
    for i, value in enumerate(values):
        first, *rest = i, value, i
        result.append((first, len(rest), rest[0] is value, *pair(i, 2)))
    return result


VALUES = {
    "objects": [object() for _ in range(ROUNDS)],
    "ints": [number << 28 for number in range(ROUNDS)],
    "floats": [number * 1.5 for number in range(ROUNDS)],
    "texts": [str(number) for number in range(ROUNDS)],
}
NO_ADDRESSES = {"same", "branches"}


def shown(result, values):
    """The result, without the addresses of objects."""
    if isinstance(result, (list, tuple)):
        return type(result)(shown(item, values) for item in result)
    if type(result) is object:
        return "object", values.index(result)
    return result


for function in (unpacked, rotated, indexed, constants, same, counted, dropped, partly, fails, seen, branches, generated, methods, large,
                 keys, depth, recursion, unequal, star):
    for name, values in VALUES.items():
        before = [sys.getrefcount(value) for value in values]
        for _ in range(4):
            try:
                result = shown(function(values), values)
            except TypeError as error:
                result = str(error)
        leaks = [sys.getrefcount(value) for value in values] != before
        print(function.__name__, name, "leaks" if leaks and name == "objects" and function not in (same, branches) else "", result)
        result = None
        print(len(ended), ended[-12:])
        ended.clear()
