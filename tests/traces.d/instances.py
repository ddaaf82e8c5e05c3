"""New instances, whose `__init__` has no frame; numbers that are stored over others; objects that end with others."""

import gc
import sys
import traceback
import weakref

ROUNDS = 600
JUMPS = 9


class Point:
    def __init__(self, x, y):
        self.x = x
        self.y = y

    def __sub__(self, other):
        return Point(self.x - other.x, self.y - other.y)


def points():
    """Instances that are made by operators, with ints and floats."""
    total = Point(0, 0.0)
    for i in range(ROUNDS):
        other = Point(i & 3, i * 0.25) if i % 7 else Point(i * 0.5, i)
        total = total - other
    return total.x, total.y, list(vars(total))


def order():
    """The attributes are in the order in which they were set."""
    seen = set()
    for i in range(ROUNDS):
        point = Point(i, i)
        point.z = i
        seen.add(tuple(vars(point)))
    return seen


class Looking:
    """Its `__init__` runs code that sees the frames."""

    def __init__(self, i):
        self.i = i
        if i % JUMPS == 0:
            frame = sys._getframe()
            self.names = [frame.f_code.co_name, frame.f_back.f_code.co_name, sorted(frame.f_locals)]
            self.line = frame.f_lineno - frame.f_code.co_firstlineno


def looking():
    found = set()
    for i in range(ROUNDS):
        new = Looking(i)
        if i % JUMPS == 0:
            found.add((*new.names[:2], *new.names[2], new.line))
    return found


class Refusing:
    def __init__(self, i):
        self.i = 10 // (i % JUMPS)


class Returning:
    def __init__(self, i):
        if i % JUMPS == 0:
            return i


def refusing(class_):
    """An `__init__` that raises, or whose result is not None."""
    messages = {}
    for i in range(ROUNDS):
        try:
            class_(i)
        except (ZeroDivisionError, TypeError) as error:
            lines = [(f.name, f.line) for f in traceback.extract_tb(error.__traceback__)]
            messages[str(error)] = lines
    return messages


class Changing:
    def __init__(self, value):
        self.value = value


def other_init(self, value):
    self.value = -value


def changing():
    """The class gets another `__init__`, and `__init__` other code."""
    values = []
    for i in range(ROUNDS):
        if i == ROUNDS // 3:
            Changing.__init__.__code__ = other_init.__code__
        if i == ROUNDS // 2:
            Changing.__init__ = lambda self, value: setattr(self, "value", value * 2)
        values.append(Changing(i).value)
    return sum(values), values[ROUNDS // 3], values[-1]


def stored():
    """A float takes the place of another one only if nothing else refers to that."""
    numbers, point, kept, sums = [0.0, 1.0], Point(0.5, 1.5), [], 0.0
    for i in range(ROUNDS):
        numbers[0] += 0.5
        point.x += numbers[0]
        if i % JUMPS == 0:
            kept.append((numbers[0], point.x))
        numbers[1] = point.x - 1.0
        old = numbers[1]
        numbers[1] = old * 2.0
        sums += old
    return numbers, point.x, sums, kept[:3], kept[-1]


class Noisy:
    log = []

    def __init__(self, name):
        self.name = name

    def __del__(self):
        frame = sys._getframe(1)
        Noisy.log.append((self.name, frame.f_code.co_name, "kept" in frame.f_locals))


class Holder:
    def __init__(self, part):
        self.part = part
        self.same = [part, (part,)]


def ends():
    """What ends with something else: quietly, or with code that sees the frame."""
    Noisy.log.clear()
    notified, kept = [], None
    for i in range(ROUNDS):
        part = Noisy(i) if i % 50 == 0 else Point(i, None)
        reference = weakref.ref(part, lambda _: notified.append(kept)) if i % 40 == 1 else None
        holder = Holder(part)
        part = {part} if i % 3 else (holder, [holder])
        kept = i
        holder = part = None
        del reference
    return len(Noisy.log), Noisy.log[:2], notified


def suspended():
    """Generators that are dropped where they are, with and without something to do at the end."""
    log = []

    def plain(values):
        for value in values:
            yield value

    def with_end(values):
        try:
            for value in values:
                yield value
        finally:
            log.append(values[0])

    total = 0
    for i in range(ROUNDS):
        for value in plain([i, 2, 3]) if i % JUMPS else with_end([i, 2, 3]):
            total += value
            break
    return total, log[:3], len(log)


for test in (points, order, looking, changing, stored, ends, suspended):
    print(test.__name__, test())
print(refusing(Refusing))
print(refusing(Returning))
gc.collect()
