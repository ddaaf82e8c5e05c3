"""Functions whose events the tracing programs print. Each takes nothing; some of them fail."""

import contextlib

FUNCTIONS = []


def corpus(f):
    FUNCTIONS.append(f)
    return f


def helper(x, *, k=1):
    return x + k


class Point:
    def __init__(self, x):
        self.x = x

    @property
    def double(self):
        return self.x * 2

    def __getitem__(self, key):
        return key

    def __add__(self, other):
        return Point(self.x + other)

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        return exc[0] is KeyError


def numbers(n):
    for i in range(n):
        got = yield i
        if got:
            break
    return "numbers' value"


@corpus
def straight():
    a = 1
    b = a + 2; c = b
    return (a,
            b,
            c)


@corpus
def branches():
    out = 0
    for i in range(4):
        if i == 1:
            continue
        elif i == 2 and out or not i:
            out += 1
        else:
            out -= 1
        x = i if i > 1 else -i
        if x is None:
            pass
        if x is not None: out += x
    while out < 10:
        out += 3
        if out > 8:
            break
    else:
        out = 0
    return out


@corpus
def calls():
    p = Point(3)
    helper(1)
    helper(1, k=2)
    helper(*[1], **{"k": 3})
    len("abc")
    str(5), int("5"), isinstance(p, Point)
    [].append(1)
    sorted([2, 1], key=lambda v: -v)
    p.double
    p[1]
    return (p + 1).x


@corpus
def generators():
    g = numbers(3)
    next(g)
    try:
        g.send(True)
    except StopIteration as e:
        value = e.value
    total = sum(x for x in numbers(3))
    g = numbers(2)
    next(g)
    g.close()
    g = numbers(2)
    next(g)
    with contextlib.suppress(LookupError):
        g.throw(LookupError("thrown"))

    def delegating():
        r = yield from numbers(2)
        yield r
    return value, total, list(delegating()), list(numbers(1))


@corpus
def handled():
    try:
        helper("text")
    except TypeError as e:
        name = type(e).__name__
    finally:
        cleanup = 1
    try:
        try:
            {}["missing"]
        finally:
            cleanup = 2
    except KeyError:
        pass
    try:
        raise ValueError("v")
    except (TypeError, ValueError):
        try:
            raise
        except ValueError:
            pass
    else:
        cleanup = 3
    with Point(1) as p, contextlib.suppress(OSError):
        raise KeyError(p.x)
    return name, cleanup


@corpus
def groups():
    try:
        raise ExceptionGroup("g", [ValueError(1), TypeError(2)])
    except* ValueError:
        a = 1
    except* TypeError as t:
        b = len(t.exceptions)
    return a + b


@corpus
def unhandled():
    def inner():
        try:
            return 1 / 0
        finally:
            x = 1
    for i in range(2):
        inner()


@corpus
def c_raises():
    try:
        len(5)
    except TypeError:
        pass
    try:
        "x".join(5)
    except TypeError:
        pass
    int("not a number")


@corpus
def comprehensions():
    a = [x * 2 for x in range(3) if x]
    b = {x: y for x in range(2) for y in "ab"}
    c = {helper(x)
         for x in range(2)}
    d = list(x for x in
             a)
    return a, b, c, d


@corpus
def matching():
    out = []
    for v in (1, [1, 2], {"k": 5}, Point(1), "s", None):
        match v:
            case 1 | 2:
                out.append("number")
            case [a, *rest]:
                out.append(a)
            case {"k": int(k)}:
                out.append(k)
            case Point(x=x) if x > 5:
                out.append("large")
            case str():
                out.append("string")
            case _:
                out.append("other")
    return out


@corpus
def classes():
    class Local(Point):
        attr = 1

        def __init__(self, x):
            super().__init__(x)

        def method(self): return super().double
    return Local(2).method()


@corpus
def coroutines():
    async def one(x):
        return x

    async def numbers():
        for i in range(2):
            yield await one(i)

    class Manager:
        async def __aenter__(self): return 1
        async def __aexit__(self, *exc): return False

    async def main():
        out = [x async for x in numbers()]
        async with Manager() as m:
            out.append(m)
        async for x in numbers():
            out.append(await one(x))
        return out

    c = main()
    try:
        c.send(None)
    except StopIteration as e:
        return e.value


@corpus
def unpacking():
    a, b = 1, 2
    a, *b = [1, 2, 3]
    (a, b), c = (1, 2), 3
    for x, y in [(1, 2), (3, 4)]:
        a += x
    try:
        a, b = "abc"
    except ValueError:
        c = 0
    return a, b, c


@corpus
def one_liners():
    x = 1; y = 2
    if x: y = 3
    for i in range(2): x += i
    while x < 5: x += 1
    assert x
    with Point(0): pass
    f = lambda: x; f()
    del y
    global _made; _made = x
    return x


@corpus
def imports():
    import os.path
    from os import path as p
    return os.path is p


@corpus
def recursion():
    def fact(n):
        return n * fact(n - 1) if n else 1
    return fact(4)


@corpus
def eval_exec():
    ns = {}
    exec("a = 1\nfor i in range(2):\n    a += i\n", ns)
    return eval("a * 2", ns)
