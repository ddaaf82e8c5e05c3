# Operators where ints, floats and others meet: results, types and exceptions of the generic instruction.
import operator


class MyInt(int):
    def __rmod__(self, other): return "rmod"


class MyFloat(float):
    def __radd__(self, other): return "radd"


class Index:
    def __index__(self): return 3


DIGIT = (1 << 30) - 1
VALUES = [0, 1, -1, 2, -3, 7, -8, 13, 30, 31, 63, 64, -64, 255, DIGIT, -DIGIT, DIGIT + 1, -DIGIT - 1, 1 << 62, -(1 << 63),
          1 << 70, 0.0, -0.0, 1.5, -2.25, 3.0, float("inf"), float("-inf"), float("nan"), 1e308, -5e-324,
          True, False, MyInt(7), MyFloat(2.5), 2j, None, "%d", [1], Index()]


def add(a, b): return a + b
def subtract(a, b): return a - b
def multiply(a, b): return a * b
def divide(a, b): return a / b
def floor(a, b): return a // b
def modulo(a, b): return a % b
def left(a, b): return a << b
def right(a, b): return a >> b
def conjunction(a, b): return a & b
def disjunction(a, b): return a | b
def difference(a, b): return a ^ b
def power(a, b): return a ** b


def in_place(a, b):
    results = []
    for change in (add_to, take_from, times, over, floored, rest, shift_left, shift_right, masked, united, flipped):
        results.append(outcome(change, a, b))
    return results


def add_to(a, b): a += b; return a
def take_from(a, b): a -= b; return a
def times(a, b): a *= b; return a
def over(a, b): a /= b; return a
def floored(a, b): a //= b; return a
def rest(a, b): a %= b; return a
def shift_left(a, b): a <<= b; return a
def shift_right(a, b): a >>= b; return a
def masked(a, b): a &= b; return a
def united(a, b): a |= b; return a
def flipped(a, b): a ^= b; return a


def outcome(function, a, b):
    try:
        result = function(a, b)
        return type(result).__name__, repr(result)
    except Exception as e:
        return type(e).__name__, str(e)


def sensible(function, a, b):
    # Neither more memory than there is, nor a day.
    if function in (left, shift_left): return not isinstance(b, int) or b < 1000
    if function is power: return not (isinstance(b, int) and abs(b) > 100)
    if function in (multiply, times): return not (isinstance(a, (str, list)) or isinstance(b, (str, list)))
    return True


for function in (add, subtract, multiply, divide, floor, modulo, left, right, conjunction, disjunction, difference, power):
    # Mixed operands at the same instruction.
    for a in VALUES:
        print(function.__name__, repr(a)[:20].split(" at ")[0],
              [outcome(function, a, b) for b in VALUES if sensible(function, a, b)]
              if not isinstance(a, Index) else len(VALUES))
for a in VALUES[:-1]:
    for b in (0, 3, -5, 0.0, 2.5, True):
        if not isinstance(a, (str, list)):
            print(in_place(a, b))


# As long as an instruction has only one pair of types.
def steady(a, b):
    return a % b, a // b, a & b, a | b, a ^ b, a / b, a << 3, a >> 1


for a, b in ((7, 3), (-7, 3), (7, -3), (0, -5), (DIGIT, 2), (-DIGIT, DIGIT), (1 << 29, 1 << 29)):
    for _ in range(50):
        result = steady(a, b)
    print(result, [type(value).__name__ for value in result])
try:
    steady(1, 0)
except ZeroDivisionError as e:
    print(e, e.__traceback__.tb_next.tb_lineno)
assert all(operator.mod(a, b) == modulo(a, b) for a in range(-50, 50) for b in range(-50, 50) if b)
assert all(operator.floordiv(a, b) == floor(a, b) for a in range(-50, 50) for b in range(-50, 50) if b)

# Small results are the interpreter's own objects.
print(modulo(1000, 7) is modulo(13, 7), floor(1000, 500) is floor(2, 1), conjunction(300, 255) is conjunction(44, 255))
