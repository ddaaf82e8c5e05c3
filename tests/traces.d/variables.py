# environment: PYTHON_JIT_SIDE_EXIT_INITIAL_VALUE=1 PYTHON_JIT_SIDE_EXIT_INITIAL_BACKOFF=1
"""Variables whose types are known, and code that runs in the middle of the function: it sees them, and sometimes sets them.

Most of that code runs in calls of C functions, operators and ends of objects, so that the loop itself does not call it. Large ints and
items at negative indices are here, too: what operators on them make, and what runs where they fail.
"""

import sys

COUNT = 80
log = []


class Setter:
    """As a key, it sets variables of a frame when it is hashed or compared."""

    def __init__(self, depth, **values):
        self.depth, self.values, self.at, self.calls = depth, values, None, 0

    def __hash__(self):
        self.calls += 1
        if self.calls == self.at:
            frame = sys._getframe(1 + self.depth)
            log.append(sorted((name, repr(value)) for name, value in frame.f_locals.items() if name in self.values))
            for name, value in self.values.items():
                frame.f_locals[name] = value
        return 5

    def __eq__(self, other):
        return self is other


class Ending:
    def __init__(self, **values):
        self.values = values

    def __del__(self):
        frame = sys._getframe(1)
        log.append(sorted((name, repr(value)) for name, value in frame.f_locals.items() if name in self.values))
        for name, value in self.values.items():
            frame.f_locals[name] = value


def own(table, key, count):
    """Set by code that the loop runs."""
    total, step, text, i = 0, 1, "a", 0
    while i < count:
        table[key] = i
        total += step
        del table[key]
        if total % 7 == 0:
            text += "b"
        i += 1
    return total, step, text, i


def inner(table, key, a, b):
    table[key] = a
    c = a + b
    table.pop(key)
    return c + a * b


def callers(table, key, count):
    """Set by code that a function runs that the loop calls."""
    total, step, items = 0, 3, [1, 2]
    for i in range(count):
        total += inner(table, key, i, step) + len(items)
        total += step
    return total, step, items


def generator(table, key, count):
    step = 2
    for i in range(count):
        table[key] = i
        yield i * step
        table.pop(key, None)


def drive(table, key, count):
    total = 0
    for value in generator(table, key, count):
        total += value
        table[key] = total
    return total


def ends(values, at, count):
    """Set by the end of an object, in the middle of a store of a slice."""
    total, step, items = 0, 1, [None, None]
    for i in range(count):
        items[0:1] = [Ending(**values) if i == at else i]
        total += step
        items[0:1] = [i]
        total += step + items[-1 if i % 2 else 0 if step else -2].__class__(0 if items[-1] is None else 1) if i % 2 == 0 else 1
    return total, step


def deleted(table, key, count):
    """A variable is set to something of another type, again and again."""
    value = 1
    seen = []
    for i in range(count):
        table[key] = i
        if isinstance(value, int):
            value += 1
        else:
            seen.append((i, value))
            value = 1
    return seen, value


def sets(container, count):
    """Numbers beside calls that run no code of the program."""
    a, b, c = 1, 2.5, 10 ** 6
    for i in range(count):
        container[1:2] = [i]
        a += container[i & 1] * 3 + i
        b = b * 1.5 - a
        container.sort(key=str)
        c -= a
    return a, b, c, container


def variables():
    settings = [
        (own, dict(step=2.5)), (own, dict(step=10 ** 30)), (own, dict(total="text")), (own, dict(i=COUNT - 1)),
        (own, dict(text=b"x", step=5)), (own, dict(count=10)),
        (callers, dict(step=0.5)), (callers, dict(items="abc")), (callers, dict(total=[])), (callers, dict(step=None)),
    ]
    for function, values in settings:
        for at in (None, 3, 40, 41, 42, COUNT * 2 - 3):
            depth = 1 if function is callers else 0
            for _ in range(3):
                key = Setter(depth, **values)
                key.at = at
                try:
                    print(function({}, key, COUNT), log)
                except TypeError as error:
                    print(error, error.__traceback__.tb_next.tb_lineno, log)
                log.clear()
    for at in (None, 5, 50, 51, 52, 120):
        for values in (dict(step=7), dict(step=1.5, total=4), dict(value=3)):
            key = Setter(0, **values)
            key.at = at
            print(drive({}, key, COUNT), log)
            log.clear()
    for at in (-1, 0, 30, 31):
        print(ends(dict(step=3), at, COUNT), ends(dict(total=0.5), at, COUNT), log)
        log.clear()
    key = Setter(0, value="other")
    for at in (1, 20, 60):
        key.calls, key.at = 0, at
        print(deleted({}, key, COUNT), log)
        log.clear()
    print(sets([1, 2, 3], COUNT))


def large(a, b, count):
    x = y = z = 0
    for i in range(count):
        x = a + i
        y = x * b - i
        z = i - a
        if i % 9 == 0:
            a = a * b - z
        if i % 50 == 49:
            a = b
    return x, y, z, a


def last(items, count):
    result = []
    for i in range(count):
        result.append(items[-1])
        result.append(items[-(i % 3) - 1])
    return result[-6:]


def one_of(containers, count):
    """All kinds of containers at one place."""
    result = []
    for i in range(count):
        for container, key in containers:
            try:
                result.append(container[key])
            except (LookupError, TypeError) as error:
                result.append(type(error).__name__)
    return result[-len(containers):]


class Own(list):
    def __getitem__(self, index):
        return "own", index


def only_item(count):
    """The container ends, the item lives."""
    for i in range(count):
        item = [[i], [i + 1000]][-1]
        text = (str(i) * 2, str(i) * 3)[-2]
    return item, text


def items():
    for a, b in ((1 << 70, 3), (1 << 62, -1), (-(1 << 61), 2), ((1 << 30) - 40, 1), (5, 1 << 40), (0, 0)):
        print([hex(number) if abs(number) < 1 << 200 else number % 1000003 for number in large(a, b, COUNT)])
    for sequence in ([1, 2, [3]], (1, 2.5, "c"), "abc", "ab\u0394", "a\U0001F600c", b"abc", bytearray(b"xyz"), Own([1, 2, 3]),
                     [1], range(5), {-1: "last", -2: 2, -3: 3}):
        try:
            print(last(sequence, COUNT))
        except IndexError as error:
            print(error, error.__traceback__.tb_next.tb_lineno)
    containers = [
        ([1, 2], -1), ((1, 2), -2), ("text", -4), (b"bytes", -1), ({-1: "x"}, -1), ({"a": 5}, "a"), ([1, 2], -3), ({}, -1),
        ([1, 2], 1 << 70), ("text", True), (range(4), -1), (Own(), -1), ((), 0), ("\u0394", -1), ([3], slice(None)), ("abc", slice(1)),
        ({"k" * 2: 1}, "kk"), ([1], "a"), ((1, 2), 1.0),
    ]
    print(one_of(containers, COUNT))
    print(one_of(containers[:1], COUNT), one_of(containers[1:2], COUNT), one_of(containers[-4:], COUNT))
    print(only_item(COUNT))
    kept = [object(), object()]
    before = [sys.getrefcount(item) for item in kept]
    last(kept * 2, COUNT)
    print([sys.getrefcount(item) - count for item, count in zip(kept, before)])


for _ in range(3):
    variables()
    items()
