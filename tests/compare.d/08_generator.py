# options: -I -S
# status: 1
def gen(n):
    got = []
    for i in range(n):
        got.append((yield i))
    return got


g = gen(3)
print(next(g), g.send("a"), g.send("b"))
try:
    g.send("c")
except StopIteration as e:
    print("stop", e.value)
print(next(g, "default"), list(gen(4)), sum(gen(10)))


def delegating():
    r = yield from gen(2)
    print("inner returned", r)
    yield from [10, 20]
    yield from "ab"
    return "done"


print(list(delegating()))


def cleanup():
    try:
        yield 1
        yield 2
    except GeneratorExit:
        print("closing")
        raise
    except ValueError as e:
        print("caught", e)
        yield "recovered"
    finally:
        print("finally")


g = cleanup()
next(g)
g.close()
g = cleanup()
next(g)
print(g.throw(ValueError("thrown")))
print(list(g))
g = cleanup()
next(g)
del g


def bad():
    yield 1
    raise StopIteration(5)


try:
    list(bad())
except RuntimeError as e:
    print(e, repr(e.__cause__))


def selfref():
    yield next(me)


me = selfref()
try:
    next(me)
except ValueError as e:
    print(e)
g = gen(1)
try:
    g.send(1)
except TypeError as e:
    print(e)
print((lambda: (yield))().__next__(), list(x * y for x in range(3) for y in range(x)))


def stubborn():
    try:
        yield
    except GeneratorExit:
        yield


s = stubborn()
next(s)
try:
    s.close()
except RuntimeError as e:
    print(e)


def returns_at_once():
    return 5
    yield


print(list(returns_at_once()), gen.__code__.co_flags & 0x20)


def two():
    x = yield (yield 1)
    print("x", x)


t = two()
print(next(t), t.send("first"))
print(next(t, "end"))


def tree(n):
    if n:
        yield from tree(n - 1)
        yield n
        yield from tree(n - 1)


print(list(tree(4)))
try:
    list((yield_ for yield_ in 5))
except TypeError as e:
    print(e)


def fails():
    yield 1
    1 / 0


for i in fails(): print(i)
