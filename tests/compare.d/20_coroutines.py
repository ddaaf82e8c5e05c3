# Coroutines, asynchronous generators, iterators, contexts and comprehensions, driven by hand.
import inspect
import sys
import types


@types.coroutine
def pause(value):
    return (yield value)


def drive(coro, *answers):
    out, answers = [], list(answers)
    try:
        out.append(coro.send(None))
        while True:
            a = answers.pop(0) if answers else None
            out.append(coro.throw(a) if isinstance(a, BaseException) else coro.send(a))
    except StopIteration as e:
        return out, e.value
    except BaseException as e:
        return out, f"{type(e).__name__}: {e}"


async def simple(x):
    a = await pause(x)
    b = await pause(a)
    return x, a, b


async def outer():
    try:
        return await simple("deep")
    except KeyError as e:
        return "caught", e.args, await pause("after")
    finally:
        await pause("finally")


print(drive(simple(1), "a", "b"), drive(outer(), "A", "B"), drive(outer(), KeyError("k"), 1, 2), drive(outer(), ValueError("v")))


class Aw:
    def __await__(self): return iter([1, 2])


class AwGen:
    def __await__(self):
        got = yield "gen"
        return got


class BadAwait:
    def __await__(self): return 5


class CoroAwait:
    def __await__(self): return simple(1)


class Raises:
    def __await__(self): raise LookupError("in __await__")


async def wait(x): return await x
def generator(): yield 1
async def agen_fn(): yield 1


for x in (Aw(), AwGen(), BadAwait(), Raises(), 5, None, generator(), agen_fn(), agen_fn().__anext__(), simple, [1]):
    print(type(x).__name__, drive(wait(x), "sent"))
bad = CoroAwait()
inner = simple(1)
bad.__class__.__await__ = lambda self: inner
print(drive(wait(bad)))
inner.close()
c = simple(1)
drive(c)
print(drive(wait(c)))
c = simple(1)
c.send(None)
print(drive(wait(c)), c.cr_await.__name__, inspect.getcoroutinestate(c), c.cr_frame.f_lineno - simple.__code__.co_firstlineno)
c.close()


class AIter:
    def __init__(self, n, fail=None): self.n, self.fail = n, fail
    def __aiter__(self): return self
    async def __anext__(self):
        await pause("next")
        if not self.n:
            raise self.fail or StopAsyncIteration
        self.n -= 1
        return self.n


class NoAnext:
    def __aiter__(self): return 5


class NoAiter: pass


class BadAnext:
    def __aiter__(self): return self
    def __anext__(self): return 5


class AwaitAiter:
    async def __aiter__(self): return self


async def loop(it):
    out = []
    async for x in it:
        out.append(x)
        if x == 99:
            break
    else:
        out.append("else")
    return out


async def agen(n):
    try:
        for i in range(n):
            got = yield i
            if got:
                await pause(("got", got))
    except ValueError as e:
        yield "caught", str(e)
    finally:
        await pause("agen finally")


for it in (AIter(3), AIter(1, KeyError("a")), NoAnext(), NoAiter(), BadAnext(), [1], 5, agen(3)):
    print(type(it).__name__, drive(loop(it)))
it = AwaitAiter()
try:
    loop(it).send(None)
except TypeError as e:
    print(e, e.__cause__)


async def comprehensions():
    a = [x async for x in agen(3)]
    b = {x: await simple(x) async for x in AIter(2) if x}
    c = [y for y in [1, 2] if await pause(y)]
    d = [z async for z in (w async for w in agen(2))]
    e = {v for v in [await pause("v")]}
    f = [i async for i in AIter(2) async for j in AIter(1)]
    return a, b, c, d, e, f


print(drive(comprehensions(), *range(1, 40)))


class ACM:
    def __init__(self, suppress=False, fail=None): self.suppress, self.fail = suppress, fail

    async def __aenter__(self):
        await pause("aenter")
        if self.fail == "enter": raise OSError("enter")
        return self

    async def __aexit__(self, kind, value, tb):
        await pause(("aexit", kind and kind.__name__))
        if self.fail == "exit": raise OSError("exit")
        return self.suppress


async def with_body(action, **kw):
    async with ACM(**kw) as x, ACM():
        if action == "return": return "returned"
        if action == "raise": raise ValueError("body")
    return "end"


for action in ("pass", "return", "raise"):
    for kw in ({}, {"suppress": True}, {"fail": "enter"}, {"fail": "exit"}):
        print(action, kw, drive(with_body(action, **kw)))


class NotAwaitableEnter:
    def __aenter__(self): return 5
    async def __aexit__(self, *a): pass


class NotAwaitableExit:
    async def __aenter__(self): return 5
    def __aexit__(self, *a): return 7


async def with_any(cm, fail=False):
    async with cm as x:
        if fail:
            1 / 0
        return x


for cm in (NotAwaitableEnter(), NotAwaitableExit(), 5):
    for fail in (False, True):
        print(type(cm).__name__, drive(with_any(cm, fail)))

g = agen(3)
print(drive(g.__anext__()), drive(g.asend("hello")), drive(g.athrow(ValueError("thrown"))), drive(g.aclose()), drive(g.__anext__()))
g = agen(3)
print(drive(g.asend("early")))
g = agen(3)
print(drive(g.__anext__()))
b = g.asend("x")
print(b.send(None))
try:
    g.asend("y").send(None)
except RuntimeError as e:
    print(e)
print(drive(b), drive(g.aclose()))


async def ignores_exit():
    try:
        yield 1
    except GeneratorExit:
        yield 2


g = ignores_exit()
drive(g.__anext__())
print(drive(g.aclose()))


async def stop(kind):
    raise kind


async def agen_stop(kind):
    yield 1
    raise kind("inside")


print(drive(stop(StopIteration("x"))), drive(stop(StopAsyncIteration("x"))))
for kind in (StopIteration, StopAsyncIteration):
    g = agen_stop(kind)
    print(drive(g.__anext__()), drive(g.__anext__()))


async def stubborn():
    try:
        await pause(1)
    except GeneratorExit:
        await pause(2)


c = stubborn()
c.send(None)
try:
    c.close()
except RuntimeError as e:
    print(e)
hooks = []
sys.set_asyncgen_hooks(firstiter=lambda g: hooks.append(("first", g.__name__)), finalizer=lambda g: hooks.append(("final", g.__name__)))
g = agen(2)
drive(g.__anext__())
del g
print(hooks)
sys.set_asyncgen_hooks(None, None)
sys.set_coroutine_origin_tracking_depth(2)
c = simple(1)
print([(frame[1] > 0, frame[2]) for frame in c.cr_origin])
c.close()
sys.set_coroutine_origin_tracking_depth(0)


async def many(n):
    total = 0
    for i in range(n):
        total += (await simple(i))[0]
        async with ACM():
            async for x in agen(2):
                total += x
    return total


print(drive(many(40))[1])
simple("never awaited")
