"""What the clients watch: a bit of everything, the same each time."""

import functools
import sys
import threading


def branches(n):
    total = 0
    for i in range(n):
        if i % 3 == 0:
            total += 1
        elif i == 100:
            total = -1
        while total > 4:
            total -= 2
    else:
        total += 10
    return total if total else None


def generator(n):
    try:
        for i in range(n):
            yield i
    except KeyError:
        yield "caught"
    finally:
        branches(1)


def delegates(n):
    result = yield from generator(n)
    return result


async def asynchronous(n):
    async def one(i):
        return i * i

    async def ticks():
        for i in range(n):
            yield await one(i)

    return [x async for x in ticks() if x != 1]


def run(coroutine):
    try:
        coroutine.send(None)
    except StopIteration as stop:
        return stop.value


def handles(x):
    try:
        if x:
            raise ValueError(x)
    except ValueError as error:
        return error.args
    except TypeError:
        return "never"
    finally:
        x += 1
    return x


def matches(x):
    match x:
        case 0:
            return "zero"
        case [a, *_]:
            return a
        case {"k": v} if v:
            return v
        case _:
            return None


@functools.lru_cache
def fibonacci(n):
    return n if n < 2 else fibonacci(n - 1) + fibonacci(n - 2)


class Shape:
    sides = [i for i in range(3)]

    def __init__(self, n):
        self.n = n

    @property
    def area(self):
        return self.n ** 2

    def __lt__(self, other):
        return self.n < other.n


def never_called():
    print("never")
    if sys:
        return 1


def groups():
    try:
        raise ExceptionGroup("g", [KeyError(1), ValueError(2)])
    except* KeyError:
        pass
    except* ValueError:
        return_value = 5
    return return_value


def work(results, number):
    results[number] = [branches(number), list(delegates(number)), handles(number)]


def plain():
    print([handles(x) for x in (0, 1)], sorted([Shape(3), Shape(1)])[0].n, fibonacci(9), list(delegates(2)), branches(8))


def main():
    results = {}
    for number in range(3):
        thread = threading.Thread(target=work, args=(results, number))
        thread.start()
        thread.join()
    plain()
    g = delegates(3)
    next(g)
    print(g.throw(KeyError), run(asynchronous(4)), groups(), fibonacci(12))
    print(results, [matches(x) for x in (0, [1], {"k": 2}, 3)], [handles(x) for x in (0, 1)])
    print(max(sorted([Shape(3), Shape(1), Shape(2)])).area, [[y for y in range(x)] for x in range(3)],
          list(map(lambda x: x and branches(x), range(3))))


if __name__ == "__main__":
    main()
