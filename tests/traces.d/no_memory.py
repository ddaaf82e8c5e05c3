"""Memory that runs out while machine code has numbers and tuples that no object holds yet: the program goes on, or gets MemoryError."""

import gc

import _testcapi

COUNT = 3000
LARGE = 1 << 40


def floats(values):
    for i in range(len(values)):
        values[i] = i * 1.5


def ints(values):
    for i in range(len(values)):
        values[i] = i * LARGE - 7


def compact(values):
    for i in range(len(values)):
        values[i] = i + 1000


def negative(values):
    for i in range(len(values)):
        values[i] = -(i << 20) * (i + (1 << 30))


class Point:
    def __init__(self):
        self.x = self.y = 0.5


def attributes(values):
    point = Point()
    total = 0
    for i in range(len(values)):
        point.x = total * 0.25
        point.y = values[i]
        values[i] = point.x
        total += i + LARGE


def leaves(values):
    """The code leaves with many numbers in registers, and comes back."""
    a = b = c = d = 0
    for i in range(len(values)):
        a, b, c, d = a + LARGE, b + 0.5, c - LARGE, d * 0.25 + i
        values[i] = a if i % 7 else b
        if i % 5 == 0:
            values[i] = str, c, d
    return a, b, c, d


def tuples(values):
    """Some tuples get an object, in the code or where it leaves."""
    whole = 0, (0, 0)
    for i in range(len(values)):
        number, (other, _) = whole
        whole = i * 1.5, (i * LARGE, i)
        if i % 5 == 0:
            values[i] = str, whole, number
        else:
            values[i] = whole if i % 7 else other
    return whole


def attempt(function, values):
    _testcapi.set_nomemory(0)
    try:
        return function(values)
    except MemoryError:
        return None
    finally:
        _testcapi.remove_mem_hooks()


gc.disable()
for function in floats, ints, compact, negative, attributes, leaves, tuples:
    expected = [None] * COUNT
    for _ in range(3):
        function(expected)
    wrong = ended = 0
    for _ in range(20):
        values = [None] * COUNT
        try:
            attempt(function, values)
        except MemoryError:
            # It came after the last number.
            pass
        ended += values[-1] is None
        wrong += any(value is not None and value != wanted for value, wanted in zip(values, expected))
    again = [None] * COUNT
    function(again)
    print(function.__name__, "wrong:", wrong, "ended early:", ended, again == expected, expected[-1])
