# Coroutines, asynchronous generators, comprehensions, loops and context managers, driven by hand.
import types


@types.coroutine
def pause(value):
    return (yield value)


class Ticker:
    def __init__(self, n): self.n = n

    def __aiter__(self): return self

    async def __anext__(self):
        if self.n == 0:
            raise StopAsyncIteration
        self.n -= 1
        return await pause(self.n)


class Manager:
    def __init__(self, swallow=False): self.swallow = swallow

    async def __aenter__(self):
        await pause("enter")
        return self

    async def __aexit__(self, kind, error, traceback):
        await pause("exit")
        return self.swallow and kind is KeyError


async def agen(n):
    try:
        for i in range(n):
            got = yield await pause(i)
            if got is not None:
                yield ("got", got)
    finally:
        await pause("closing")


async def comprehensions():
    one = [x async for x in agen(3)]
    two = {x: y async for x in agen(2) for y in [await pause(x)] if x is not None}
    three = {x async for x in Ticker(3) if await pause(x) != 1}
    four = [[y async for y in agen(x or 0)] async for x in Ticker(3)]
    five = [x async for x in (await pause(y) async for y in Ticker(2))]
    return one, two, three, four, five


async def loops():
    async for x in Ticker(3):
        if x == 1:
            break
    else:
        log("not reached")
    async for x in agen(3):
        if x == 0:
            continue
        log(x)
    else:
        log("exhausted")
    async for x in Ticker(0):
        log("never")


async def managers():
    async with Manager() as a, Manager(True) as b:
        await pause("inside")
        raise KeyError("swallowed")
    try:
        async with Manager(True):
            raise ValueError("not swallowed")
    except ValueError as error:
        log(error)
    async with Manager():
        return "returned from within"


async def steps():
    generator = agen(2)
    log(await generator.asend(None), await generator.asend("x"), await anext(generator))
    try:
        await generator.athrow(KeyError("thrown"))
    except KeyError as error:
        log(error)
    log(await anext(generator, "default"))
    other = agen(2)
    await anext(other)
    await other.aclose()


async def fails():
    await pause(1)
    raise LookupError("at last")


async def cancelled():
    try:
        await pause("waiting")
        await pause("not reached")
    except GeneratorExit:
        log("closed")
        raise
    finally:
        log("finally")


def drive(coroutine, throw_at=None):
    sent = None
    try:
        for step in range(200):
            if step == throw_at:
                sent = coroutine.throw(KeyError("from outside"))
            else:
                sent = coroutine.send(sent)
    except StopIteration as stop:
        log("done", stop.value)
    except Exception as error:
        log("failed", error)


for function in comprehensions, loops, managers, steps, fails:
    for throw_at in None, 1, 4:
        drive(function(), throw_at)
c = cancelled()
c.send(None)
c.close()
d = fails().__await__()
log(next(d))
d.close()
