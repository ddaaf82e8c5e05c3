# environment: PYTHON_JIT_SIDE_EXIT_INITIAL_VALUE=1 PYTHON_JIT_SIDE_EXIT_INITIAL_BACKOFF=0
"""Items of arrays: numbers in machine code, and errors and odd values as ever."""

import sys
from array import array

ROUNDS = 3000


def add(values, rounds=ROUNDS):
    total = 0
    for i in range(rounds):
        total += values[i % 4]
    return total


for code in "bBhHiIlLqQfd":
    print(code, add(array(code, [1, 2, 3, 100])))
print("negative", add(array("i", [-1, -2, -2147483648, 2147483647])), add(array("b", [-128, 127, 0, -1])))
print("large", add(array("q", [2 ** 62, -2 ** 63, 2 ** 63 - 1, 5])), add(array("Q", [2 ** 64 - 1, 1, 2, 3])))
print("unsigned", add(array("I", [2 ** 32 - 1, 1, 2, 3])), add(array("B", [255, 1, 2, 3])))
print("floats", repr(add(array("f", [0.1, 0.2, 0.3, 1e30]))), repr(add(array("d", [0.1, -0.0, 1e-300, 1e300]))))
print("not a number", add(array("d", [float("nan"), 1, 2, 3])), add(array("d", [float("inf"), 1, 2, 3])))


def fill(values, source, rounds=ROUNDS):
    for i in range(rounds):
        values[i % 4] = source[i % 4]
    return values


def outcome(function, *arguments):
    try:
        return function(*arguments)
    except Exception as error:
        return type(error).__name__, str(error)


zeros = [0] * 4
for code in "bhiqd":
    print("store", fill(array(code, zeros), [1, -2, 3, 100]))
print("store floats", fill(array("d", zeros), [1.5, -2.5, 1e300, 0.1]), fill(array("f", zeros), [1.5, 0.1, 1e30, 2.0]))
print("store in unsigned", fill(array("B", zeros), [1, 2, 3, 255]), outcome(fill, array("B", zeros), [1, -2, 3, 4]))
print("from array to array", fill(array("d", zeros), array("d", [1, 2, 3, 4])),
      fill(array("i", zeros), array("h", [1, -2, 3, -4])))


def overflow(code, value):
    """All is well until there is a value that does not fit."""
    values, stored = array(code, zeros), 0
    try:
        for i in range(ROUNDS):
            values[i % 4] = i % 100 if i < ROUNDS - 5 else value
            stored += 1
    except (OverflowError, TypeError) as error:
        return stored, type(error).__name__, str(error), values
    return stored, values


for code, values in ("b", [127, 128, -128, -129]), ("h", [32767, 32768, -32769]), \
        ("i", [2 ** 31 - 1, 2 ** 31, -2 ** 31, -2 ** 31 - 1]), ("q", [2 ** 62, 2 ** 63 - 1, 2 ** 63]):
    for value in values:
        print("overflow", code, overflow(code, value))
print("wrong", overflow("i", 1.5), overflow("i", "x"), overflow("d", "x"), overflow("d", 7))


def at(values, index):
    """The index is in range for long, and then this one."""
    total = 0
    for i in range(ROUNDS):
        total += values[i % 4 if i < ROUNDS - 2 else index]
    return total


class Index:
    def __index__(self):
        return 2


numbers = array("i", [1, 20, 300, 4000])
for index in 3, -1, -4, 4, -5, 2 ** 70, True, Index(), 1.0, None:
    print("index", outcome(at, numbers, index))
print("slice", outcome(at, numbers, slice(1, 2)))
print("empty", outcome(at, array("i"), 0))


def growing():
    values, total = array("d"), 0
    for i in range(ROUNDS):
        values.append(i)
        total += values[i] + values[i // 2]
        if i % 100 == 99:
            del values[50:]
            values.extend([1.0] * (i + 1 - len(values)))
    return total


print("growing", growing())


class Own(array):
    pass


class Doubling(array):
    def __getitem__(self, index):
        return 2 * super().__getitem__(index)


class Storing(array):
    def __setitem__(self, index, value):
        super().__setitem__(index, value + 1)


print("subclasses", add(Own("i", [1, 2, 3, 4])), add(Doubling("i", [1, 2, 3, 4])), add(Storing("i", [1, 2, 3, 4])),
      fill(Own("d", zeros), [1.5, 2.5, 3.5, 4.5]), fill(Storing("d", zeros), [1.5, 2.5, 3.5, 4.5]))


def mixed(rounds):
    """Containers of several kinds in one place, of which one changes its methods at last."""
    kinds = [array("d", [1, 2, 3, 4]), array("i", [1, 2, 3, 4]), [1, 2, 3, 4], (1, 2, 3, 4), {0: 1, 1: 2, 2: 3, 3: 4},
             Own("d", [1, 2, 3, 4])]
    total = 0
    for i in range(rounds):
        if i == rounds - 100:
            Own.__getitem__ = lambda self, index: 1000
        total += kinds[i // 500 % 6 if i < 6 * 500 else i % 6][i % 4]
    del Own.__getitem__
    return total


print("mixed", mixed(4000))


def same_array():
    values = array("d", range(100))
    for round in range(40):
        for i in range(1, 100):
            values[i] = values[i - 1] * 0.5 + values[i]
    return [repr(value) for value in values[::20]]


print("same array", same_array())


def identity():
    """Items are new objects each time; small ints are not."""
    values, floats, answers = array("i", [1, 2, 1000, 70000]), array("d", [1.5] * 4), set()
    for i in range(ROUNDS):
        a, b = values[i % 2], values[i % 2]
        x, y = floats[0], floats[0]
        answers.add((a is b, x is y, x == y, type(a), type(x)))
    return answers


print("identity", identity())


def last_reference():
    total = 0
    for i in range(ROUNDS):
        total += array("d", [i, 2.0])[0] + array("i", [i])[0]
    return total


print("last reference", last_reference())
before = sys.getrefcount(numbers)
at(numbers, 0)
print("references", sys.getrefcount(numbers) - before)


# --- lists that grow and end --------------------------------------------------------------------------------

class Noisy:
    log = []

    def __init__(self, name):
        self.name = name

    def __del__(self):
        Noisy.log.append(self.name)


def ends():
    """The items of a list end from the last one on, and see the frames that were there."""
    for i in range(200):
        items = [i, [i], str(i), (i, 2.5)]
        items.append([Noisy(f"a{i}"), [i, i], Noisy(f"b{i}")] if i % 10 == 0 else None)
        pair = (i, items, [x for x in (i, i)])
        del items
        del pair
    return Noisy.log


print("ends", ends())


class Looking:
    seen = set()

    def __del__(self):
        frame = sys._getframe(1)
        Looking.seen.add((frame.f_code.co_name, frame.f_locals["i"] % 10, "items" in frame.f_locals))


def looking():
    for i in range(200):
        items = [[i], i * 1.5]
        items.append(Looking() if i % 10 == 3 else [i, i])
        items.append([i])
        del items
    return sorted(Looking.seen)


print("frames at the end", looking())


class MyList(list):
    pass


def appending():
    result, own = [], MyList()
    for i in range(ROUNDS):
        result.append(i)
        own.append(i * 0.5)
        (result if i % 2 else own).append(-i)
    return sum(result), sum(own), len([[j for j in range(i % 7)] for i in range(ROUNDS)])


print("appending", appending())


class Lengths(dict):
    pass


def lengths():
    own, total = Lengths(a=1), 0
    for i in range(ROUNDS):
        if i == ROUNDS - 100:
            Lengths.__len__ = lambda self: 1000
        total += len(own) + len(MyList([i]))
    del Lengths.__len__
    return total


print("lengths", lengths())


def inlined():
    """Comprehensions that the compiler makes of calls with generator expressions."""
    count = 0
    for i in range(ROUNDS):
        n = i % 5
        count += any(x == n for x in range(3)) + all(x < n for x in (0, 1, n))
        count += len(tuple(x + n for x in range(n)))
    return count


print("inlined", inlined())
