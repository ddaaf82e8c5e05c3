# environment: PYTHON_JIT_SIDE_EXIT_INITIAL_VALUE=1 PYTHON_JIT_SIDE_EXIT_INITIAL_BACKOFF=1
"""Operators and comparisons of numbers and strings for which tier 1 has no instruction, and calls of bound methods.

In machine code, they need no frame as long as the operands are of the types that they had when the trace was recorded.
"""

import gc
import sys
import weakref

BIG = 1 << 70
FLOATS = (0.0, -0.0, 1.0, -1.5, 2.25, 1e-310, 5e-324, 1e308, float("inf"), -float("inf"), float("nan"))


def attempt(function, *arguments):
    try:
        return function(*arguments)
    except Exception as error:
        return type(error).__name__, str(error), error.__traceback__.tb_next.tb_lineno


def power(base, exponent):
    total = 0
    for _ in range(60):
        total = base ** exponent
    return total


def powers():
    for base in FLOATS:
        for exponent in FLOATS:
            print(base, exponent, repr(attempt(power, base, exponent)))
    print([repr(attempt(power, 2.0, exponent)) for exponent in (1023.0, 1024.0, -1022.0, -1023.0, -1074.0, -1075.0, 10, -10)])
    print(repr(attempt(power, 7, 3)), repr(attempt(power, 7, -3)), repr(attempt(power, BIG, 2)), repr(attempt(power, 0, -1)))


def changing_power(values):
    """What is ordinary becomes something else in the middle."""
    total = []
    for value in values:
        total.append(value ** 1.5)
    return total


TEMPLATE = """
def work(pairs):
    result = []
    for left, right in pairs:
        result.append(left {operator} right)
    return result
def work_in_place(pairs):
    result = []
    for left, right in pairs:
        left {operator}= right
        result.append(left)
    return result
"""
COMPARISON = """
def work(pairs):
    count = 0
    for left, right in pairs:
        if left {operator} right:
            count += 1
        else:
            count += 1000
    return count
"""


class Odd:
    """Operators and comparisons run Python code that looks at the frames of callers."""

    def method(self, other):
        caller = sys._getframe(1)
        return caller.f_code.co_name, len(caller.f_locals)

    def __str__(self):
        return str(self.method(None))

    __add__ = __radd__ = __xor__ = __rxor__ = __lt__ = __gt__ = __eq__ = __mod__ = __rmod__ = method


def operators():
    groups = ((6, 7), (BIG, BIG + 5), (BIG, 3), (3, BIG), (2.5, 3), (3, 2.5), (2.5, BIG), (True, 3), (False, True))
    for symbol in ("^", "|", "&", "<<", ">>", "//", "%", "-", "*", "/"):
        names = {}
        exec(TEMPLATE.format(operator=symbol), names)
        for function in (names["work"], names["work_in_place"]):
            for group in groups:
                small = (group[0], 2) if symbol == "<<" else group
                values = attempt(function, [small] * 50)
                print(symbol, small, values[:3], len(values))
            # Other types come in the middle, at the end an error.
            mixed = [(6, 7)] * 40 + [(BIG, 1), (2.5, 2), (True, 5)] * 2 + [(6, 7)] * 20
            print(symbol, attempt(function, mixed))
            print(symbol, attempt(function, [(6, 7)] * 40 + [(6, "a")]), attempt(function, [(6, 7)] * 40 + [(6, 0)] * 3))
            if symbol in "^%":
                print(symbol, attempt(function, [(BIG, BIG)] * 40 + [(BIG, Odd())] * 3))
    names = {}
    exec(TEMPLATE.format(operator="%"), names)
    for pairs in ([("%s", "a")] * 40, [("%d", 3)] * 40 + [("%x", 2.5)], [("%5.1f|", 2.25)] * 40, [("%s", 5)] * 40 + [("%s", Odd())]):
        print(attempt(names["work"], pairs))
    names = {}
    exec(TEMPLATE.format(operator="*"), names)
    print(attempt(names["work"], [("ab", 3)] * 40)[0], attempt(names["work"], [(2, "ab")] * 40)[0])


def comparisons():
    groups = ((6, 7), (BIG, BIG + 5), (BIG, 3), (3, BIG), (2.5, 3), (3, 2.5), (2.5, BIG), (BIG, float("nan")),
              (2.0 ** 53, 2 ** 53 + 1), (2 ** 53 + 1, 2.0 ** 53), (float("nan"), 1), (1, float("inf")), ("a", "b"), ("b", "a"))
    for symbol in ("<", "<=", "==", "!=", ">", ">="):
        names = {}
        exec(COMPARISON.format(operator=symbol), names)
        for group in groups:
            print(symbol, group, attempt(names["work"], [group] * 60))
        print(symbol, attempt(names["work"], [(2.5, 3)] * 40 + [(BIG, 2.5), (1, 1), (True, 0.5)] * 3))
        print(symbol, attempt(names["work"], [(2.5, 3)] * 40 + [(2.5, "a")]))
        if symbol in "<>==":
            print(symbol, attempt(names["work"], [(BIG, BIG)] * 40 + [(BIG, Odd())] * 3))


class Owner:
    def __init__(self, name):
        self.name = name

    def method(self, more, other=0):
        return self.name, more, other

    def deleting(self, names):
        """The method that is called, and its object, are gone while it runs."""
        names.clear()
        return self.name


def bound_methods():
    first, second = Owner("first"), Owner("second")
    method, results = first.method, []
    for number in range(100):
        if number == 60:
            method = second.method
        if number == 80:
            method = "text".replace
        results.append(attempt(method, number, 1) if number < 80 else method("t", "s"))
    print(results[0], results[59], results[60], results[79], results[80])

    ended = []
    for number in range(100):
        names = [Owner(number).deleting]
        weakref.finalize(names[0].__self__, ended.append, number)
        bound = names[0]
        result = bound(names)
        del bound
        assert result == number and not names
    print(ended == list(range(100)), ended[:3])

    callbacks = [Owner(str(number)).method for number in range(4)] * 30
    print(len({callback(1) for callback in callbacks}))
    total = 0
    counts = sys.getrefcount(first), sys.getrefcount(Owner.method)
    saved = first.method
    for number in range(200):
        total += len(saved(number))
    del saved
    print(total, counts == (sys.getrefcount(first), sys.getrefcount(Owner.method)))


def observed_argument(value, other):
    """Arguments that are borrowed from the caller's variable: deleted, replaced, returned, looked at."""
    if other % 3 == 0:
        del value
        return None
    if other % 3 == 1:
        value = [value, other]
        return value
    names = sys._getframe().f_locals
    return names["value"]


def passed_on(value, other):
    return observed_argument(value, other)


def borrowed_arguments():
    kept = []
    box = object()
    before = sys.getrefcount(box)
    for number in range(300):
        variable = box if number % 2 else [number]
        result = passed_on(variable, number)
        if number % 50 == 49:
            kept.append(result is variable)
        del variable
    del result
    # Frames with their own `f_locals` in a variable are cycles.
    gc.collect()
    print(kept, sys.getrefcount(box) - before)

    def generator(value):
        for _ in range(3):
            yield value

    total = 0
    for number in range(200):
        item = (number, str(number))
        for found in generator(item):
            total += found[0]
        del item
    print(total, found)
    frames = []

    def keep(value):
        frames.append(sys._getframe())
        return value

    for number in range(120):
        item = [number]
        keep(item)
        item = None
    print([frame.f_locals["value"] for frame in frames[:3]], sum(frame.f_locals["value"][0] for frame in frames))

    def replacing(value):
        caller = sys._getframe(1)
        caller.f_locals["item"] = None
        return value[0]

    total = 0
    for number in range(200):
        item = [number * 1000]
        total += replacing(item)
    print(total, item)


powers()
print(changing_power([1.5 + number for number in range(100)] + [-1.5, 2.0, float("inf"), 4]))
print(attempt(changing_power, [1.5] * 100 + [1e300]), attempt(changing_power, [1.5] * 100 + ["a"]))
operators()
comparisons()
bound_methods()
borrowed_arguments()


def sums(start, count):
    """The total has become larger than a compact int before there is code; later it is too large for a register."""
    total = start
    for number in range(count):
        total += number * 2
        if number & 7 == 3:
            total -= 1
    return total


class Sized:
    def __init__(self, length):
        self.length = length

    def __len__(self):
        return self.length


def lengths(objects):
    total = 0
    for found in objects:
        total += len(found)
    return total


print([sums(start, 3000) for start in (0, 1 << 29, 1 << 31, -(1 << 31), (1 << 61) - 5, (1 << 62) - 5, 1 << 70, -(1 << 62) + 7)])
print(lengths([Sized(number) for number in range(200)]), lengths([[1]] * 100 + [Sized(2), {1: 2}, "abc", range(7), {3}] * 20))
print(attempt(lengths, [Sized(1)] * 100 + [Sized(-1)]), attempt(lengths, [[1]] * 100 + [5]))
