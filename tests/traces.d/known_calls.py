# environment: PYTHON_JIT_SIDE_EXIT_INITIAL_VALUE=1 PYTHON_JIT_SIDE_EXIT_INITIAL_BACKOFF=1
"""Functions and types of the host whose work machine code does itself.

A loop gets hot with one kind of arguments, and meets all others then. Results, their types and identities, and exceptions are the
same as without traces.
"""

import builtins
import enum
import math
import sys
import types

BIG = 1 << 70
NUMBERS = (
    0, 1, -1, 7, -7, 255, 256, 257, -5, -6, 1 << 29, (1 << 30) - 1, 1 << 30, 1 << 53, (1 << 53) + 1, (1 << 61) - 1, 1 << 61,
    (1 << 62) - 1, 1 << 62, -(1 << 62), (1 << 63) - 1, 1 << 63, -(1 << 63), BIG, -BIG, True, False,
    0.0, -0.0, 0.5, -0.5, 1.5, -1.5, 2.0, 1e15 + 0.5, -1e15 - 0.5, 4611686018427387904.0, -4611686018427387904.0,
    4611686018427387392.0, 1e300, 1e308, 1.7976931348623157e308, 5e-324, 709.0, 710.0, -750.0, float("inf"), -float("inf"), float("nan"),
)


class Float(float):
    def __float__(self):
        return -1.0

    def __floor__(self):
        return "floor"

    def __gt__(self, other):
        return True

    def __lt__(self, other):
        return True


class Int(int):
    def __int__(self):
        return -2

    def __index__(self):
        return -3

    def __abs__(self):
        return "abs"


class Other:
    def __float__(self):
        return 2.5

    def __index__(self):
        return 65

    def __abs__(self):
        return "other"

    def __ceil__(self):
        return "ceil"


class String(str):
    pass


OTHERS = (None, "a", "ab", "", "\xe9", "\u4e2d", "\U0001f600", String("x"), b"a", bytearray(b"b"), [], "12", "1.5", "x y", Float(3.5), Int(5), Other())
FUNCTIONS = (
    "float", "int", "abs", "chr", "ord", "math.atan", "math.ceil", "math.cos", "math.exp", "math.fabs", "math.floor", "math.sin",
    "math.sqrt", "math.tan",
)
ONE = """
def work(values, same):
    result = []
    for value in values:
        got = {function}(value)
        result.append(got)
        same.append(got is value)
    return result
"""
OF_COMPUTED = """
def work(values, same):
    result = []
    for value in values:
        got = {function}(value + value)
        result.append(got)
        same.append(got is value)
    return result
"""
TWO = """
def work(values, same):
    result = []
    for left, right in values:
        got = {function}(left, right)
        result.append(got)
        same.append((got is left, got is right))
    return result
"""


def made(source, **names):
    namespace = dict(names, math=math)
    exec(source, namespace)
    return namespace["work"]


def attempt(work, values):
    same = []
    try:
        result = [(type(got).__name__, repr(got)) for got in work(values, same)]
    except Exception as error:
        line = error.__traceback__.tb_next.tb_lineno
        result = type(error).__name__, str(error), line
    return result, same


def of_one_argument():
    for template in (ONE, OF_COMPUTED):
        for function in FUNCTIONS:
            for first in (1.25, 3, "a"):
                work = made(template.format(function=function))
                attempt(work, [first] * 40)
                print(function, first, [attempt(work, [first, value, first]) for value in NUMBERS + OTHERS])


def of_two_arguments():
    values = NUMBERS[::3] + (2.0, 3, -0.0, float("nan"), 1e308, "a", "b", Float(3.5), Int(5))
    for function in ("min", "max"):
        for first in ((1.25, 2.5), (3, 4), (2.5, 3), ("a", "b")):
            work = made(TWO.format(function=function))
            attempt(work, [first] * 40)
            print(function, first, [attempt(work, [first, (left, right)]) for left in values for right in values])


def computed_extremes():
    """Their arguments have no objects, or one of them has."""
    low, high, total = 1e9, -1e9, 0
    lowest = highest = 0
    for number in range(300):
        value = (number * 37 % 101) * 0.5
        low = min(low, value)
        high = max(value, high)
        lowest = min(lowest, number % 7 - 3)
        highest = max(number * number, highest)
        total += max(number, 5) - min(5, number) + abs(number - 150)
    print(low, high, lowest, highest, total)


def identities():
    """The address is that of the object, and small ints are always the same objects."""
    kept = [object() for _ in range(80)]
    addresses = [id(one) for one in kept]
    print(all(address == id(one) for address, one in zip(addresses, kept)), len(set(addresses)))
    same = 0
    for number in range(600):
        value = int(float(number))
        same += value is (number + 0) if number <= 256 else 0
    print(same)
    count = 0
    for number in range(300):
        count += id(number) == id(number)
    print(count)


def audited():
    """A hook is called from now on, also in hot code."""
    seen = []

    def addresses(count):
        one = object()
        total = set()
        for _ in range(count):
            total.add(id(one))
        return len(total)

    print(addresses(60))
    sys.addaudithook(lambda event, arguments: seen.append(arguments) if event == "builtins.id" else None)
    print(addresses(7), len(seen) >= 7)


class Meta(type):
    def __instancecheck__(cls, instance):
        return "yes"


class Base:
    pass


class Derived(Base):
    pass


class Liar:
    __class__ = property(lambda self: Base)


class Late(Base):
    pass


class Checked(metaclass=Meta):
    pass


class Colour(enum.Enum):
    RED = 1


def instances():
    objects = (1, True, 1.5, "a", None, (), [], {}, Base(), Derived(), Liar(), Late(), Checked(), Colour.RED, int, Base, String("x"), Float(1.0), len)
    classes = (int, float, str, Base, Derived, Liar, Late, Checked, Colour, type, object, types.NoneType, (int, str), (Base, (float, str)), (Checked, int), int | str, ())
    for class_ in classes:
        work = made("def work(values, same):\n    return [isinstance(value, Class) for value in values]\n", Class=class_)
        for first in (1, Derived(), "a"):
            attempt(work, [first] * 40)
            print(class_, attempt(work, list(objects)))
    print(attempt(made("def work(values, same):\n    return [isinstance(value, 5) for value in values]\n"), [1] * 40))


def instances_of_changing_classes():
    def count(values, class_):
        total = 0
        for value in values:
            if isinstance(value, class_):
                total += 1
            else:
                total += 1000
        return total

    late = [Late() for _ in range(60)]
    print(count(late, Base), count(late, Late), count(late, Derived))
    Late.__bases__ = (Liar,)
    print(count(late, Base), count(late, Late), count(late, Liar))
    Late.__bases__ = (Base,)
    print(count(late, Base), count(late, Derived))
    for value in late[:5]:
        value.__class__ = Derived
    print(count(late, Derived), count(late, Late))


def types_of_values():
    values = [1, 2.5, "a", None, Base(), Derived(), Base, Colour.RED] * 20
    counts = {}
    for value in values:
        if type(value) in (int, float):
            counts["number"] = counts.get("number", 0) + 1
        elif type(value) is Base or type(value) is Derived:
            counts[type(value).__name__] = counts.get(type(value).__name__, 0) + 1
        else:
            counts[type(value)] = counts.get(type(value), 0) + 1
    print(counts)
    # The class ends with its only instance.
    names = []
    for number in range(80):
        names.append(type(type(f"Made{number}", (), {})()).__name__)
    print(names[:3], names[-1])


def replaced_functions():
    def roots(values):
        return [math.sqrt(value) for value in values]

    def lengths(values):
        total = []
        for value in values:
            total.append(abs(value))
        return total

    print(sum(roots([4.0] * 60)))
    kept = math.sqrt
    math.sqrt = lambda value: -value
    print(roots([4.0, 9.0]))
    math.sqrt = math.fabs
    print(roots([-4.0, 9.0]))
    math.sqrt = kept
    print(roots([4.0, 9.0]))
    print(lengths([-2.5] * 60)[-1])
    builtins.abs = float
    print(lengths([-2.5, 3]))
    builtins.abs = kept
    print(lengths([4.0, 9]))
    del builtins.abs
    builtins.abs = (0).__class__.__abs__
    print(lengths([-4, True]))


def operands_as_results():
    """A result that is one of the operands outlives the variable that held it."""
    results, first, second = [], 0.5, 1.5
    for number in range(200):
        least, got = min(first, second), {}.get(number, second)
        first = second = number * 0.25
        other = number + 0.125, number + 0.375
        results.append((least, got, least in other, got in other))
        first, second = number * 2.5, number * 3.5
    print(results[:3], results[-1], len(set(results)))


def shifts():
    work = made("def work(pairs, same):\n    return [left << right for left, right in pairs]\n")
    attempt(work, [(1, 3)] * 40)
    print([attempt(work, [(left, right)]) for left in (0, 1, -1, 5, -5, 1 << 29, 1 << 40, BIG, True) for right in (0, 1, 30, 31, 32, 33, 61, 62, 63, 64, 70, -1, True)])
    total = 0
    for count in range(200):
        total ^= (1 << (count % 40)) - 1
    print(total)
    inverted = made("def work(values, same):\n    return [~(value + 0) for value in values]\n")
    attempt(inverted, [5] * 40)
    print([attempt(inverted, [value]) for value in NUMBERS[:27]])


def sums():
    """A sum begins as an int, and becomes a float."""
    for start in (0, 0.0, True, BIG, 1 << 53):
        for values in ([0.5] * 50, [0.5, 2, 0.25, 1 << 54, BIG, 1.5] * 10, [1, 2] * 30, [0.5] * 30 + ["x"], [float("nan"), 3] * 20):
            try:
                total = start
                for value in values:
                    total += value
                    total = total * value
                    total = total / (value or 1)
                print(repr(total), type(total).__name__)
            except Exception as error:
                print(type(error).__name__, error)


def immortal_characters():
    """The strings of some characters are immortal, so nothing changes their counts."""
    characters = [chr(number) for number in range(256)]
    before = [sys.getrefcount(character) for character in characters]
    for _ in range(5):
        for number in range(256):
            made = chr(number)
    del made
    print(before == [sys.getrefcount(character) for character in characters])


def same_objects():
    """A result is the same object as an argument, whose variable then gets the result."""
    for rounds in (30, 300):
        least, most, kept = 1e9, -1e9, []
        for number in range(rounds):
            value = (number * 37 % 101) * 0.5
            least = min(least, value)
            most = max(value, most)
            kept.append(number + 0.25)
        print(least, most, value, sum(kept))
        found, text, count = {}, "", 0.25
        for number in range(rounds):
            text = f"text {number}" if number % 8 == 0 else text
            text = found.get(number, text)
            count = found.get(number, count + 0.5 if number % 8 == 0 else count)
            kept.append((f"other {number}", number + 0.125))
        print(text, count, len(kept))


of_one_argument()
of_two_arguments()
computed_extremes()
identities()
instances()
instances_of_changing_classes()
types_of_values()
operands_as_results()
shifts()
sums()
immortal_characters()
same_objects()
replaced_functions()
audited()
