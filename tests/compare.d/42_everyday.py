# Pieces of the standard library at work: larger programs than the others, each a mix of everything.
import argparse
import asyncio
import collections
import contextlib
import dataclasses
import decimal
import enum
import fractions
import functools
import heapq
import io
import itertools
import json
import pickle
import random
import re
import string
import textwrap
import unittest

random.seed(5)


@dataclasses.dataclass(order=True, frozen=True)
class Item:
    key: int
    name: str = dataclasses.field(compare=False, default="none")
    tags: tuple = ()


items = [Item(random.randrange(100), random.choice(string.ascii_letters), tuple(random.sample(range(9), 3))) for _ in range(20)]
print(sorted(items)[:3], dataclasses.asdict(items[0]), dataclasses.replace(items[1], key=0) < items[1], len(pickle.dumps(items)) > 100)
print(pickle.loads(pickle.dumps(items)) == items, json.loads(json.dumps([dataclasses.astuple(i) for i in items]))[0])
heap = []
for item in items:
    heapq.heappush(heap, item)
print([heapq.heappop(heap).key for _ in range(5)])
words = re.findall(r"\w+", textwrap.dedent(argparse.__doc__))
print(collections.Counter(map(str.lower, words)).most_common(5), re.sub(r"(\w)(\w+)", lambda m: m[2] + m[1], "rotate each word"))


@functools.lru_cache
def edit_distance(a, b):
    if not a or not b:
        return len(a) + len(b)
    if a[0] == b[0]:
        return edit_distance(a[1:], b[1:])
    return 1 + min(edit_distance(a[1:], b), edit_distance(a, b[1:]), edit_distance(a[1:], b[1:]))


print(edit_distance("evaluation", "revaluating"), edit_distance.cache_info().misses)


def queens(n, row=0, cols=0, left=0, right=0):
    if row == n:
        return 1
    free, total = ~(cols | left | right) & ((1 << n) - 1), 0
    while free:
        bit = free & -free
        free ^= bit
        total += queens(n, row + 1, cols | bit, (left | bit) << 1, (right | bit) >> 1)
    return total


print([queens(n) for n in range(1, 9)])


class Shape(enum.Flag):
    ROUND = enum.auto()
    SHARP = enum.auto()
    BOTH = ROUND | SHARP


print(list(Shape), Shape.BOTH & Shape.ROUND, Shape(3), Shape["SHARP"])
decimal.getcontext().prec = 40
print(decimal.Decimal(2).sqrt(), sum(fractions.Fraction(1, n) for n in range(1, 30)))


async def producer(queue, n):
    for i in range(n):
        await queue.put(i)
        if i % 3 == 0:
            await asyncio.sleep(0)
    await queue.put(None)


async def consumer(queue):
    out = []
    while (x := await queue.get()) is not None:
        out.append(x * x)
    return out


async def fails(after):
    await asyncio.sleep(after)
    raise LookupError(after)


async def main():
    queue = asyncio.Queue(2)
    async with asyncio.TaskGroup() as tg:
        tg.create_task(producer(queue, 10))
        result = tg.create_task(consumer(queue))
    print(result.result())
    try:
        async with asyncio.TaskGroup() as tg:
            tg.create_task(fails(0)), tg.create_task(fails(0.001)), tg.create_task(asyncio.sleep(10))
    except* LookupError as eg:
        print([e.args for e in eg.exceptions])
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(0.001):
            await asyncio.sleep(10)
    task = asyncio.create_task(asyncio.sleep(10))
    await asyncio.sleep(0)
    task.cancel("reason")
    try:
        await task
    except asyncio.CancelledError as e:
        print("cancelled", e.args)
    print(await asyncio.gather(*(asyncio.to_thread(pow, i, 2) for i in range(4)), return_exceptions=True))


asyncio.run(main())


@contextlib.contextmanager
def tag(out, name):
    out.write(f"<{name}>")
    try:
        yield out
    finally:
        out.write(f"</{name}>")


out = io.StringIO()
with contextlib.ExitStack() as stack:
    for name in ("html", "body", "p"):
        stack.enter_context(tag(out, name))
    out.write("text")
print(out.getvalue())


@functools.singledispatch
def describe(x): return "object"
@describe.register
def _(x: int): return "int"
@describe.register(list)
def _(x): return [describe(i) for i in x]


print(describe([1, "s", [2]]), list(itertools.accumulate(range(6), lambda a, b: a * 2 + b)), functools.reduce(lambda a, b: a ^ b, range(100)))
parser = argparse.ArgumentParser(prog="p", exit_on_error=False)
parser.add_argument("--n", type=int, default=3)
parser.add_argument("rest", nargs="*")
print(parser.parse_args(["--n", "5", "a", "b"]))
try:
    parser.parse_args(["--n", "x"])
except argparse.ArgumentError as e:
    print(e)


class Test(unittest.TestCase):
    def test_passes(self):
        for i in range(3):
            with self.subTest(i=i):
                self.assertNotEqual(i, 1)
    def test_raises(self):
        with self.assertRaisesRegex(ZeroDivisionError, "division"):
            1 / 0
    @unittest.expectedFailure
    def test_expected(self): self.assertTrue(False)
    def test_error(self): undefined


stream = io.StringIO()
result = unittest.TextTestRunner(stream, verbosity=2).run(unittest.defaultTestLoader.loadTestsFromTestCase(Test))
print(re.sub(r"[\d.]+s", "Ns", stream.getvalue()))


class Tree:
    def __init__(self, value, left=None, right=None): self.value, self.left, self.right = value, left, right

    def insert(self, value):
        side = "left" if value < self.value else "right"
        child = getattr(self, side)
        if child is None:
            setattr(self, side, Tree(value))
        else:
            child.insert(value)

    def __iter__(self):
        if self.left: yield from self.left
        yield self.value
        if self.right: yield from self.right

    def __len__(self): return 1 + sum(len(t) for t in (self.left, self.right) if t)


tree = Tree(50)
for _ in range(200):
    tree.insert(random.randrange(1000))
print(len(tree), list(tree) == sorted(tree), next(iter(tree)))


def interpreter(program):
    "A tiny stack machine."
    stack, pc, steps = [], 0, 0
    while pc < len(program):
        steps += 1
        match program[pc]:
            case ("push", n): stack.append(n)
            case ("add",): stack.append(stack.pop() + stack.pop())
            case ("dup",): stack.append(stack[-1])
            case ("jump_if_less", limit, target):
                if stack[-1] < limit:
                    pc = target
                    continue
            case ("halt",): break
            case other: raise ValueError(f"unknown {other!r}")
        pc += 1
    return stack, steps


print(interpreter([("push", 0), ("push", 1), ("add",), ("jump_if_less", 1000, 1), ("halt",)]))
try:
    interpreter([("jump",)])
except ValueError as e:
    print(e)


def sieve(n):
    flags = bytearray([1]) * (n + 1)
    for i in range(2, int(n ** 0.5) + 1):
        if flags[i]:
            flags[i * i::i] = bytes(len(flags[i * i::i]))
    return [i for i in range(2, n + 1) if flags[i]]


print(len(sieve(10000)), sieve(50))
