# environment: PYTHON_JIT_SIDE_EXIT_INITIAL_VALUE=1 PYTHON_JIT_SIDE_EXIT_INITIAL_BACKOFF=1
"""Objects that end inside of traces: those whose end runs no Python code, and such that hold others whose end does."""

import gc
import re
import sys
import warnings
import weakref

ended = []


class Loud:
    """Its end sees the caller's frame."""

    def __init__(self, name):
        self.name = name

    def __del__(self):
        frame = sys._getframe(1)
        ended.append((self.name, frame.f_code.co_name, sorted(frame.f_locals)))


class Slots:
    __slots__ = "left", "right"

    def __init__(self, left, right):
        self.left, self.right = left, right


class SlotsWithWeak(Slots):
    __slots__ = "__weakref__",


class Both(Slots):
    """Slots and a dictionary."""


class Sequence:
    def __init__(self, items):
        self.items = items

    def __getitem__(self, index):
        return self.items[index]


MAKERS = {
    "dict": lambda item: {"key": item, 2: 3},
    "dict of dicts": lambda item: {"key": {"other": {3: item}}},
    "large dict": lambda item: {number: item for number in range(40)},
    "frozenset": lambda item: frozenset([item, 5]),
    "slots": lambda item: Slots(item, 2),
    "slots, weak": lambda item: SlotsWithWeak(2, item),
    "slots and dict": lambda item: Both(item, 2),
    "dict iterator": lambda item: iter({1: item}.values()),
    "dict items": lambda item: {1: item}.items(),
    "items iterator": lambda item: iter({1: item}.items()),
    "sequence iterator": lambda item: iter(Sequence([item])),
    "enumerate": lambda item: enumerate([item]),
    "zip": lambda item: zip([item], [1]),
    "map": lambda item: map(str, [item]),
    "filter": lambda item: filter(None, [item]),
    "reversed": lambda item: reversed([item, 2]),
    "reversed tuple": lambda item: reversed((item, 2)),
    "slice": lambda item: slice(item, 2),
    "method of C": lambda item: [item].append,
    "set iterator": lambda item: iter({item}),
    "instance": lambda item: Sequence({"a": item}),
}


def work(make, items):
    count = 0
    for item in items:
        held = make(item)
        count += 1
        del item
        held = None
        count += 1
    return count


def replaced(make, items):
    """The last reference is in a variable that is overwritten, and in that of a function that returns."""
    count = 0
    kept = None
    for item in items:
        kept = make(item)
        count += inner(make, item)
    kept = item = None
    return count


def inner(make, item):
    value = make(item)
    other = value
    return 2


def names(count):
    for number in range(count):
        yield number


def texts(patterns):
    total = 0
    for pattern in patterns:
        found = pattern.match("abc")
        total += found.end()
    return total


for name, make in MAKERS.items():
    for function in (work, replaced):
        ended.clear()
        print(name, function(make, names(200)), ended)
        print(name, function(make, (Loud(number) if number % 50 == 49 else number for number in range(200))), len(ended), ended[:2])
        ended.clear()
        print(name, function(make, (Loud(number) for number in range(60))), len(ended), ended[:1])

print(texts([re.compile("a.")] * 200))
called = []
for number in range(200):
    value = SlotsWithWeak(number, 2)
    if number > 150:
        reference = weakref.ref(value, lambda _: called.append(sys._getframe(1).f_code.co_name))
    value = None
print(len(called), set(called), gc.collect() >= 0)


# Coroutines and asynchronous generators: those that have ended, and others, whose end warns or runs code.

class Pause:
    def __await__(self):
        yield 1


async def waiting(kind, loud):
    kept = loud
    if kind == "waits":
        await Pause()
    return 3


async def items(loud):
    yield 1
    yield 2


def drive(coroutine):
    try:
        return coroutine.send(None)
    except StopIteration as stop:
        return stop.value


def ends(kinds):
    total = 0
    for kind in kinds:
        coroutine = waiting(kind, Loud(kind) if kind != "ended" else None)
        if kind == "weak":
            reference = weakref.ref(coroutine, lambda _: called.append("coroutine"))
        if kind != "never started":
            total += drive(coroutine)
        if kind == "asend":
            iterator = items(None)
            total += drive(iterator.asend(None)) or 0
            iterator = None
        coroutine = None
        total += 1
    return total


called.clear()
warned = []
showwarning, warnings.showwarning = warnings.showwarning, lambda message, *_: warned.append(str(message))
warnings.simplefilter("always")
for depth in 0, 2:
    sys.set_coroutine_origin_tracking_depth(depth)
    for other in "waits", "weak", "asend", "never started":
        ended.clear()
        kinds = [other if number % 50 == 49 else "ended" for number in range(200)]
        print(depth, other, ends(kinds), ended, called, len(warned), warned[:1])
        print(depth, other, ends([other] * 60), len(ended), len(called), len(warned))
        called.clear()
        warned.clear()
sys.set_coroutine_origin_tracking_depth(0)
warnings.showwarning = showwarning
