# Generators in generators: values sent, exceptions thrown in, closing, return values.


def leaf(n):
    got = []
    try:
        for i in range(n):
            got.append((yield i))
    except KeyError as error:
        got.append((yield error.args))
    finally:
        got.append("left")
    return got


def branch(depth):
    if depth == 0:
        return (yield from leaf(3))
    first = yield from branch(depth - 1)
    second = yield from (x * 2 for x in range(2))
    return first, second


def delegate(iterable):
    result = yield from iterable
    return "result", result


def drive(generator, steps):
    out = []
    try:
        out.append(next(generator))
        for step in steps:
            out.append(generator.throw(step) if isinstance(step, BaseException) else generator.send(step))
    except StopIteration as stop:
        out.append(("stop", stop.value))
    except Exception as error:
        out.append(("error", type(error)))
    return out


class Once:
    def __init__(self): self.left = 2

    def __iter__(self): return self

    def __next__(self):
        self.left -= 1
        if self.left < 0:
            raise StopIteration("the end")
        return self.left


def refuses():
    try:
        yield 1
    except GeneratorExit:
        yield 2


def raises_in_iteration():
    yield 1
    raise StopIteration("becomes a RuntimeError")


def zipped():
    for a, b in zip(leaf(3), branch(1)):
        if a == 1:
            continue
        yield a + b


for depth in range(3):
    log(drive(branch(depth), ["a", "b", KeyError("thrown"), None, None, None, None]))
    log(drive(branch(depth), [1, ValueError("not caught")]))
log(drive(delegate(Once()), [None, None, None]))
log(drive(delegate([1, 2]), ["lists take no values"]))
log(list(zipped()), max(x for x in leaf(5)), [*branch(2)])
for x in delegate(Once()):
    log(x)
generator = refuses()
next(generator)
try:
    generator.close()
except RuntimeError as error:
    log(error)
log(drive(raises_in_iteration(), [None]))
half = branch(2)
next(half), next(half)
half.close()
begun = branch(1)
begun.close()
log(drive(begun, []))
never = leaf(2)
del never
dropped = branch(2)
next(dropped)
del dropped
def itself():
    try:
        yield next(me)
    except ValueError as error:
        yield error


me = itself()
log(list(me))
log([[(x, y) for y in leaf(2)] for x in leaf(2)])
a, *b = leaf(4)
log(a, b, sum(leaf(3)), 2 in leaf(5))
