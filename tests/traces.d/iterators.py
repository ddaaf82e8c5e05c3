# environment: PYTHON_JIT_SIDE_EXIT_INITIAL_VALUE=1 PYTHON_JIT_SIDE_EXIT_INITIAL_BACKOFF=1
"""Loops over iterators of the host, and slices: with Python code in them, and without.

An iterator over a container runs Python code if something ends: the container at the end of the iterator, or the old items of a
tuple that `enumerate`, `zip` or `items` use again.
"""

import gc
import os
import sys

ended = []


class Loud:
    """Its end sees the frame in which it happens, with its variables."""

    def __init__(self, name):
        self.name = name

    def __del__(self):
        frame = sys._getframe(1)
        shown = {name: value for name, value in frame.f_locals.items() if isinstance(value, (int, float))}
        ended.append((self.name, frame.f_code.co_name, shown))

    def __repr__(self):
        return f"Loud({self.name})"


class Countdown:
    def __init__(self, start):
        self.left = start

    def __iter__(self):
        return self

    def __next__(self):
        if self.left == 0:
            raise StopIteration
        self.left -= 1
        return self.left


class Failing(Countdown):
    def __next__(self):
        if self.left == 1:
            raise ValueError("in the middle")
        return super().__next__()


def numbers():
    yield from range(5)


MAKERS = {
    "list": lambda: iter([1, 2.5, 3]),
    "tuple": lambda: iter((1, 2.5, 3)),
    "range": lambda: iter(range(4)),
    "large range": lambda: iter(range(1 << 70, (1 << 70) + 3)),
    "str": lambda: iter("ab\u4e2d"),
    "bytes": lambda: iter(b"abc"),
    "bytearray": lambda: iter(bytearray(b"abc")),
    "dict": lambda: iter({1: 2, "a": 3}),
    "values": lambda: iter({1: 2.5, "a": 3}.values()),
    "items": lambda: iter({1: 2.5, "a": 3}.items()),
    "set": lambda: iter({1, 2, 3}),
    "reversed list": lambda: reversed([1, 2, 3]),
    "reversed dict": lambda: reversed({1: 2, 3: 4}),
    "reversed range": lambda: reversed(range(3)),
    "enumerate list": lambda: enumerate([1, 2.5, 3]),
    "enumerate with a start": lambda: enumerate("abc", 1 << 62),
    "enumerate generator": lambda: enumerate(numbers()),
    "enumerate class": lambda: enumerate(Countdown(3)),
    "enumerate failing": lambda: enumerate(Failing(3)),
    "zip": lambda: zip([1, 2, 3], "ab", range(9)),
    "zip generator": lambda: zip(numbers(), [1, 2]),
    "zip strict": lambda: zip([1, 2], [1], strict=True),
    "zip enumerate": lambda: zip(enumerate("ab"), {1: 2, 3: 4}.items()),
    "empty zip": lambda: zip(),
    "map": lambda: map(str, [1, 2]),
    "filter": lambda: filter(None, [0, 1, 2]),
    "class": lambda: Countdown(3),
    "generator": lambda: numbers(),
    "failing": lambda: Failing(3),
    "loud list": lambda: iter([Loud("a"), Loud("b")]),
    "loud set": lambda: iter({Loud("a")}),
    "loud values": lambda: iter({1: Loud("a"), 2: Loud("b")}.values()),
    "loud items": lambda: iter({1: Loud("a"), 2: Loud("b")}.items()),
    "loud enumerate": lambda: enumerate([Loud("a"), Loud("b")]),
    "loud zip": lambda: zip([Loud("a"), Loud("b")], (Loud("c"), Loud("d"))),
    "loud reversed": lambda: reversed([Loud("a"), Loud("b")]),
}


def run(makers):
    """One place for all iterators."""
    rounds, total, shown = 0, 0.5, []
    for make in makers:
        for item in make():
            rounds += 1
            total += 0.25
            if rounds % 3:
                shown.append(repr(item))
        item = None
        total *= 1.5 if total < 1e9 else 0.5
    return rounds, total, shown


def attempt(function, *arguments):
    del ended[:]
    try:
        result = function(*arguments)
    except Exception as error:
        result = type(error).__name__, str(error), error.__traceback__.tb_next.tb_lineno
    return result, list(ended)


SOURCE = run.__code__


def fresh():
    """The function with bytecode of its own."""
    return type(run)(SOURCE.replace(co_name="run"), globals())


def all_iterators():
    for first, make_first in MAKERS.items():
        function = fresh()
        attempt(function, [make_first] * 40)
        print(first, attempt(function, [make_first, make_first]))
        print("  ", [attempt(function, [make_first, make, make_first]) for make in MAKERS.values()])


def kept_iterators():
    """An iterator gives its container up at its end, also if something else refers to the iterator. In the machine code of the
    host's own compiler, it does not."""
    if not os.environ.get("REVAL_EXPERIMENTAL_JIT", "").startswith("interpreter"):
        return
    for name in "loud list", "loud zip", "list", "tuple":
        for make in MAKERS[name], lambda: iter((Loud("a"), Loud("b"))):
            kept = [make() for _ in range(60)]
            print(name, attempt(fresh(), [lambda one=one: one for one in kept]), [list(one) for one in kept[-2:]])


PAIRS = """
def work(make, count):
    total, last = 0.5, None
    for _ in range(count):
        for {targets} in make():
            total += {value}
            last = {targets}
    return total, last
"""


def loops_with_numbers():
    """Numbers stay in registers while the iterator gives its items."""
    data = [0.5 * number for number in range(50)]
    table = {str(number): number for number in range(50)}
    for targets, value, make in (
        ("index, item", "index * item", lambda: enumerate(data)),
        ("left, right", "left * right", lambda: zip(data, range(50))),
        ("key, item", "item + len(key)", lambda: table.items()),
        ("item", "item", lambda: table.values()),
        ("item", "len(item)", lambda: table),
        ("item", "item", lambda: set(range(50))),
        ("index, (left, right)", "index + left - right", lambda: enumerate(zip(data, data))),
        ("item", "item", lambda: reversed(data)),
        ("item", "item", lambda: bytes(range(50))),
    ):
        namespace = {}
        exec(PAIRS.format(targets=targets, value=value), namespace)
        print(targets, namespace["work"](make, 6))


def containers_that_change():
    def grow(table):
        total = 0
        for key in table:
            total += key
            if total == 3:
                table[100] = 5
        return total

    def replace(table):
        kept = []
        for key, value in table.items():
            kept.append(value.name)
            table[key] = Loud(value.name + 10)
        return kept

    def shorten(items):
        seen = []
        for index, item in enumerate(items):
            seen.append((index, item))
            if len(items) > 3:
                items.pop()
        return seen

    for _ in range(40):
        attempt(grow, {1: 1, 5: 2})
    print(attempt(grow, {1: 1, 2: 2, 3: 3}), attempt(grow, {1: 1, 5: 2}))
    for _ in range(40):
        last = attempt(replace, {number: Loud(number) for number in range(4)})
    print(last)
    for _ in range(40):
        last = attempt(shorten, list(range(8)))
    print(last)


def results_are_used_again():
    """A tuple that somebody keeps is not changed."""
    kept = []
    for _ in range(20):
        for pair in enumerate("abc"):
            kept.append(pair)
        for pair in zip([1, 2], [3, 4]):
            kept.append(pair)
        for pair in {1: 2, 3: 4}.items():
            kept.append(pair)
    print(kept[:7], len(kept), len({id(pair) for pair in kept}))
    counts = []
    one = object()
    before = sys.getrefcount(one)
    for _ in range(60):
        for index, item in enumerate([one, one]):
            pass
        for left, right in zip([one], (one,)):
            pass
    del index, item, left, right
    print(sys.getrefcount(one) - before)


SLICES = (
    "value[1:3]", "value[:2]", "value[1:]", "value[:]", "value[low:high]", "value[low:high + 1]", "value[::2]", "value[low:high:step]",
    "value[-2:]", "value[5:1]", "value + value", "value + other", "value[limit:]",
)


class Limit:
    def __repr__(self):
        return "Limit()"

    def __index__(self):
        log.append(sys._getframe(1).f_code.co_name)
        return 1


class List(list):
    def __getitem__(self, key):
        return "item", key

    def __add__(self, other):
        return "sum"


log = []


def slices():
    values = (
        [1, 2, 3, 4, 5], (1, 2, 3, 4, 5), "abcde", "a\u4e2dcde", b"abcde", bytearray(b"abcde"), range(5), List([1, 2, 3]), [], (), "", None,
    )
    for text in SLICES:
        for first in values[:3]:
            namespace = dict(globals())
            exec(f"def work(values, low, high, step, other, limit):\n    result = []\n    for value in values:\n        result.append({text})\n    return result\n", namespace)
            work = namespace["work"]
            attempt(work, [first] * 40, 1, 3, 2, first, 1)
            del log[:]
            print(text, [attempt(work, [first, value], low, high, step, other, limit)
                         for value in values for low, high, step, other, limit in
                         ((1, 3, 2, value, 1), (None, None, None, [7], None), (True, 1 << 70, 1, (8,), Limit()), ("a", 2.5, 0, "x", "y"))], log)


def slices_that_end():
    def work(count):
        total = 0.5
        for number in range(count):
            total += len([Loud(number), 1][1:]) + len((Loud(-number), 2)[:1] + ())
        return total

    print(attempt(work, 50)[0], len(ended), ended[-2:])


all_iterators()
kept_iterators()
loops_with_numbers()
containers_that_change()
results_are_used_again()
slices()
slices_that_end()
