# Reference counts of objects that went through calls, errors, unpacking, generators and the like: what the
# reference counts, reval has to count. Each line is the change that one operation leaves behind.
import asyncio
import gc
import sys


class Token:
    "Something nobody else refers to."
    def __init__(self): self.attr = 1
    def meth(self, *a, **kw): return self
    def __add__(self, o): return o
    def __getitem__(self, k): return k
    def __enter__(self): return self
    def __exit__(self, *a): return True
    def __iter__(self): return iter((self, self))
    def __contains__(self, o): return True
    def __call__(self, *a, **kw): return a, kw
    def __eq__(self, o): return self is o
    def __hash__(self): return 1
    @property
    def prop(self): return self
    def fails(self, *a): raise ValueError(self)


def ident(x): return x
def two(x, y=None): return y, x
def star(*a, **kw): return a, kw
def kwonly(*, x): return x
def fails(x, *a): raise LookupError(x)
def gen(x):
    y = yield x
    yield y
    return x
async def coro(x): return x
def cells(x):
    def inner(): return x
    return inner
def deletes(x):
    del x
def catches(x):
    try:
        raise KeyError(x)
    except KeyError as e:
        return e.args
def with_(x):
    with x as y:
        raise ValueError(y)
def matches(x):
    match [x, {"k": x}]:
        case [a, {"k": b}] if a is b: return a
def unpacks(x):
    a, *b = [x, x, x]
    (c, d), e = (x, x), x
    return a, b, c, d, e
def comp(x): return [y for y in (x, x)], {y: x for y in [x]}, {x for _ in "a"}, list(z for z in [x])
def loops(x):
    for i in (x, x, x):
        for j in [x]:
            if j is x:
                break
def swaps(x, y):
    x, y = y, x
    y, x = x, y
    return y
def recursion(x, n): return recursion(x, n - 1) if n else x
def default(x=Token()): return x
def global_(x):
    global g_var
    g_var = x
    del g_var
def early_exit(x):
    for i in (x, x):
        return i
def finally_(x):
    try:
        return x
    finally:
        x = None
def except_star(x):
    try:
        raise ExceptionGroup("g", [ValueError(x), TypeError(x)])
    except* ValueError as eg:
        kept = eg.exceptions[0].args
    except* TypeError:
        pass
    return kept
class Slots:
    __slots__ = ("s",)
    def __init__(self, s): self.s = s


def run(f):
    try:
        return f()
    except Exception as e:
        e.__traceback__ = None
        return None


operations = {
    "ident": lambda t: ident(t), "two": lambda t: two(t), "two kw": lambda t: two(y=t, x=t), "star": lambda t: star(t, t, k=t), "star unpack": lambda t: star(*[t, t], **{"a": t}),
    "kwonly": lambda t: kwonly(x=t), "too many": lambda t: ident(t, t), "too few": lambda t: two(), "bad keyword": lambda t: ident(z=t), "twice": lambda t: ident(t, x=t),
    "positional as keyword": lambda t: len(obj=t), "fails": lambda t: fails(t), "meth": lambda t: t.meth(t, k=t), "meth fails": lambda t: t.fails(t), "unbound": lambda t: Token.meth(t),
    "call": lambda t: t(t, k=t), "builtin": lambda t: isinstance(t, Token), "builtin fails": lambda t: len(t), "append": lambda t: [].append(t), "print none": lambda t: str.join("", [t]),
    "gen": lambda t: list(gen(t)), "gen left": lambda t: next(gen(t)), "gen close": lambda t: (g := gen(t), next(g), g.close()), "gen throw": lambda t: (g := gen(t), next(g), g.throw(ValueError(t))),
    "gen send": lambda t: (g := gen(t), next(g), g.send(t)), "coro": lambda t: asyncio.run(coro(t)), "coro closed": lambda t: coro(t).close(), "cells": lambda t: cells(t)(),
    "deletes": deletes, "catches": catches, "with": with_, "matches": matches, "unpacks": unpacks, "unpack few": lambda t: exec("a, b, c = [t, t]", {"t": t}), "unpack obj": lambda t: [*t, *t],
    "comp": comp, "loops": loops, "swaps": lambda t: swaps(t, t), "recursion": lambda t: recursion(t, 50), "global": global_, "early exit": early_exit, "finally": finally_, "except star": except_star,
    "add": lambda t: t + t, "add fails": lambda t: 1 + t, "item": lambda t: t[t], "item fails": lambda t: {}[t], "in": lambda t: t in t, "compare": lambda t: t == t < 5, "slots": lambda t: Slots(t).s,
    "prop": lambda t: t.prop, "attr": lambda t: t.attr, "attr fails": lambda t: t.nope, "store": lambda t: setattr(t, "x", t.__dict__.pop("x", 1)), "build": lambda t: ([t], (t, t), {t: t}, {t}, slice(t, t)),
    "f-string": lambda t: f"{t!r:5}", "t-string": lambda t: t"{t}{t!r}", "exec": lambda t: exec("x = t\ny = x", {"t": t}), "class": lambda t: type("C", (), {"t": t})().t, "new class": lambda t: Slots(t, t),
    "lambda default": lambda t: (lambda x=t: x)(), "star fails": lambda t: star(*t.attr), "kw fails": lambda t: star(**t), "dup kw": lambda t: star(**{"a": t}, **{"a": t}), "raise": lambda t: exec("raise t", {"t": t}),
    "raise from": lambda t: exec("raise ValueError(t) from KeyError(t)", {"t": t}), "assert": lambda t: exec("assert not t, t", {"t": t}), "sorted": lambda t: sorted([t, t], key=lambda x: 1), "map": lambda t: list(map(ident, [t])),
    "super": lambda t: super(Token, t).__init__(), "super fails": lambda t: super(Token, t).nope, "import": lambda t: exec("from os import nope", {"t": t}), "delete": lambda t: exec("del t, t", {"t": t}),
    "unpack str": lambda t: exec("a, b = 'xyz'", {}), "store subscr": lambda t: {}.__setitem__(t, t) or [t].__setitem__(0, t), "frame": lambda t: sys._getframe().f_locals["t"], "walrus": lambda t: [(a := t), a],
}
for name, operation in operations.items():
    token = Token()
    counts = []
    for n in (1, 1, 40):
        before = sys.getrefcount(token), sys.getrefcount(Token), sys.getrefcount(operation)
        for _ in range(n):
            run(lambda: operation(token))
        gc.collect()
        after = sys.getrefcount(token), sys.getrefcount(Token), sys.getrefcount(operation)
        counts.append(tuple(b - a for a, b in zip(before, after)))
    print(name, counts, sys.getrefcount(token))


def borrowed(a, b):
    "What a function itself sees of the counts of its locals."
    c = a
    out = [sys.getrefcount(a), sys.getrefcount(b), sys.getrefcount(c)]
    d = (a, b)
    out.append(sys.getrefcount(a))
    del c
    out.append(sys.getrefcount(a))
    e = lambda: b
    out.append(sys.getrefcount(b))
    a = None
    out.append(sys.getrefcount(d[0]))
    return out


for _ in range(3):
    print(borrowed(Token(), Token()), borrowed(t1 := Token(), t1), borrowed(*[Token(), Token()]), borrowed(b=Token(), a=Token()))
print(sys.getrefcount(Token()), sys.getrefcount([Token()][0]), (lambda x: sys.getrefcount(x))(Token()), [sys.getrefcount(x) for x in [Token(), Token()]])


class Dies:
    def __init__(self, n): self.n = n
    def __del__(self): print("del", self.n, end="; ")


def order():
    a, b, c = Dies("a"), Dies("b"), Dies("c")
    b = None
    Dies("temporary")
    [Dies("in list")]
    x = Dies("old")
    x = Dies("new")
    for y in [Dies(1), Dies(2)]:
        pass
    def keep(z): return None
    keep(Dies("argument"))
    f"{len([Dies('f')])}"
    try:
        raise ValueError(Dies("in exception"))
    except ValueError:
        print("handler", end="; ")
    print("returning", end="; ")
    return Dies("result")


order()
print()
del token
gc.collect()
