# environment: PYTHON_JIT_SIDE_EXIT_INITIAL_VALUE=1 PYTHON_JIT_SIDE_EXIT_INITIAL_BACKOFF=0
"""Loops whose body has many ways: what they rely on changes, frames are looked at, and objects end in one of them."""

import gc
import sys
import types
import weakref

ROUNDS = 900


def numbers():
    """Each way leaves other variables without objects."""
    total, count, high, last = 0.0, 0, 0, 0.5
    for i in range(ROUNDS):
        if i % 2:
            if i % 3:
                total += last
            elif i % 5:
                count += 3
                last = i * 0.25
            else:
                count -= 1
        elif i % 7 == 0:
            last, total = total, last
        else:
            high = max(high, count) if i % 11 else high + (1 << 62 if i == 176 else 1)
    return total, count, high, last


class Shape:
    def __init__(self, size):
        self.size = size

    def area(self):
        return self.size * self.size


class Circle(Shape):
    def area(self):
        return self.size * 3.0


class Point(Shape):
    __slots__ = ()

    def area(self):
        return 0


def polymorphic():
    shapes = [Shape(2), Circle(3), Point(4), Shape(1.5)]
    total = 0
    for i in range(ROUNDS):
        shape = shapes[i % 4]
        if i % 6 < 2:
            total += shape.area()
        elif i % 6 < 4:
            total -= shape.size
        else:
            shape.size = i % 9 + shape.size * 0.5
    return total, [shape.size for shape in shapes]


class Rule:
    factor = 1

    def apply(self, value):
        return value * self.factor


def changed_in_a_way():
    """A way changes a class that this way and another one rely on."""
    rule, total = Rule(), 0
    for i in range(ROUNDS):
        if i % 3 == 0:
            total += rule.apply(i)
        elif i % 3 == 1:
            if i % 151 == 1:
                Rule.factor += 1
            total -= rule.apply(2)
        else:
            total += rule.factor
    Rule.factor = 1
    return total


def step(i):
    return i & 3


def replaced_in_a_way():
    """A way replaces the code of a function that is called in it, and all executors of the loop become invalid."""
    global step
    original, total = step, 0
    codes = [(lambda i: i & 7).__code__, (lambda i: -i).__code__]
    for i in range(ROUNDS):
        if i % 4 < 2:
            total += step(i)
        else:
            if i % 203 == 2:
                step = types.FunctionType(codes[i % 2], globals())
            total -= step(3)
    step = original
    return total


def countdown(n, depth):
    """The same loop runs in a way of itself."""
    total = 0
    while n > 0:
        if n % 3 == 0:
            total += n
        elif n % 3 == 1 and depth:
            total += countdown(n // 4, depth - 1)
        else:
            total -= 1
        n -= 1
    return total


def make_loop():
    namespace = {}
    exec("def loop(n, hook):\n"
         "    total = 0\n"
         "    for i in range(n):\n"
         "        if i % 2:\n"
         "            total += i\n"
         "        elif i % 8 == 4:\n"
         "            total -= hook(i)\n"
         "        else:\n"
         "            total += 0.5\n"
         "    return total\n", namespace)
    return namespace["loop"]


def code_that_ends():
    """The code object of the loop ends, or loses its executors, while a way of it runs."""
    results = []
    for turn in range(4):
        holder = [make_loop()]
        died = weakref.ref(holder[0])

        def hook(i):
            if i == 516:
                if turn == 1:
                    holder[0].__code__ = (lambda n, hook: 0).__code__
                elif turn == 2:
                    sys.settrace(lambda *_: None)
                    sys.settrace(None)
                holder.clear()
                gc.collect()
            return i % 5

        results.append(holder[0](ROUNDS, hook))
        del holder[:]
        gc.collect()
        results.append(died() is None)
    return results


def seen_in_a_way():
    """Frames, variables and lines in a way, also written."""
    seen, total, extra = [], 0, 0
    first = sys._getframe().f_code.co_firstlineno
    for i in range(ROUNDS):
        if i % 3 == 0:
            total += i * 0.5
        elif i % 90 == 1:
            frame = sys._getframe()
            seen.append((frame.f_lineno - first, frame.f_locals["total"], i))
            frame.f_locals["extra"] = i
        elif i % 3 == 1:
            total -= extra
        else:
            extra += 1
    return total, extra, seen


def raised_in_a_way():
    total, caught = 0, []
    for i in range(ROUNDS):
        try:
            if i % 2:
                total += 6 // (i % 7)
            elif i % 5 == 0:
                total += [1.5, 2.5][i % 3]
            else:
                total -= 1
        except (ZeroDivisionError, IndexError) as error:
            caught.append((type(error).__name__, error.__traceback__.tb_lineno - error.__traceback__.tb_frame.f_lineno))
            total += 100
    return total, len(caught), sorted(set(caught))


class Ends:
    log = []

    def __init__(self, i):
        self.i = i

    def __del__(self):
        Ends.log.append(self.i)


def ends_in_a_way():
    """Objects end in a way, at the usual moment."""
    Ends.log.clear()
    kept, lengths = None, []
    for i in range(ROUNDS // 3):
        if i % 3 == 0:
            kept = Ends(i)
        elif i % 3 == 1:
            kept = None
        else:
            Ends(-i)
        lengths.append(len(Ends.log))
    return sum(lengths), Ends.log[:6], len(Ends.log)


def values(n):
    for i in range(n):
        if i % 3:
            yield i
        elif i % 2:
            yield i * 0.5


def generators():
    total = 0
    for value in values(ROUNDS):
        if value % 2 == 1:
            total += value
        elif value % 3 == 1:
            total -= 1
    return total, sum(1 if value > 9 else 2 for value in values(ROUNDS))


def watched_in_a_way():
    """Tracing begins and ends in a way."""
    lines, total = [], 0

    def trace(frame, event, argument):
        lines.append((event, frame.f_code.co_name))
        return trace

    def inner(i):
        if i % 2:
            return i
        return -i

    for i in range(ROUNDS):
        if i % 300 == 150:
            sys.settrace(trace)
        elif i % 300 == 153:
            sys.settrace(None)
        elif i % 3:
            total += inner(i)
        else:
            total += 1
    sys.settrace(None)
    return total, lines


for test in (numbers, polymorphic, changed_in_a_way, replaced_in_a_way, lambda: countdown(120, 3), code_that_ends,
             seen_in_a_way, raised_in_a_way, ends_in_a_way, generators, watched_in_a_way):
    for _ in range(2):
        print(test.__name__, test())
