# What coroutines await without running it themselves: futures, tasks, asynchronous generators, objects of classes. With
# and without tools that are notified of exceptions.
import asyncio
import sys


class Awaitable:
    def __init__(self, value): self.value = value
    def __await__(self):
        yield
        return self.value


class Manual:
    "An iterator that is no generator."
    def __init__(self, steps): self.steps = list(steps)
    def __await__(self): return self
    def __iter__(self): return self
    def __next__(self):
        if not self.steps: raise StopIteration("end")
        step = self.steps.pop(0)
        if isinstance(step, BaseException): raise step
        return None


class MyFuture(asyncio.Future):
    def __await__(self):
        result = yield from super().__await__()
        return "mine", result


async def agen(n):
    for i in range(n):
        got = yield i
        if got: yield "got", got
        await asyncio.sleep(0)


async def later(future, value):
    await asyncio.sleep(0)
    if isinstance(value, BaseException): future.set_exception(value)
    else: future.set_result(value)


async def attempt(make):
    try: return await make()
    except BaseException as e: return type(e).__name__, str(e), type(e.__context__).__name__


async def future_with(value, kind=asyncio.Future):
    future = kind(loop=asyncio.get_running_loop())
    task = asyncio.create_task(later(future, value))
    result = await attempt(lambda: future)
    await task
    return result, await attempt(lambda: future)


async def cancelled():
    future = asyncio.Future()
    asyncio.get_running_loop().call_soon(future.cancel)
    return await future


async def asend():
    generator = agen(3)
    out = [await generator.asend(None), await generator.asend("x")]
    out.append(await anext(generator))
    out.append(await attempt(lambda: generator.athrow(ValueError("thrown"))))
    out.append(await anext(generator, "default"))
    again = agen(1).asend(None)
    out.append(await again)
    out.append(await attempt(lambda: again))
    return out


async def main():
    out = []
    for _ in range(3):
        for value in (None, 1, (), (1, 2), ValueError("error"), "text", StopAsyncIteration("stop"), KeyError()):
            out.append(await future_with(value))
            out.append(await future_with(value, MyFuture))
        out.append(await attempt(cancelled))
        out.append(await asend())
        out.append([i async for i in agen(5)])
        out.append(await Awaitable((1,)))
        out.append(await attempt(lambda: Manual([1, 2, 3])))
        out.append(await attempt(lambda: Manual([1, ValueError("in between")])))
        out.append(await attempt(lambda: Manual([1, StopIteration((1, 2))])))
        out.append(await asyncio.gather(*(asyncio.sleep(0, i) for i in range(5))))
    return out


first = asyncio.run(main())
print(*first, sep="\n")

seen = []


def traced(frame, event, argument):
    if frame.f_code.co_filename == __file__ and event == "exception":
        seen.append((frame.f_code.co_name, frame.f_lineno, argument[0].__name__, str(argument[1])))
    return traced


sys.settrace(traced)
second = asyncio.run(main())
sys.settrace(None)
assert repr(first) == repr(second)
print(len(seen), *seen, sep="\n")

MONITORING = sys.monitoring
MONITORING.use_tool_id(2, "test")
for event in ("RAISE", "STOP_ITERATION", "EXCEPTION_HANDLED", "RERAISE"):
    def callback(code, offset, exception, event=event):
        if code.co_filename == __file__:
            events.append((event, code.co_name, offset, type(exception).__name__, str(exception)))
    MONITORING.register_callback(2, getattr(MONITORING.events, event), callback)
for wanted in ("RAISE", "STOP_ITERATION", "RAISE STOP_ITERATION EXCEPTION_HANDLED RERAISE"):
    events = []
    mask = 0
    for word in wanted.split():
        mask |= getattr(MONITORING.events, word)
    MONITORING.set_events(2, mask)
    third = asyncio.run(main())
    MONITORING.set_events(2, 0)
    assert repr(first) == repr(third)
    print(wanted, len(events), *events, sep="\n")
fourth = asyncio.run(main())
assert repr(first) == repr(fourth)
