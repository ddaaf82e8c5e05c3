# environment: PYTHON_JIT_SIDE_EXIT_INITIAL_VALUE=1 PYTHON_JIT_SIDE_EXIT_INITIAL_BACKOFF=1
"""`sum`, `set`, `list`, `sorted`, `tuple` and `join` of generators: loops without C code.

Generators that raise, that look at the frames below them, that are running or have ended; items that make sums something else than
ints; callables and arguments that change while traces rely on them; what ends when.
"""

import gc
import sys
import traceback
from decimal import Decimal
from fractions import Fraction

COUNT = 60
log = []


def show(name, *values):
    print(name, *values)


def outcome(function, *arguments):
    """The result or exception, with the lines and functions of its traceback."""
    try:
        return repr(function(*arguments))
    except BaseException as error:
        places = [(frame.name, frame.lineno) for frame in traceback.extract_tb(error.__traceback__)[1:]]
        return f"{type(error).__name__}: {error} {places}"


def often(name, function, *arguments):
    found = {}
    for _ in range(COUNT):
        found.setdefault(outcome(function, *arguments), None)
    show(name, *found)


# --- sums --------------------------------------------------------------------------------------


def total(items):
    return sum(item for item in items)


def squares(items):
    return sum(item * item for item in items)


def matches(items):
    return sum(item % 3 == 0 for item in items)


def sums():
    often("ints", total, range(100))
    often("squares", squares, range(-50, 100))
    often("bools", matches, range(100))
    often("truths", total, [True, False, True] * 30)
    often("nothing", total, [])
    often("floats", total, [0.1] * 50)
    often("floats after ints", total, [1, 2, 1e100, 1.0, -1e100] * 10)
    often("large", total, [2**40 + index for index in range(70)])
    for items in (
        [2**62, 2**62, 1, 0.1],
        [2**63, 0.1, 0.2, 1e100, 1, -1e100],
        [2**63, -(2**63), 0.1, 1e100, 1, -1e100],
        [2**62, 2**61, 1e100, 1, -1e100],
        [-(2**63), -1, 5],
        [2**61] * 3 + [0.5] * 30,
        [10**30] * 40,
        [1, 2j, 3.5, 4],
        [1j] * 40,
        [Fraction(1, 3), 0.5, 1e100, 1, -1e100],
        [Decimal(1), 2, Decimal("0.5")],
        [1, 2, "three"],
        ["one"],
        [1, None],
        [1, [2]],
    ):
        often(f"mixed {items[:4]}", total, items)
        often("ints again", total, range(50))


class Number:
    """Its additions are seen, and see who calls."""

    def __init__(self, value):
        self.value = value

    def __radd__(self, other):
        log.append(("radd", other, sys._getframe(1).f_code.co_name))
        return self.value

    def __add__(self, other):
        log.append(("add", other, sys._getframe(1).f_code.co_name))
        return Number(self.value + other)


class OwnInt(int):
    def __radd__(self, other):
        log.append(("own", other))
        return int(other) + int(self)


def own_numbers():
    often("numbers", total, [1, 2, Number(5), 4, Number(6), 7])
    show("log", len(log), sorted(set(map(str, log))))
    log.clear()
    often("own ints", total, [1, OwnInt(2), 3])
    show("log", len(log), sorted(set(map(str, log))))
    log.clear()


# --- sets and lists ----------------------------------------------------------------------------


class Key:
    def __init__(self, value):
        self.value = value

    def __hash__(self):
        frames = []
        frame = sys._getframe(1)
        while frame is not None and len(frames) < 3:
            frames.append((frame.f_code.co_name, frame.f_lineno - frame.f_code.co_firstlineno))
            frame = frame.f_back
        log.append(str(frames))
        return self.value % 5

    def __eq__(self, other):
        if self.value == 99:
            raise ValueError("no comparison")
        return self.value == other.value

    def __repr__(self):
        return f"Key({self.value})"


def distinct(items):
    return sorted(set(item for item in items))


def collected(items):
    return list(item for item in items)


def containers():
    often("set", distinct, [3, 1, 2, 3] * 20)
    often("list", collected, "abc" * 10)
    often("empty set", distinct, ())
    often("empty list", collected, {})
    often("unhashable", distinct, [1, 2, [3], 4])
    often("keys", lambda: len(set(Key(index) for index in range(12))))
    show("log", len(log), sorted(set(log)))
    log.clear()
    often("a comparison that fails", lambda: len(set(Key(value) for value in (4, 99, 9, 104))))
    show("log", len(log), sorted(set(log)))
    log.clear()
    often("nested", lambda: list(sum(b for b in range(a)) for a in set(c for c in range(9))))
    often("lists of lists", lambda: list(list(b for b in range(a)) for a in range(6)))


def joined(items):
    return ",".join(item for item in items)


def ordered(items):
    return sorted(item for item in items)


class Compared:
    """Its comparisons see who calls."""

    def __init__(self, value):
        self.value = value

    def __lt__(self, other):
        frame = sys._getframe(1)
        log.append((frame.f_code.co_name, frame.f_lineno - frame.f_code.co_firstlineno))
        if other.value is None:
            raise ValueError("no order")
        return self.value < other.value

    def __repr__(self):
        return f"Compared({self.value})"


def collections_first():
    """What makes a list of the items first."""
    often("join", joined, ["a", "bc", ""] * 10)
    often("join of none", joined, [])
    often("join of ints", joined, ["a", 1])
    often("join of bytes", lambda: b",".join(item for item in [b"a", b"b"]))
    often("sorted", ordered, [3, 1, 2] * 5)
    often("sorted with a key", lambda: sorted((item for item in [3, 1, 2]), key=abs, reverse=True))
    often("no order", ordered, [1, "two"])
    often("compared", lambda: sorted(Compared(value) for value in (3, 1, 2)))
    often("not compared", lambda: sorted(Compared(value) for value in (3, None, 2)))
    show("log", len(log), sorted(set(log)))
    log.clear()
    often("tuple", lambda: tuple(returning(5)))
    often("tuple of another", lambda: tuple(item for item in range(5)))
    often("not a generator", lambda: (sorted([2, 1]), tuple("ab"), "-".join(("a", "b"))))
    for consumer in (sorted, tuple, "-".join):
        often("raising", lambda: consumer(raising(50, 30)))

    class Str(str):
        def join(self, items):
            return "own"

    often("own join", lambda: Str("-").join(item for item in "ab"))
    often("join of a subclass", lambda: str.join(Str("-"), (item for item in "ab")))
    for separator in ("-", Str("-")) * 2:
        often("separators", lambda: separator.join(item for item in "ab"))
    log.clear()


# --- generators --------------------------------------------------------------------------------


def names_below(depth):
    names, frame = [], sys._getframe(1)
    while frame is not None and len(names) < depth:
        names.append((frame.f_code.co_name, frame.f_lineno - frame.f_code.co_firstlineno))
        frame = frame.f_back
    return names


def looking(count):
    for index in range(count):
        log.append(str(names_below(3)))
        yield index


def raising(count, at):
    try:
        for index in range(count):
            if index == at:
                raise KeyError(index)
            yield index
    finally:
        log.append(("finally", sys._getframe(1).f_code.co_name))


def endless():
    index = 0
    try:
        while True:
            index += 1
            yield index if index < 40 else "end"
    finally:
        log.append(("closed", index, sys._getframe(1).f_code.co_name))


def delegating(depth, count):
    if depth:
        yield from delegating(depth - 1, count)
    else:
        yield from range(count)


def returning(count):
    for index in range(count):
        yield index
    return "a value"


class Running:
    def items(self):
        for index in range(10):
            if index == 5:
                yield sum(self.generator)
            yield index

    def total(self):
        self.generator = self.items()
        return sum(self.generator)


def twice(generator):
    return sum(generator), sum(generator), list(generator), set(generator)


def half(count):
    generator = returning(count)
    return next(generator), next(generator), sum(generator)


def resumed_elsewhere(count):
    generator = returning(count)
    return sum(item + next(generator, 0) for item in generator)


def generators():
    often("frames", sum, looking(5))
    often("frames of sum", lambda: sum(looking(5)))
    often("frames of list", lambda: list(looking(5)))
    show("log", len(log), sorted(set(log)))
    log.clear()
    for consumer in (sum, set, list):
        often(f"raising {consumer.__name__}", lambda: consumer(raising(50, 30)))
        often(f"not raising {consumer.__name__}", lambda: consumer(raising(10, 30)))
    often("closed", lambda: sum(endless()))
    show("log", len(log), sorted(set(map(str, log))))
    log.clear()
    often("delegating", lambda: sum(delegating(4, 50)))
    often("delegating lists", lambda: list(delegating(2, 5)))
    often("returning", lambda: sum(returning(30)))
    often("running", lambda: Running().total())
    often("twice", lambda: twice(returning(20)))
    often("half", lambda: half(20))
    often("elsewhere", lambda: resumed_elsewhere(41))


def conversions():
    """The same call with other arguments."""

    def convert(function, argument):
        return function(argument)

    arguments = [
        lambda: returning(9),
        lambda: range(9),
        lambda: [1, 2, 3],
        lambda: iter((1, 2)),
        lambda: map(abs, [-1, 2]),
        lambda: (item for item in "12"),
        lambda: 5,
    ]
    for consumer in (list, sum, set, tuple, sorted, max, len):
        for argument in arguments:
            often(f"{consumer.__name__}", lambda: convert(consumer, argument()))


class OwnSet(set):
    pass


class OwnList(list):
    def append(self, item):
        raise AssertionError


def other_callables():
    def use():
        return list(item for item in range(30)), sum(item for item in range(30)), len(set(i for i in range(9)))

    often("builtins", use)
    globals()["list"] = OwnList
    globals()["set"] = OwnSet
    globals()["sum"] = lambda items: ("own", *items)
    often("others", use)
    for name in ("list", "set", "sum"):
        del globals()[name]
    often("builtins again", use)
    often("keywords", lambda: sum((item for item in range(9)), start=5))
    often("start", lambda: sum((item for item in range(9)), 7))
    often("lists with a start", lambda: sum(([item] for item in range(9)), []))


# --- what else can happen meanwhile --------------------------------------------------------------


class Loud:
    def __init__(self, name):
        self.name = name

    def __del__(self):
        log.append((self.name, sys._getframe(1).f_code.co_name))

    def __radd__(self, other):
        return other + 1


def ends():
    def use():
        return sum(Loud("item") for _ in range(20))

    often("ends", use)
    show("log", len(log), sorted(set(log)))
    log.clear()

    def locals_of_generator(loud):
        for index in range(20):
            yield index
            kept = loud
        del kept

    often("variables", lambda: sum(locals_of_generator(Loud("variable"))))
    show("log", len(log), sorted(set(log)))
    log.clear()


def recursion():
    def depth(level):
        return 1 + sum(depth(level - 1) for _ in range(1)) if level else 0

    often("depth", depth, 60)

    def endless(level):
        deepest[0] = max(deepest[0], level)
        return sum(endless(level + 1) for _ in range(1))

    deepest = [0]
    limit = sys.getrecursionlimit()
    sys.setrecursionlimit(300)
    found = set()
    for _ in range(20):
        try:
            endless(0)
        except RecursionError as error:
            found.add(str(error))
    sys.setrecursionlimit(limit)
    show("endless", found, deepest)


def tracing():
    lines = []

    def trace(frame, event, argument):
        lines.append((frame.f_code.co_name, event, frame.f_lineno - frame.f_code.co_firstlineno))
        return trace

    def switching(count, at):
        for index in range(count):
            if index == at:
                sys.settrace(trace)
            yield index
            if index == at + 2:
                sys.settrace(None)

    for at in [99] * COUNT + [10]:
        list(switching(20, at))
        sum(switching(20, at))
    show("trace", lines)


def collections():
    def collecting(count):
        for index in range(count):
            if index % 16 == 0:
                gc.collect(0)
            yield [index]

    often("gc", lambda: len(list(collecting(50))))
    often("references", lambda: [sys.getrefcount(item) for item in list([index] for index in range(3))])


for part in (
    sums,
    own_numbers,
    containers,
    collections_first,
    generators,
    conversions,
    other_callables,
    ends,
    recursion,
    tracing,
    collections,
):
    part()
