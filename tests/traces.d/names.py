# environment: PYTHON_JIT_SIDE_EXIT_INITIAL_VALUE=1 PYTHON_JIT_SIDE_EXIT_INITIAL_BACKOFF=1
"""Attributes in dictionaries of instances, methods behind `super()`, properties, and methods of the host that are bound to an object."""

import sys

log = []


class Loud:
    def __init__(self, name):
        self.name = name

    def __del__(self):
        frame = sys._getframe(1)
        log.append((self.name, frame.f_code.co_name, frame.f_locals.get("total")))


class Open:
    """Its attributes are in a dictionary."""

    def __init__(self, first):
        self.__dict__ = {"first": first, "second": 2, "third": first}


class Many(Open):
    """They are too many for the object itself."""

    def __init__(self, first):
        for number in range(40):
            setattr(self, f"x{number}", number)
        self.first, self.second, self.third = first, 2, first


def attributes(objects, ends=False):
    total = 0
    for one in objects:
        total += one.second
        one.first = total
        one.second = one.first + one.second
        if ends:
            one.third = Loud(total)
        value = one.third
        one.third = None
    return total, one.first, one.second, value if ends is False else value.name


def attempt(function, *arguments):
    del log[:]
    try:
        result = function(*arguments)
    except Exception as error:
        result = type(error).__name__, str(error), error.__traceback__.tb_next.tb_lineno
    return result, log[-3:]


def objects(Open):
    print(attempt(attributes, [Open(number) for number in range(100)]))
    print(attempt(attributes, [Open(1)] * 100))
    print(attempt(attributes, [Open(1)] * 100, True))
    for change in (
        lambda one: one.__dict__.pop("second"),
        lambda one: one.__dict__.update(more=1),
        lambda one: one.__dict__.pop("first"),
        lambda one: setattr(one, "__dict__", {"second": 5, "first": 6, "third": 7}),
        lambda one: setattr(one, "__dict__", {}),
        lambda one: one.__dict__.__setitem__(1, 2),
        lambda one: setattr(one, "__class__", Slotted),
        lambda one: delattr(one, "third"),
    ):
        one = Open(1)
        change(one)
        print(attempt(attributes, [Open(1)] * 3 + [one] * 2), sorted(map(str, one.__dict__)))
        print(attempt(attributes, [one] * 60), len(one.__dict__))


class Slotted(Open):
    @property
    def second(self):
        log.append("second")
        return 3

    @second.setter
    def second(self, value):
        log.append(("second", value))


objects(Open)
attributes.__code__ = attributes.__code__.replace(co_name="attributes")
objects(Many)


def owners_that_end():
    """The value stays when the owner goes."""
    total = 0
    names = []
    for number in range(120):
        total += 1
        value = Open(Loud(number)).first
        names.append(value.name)
        Open(1).third = Loud(-number)
    print(names[-3:], len(log), log[-3:])


del log[:]
owners_that_end()


# --- super --------------------------------------------------------------------------------------------------------------


class Base:
    def grow(self, by):
        return by + 1

    @classmethod
    def make(cls, by):
        return cls.__name__, by

    @staticmethod
    def still(by):
        return by * 2

    @property
    def size(self):
        return 4

    def look(self):
        frame = sys._getframe(1)
        return frame.f_code.co_name, frame.f_locals["by"]


class Middle(Base):
    def grow(self, by):
        return super().grow(by) * 2

    @classmethod
    def make(cls, by):
        return super().make(by)

    def still(self, by):
        return super().still(by)

    def all(self, by):
        return super().size, super().look(), super().__repr__()[:5], super().missing if by < 0 else None


class Top(Middle):
    def grow(self, by):
        return super(Top, self).grow(by) - 1

    def look(self):
        return "Top"

    def __repr__(self):
        return "Top()"


class Beside(Base):
    def grow(self, by):
        return by * 100

    def look(self):
        return "Beside"


class Diamond(Middle, Beside):
    pass


def supers(objects):
    total = 0
    for one in objects:
        total += one.grow(total % 7)
        made, still = one.make(total % 5), one.still(total % 3)
    return total, made, still, one.all(3)


def behind():
    for classes in (Middle,), (Top,), (Diamond,), (Top, Diamond, Middle):
        print(attempt(supers, [classes[number % len(classes)]() for number in range(120)]))
    own = Top()
    print(attempt(own.all, -1))
    grow = Base.grow
    Base.grow = lambda self, by: by + 5
    print(attempt(supers, [Top(), Middle()] * 60))
    Beside.grow = grow
    print(attempt(supers, [Diamond()] * 60))
    Middle.__bases__ = (Beside,)
    print(attempt(supers, [Top(), Middle()] * 60))
    Middle.__bases__ = (Base,)
    del Base.grow
    print(attempt(supers, [Top(), Middle()] * 60))
    Base.grow = grow


behind()


# --- properties ---------------------------------------------------------------------------------------------------------


class Point:
    def __init__(self, x):
        self._x = x

    @property
    def x(self):
        return self._x

    @property
    def looked(self):
        frame = sys._getframe(1)
        return frame.f_code.co_name, frame.f_locals["total"], frame.f_lineno

    @property
    def failing(self):
        if self._x == 70:
            raise ValueError(self._x)
        return self._x

    @property
    def ending(self):
        Loud(self._x)
        return [self._x, Loud(-self._x)][0]

    @property
    def deep(self):
        return self.x + self.x

    @property
    def catching(self):
        try:
            return {}[self._x]
        except KeyError:
            return self.deep


def properties(points, ends=False):
    total = 0
    for point in points:
        total += point.x + point.deep * 2 - point.catching
        if ends:
            total += point.ending
        last = point.looked
    return total, last


def failing(points):
    total = 0
    try:
        for point in points:
            total += point.failing
    except ValueError as error:
        return total, [(frame.tb_lineno, frame.tb_frame.f_code.co_name) for frame in (error.__traceback__, error.__traceback__.tb_next)]


def getters():
    points = [Point(number) for number in range(150)]
    print(attempt(properties, points))
    print(attempt(properties, points, True))
    print(attempt(failing, points))
    getter = Point.x.fget

    def other(self):
        return self._x * 1000

    getter.__code__ = other.__code__
    print(attempt(properties, points))
    Point.x = property(lambda self, more=5: self._x + more)
    print(attempt(properties, points))
    Point.x = 7
    print(attempt(properties, points))


getters()


def deep_recursion():
    class Node:
        def __init__(self, next):
            self.next = next

        @property
        def depth(self):
            return 0 if self.next is None else self.next.depth + 1

    node = None
    for _ in range(300):
        node = Node(node)
    print([node.depth for _ in range(20)][-1])
    for _ in range(3000):
        node = Node(node)
    try:
        print(node.depth)
    except RecursionError as error:
        print(type(error).__name__)
    while node is not None:
        node = node.next


deep_recursion()


# --- bound methods of the host ------------------------------------------------------------------------------------------


class List(list):
    def append(self, value):
        log.append(("append", value))
        super().append(value)


class Text(str):
    pass


def bound(lists, texts):
    total = 0
    for one, text in zip(lists, texts):
        append, pop, upper, starts, join = one.append, one.pop, text.upper, text.startswith, text.join
        for number in range(30):
            total += number
            append(total * 3)
            append(number)
            if starts("a"):
                total += len(upper())
            total += pop() + len(join(["x", "y"]))
    return total, one[-2:], upper()


def methods():
    print(attempt(bound, [[] for _ in range(20)], ["abc"] * 20))
    print(attempt(bound, [[], List(), [1], List([2])], ["abc", "", Text("abc"), "abc"]))
    print(attempt(bound, [[], {}], ["abc", "abc"]))
    total = 0
    results = []
    append = results.append
    for number in range(300):
        total += number
        append(total)
        if number == 200:
            append = log.append
        if number == 250:
            append = Loud
    print(len(results), results[-1], len(log), log[-1])


del log[:]
methods()
