# status: 1
# throw, close and yield from in all their combinations, the state that can be seen meanwhile, and refusals.
import inspect
import sys
import traceback


def log(*a): print("  ", *a)


def inner(catch=None, on_close=None):
    try:
        while True:
            try:
                got = yield "inner"
                log("inner got", got)
                if got == "stop":
                    return "inner value"
                if got == "raise":
                    raise KeyError("inner raises")
            except catch or () as e:
                log("inner caught", repr(e))
    except GeneratorExit:
        log("inner closed")
        if on_close == "yield": yield "refuse"
        if on_close == "raise": raise OSError("at close")
        if on_close == "return": return "at close"
        raise
    finally:
        log("inner finally")


class Iter:
    "A plain iterator: no send, no throw, no close."
    def __init__(self): self.n = 0
    def __repr__(self): return type(self).__name__ + "()"
    def __iter__(self): return self
    def __next__(self):
        self.n += 1
        if self.n > 3:
            raise StopIteration("iter value")
        return self.n


class Full(Iter):
    def send(self, v): log("send", v); return "sent"
    def throw(self, *a): log("throw", *map(repr, a)); return "thrown"
    def close(self): log("close")


class BadClose(Iter):
    def close(self): raise ValueError("bad close")


class AttrFails(Iter):
    @property
    def throw(self): raise LookupError("throw attribute")
    @property
    def close(self): raise LookupError("close attribute")


def outer(sub):
    try:
        value = yield from sub
        log("outer got value", value)
        yield "last"
    except Exception as e:
        log("outer caught", repr(e), repr(e.__context__))
        yield "handled"
    finally:
        log("outer finally")
    return "outer value"


subs = [lambda: inner(), lambda: inner(catch=ValueError), lambda: inner(on_close="yield"), lambda: inner(on_close="raise"), lambda: inner(on_close="return"), Iter, Full,
        BadClose, AttrFails, lambda: [1, 2], lambda: "ab", lambda: range(2), lambda: iter(()), lambda: 5, lambda: outer(inner())]
actions = {"next": lambda g: next(g), "send": lambda g: g.send("x"), "stop": lambda g: g.send("stop"), "raise": lambda g: g.send("raise"),
           "throw": lambda g: g.throw(ValueError("V")), "throw class": lambda g: g.throw(TypeError), "throw exit": lambda g: g.throw(GeneratorExit),
           "throw stop": lambda g: g.throw(StopIteration("S")), "close": lambda g: g.close()}
for make in subs:
    for name, action in actions.items():
        g = outer(make())
        print(type(make()).__name__, name)
        for step in (next, action, action, next):
            try:
                log("=", step(g))
            except BaseException as e:
                log("!", repr(e), repr(e.__cause__), repr(e.__context__))
                if isinstance(e, GeneratorExit) and name != "throw exit":
                    raise
        try:
            g.close()
        except BaseException as e:
            log("close !", repr(e))

g = inner()
for text in ("g.throw()", "g.throw(5)", "g.throw(ValueError, 'v', 5)", "g.throw(ValueError('a'), 'b')", "g.throw('string')", "g.throw(int)", "g.send()", "g.send(1)",
             "g.throw(None)", "g.close(1)", "g.throw(ValueError('unstarted'))", "next(g)", "g.close()", "g.throw(KeyError('finished'))"):
    try:
        print(text, eval(text))
    except BaseException as e:
        print(text, "->", type(e).__name__, e)


def states():
    yield inspect.getgeneratorstate(me), me.gi_running, me.gi_yieldfrom
    yield from [me.gi_yieldfrom]
    try:
        me.close()
    except ValueError as e:
        yield str(e)
    try:
        me.throw(KeyError)
    except ValueError as e:
        yield str(e)


me = states()
print(inspect.getgeneratorstate(me), me.gi_frame.f_lineno - states.__code__.co_firstlineno, me.gi_suspended if hasattr(me, "gi_suspended") else "")
for v in me:
    print(v, inspect.getgeneratorstate(me), me.gi_frame.f_lineno - states.__code__.co_firstlineno, type(me.gi_yieldfrom).__name__, me.gi_running)
print(inspect.getgeneratorstate(me), me.gi_frame, me.gi_yieldfrom, me.gi_code.co_name)
me.__name__, me.__qualname__ = "renamed", "re.named"
print(me.__name__, me.__qualname__, repr(me).split(" at ")[0])


def context():
    "What a generator sees of the exceptions of its caller, and the other way round."
    print("start", sys.exception())
    try:
        raise ValueError("in generator")
    except ValueError:
        yield repr(sys.exception())
        yield repr(sys.exception())
    yield repr(sys.exception())


try:
    raise KeyError("caller's")
except KeyError:
    g = context()
    print(next(g), repr(sys.exception()))
    try:
        raise TypeError("caller's other")
    except TypeError:
        print(next(g), repr(sys.exception()))
    print(next(g), repr(sys.exception()))


def chain(n):
    if n:
        yield from chain(n - 1)
    else:
        yield 1
        raise RuntimeError("bottom")


g = chain(5)
next(g)
try:
    g.send(None)
except RuntimeError as e:
    print([f.lineno - chain.__code__.co_firstlineno for f in traceback.extract_tb(e.__traceback__)[1:]])
g = chain(5)
next(g)
try:
    g.throw(OSError("into the chain"))
except OSError as e:
    print([f.name for f in traceback.extract_tb(e.__traceback__)], e.__traceback__.tb_next.tb_lineno > 0)


def deep(n):
    yield n
    if n:
        yield from deep(n - 1)


print(sum(deep(200)), sum(1 for _ in deep(50)))


def returns_tuple():
    return (1, 2)
    yield


def receives():
    value = yield from returns_tuple()
    yield value


print(list(receives()))
unfinished = inner()
next(unfinished)
frame = unfinished.gi_frame
try:
    frame.clear()
except RuntimeError as e:
    print(e)
print(unfinished.gi_frame is frame, frame.f_lineno > 0)
g = chain(2)
next(g)
next(g)
