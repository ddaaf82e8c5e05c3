"""Loops for the micro-ops that tests/programs does not reach.

A trace starts at the top of a loop or, where a loop ends, at what follows it. So what cannot be in a loop comes behind
one: `[None for _ in items]` is a loop inside an expression.
"""

import array
import math
import types

ROUNDS = 12
items = [1, 2, 3]


def repeat(function):
    for _ in range(ROUNDS):
        function()
    return function


# This comes first: the optimizer relies on globals only until they have changed a few times.
def one():
    return 1


def two():
    return 2


def module():
    return math


@repeat
def constants():
    count = 0
    for i in items:
        a, b, text, none, yes = 1, 2, "text", None, True
        if a < b:
            count += 1
        if text:
            count += 1
        if none:
            count += 100
        if not yes:
            count += 100
        if a:
            count += 1
        if one() < two():
            count += 1
    for i in items:
        x = module().pi
    assert (count, x) == (12, math.pi)


@repeat
def arithmetic():
    x = 10.5
    for i in range(ROUNDS):
        x = x - 0.25
    assert x == 7.5
    return x


@repeat
def templates():
    for i in items:
        template = t"{i} and {i!r:>3}"
    assert template.values == (3, 3)


@repeat
def groups():
    caught = []
    for i in items:
        try:
            raise ExceptionGroup("g", [ValueError(i), KeyError(i)])
        except* [ValueError for _ in items][0] as group:
            for error in group.exceptions:
                caught.append(error.args[0])
        except* [KeyError for _ in items][0]:
            for j in items:
                caught.append(j)
    assert caught == [1, 1, 2, 3, 2, 1, 2, 3, 3, 1, 2, 3]


@repeat
def exceptions():
    caught = []
    for i in items:
        try:
            raise KeyError(i)
        except tuple([KeyError for _ in items]) as error:
            for j in items:
                caught.append(j)
            caught.append(error.args[0])
    assert caught == [1, 2, 3, 1, 1, 2, 3, 2, 1, 2, 3, 3]


class Base:
    value = 5

    def method(self, a, b=2):
        return a + b


class Derived(Base):
    def method(self, a, b=2):
        total = 0
        for i in items:
            total += super().method(i)
            total += super().value
        return total


@repeat
def methods():
    bound = Base().method
    total = 0
    for i in items:
        total += bound(a=i, b=1)
        total += bound(i)
    assert total == 9 + 12
    assert Derived().method(0) == 12 + 15


NAMES = """
for i in range(ROUNDS):
    name = i
    del name
    class Local:
        attribute: int = i
"""
for _ in range(ROUNDS):
    exec(NAMES, {"ROUNDS": ROUNDS})


@repeat
def displays():
    mapping = {1: 2}
    for i in items:
        merged = {**mapping, i: 5}
        union = {*items, 4}
        first, *rest = items
        copy = [1, 2, 3, 4, 5]
        copy[1:i] = "ab"
    assert (merged, union, first, rest, copy) == ({1: 2, 3: 5}, {1, 2, 3, 4}, 1, [2, 3], [1, "a", "b", 4, 5])


@repeat
def matches():
    found = []
    for subject in [{"a": 1, "b": 2}] * 3:
        match subject:
            case {"a": a, **rest}:
                found.append((a, rest))
    assert found == [(1, {"b": 2})] * 3


def any(values):
    return max(values)


# The compiler compares the function with the builtin.
@repeat
def common_constants():
    for i in items:
        assert any(j == i for j in items)


@repeat
def imports():
    for i in items:
        from math import floor
        assert floor(1.5) == 1


def class_bodies():
    free = 7

    class Body:
        for i in items:
            found = free

    assert Body.found == 7


repeat(class_bodies)


class Ready:
    "Can be awaited, and iterated asynchronously, without generators: traces do not enter those."

    left = 0

    def __await__(self):
        return iter(())

    def __aiter__(self):
        return self

    def __anext__(self):
        self.left -= 1
        if self.left < 0:
            raise StopAsyncIteration
        return self


ready = Ready()


@repeat
def awaiting():
    async def main():
        total = 0
        for i in items:
            await ready
            total += 1
        for i in items:
            async for nothing in ready:
                total += 100
        ready.left = 3
        async for nothing in ready:
            total += 1
        return total

    try:
        main().send(None)
    except StopIteration as stop:
        assert stop.value == 6


def generator(n):
    yield n


def delegating():
    for i in items:
        yield from items


@repeat
def generators():
    for i in items:
        last = generator(i)
    assert list(last) == [3]
    assert list(delegating()) == items * 3


@repeat
def local_types():
    convert = str
    for i in items:
        text = convert(i)
        length = str([j for j in items])
    assert (text, length) == ("3", "[1, 2, 3]")


class Plain:
    pass


def with_keyword(*, number):
    return number


# The optimizer does not look behind a call with keywords.
@repeat
def truths():
    plain = Plain()
    count = 0
    for i in items:
        count += with_keyword(number=1)
        if plain:
            count += 1
    for i in items:
        if plain:
            count += 1
    assert count == 9


@repeat
def cells_and_globals():
    global some_global

    def inner():
        return cell

    for i in items:
        cell = i
        some_global = i
        assert inner() == i
        del cell
        del some_global
    try:
        inner()
    except NameError:
        pass
    else:
        raise AssertionError


class Indexed:
    def __getitem__(self, index):
        return index + 1


def three(a, b=2, c=3):
    return a + b + c


@repeat
def calls():
    arguments, keywords, indexed, total = (1, 2), {"b": 5}, Indexed(), 0
    ordered = types.MethodType(sorted, [2, 3, 1])
    for i in items:
        total += three(*arguments) + three(i, **keywords) + max(*arguments) + indexed[i]
        total += ordered(reverse=True)[0] + ordered()[0]
    assert total == 3 * (6 + 8 + 2 + 1 + 4) + 6 + 6


def first(values):
    for value in values:
        return value
    return 0


@repeat
def exhausted():
    total = 0
    for i in items:
        total += first([]) + first(()) + first(range(0)) + first({}) + 1
    assert total == 3


def end_of(values):
    last = 0
    for value in values:
        last = value
    return last


@repeat
def returns():
    for values in items, tuple(items), range(4), {3: 3}:
        for i in range(ROUNDS):
            assert end_of(values) == 3


def numbers(count):
    for i in range(count):
        yield i


def delegating(count):
    yield from numbers(count)
    yield from range(count)


class Ready:
    def __await__(self):
        return iter(())


async def value_of(i):
    await Ready()
    return i


@repeat
def generators():
    total = 0
    for i in delegating(ROUNDS):
        total += i
    for i in range(ROUNDS):
        for j in numbers(i & 1):
            total += j
    assert total == ROUNDS * (ROUNDS - 1)
    running = numbers(ROUNDS)
    next(running)
    for i in running:
        total -= i
    assert total == ROUNDS * (ROUNDS - 1) // 2


@repeat
def coroutines():
    async def main():
        total = 0
        for i in range(ROUNDS):
            total += await value_of(i)
        return total
    try:
        main().send(None)
    except StopIteration as stop:
        assert stop.value == ROUNDS * (ROUNDS - 1) // 2


@repeat
def attributes_in_a_dict():
    holder = Plain()
    holder.value, total = 1, 0
    for i in range(40):
        setattr(holder, f"attribute{i}", i)
    for i in range(ROUNDS):
        total += holder.value
        holder.value = i
    for i in range(ROUNDS):
        holder.other = i
        del holder.other
    assert total == 1 + sum(range(ROUNDS - 1))


@repeat
def special_methods():
    class Number:
        def __init__(self, value):
            self.value = value

        def __add__(self, other):
            return self.value + other.value

        def __setitem__(self, key, value):
            self.value = key + value

        def __call__(self, value):
            return self.value - value

    number, other, total = Number(1), Number(2), 0
    for i in range(ROUNDS):
        total += (number + other) + other(i)
        other[i] = 1
    assert total > 0


@repeat
def items_of_arrays():
    numbers, total = array.array("d", [1.0, 2.0]), 0.0
    for i in range(ROUNDS):
        total += numbers[0]
        numbers[1] = total
    assert numbers[1] == ROUNDS
