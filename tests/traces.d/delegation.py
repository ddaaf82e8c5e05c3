# environment: PYTHON_JIT_SIDE_EXIT_INITIAL_VALUE=1 PYTHON_JIT_SIDE_EXIT_INITIAL_BACKOFF=0
"""Generators that wait for each other: traces go through all of them in one step, and nobody can tell."""

import asyncio
import gc
import sys
import traceback

ROUNDS = 300


class Tree:
    def __init__(self, left, value, right):
        self.left, self.value, self.right = left, value, right

    def __iter__(self):
        if self.left:
            yield from self.left
        yield self.value
        if self.right:
            yield from self.right


def tree(values, kind=Tree):
    if not values:
        return None
    middle = len(values) // 2
    return kind(tree(values[:middle], kind), values[middle], tree(values[middle + 1:], kind))


def walk(items, rounds=ROUNDS):
    total = 0
    for _ in range(rounds):
        for item in items:
            total += item
    return total


print("trees", [walk(tree(range(size))) for size in (1, 2, 3, 10, 60)])
# A list of one side, deeper than what C code allows itself, not deeper than the recursion limit.
deep = None
for value in range(300):
    deep = Tree(deep, value, None)
print("a deep tree", walk(deep, 5))


def chain(depth, source):
    if depth:
        return (yield from chain(depth - 1, source))
    return (yield from source)


# --- what a generator sees while it runs -----------------------------------------------------------

def looking(rounds):
    """Yields the names of the frames below it, and which generators run."""
    for i in range(rounds):
        frame, names = sys._getframe(), []
        while frame.f_code is not looking_through.__code__:
            names.append(f"{frame.f_code.co_name}:{frame.f_lineno - frame.f_code.co_firstlineno}")
            frame = frame.f_back
        yield names


def looking_through(depth):
    seen = {}
    outer = chain(depth, looking(ROUNDS))
    for names in outer:
        key = tuple(names), outer.gi_running, outer.gi_suspended, outer.gi_yieldfrom is None
        seen[key] = seen.get(key, 0) + 1
    return seen


for depth in 0, 1, 3:
    print("frames", depth, looking_through(depth))


def suspended(outer):
    """What generators look like from outside, between two items."""
    seen = {}
    for _ in outer:
        states, generator = [], outer
        while generator is not None:
            frame = generator.gi_frame
            states.append((frame.f_lineno - frame.f_code.co_firstlineno, frame.f_back, generator.gi_running))
            generator = getattr(generator, "gi_yieldfrom", None)
            if not hasattr(generator, "gi_frame"):
                break
        seen[tuple(states)] = seen.get(tuple(states), 0) + 1
    return seen


def counting(stop):
    for i in range(stop):
        yield i


print("suspended", suspended(chain(3, counting(ROUNDS))))


def limit_of(depth):
    """How many more calls fit below an item: as many as without generators that wait."""
    def deeper(n):
        try:
            return deeper(n + 1)
        except RecursionError:
            return n

    def measuring(rounds):
        for _ in range(rounds):
            yield deeper(0)
    return [count for count in chain(depth, measuring(60))]


sys.setrecursionlimit(200)
counts = [set(limit_of(depth)) for depth in (0, 4, 8)]
print("recursion limit", [len(count) for count in counts], min(counts[0]) - min(counts[1]), min(counts[1]) - min(counts[2]))
sys.setrecursionlimit(1000)


# --- values and exceptions that are sent --------------------------------------------------------------

def echo():
    got = None
    while True:
        got = yield got


def sending(depth):
    outer = chain(depth, echo())
    next(outer)
    result = []
    for i in range(ROUNDS):
        result.append(outer.send(i * 1000))
    return sum(result)


print("send", sending(0), sending(1), sending(4))


def forwarding(depth):
    inner = chain(depth, echo())
    got = yield next(inner)
    while True:
        got = yield inner.send(got)


def sent_in_python(depth):
    def loop():
        outer = chain(depth, echo())
        got = next(outer)
        for i in range(ROUNDS):
            got = outer.send((i, got and got[0]))
        yield got
    return list(chain(2, loop()))


print("send in a generator", sent_in_python(3))


class Stop(Exception):
    pass


def raising(at):
    for i in range(ROUNDS):
        if i == at:
            raise Stop(i)
        yield i


def caught(depth, at):
    total = 0
    try:
        for item in chain(depth, raising(at)):
            total += item
    except Stop as stop:
        lines = [line.lineno - caught.__code__.co_firstlineno for line in traceback.extract_tb(stop.__traceback__)]
        return total, stop.args, len(lines), stop.__context__
    return total


print("raise", [caught(depth, at) for depth in (1, 3) for at in (0, 50, ROUNDS - 1, ROUNDS)])


def handling(rounds):
    """The exception that is handled belongs to each generator alone."""
    for i in range(rounds):
        try:
            raise KeyError(i)
        except KeyError:
            yield repr(sys.exception())


def handlers():
    seen = set()
    try:
        raise ValueError("outside")
    except ValueError:
        for inside in chain(2, handling(ROUNDS)):
            seen.add((inside[:9], repr(sys.exception())))
    return sorted(seen), sys.exception()


print("handled", handlers())


def thrown():
    def catching():
        count = 0
        while True:
            try:
                yield count
            except Stop:
                count += 1
    outer, result = chain(3, catching()), []
    for i in range(ROUNDS):
        result.append(next(outer))
        if i % 3 == 0:
            result.append(outer.throw(Stop))
    return sum(result)


print("throw", thrown())


# --- generators that are used by others meanwhile -------------------------------------------------------

def shared():
    """The innermost is also resumed by itself, so the place where it waits changes; at last it has ended."""
    inner = counting(ROUNDS)
    outer, result = chain(2, inner), []
    for item in outer:
        result.append(item)
        if item % 7 == 3:
            result.append(-next(inner, 0))
    return sum(result), len(result)


print("shared", shared())


def running():
    """A generator that resumes what waits for it."""
    result = []

    def asking():
        for i in range(ROUNDS):
            try:
                next(outer)
            except ValueError as error:
                yield str(error)
    outer = chain(2, asking())
    return set(outer)


print("running", running())


def closing():
    log = []

    def last():
        try:
            yield from counting(ROUNDS)
        finally:
            log.append("closed")
    for i in range(60):
        for item in chain(2, last()):
            if item == i:
                break
    gc.collect()
    return len(log)


print("closed early", closing())


def begun():
    """Generators that wait already when a `yield from` gets them."""
    def again():
        for i in range(ROUNDS):
            outer = chain(3, counting(i % 4 + 2))
            next(outer)
            got = yield from outer
            assert got is None
    return sum(again()), sum(chain(2, again()))


print("begun before", begun())


def changing():
    """What is between changes: sometimes a generator, sometimes not."""
    def between(i):
        if i % 3 == 0:
            yield from chain(i % 5, counting(3))
        elif i % 3 == 1:
            yield from [i, i]
        else:
            yield i

    def all():
        for i in range(ROUNDS):
            yield from between(i)
    return sum(all()), sum(chain(1, all()))


print("changing", changing())


# --- tools ------------------------------------------------------------------------------------------------

def watched(switch):
    """Events begin in the middle: from then on, each generator is seen."""
    events = {}

    def trace(frame, event, argument):
        if frame.f_code.co_name in ("chain", "counting"):
            key = frame.f_code.co_name, event
            events[key] = events.get(key, 0) + 1
        return trace
    total = 0
    for item in chain(3, counting(ROUNDS)):
        if item == 200:
            switch(trace)
        total += item
    switch(None)
    return total, sorted(events.items())


print("settrace", watched(sys.settrace))
print("setprofile", watched(sys.setprofile))


def monitored(event):
    events = []
    tool = sys.monitoring.PROFILER_ID
    sys.monitoring.use_tool_id(tool, "delegation")
    sys.monitoring.register_callback(tool, event, lambda code, *rest: events.append(code.co_name))
    total = 0
    for item in chain(3, counting(ROUNDS)):
        if item == 250:
            sys.monitoring.set_local_events(tool, chain.__code__, event)
        total += item
    sys.monitoring.set_local_events(tool, chain.__code__, 0)
    sys.monitoring.free_tool_id(tool)
    return total, len(events), set(events)


for event in sys.monitoring.events.PY_YIELD, sys.monitoring.events.PY_RESUME, sys.monitoring.events.LINE:
    print("monitoring", monitored(event))


# --- coroutines ---------------------------------------------------------------------------------------------

class Wait:
    def __await__(self):
        got = yield "waiting"
        return got


async def inner_coroutine(rounds):
    total = 0
    for _ in range(rounds):
        total += await Wait()
    return total


async def outer_coroutine(depth, rounds):
    return await (outer_coroutine(depth - 1, rounds) if depth else inner_coroutine(rounds))


def complete(coroutine):
    coroutine.send(None)
    for i in range(10000):
        try:
            coroutine.send(i)
        except StopIteration as stop:
            return stop.value


print("coroutines", complete(outer_coroutine(0, ROUNDS)), complete(outer_coroutine(4, ROUNDS)))


async def tasks():
    async def work(depth):
        if depth:
            return await work(depth - 1)
        for _ in range(100):
            await asyncio.sleep(0)
        return depth + 1
    return await asyncio.gather(*(work(depth) for depth in range(6)))


print("tasks", asyncio.run(tasks()))


# --- iterators of methods -------------------------------------------------------------------------------------

class Counted:
    """`__iter__` is a generator function: its call makes a generator and does nothing else."""

    def __init__(self, stop):
        self.stop = stop

    def __iter__(self):
        for i in range(self.stop):
            yield i


class Closure(Counted):
    def __iter__(self):
        def inside():
            return self.stop
        yield inside()


class Strict(Counted):
    def __iter__(self, extra=1):
        yield self.stop + extra


class Plain(Counted):
    def __iter__(self):
        return iter([self.stop])


def iterators():
    total = 0
    for i in range(ROUNDS):
        for kind in Counted, Closure, Strict, Plain:
            for item in kind(i % 5):
                total += item
    return total


print("iterators", iterators())
made = iter(Counted(3))
print("its names", type(made).__name__, made.__name__, made.__qualname__, made.gi_code is Counted.__iter__.__code__,
      made.gi_frame.f_locals.keys(), made.gi_running, made.gi_suspended, made.gi_frame.f_lasti >= 0)


def replaced():
    """The method changes in the middle."""
    class Changing:
        def __iter__(self):
            yield 1
    def other(self):
        yield 2

    def another(self):
        yield 5
    total = 0
    for i in range(ROUNDS):
        if i == 200:
            Changing.__iter__ = other
        if i == 250:
            Changing.__iter__ = lambda self: iter([3, 4])
        if i == 230:
            other.__code__ = another.__code__
        for item in Changing():
            total += item
    return total


print("replaced", replaced())


def references():
    """The generator has a reference to its object, and to nothing else."""
    item = Counted(2)
    before = sys.getrefcount(item), sys.getrefcount(Counted.__iter__)
    kept = []
    for i in range(ROUNDS):
        for value in item:
            pass
    iterator = iter(item)
    between = sys.getrefcount(item) - before[0]
    del iterator
    return between, sys.getrefcount(item) - before[0], sys.getrefcount(Counted.__iter__) - before[1]


print("references", references())
