"""Calls of the host's functions that run no Python code: they are called while frames and numbers have no objects.

Each one is called with the arguments that it was recorded with, then with others: of other types, subclasses, objects whose
special methods look at their caller, and such that raise.
"""

import math
import sys

ROUNDS = 300

LOOP = """
def work(receivers, arguments):
    total = 0
    result = None
    for number, receiver in enumerate(receivers):
        one = number * 3 + 1
        half = number * 0.5
        {unpack}
        result = {call}
        total += one + half
    return result, total
"""


def made(call, count):
    names = [f"argument{number}" for number in range(count)]
    unpack = "".join(f"{name}, " for name in names) + "= arguments" if names else "pass"
    exec(LOOP.format(call=call.format(", ".join(names)), unpack=unpack), namespace := {"math": math})
    return namespace["work"]


def attempt(work, receiver, arguments, rounds=1):
    try:
        return work([receiver] * rounds, arguments)
    except Exception as error:
        return type(error).__name__, str(error), error.__traceback__.tb_next.tb_lineno


class Index:
    """It is a number for what asks for one, and knows who asks."""

    def __index__(self):
        frame = sys._getframe(1)
        return frame.f_locals["one"] % 3

    def __float__(self):
        return sys._getframe(1).f_locals["half"]

    def __len__(self):
        return 2

    def __iter__(self):
        return iter("ab")

    def __repr__(self):
        return "Index()"


class Str(str):
    def upper(self):
        return f"own {sys._getframe(1).f_locals['one']}"

    def __hash__(self):
        return 1


class List(list):
    def pop(self, *index):
        return "popped"


OTHERS = ["x", "", "héllo", b"x", b"", 0, 1, -1, 1 << 40, 1 << 80, 2.5, float("nan"), True, None, (), ("x", "he"), (1,), ["a", "b"],
          [1], Index(), Str("x"), {}, range(2)]

METHODS = {
    "hello world": {
        "capitalize": [()], "casefold": [()], "center": [(20,), (20, "*")], "count": [("o",), ("o", 5)], "encode": [()],
        "endswith": [("ld",), (("x", "ld"),)], "find": [("o",), ("o", 5, 9)], "index": [("w",)], "isalnum": [()], "isalpha": [()],
        "isascii": [()], "isdecimal": [()], "isdigit": [()], "isidentifier": [()], "islower": [()], "isspace": [()], "isupper": [()],
        "join": [(["a", "b"],), (("a", "b"),)], "ljust": [(20,)], "lower": [()], "lstrip": [(), ("h",)], "partition": [(" ",)],
        "removeprefix": [("he",)], "removesuffix": [("ld",)], "replace": [("o", "0"), ("o", "0", 1)], "rfind": [("o",)],
        "rindex": [("o",)], "rjust": [(20,)], "rpartition": [(" ",)], "rsplit": [(), (None, 1)], "rstrip": [()],
        "split": [(), ("o",), (None, 1)], "splitlines": [()], "startswith": [("he",), ("lo", 3)], "strip": [(), ("hd",)],
        "swapcase": [()], "title": [()], "upper": [()], "zfill": [(20,)],
    },
    b"hello": {"decode": [()], "endswith": [(b"lo",)], "find": [(b"l",), (108,)], "hex": [()], "startswith": [(b"he",)]},
    2.5: {"is_integer": [()]},
    77: {"bit_count": [()], "bit_length": [()]},
    (1, 2): {"count": [(1,)]},
}

for receiver, methods in METHODS.items():
    for name, all_arguments in methods.items():
        for arguments in all_arguments:
            work = made(f"receiver.{name}({{}})", len(arguments))
            print(name, arguments, attempt(work, receiver, arguments, ROUNDS))
            print([attempt(work, other, arguments) for other in ("X y", "", Str("abc"), b"hi", 3.0, 8, 1 << 90, True, Index())])
            for place in range(len(arguments)):
                for other in OTHERS:
                    changed = (*arguments[:place], other, *arguments[place + 1:])
                    print(name, place, attempt(work, receiver, changed))

FUNCTIONS = {"bin": [(5,)], "callable": [(5,), (print,)], "divmod": [(17, 5), (17.5, 2)], "hex": [(255,)], "round": [(2.5,), (2.567, 1)],
             "math.atan2": [(1.0, 2.0)], "math.copysign": [(1.0, -2.0)], "math.degrees": [(1.0,)], "math.fmod": [(7.5, 2.0)],
             "math.gcd": [(12, 18)], "math.hypot": [(3.0, 4.0)], "math.isfinite": [(1.0,)], "math.isinf": [(1.0,)],
             "math.isnan": [(1.0,)], "math.isqrt": [(17,)], "math.log": [(2.0,), (8, 2)], "math.log10": [(2.0,)],
             "math.log2": [(8,)], "math.pow": [(2.0, 3.0)], "math.radians": [(90,)]}

for name, all_arguments in FUNCTIONS.items():
    for arguments in all_arguments:
        work = made(f"{name}({{}})", len(arguments))
        print(name, arguments, attempt(work, None, arguments, ROUNDS))
        for place in range(len(arguments)):
            for other in OTHERS:
                print(name, place, attempt(work, None, (*arguments[:place], other, *arguments[place + 1:])))


# --- containers --------------------------------------------------------------------------------------------------------

class Noted:
    """An object that says when it ends, and what its creator's frame looks like then."""

    ended = []

    def __init__(self, name):
        self.name = name

    def __del__(self):
        Noted.ended.append((self.name, sys._getframe(1).f_locals.get("number")))


def popping(rounds, kept):
    values = []
    found = 0
    for number in range(rounds):
        values.insert(0, Noted(number))
        values.append(number)
        first = values[0]
        taken = values.pop(0)
        found += first is taken
        first = None
        if number % 3 == 0:
            kept.append(taken)
        taken = values.pop()
        found += taken
    return found, len(values)


kept = []
print(popping(ROUNDS, kept), len(kept), len(Noted.ended), Noted.ended[:5], Noted.ended[-3:])
kept.clear()
print(len(Noted.ended))


def borrowed(rounds):
    """What has been read from a list outlives it there."""
    total = 0
    for number in range(rounds):
        values = [[number], [number + 1]]
        one, other = values[0], values[1]
        values.pop()
        values.pop()
        total += one[0] + other[0]
    return total


def rotating(values, rounds):
    for number in range(rounds):
        values.append(values.pop(0))
        values.insert(number % 3, values.pop())
        values.reverse()
        values.extend([number])
        values.pop()
        copied = values.copy()
    return values, copied


def views(mapping, rounds):
    total = 0
    for number in range(rounds):
        total += len(mapping.keys()) + len(mapping.values()) + len(mapping.items()) + len(mapping.copy())
        if number == rounds // 2:
            mapping["new"] = number
    return total


print(borrowed(ROUNDS), rotating([1, 2.5, "x", None], ROUNDS), views({"a": 1}, ROUNDS))
for other in (List([1, 2, 3, 4]), [], [5], ["a"] * 3):
    try:
        print(rotating(other, 2))
    except IndexError as error:
        print(error)


def replaced(function, values):
    return [function(value) for value in values]


print(sum(replaced(callable, [5] * ROUNDS)), replaced(lambda value: value, [5, 6]), replaced(hex, [5]), replaced(str, [5]))


def own(rounds):
    """The function that is called becomes another one."""
    total = 0
    for number in range(rounds):
        total += len(hexadecimal(number))
    return total


hexadecimal = hex
print(own(ROUNDS))
hexadecimal = bin
print(own(ROUNDS))
hexadecimal = lambda number: sys._getframe(1).f_code.co_name  # noqa: E731
print(own(ROUNDS))
