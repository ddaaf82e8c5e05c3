# Memory that runs out at every allocation of a piece of code, for that one, for a few, or from there on: MemoryError is
# all that happens.
import gc

import _testcapi

from lib.bounded import check, done, times


class Pair:
    __slots__ = "a", "b"

    def __init__(self, a, b):
        self.a, self.b = a, b

    def __getitem__(self, i):
        return self.a * i

    @property
    def total(self):
        return self.a + self.b


def numbers(n):
    for i in range(n):
        yield i * 1000


def takes(*args, **kwargs):
    return args, kwargs


def recursion(n):
    return 1.5 if n <= 0 else recursion(n - 1) + 1.5


async def answer(x):
    return [x]


async def asks():
    return [await answer(i) for i in range(6)]


def work():
    out = []
    for i in range(12):
        pair = Pair(i * 1000, i * 2.5)
        out.append(pair.total)
        out.append(pair[3])
        out.append({k: v for k, v in zip("abc", (i, i * 300, i << 40))})
        out += [*numbers(3)], takes(i, b=i), takes(*(1, 2), **{"z": i})
        text = "a"
        for c in "bcd":
            text += c
        out += text, f"{i}{text}", recursion(4), (lambda x: x + i * 1000)(i)
        try:
            raise ValueError(i)
        except ValueError as error:
            out.append(str(error))
        first, *rest = range(3)
        out.append((first, rest))
        for j in range(i % 6):
            rest.append([j])
        out.append([[item] for item in rest])
    try:
        asks().send(None)
    except StopIteration as answers:
        out.append(answers.value)
    return out


def attempt(first, length):
    """Whether it worked although these allocations failed."""
    _testcapi.set_nomemory(first, first + length)
    try:
        result = work()
    except MemoryError:
        return False
    finally:
        _testcapi.remove_mem_hooks()
    check(result == expected, first, length, result)
    return True


expected = work()
worked = attempts = 0
for length in 1, 5, 1 << 30:
    for first in range(1, times(300)):
        worked += attempt(first, length)
        attempts += 1
        if first % 100 == 0:
            # What traces rely on changes.
            Pair.changed = first
            gc.collect()
check(work() == expected)
done(attempts=attempts)
