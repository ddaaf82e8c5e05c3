# environment: PYTHON_JIT_SIDE_EXIT_INITIAL_VALUE=1 PYTHON_JIT_SIDE_EXIT_INITIAL_BACKOFF=1
"""Functions and cells that loops make, and functions that take any arguments."""

import collections
import enum
import os
import sys

log = []


class Loud:
    def __init__(self, name):
        self.name = name

    def __del__(self):
        frame = sys._getframe(1)
        log.append((self.name, frame.f_code.co_name, frame.f_locals.get("total")))


def attempt(function, *arguments):
    del log[:]
    try:
        result = function(*arguments)
    except Exception as error:
        result = type(error).__name__, str(error), error.__traceback__.tb_next.tb_lineno
    return result, log[-4:], len(log)


# --- functions and cells ------------------------------------------------------------------------------------------------


def adder(by):
    count = 0

    def add(value, more=by, *, last: int = 1) -> int:
        nonlocal count
        count += 1
        return value + by + more + count + last

    return add


def closures(values):
    total = 0
    for value in values:
        add = adder(value)
        total += add(1) + add(2, 3)
    return total, add.__name__, add.__qualname__, add.__defaults__, add.__kwdefaults__, add.__annotations__, add.__globals__ is globals(), len(add.__closure__)


def deep(value):
    cell = value

    def inner():
        nonlocal cell
        cell = Loud(cell)
        return lambda: cell.name

    return inner()()


def cells_that_end(values):
    total = 0
    for value in values:
        total += 1
        total += deep(value)
    return total


def comprehensions(values):
    total = 0
    for value in values:
        total += sum(value + other for other in (1, 2)) + sum([value * other for other in range(3)])
        total += max(map(lambda one: one + value, (1, 2)))
    return total


def unbound(values):
    total = 0
    for value in values:
        def get():
            return later
        if value == 150:
            return get()
        later = value
        total += get()
        del later
    return total


def tuples_in_cells(values):
    total = 0
    for value in values:
        pair = value, total

        def first():
            return pair[0]

        total += first()
        pair = pair[1], value * 0.5
        total += len(pair) + first() % 3
    return total, pair


print(attempt(closures, range(200)))
print(attempt(closures, [1, 2, 2.5, "a"]))
print(attempt(cells_that_end, range(200)))
print(attempt(comprehensions, range(200)))
print(attempt(unbound, range(200)))
print(attempt(tuples_in_cells, range(200)))


def counts():
    value = object()
    before = sys.getrefcount(value)
    for _ in range(200):
        held = value

        def get():
            return held

        get()
        held = None
        held = value
    del held, get
    print(sys.getrefcount(value) - before)


counts()


# --- any arguments ------------------------------------------------------------------------------------------------------


def look():
    frame = sys._getframe(1)
    return sorted((name, repr(value)) for name, value in frame.f_locals.items() if name != "looks")


def rest(first, *others, looks=False):
    return look() if looks else len(others) + first


def rest_and_names(first=5, *others, key=1, **names):
    names["own"] = first
    return first + len(others) + len(names) + key


def only(*others):
    return others


def names_only(**names):
    return names


def changing(*others, **names):
    others += (1,)
    names.setdefault("a", others)
    return len(others) + len(names)


def unpacking(*others):
    a, b = others
    return a * 2 + b


class Logger:
    level = 3

    def debug(self, text, *arguments, **options):
        if self.level < 3:
            return text % arguments
        return None

    def info(self, text, *arguments, **options):
        return text % arguments if arguments else text

    def __call__(self, *arguments):
        return self.info("%s %s", *arguments)


def calls(values, logger):
    total = 0
    for value in values:
        total += rest(1) + rest(value) + rest(value, 2) + rest(value, total * 3, "x", 2.5 + value)
        total += rest(1, 2, 3, 4, 5, 6, 7, 8, 9) + rest(1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12)
        total += rest_and_names() + rest_and_names(value) + rest_and_names(1, 2, value) + rest_and_names(1, 2, key=3)
        total += len(only()) + len(only(value, total)) + only(value)[0] + len(names_only())
        total += changing() + changing(value, total) + unpacking(value, total % 7)
        logger.debug("hello %s", value)
        logger.debug("hello")
        text = logger.info("x"), logger.info("%s", value), logger(value, total)
    return total, text, rest(value, total, looks=True), only(value, (value, total)), names_only(), only()


def ends(values):
    total = 0
    for value in values:
        total += 1
        only(Loud(value), Loud(-value))
        kept = only(Loud(value), Loud(-value))[1]
        rest(1, Loud("rest"))
        rest_and_names(1, Loud("names"))
        total += len(kept.name) if isinstance(kept.name, str) else 1
    return total


def failing(values):
    total = 0
    for value in values:
        total += unpacking(value, 1) if value < 150 else unpacking(value)
    return total


print(attempt(calls, range(200), Logger()))
print(attempt(calls, [1, 2.5, 3, True], Logger()))
print(attempt(ends, range(150)))
print(attempt(failing, range(200)))
rest.__kwdefaults__ = {"looks": True}
print(attempt(lambda: [rest(1, number) for number in range(100)][-1]))
rest.__kwdefaults__ = None
print(attempt(lambda: rest(1, 2)))


# --- keys and operators -------------------------------------------------------------------------------------------------


class Color(enum.IntEnum):
    RED = 1
    BLUE = 7


class Named(int):
    def __repr__(self):
        return "Named"


class Odd(int):
    def __eq__(self, other):
        log.append("eq")
        return int.__eq__(self, other)

    def __hash__(self):
        log.append("hash")
        return int.__hash__(self)


KEYS = 1, 7, 8, Named(1), Named(8), Odd(1), Odd(9), Color.RED, Color.BLUE, True, 1 << 70, 2.0, "a"


def keys(containers):
    total = 0
    for container in containers:
        for key in KEYS:
            total += key in container
            if isinstance(container, dict):
                container[key] = total
                total += container[key]
    return total, sorted(map(str, container))


def kinds():
    for make in (
        lambda: {1: 1, Named(7): 2}, lambda: {Odd(1): 1}, lambda: {1, Named(7), 8}, lambda: {Odd(7), 1}, lambda: frozenset(KEYS), lambda: collections.defaultdict(int),
        lambda: collections.Counter("a"), collections.OrderedDict, lambda: {Color.RED: 1, Color.BLUE: 2},
    ):
        print(attempt(keys, [{1: 1, Named(7): 2} for _ in range(30)] + [make()] * 2), attempt(keys, [make() for _ in range(30)]))


kinds()


class Ending(int):
    def __del__(self):
        frame = sys._getframe(1)
        log.append((int(self), frame.f_code.co_name, frame.f_locals.get("total")))


def keys_that_end(count):
    total = 0
    for number in range(count):
        total += 1
        table = {Ending(1): number, Ending(number + 2): 2}
        del table[1]
        table[number + 2] = total
    return total, table


print(attempt(keys_that_end, 200))


class Special(str):
    def __contains__(self, other):
        log.append("contains")
        return True

    def __iter__(self):
        return iter("special")


class Path:
    def __fspath__(self):
        return f"path {sys._getframe(1).f_locals['total']}"


class Meta(type):
    def __subclasscheck__(cls, other):
        return sys._getframe(1).f_locals["total"] % 2 == 0


class WithMeta(metaclass=Meta):
    pass


OPERATIONS = {
    "left in right": ("a", "banana"), "left not in right": ("x", "banana"), "left + right": (b"a", b"b"), "os.fspath(left)": ("a", None),
    "issubclass(left, right)": (int, object), "-left": (5, None), "~left": (5, None), "[*iter(left)]": ([1, 2], None),
    "[(yes, no) for yes in left for no in iter(right)]": ((1, 2), "ab"), "sum(one for one in left)": ([1, 2], None), "list(zip(left, right))": ([1, 2], "ab"),
}
VALUES = "", "a", "\u4e2d", b"", b"a", bytearray(b"a"), 1, -1, 2.5, True, None, 1 << 70, int, object, bool, WithMeta, (1, 2), [1, 2], {1: 2}, {1}, range(3), Special("s"), Path(), Named(3)


def operations():
    for operation, (left, right) in OPERATIONS.items():
        namespace = dict(globals())
        exec(f"def work(pairs):\n    total = 0\n    for left, right in pairs:\n        total += 1\n        result = {operation}\n    return result, total\n", namespace)
        work = namespace["work"]
        print(operation, attempt(work, [(left, right)] * 100))
        for value in VALUES:
            for pair in (value, right), (left, value), (value, value):
                print("  ", str(attempt(work, [(left, right)] * 2 + [pair]))[:150].partition(" at 0x")[0])


operations()
