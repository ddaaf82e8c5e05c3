# environment: PYTHON_JIT_SIDE_EXIT_INITIAL_VALUE=1 PYTHON_JIT_SIDE_EXIT_INITIAL_BACKOFF=1
"""Values that the stack has borrowed from a variable where a trace begins, in the middle of an expression.

They outlive what the variable holds: a function returns them, or a tuple has them as its items.
"""


def first(a, b):
    return a


def pair(a, b):
    return a, b


def inner(a, b):
    return first(a, b), pair(b, a)


class Left:
    def __init__(self, a, b):
        self.a = a

    def __add__(self, other):
        return other


def returned(values):
    result, last = [], 0.25
    for value in values:
        got = first(last, value * 0.5)
        last = value * 0.125
        other = value + 0.75
        result.append((got, got is last, got is other))
        other = None
    return result


def in_tuple(values):
    result, last = [], 0.25
    for value in values:
        got = last, value * 0.5
        last = value * 0.125
        other = value + 0.75
        result.append((got[0], got[0] is last, got[0] is other))
        other = None
    return result


def of_function(values):
    result, last = [], 0.25
    for value in values:
        got, whole = inner(last, value * 0.5)
        last = value * 0.125
        other = value + 0.75
        result.append((got, whole, got is last, got is other, whole[1] is got))
        other = None
    return result


def of_method(values):
    result, last, left = [], 0.25, Left(1, 2)
    for value in values:
        got = left + first(last, value * 0.5)
        made = Left(last, value * 0.5)
        last = value * 0.125
        other = value + 0.75
        result.append((got, made.a, got is last, got is other, made.a is got))
        other = None
    return result


def generator(values):
    last = 0.25
    for value in values:
        got = yield first(last, value * 0.5)
        last = value * 0.125
        other = value + 0.75
        yield got is last, got is other
        other = None


def of_generator(values):
    return list(generator(values))


for function in returned, in_tuple, of_function, of_method, of_generator:
    for values in [1] * 3 + [1.5] * 6, [1.5] * 4 + [1] * 5, [1, 1.5] * 6, [1.5, 1, 1, 1.5, 1.5] * 3:
        expected = function(values)
        found = [function(values) for _ in range(60)]
        print(function.__name__, expected, all(one == expected for one in found))
