"""Switches the evaluator while generators, coroutines, threads and frames are alive. Prints the same in all cases."""

import asyncio
import random
import sys
import threading

import reval

RANDOM = random.Random(3)
ALWAYS = sys.argv[1:] == ["always"]


def switch():
    if not ALWAYS:
        RANDOM.choice((reval.enable, reval.disable))()


def squares(count):
    total = 0
    try:
        for number in range(count):
            total += number * number
            sent = yield total
            if sent is not None:
                total = sent
    finally:
        switch()


def delegating(count):
    result = yield from squares(count)
    return result, count


class Point:
    def __init__(self, x):
        self.x = x

    @property
    def double(self):
        switch()
        return 2 * self.x

    def __getitem__(self, index):
        return self.x + index

    def __enter__(self):
        switch()
        return self

    def __exit__(self, *error):
        switch()
        return True


def deep(depth):
    if depth % 50 == 0:
        switch()
    if depth == 0:
        raise LookupError
    try:
        return deep(depth - 1)
    except LookupError:
        if depth % 3:
            raise
        switch()
        raise


async def ticking(name, count):
    seen = []
    for number in range(count):
        switch()
        await asyncio.sleep(0)
        seen.append((name, number))
    return len(seen)


async def tasks():
    return sum(await asyncio.gather(*(ticking(name, 30) for name in range(10))))


def hot():
    total = 0
    for number in range(20_000):
        total += Point(number).x + number % 7
        if number % 4999 == 0:
            switch()
    return total


def main():
    generators = [squares(5 + number) for number in range(30)]
    values = []
    while generators:
        switch()
        generator = generators[len(values) % len(generators)]
        try:
            values.append(generator.send(len(values)) if len(values) > 100 else next(generator))
        except StopIteration:
            generators.remove(generator)
            values.append(None)
    print(len(values), sum(value or 0 for value in values))
    print(len([*delegating(30)]))
    print(sum(Point(number).double + Point(number)[3] for number in range(2000)))
    with Point(1):
        deep(400)
    print(hot(), asyncio.run(tasks()))
    results = []
    threads = [threading.Thread(target=lambda: results.append(hot())) for _ in range(4)]
    for thread in threads:
        thread.start()
    for _ in range(200):
        switch()
    for thread in threads:
        thread.join()
    print(results)
    lines = []

    def tracer(frame, event, argument):
        if frame.f_code.co_name in ("delegating", "squares"):
            lines.append(event)
            switch()
        return tracer

    sys.settrace(tracer)
    [*delegating(5)]
    sys.settrace(None)
    print(len(lines))


main()
