"""FOR_ITER, SEND, UNPACK_SEQUENCE, JUMP_BACKWARD, LOAD_CONST, RESUME."""

import itertools
from collections import deque
from forms import change, function, use


class Iterable:
    def __iter__(self):
        return iter((1, 2))


class Iterator:
    def __init__(self):
        self.left = 3

    def __iter__(self):
        return self

    def __next__(self):
        self.left -= 1
        if self.left < 0:
            raise StopIteration
        return self.left


class OldSequence:
    def __getitem__(self, index):
        return (1, 2, 3)[index]


class Pairs(list):
    pass


class TupleOfMany(tuple):
    pass


def generator(count=2):
    yield from range(count)


def failing():
    yield 1
    raise ValueError


async def coroutine():
    return 1


class Awaitable:
    def __await__(self):
        yield 1
        return 2


ITERABLES = {
    "list": lambda: [1, 2], "empty": lambda: [], "tuple": lambda: (1, 2), "range": lambda: range(2), "none": lambda: None,
    "huge": lambda: range(1 << 70, (1 << 70) + 2), "str": lambda: "ab", "accent": lambda: "\u03b1b", "dict": lambda: {1: 2, 3: 4},
    "items": lambda: {1: 2}.items(), "set": lambda: {1, 2}, "bytes": lambda: b"ab", "generator": generator,
    "failing": failing, "genexp": lambda: (i for i in range(2)), "enumerate": lambda: enumerate("ab"),
    "zip": lambda: zip("ab", "cd"), "map": lambda: map(str, "ab"), "reversed": lambda: reversed([1, 2]),
    "chain": lambda: itertools.chain([1], [2]), "iterable": Iterable, "iterator": Iterator, "old": OldSequence,
    "pairs": lambda: Pairs([1, 2]), "many": lambda: TupleOfMany((1, 2)), "deque": lambda: deque([1, 2]),
    "one": lambda: [1], "three": lambda: (1, 2, 3), "three_list": lambda: [1, 2, 3], "int": lambda: 3,
    "shared": lambda shared=[1, 2]: shared,
}
BODIES = {
    "for": ("x", "for i in x: pass"),
    "return": ("x", "for i in x:", "  return i"),
    "break": ("x", "for i in x:", "  if i: break"),
    "continue": ("x", "for i in x:", "  if i: continue", "  i = 1"),
    "nested": ("x", "for i in range(2):", "  for j in x: pass"),
    "comprehension": ("x", "return [i for i in x]"),
    "dictionary": ("x", "return {i: i for i in x}"),
    "genexp": ("x", "return list(i for i in x)"),
    "else": ("x", "for i in x: pass", "else: return 1"),
    "two": ("x", "a, b = x"),
    "three": ("x", "a, b, c = x"),
    "single": ("x", "[a] = x"),
    "star": ("x", "a, *b = x"),
    "pairs": ("x", "for a, b in zip(x, x): pass"),
    "from": ("x", "def inner(): yield from x", "return list(inner())"),
    "outer": ("x", "def inner():", "  got = yield from x", "  return got", "for i in inner(): pass"),
    "any": ("x", "return any(x)"),
    "while": ("x", "n = 5", "while n: n -= 1"),
}
for body, (parameters, *lines) in BODIES.items():
    for name, make in ITERABLES.items():
        called = function(f"{body}_{name}", parameters, *lines)
        for _ in range(6):
            use(called, make(), times=1)

# One kind and then another, for longer than a form is kept
for body in ("for", "two", "from", "comprehension"):
    parameters, *lines = BODIES[body]
    kinds = ("list", "tuple", "range", "generator", "iterator", "three", "dict")
    for first in kinds:
        for second in kinds:
            called = function(f"change_{body}_{first}_{second}", parameters, *lines)
            for name, times in ((first, 4), (second, 60), (first, 60)):
                for _ in range(times):
                    use(called, ITERABLES[name](), times=1)


# A generator that is running, one that is done, one that is thrown into
def reentrant():
    yield
    next(me)


me = reentrant()
use(function("reentrant", "x", "for i in x: pass"), me)
done = generator()
list(done)
use(function("done", "x", "for i in x: pass"), done)


def thrown(x):
    started = iter(x)
    next(started)
    try:
        started.throw(KeyError)
    except KeyError:
        pass


for _ in range(6):
    thrown(generator())


# Await
async def awaits(x):
    return await x


async def loops(x):
    async for i in x:
        pass
    return [i async for i in x]


async def enters(x):
    async with x:
        pass


async def async_generator():
    yield 1
    yield 2


class Manager:
    async def __aenter__(self):
        return self

    async def __aexit__(self, *args):
        await coroutine()


def complete(awaited):
    while True:
        try:
            awaited.send(None)
        except StopIteration:
            return


AWAITED = {"coroutine": coroutine, "awaitable": Awaitable, "nothing": lambda: 3, "send": lambda: async_generator().asend(None)}
for name, make in AWAITED.items():
    called = function(f"await_{name}", "make", "async def inner(): return await make()", "return inner()")
    for _ in range(6):
        use(lambda: complete(called(make)), times=1)
for first, second in itertools.product(AWAITED, repeat=2):
    namespace = {}
    exec(compile("async def inner(make): return await make()", f"<await_{first}_{second}>", "exec"), namespace)
    for name, times in ((first, 4), (second, 60), (first, 60)):
        for _ in range(times):
            use(lambda: complete(namespace["inner"](AWAITED[name])), times=1)
for _ in range(6):
    complete(awaits(coroutine()))
    complete(loops(async_generator()))
    complete(enters(Manager()))

# Loops long enough for a jump's counter to move, constants of both kinds, many arguments
for count in (1, 5, 20, 100, 5000):
    use(function(f"count_{count}", "n", "while n:", "  n -= 1"), count)
    use(function(f"sum_{count}", "n", "total = 0", "for i in range(n): total += i", "return total"), count)
for constant in ("1", "300", "1 << 70", "'a'", "'a b'", "b'x'", "1.5", "()", "(1, 2)", "None", "...", "frozenset", "-1", "1j"):
    use(function("constant", "", f"x = {constant}", f"return {constant}"))
many = [f"v{i} = {i} + {i}.5" for i in range(300)]
use(function("many", "", *many, "return v299"))
