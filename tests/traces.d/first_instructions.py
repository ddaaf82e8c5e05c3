"""Traces that begin with an instruction which depends on types: behind a branch, in the place of an instruction in the bytecode.

If the types are others, such a trace leaves before it has done anything, and the instruction runs all the same.
"""

import sys

ROUNDS = 3000


class Base:
    def __init__(self, value):
        self.value = value

    def method(self):
        return self.value + 1

    def __add__(self, other):
        return self.value + other

    def __getitem__(self, index):
        return self.value * index

    def __setitem__(self, index, value):
        self.value = value % 7 + index

    def __len__(self):
        return self.value % 3

    def __iter__(self):
        yield self.value
        yield 1

    def __call__(self, argument):
        return self.value - argument

    def __eq__(self, other):
        return self.value == other

    __hash__ = None


# More types than there are traces for one place.
CLASSES = [type(f"Class{number}", (Base,), {f"attribute{number}": number}) for number in range(12)]


class Slots(Base):
    __slots__ = ("value",)


class Property:
    value = property(lambda self: 5)

    def method(self):
        return 6


class Dynamic:
    def __getattr__(self, name):
        if name == "method":
            return lambda: 8
        return 7


def objects(count):
    return [class_(3 + number) for number, class_ in enumerate([*CLASSES, Slots][:count])]


# --- each of these has the instruction behind a branch that goes both ways --------------------------------------------

def attribute(values, rounds):
    total = 0
    for number in range(rounds):
        one = values[number % len(values)]
        if number % 5 < 3:
            total += 1
        total += one.value
    return total


def method(values, rounds):
    total = 0
    for number in range(rounds):
        one = values[number % len(values)]
        total += one.method() if number % 3 else 1
    return total


def operator(values, rounds):
    total = 0
    for number in range(rounds):
        one = values[number % len(values)]
        total += (one + number if number & 1 else number)
    return total


def item(values, rounds):
    total = 0
    for number in range(rounds):
        one = values[number % len(values)]
        total += one[number & 3] if number & 2 else 1
    return total


def store(values, rounds):
    for number in range(rounds):
        one = values[number % len(values)]
        if number & 1:
            one.value = number % 11
        else:
            one[0] = number
    return [one.value for one in values]


def length(values, rounds):
    total = 0
    for number in range(rounds):
        one = values[number % len(values)]
        if number & 1:
            total += 3
        total += len(one)
    return total


def iteration(values, rounds):
    total = 0
    for number in range(rounds):
        one = values[number % len(values)]
        if number & 1:
            total += 3
        for part in one:
            total += part
    return total


def call(values, rounds):
    total = 0
    for number in range(rounds):
        one = values[number % len(values)]
        total += one(number) if number % 7 else 2
    return total


def comparison(values, rounds):
    total = 0
    for number in range(rounds):
        one = values[number % len(values)]
        if number & 1:
            total += 1
        if one == number % 9:
            total += 1
    return total


def construction(classes, rounds):
    total = 0
    for number in range(rounds):
        class_ = classes[number % len(classes)]
        one = class_(number) if number & 1 else class_(1)
        total += one.value
    return total


def unpacking(values, rounds):
    total = 0
    for number in range(rounds):
        one = values[number % len(values)]
        if number & 1:
            total += 1
        first, second = one
        total += first * 2 + second
    return total


LOOPS = attribute, method, operator, item, store, length, iteration, call, comparison
for count in (1, 2, 3, 5, 13):
    for loop in LOOPS:
        print(count, loop.__name__, loop(objects(count), ROUNDS))
    print(count, construction([*CLASSES, Slots][:count], ROUNDS))
print(unpacking([(1, 2), [3, 4], "56" and (5, 6), range(2), {1: 2, 3: 4}], ROUNDS))

# Other kinds of attributes, one after the other, and back.
for values in (objects(2), [Property()], [Dynamic()], [Property(), Dynamic(), *objects(3)], objects(4)):
    print(attribute(values, ROUNDS), method(values, ROUNDS))

# Numbers and sequences of all kinds.
print([operator([1, 2.5, True, 1 << 70], ROUNDS), item([[1, 2, 3, 4], (5, 6, 7, 8), {0: 1, 1: 2, 2: 3, 3: 4}], ROUNDS)])


# --- errors, and what changes meanwhile -----------------------------------------------------------------------------

def failing(values, rounds):
    caught = total = 0
    for number in range(rounds):
        one = values[number % len(values)]
        try:
            if number % 3:
                total += 1
            total += one.value
        except AttributeError as error:
            caught += error.__traceback__.tb_lineno - failing.__code__.co_firstlineno
    return caught, total


class Nothing:
    pass


print(failing([*objects(2), Nothing(), Nothing()], ROUNDS), failing([Nothing()], ROUNDS), failing(objects(3), ROUNDS))


def changing(rounds):
    total = 0
    values = objects(3)
    for number in range(rounds):
        one = values[number % 3]
        if number % 5 == 4:
            total += 1
        total += one.value
        if number % 701 == 700:
            values = [Property(), *values[:2]] if number % 2 else objects(3)
        if number % 997 == 996:
            Property.value = property(lambda self, number=number: number)
    return total


print(changing(2 * ROUNDS))


def watched(rounds):
    lines = 0

    def trace(frame, event, argument):
        nonlocal lines
        lines += event == "line" and frame.f_code is attribute.__code__
        return trace

    total = attribute(objects(5), rounds)
    sys.settrace(trace)
    total += attribute(objects(5), 50)
    sys.settrace(None)
    total += attribute(objects(6), rounds)
    return total, lines


print(watched(ROUNDS))


# --- functions, which are recorded from their first instruction on ----------------------------------------------------

def of_one(one):
    return one.value


def of_two(one):
    if one.value & 1:
        return one.method()
    return one.value


def calls(values, rounds):
    return sum(of_one(values[number % len(values)]) + of_two(values[number % len(values)]) for number in range(rounds))


for count in (1, 2, 13):
    print(calls(objects(count), ROUNDS))


# --- functions that call themselves ------------------------------------------------------------------------------------

def fibonacci(n, unused=1):
    return n if n < 2 else fibonacci(n - 1) + fibonacci(n - 2, unused)


class Node:
    def __init__(self, depth):
        self.left = Node(depth - 1) if depth else None
        self.right = Node(depth - 1) if depth > 1 else None

    def count(self, start=0):
        found = start + 1
        if self.left is not None:
            found = self.left.count(found)
        if self.right is not None:
            found = self.right.count(found)
        return found

    def depth(self, *, least=0):
        return max([least] + [1 + part.depth(least=least) for part in (self.left, self.right) if part is not None])


def deep(n):
    return 1 + deep(n - 1) if n else 0


def too_deep(n):
    return too_deep(n + 1) + 1


print(fibonacci(19), Node(9).count(), Node(7).depth(), deep(700))
for _ in range(3):
    try:
        too_deep(0)
    except RecursionError as error:
        print(error)
