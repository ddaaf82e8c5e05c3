"""Numbers that only one variable holds may be changed in place: nobody else may ever see that."""

import contextlib
import io
import sys


def often(function):
    """Calls it until it is specialized; each time it must print the same."""
    outputs = []
    for _ in range(40):
        with contextlib.redirect_stdout(io.StringIO()) as output:
            function()
        outputs.append(output.getvalue())
    assert len(set(outputs)) == 1, outputs
    print(outputs[0], end="")


def sums(start, step):
    total = start
    for _ in range(5):
        total += step
        total = total * step
        total = step - total
    return total


for start, step in ((1000, 7), (-100000, 3), (10**9, 2), (0.5, 1.25), (-1e300, 3.0), (300, 300), (2**30 - 1, 1)):
    print(sums(start, step), sums(step, start))


def alias():
    a = 1000 + len(sys.argv) * 0
    b = a
    a += 1
    c = a
    a += b
    kept = [a]
    a += 1
    a = a + a
    print(a, b, c, kept)
    x = 1.5 * len("ab")
    y = x
    x += 1
    x = x + x
    pair = (x, x * 2)
    x *= 2
    print(x, y, pair)


often(alias)


def on_the_stack():
    n = 1000 * len("ab")
    print(n + (n := n + 1), n, [n, n + 1, (n := n + 500), n])
    f = 0.5 * len("ab")
    print(f + (f := f + 1), (f, f + 1, (f := f * 4.0), f))
    m = k = n + 1
    m += 1
    print(m, k)


often(on_the_stack)


def closure():
    n = 5000 * len("ab")

    def add(by):
        nonlocal n
        n += by
        return n

    first = n
    print(add(1), add(2), n, first)


often(closure)


def loop_variables():
    seen, last = [], None
    for i in range(250, 262):
        if i % 2:
            seen.append(i)
        last = i
    print(seen, last, i)
    for i in range(2**30 - 2, 2**30 + 2):
        seen.append(i)
    for i in range(-2**30 - 2, -2**30 + 2):
        pass
    print(seen[-4:], i)
    i = 10**30
    for i in range(300, 303):
        pass
    i = True
    for i in range(300, 302):
        print(i, type(i))
    i = type("I", (int,), {})(5)
    for i in range(400, 402):
        print(i, type(i))
    for j in range(300, 303):
        j += 1000
    print(j, [k for k in range(1000, 1003)], [(k, k + 1) for k in range(1000, 1003)])


often(loop_variables)


def generator():
    n = 1000
    for n in range(n, n + 3):
        n += (yield n) or 0
        yield n


g = generator()
print(next(g), g.send(5), next(g), next(g), list(g))


def seen_by_frames():
    n = 4000 * len("a")
    before = sys._getframe().f_locals["n"]
    n += 1
    snapshot = dict(locals())
    n += 1
    after = sys._getframe().f_locals
    print(before, snapshot["n"], after["n"], n)
    n += 1
    print(after["n"])


often(seen_by_frames)


def traced():
    n = 2000 * len("a")
    n += 1
    n *= 3
    for i in range(300, 302):
        n += i
    return n


events = []


def trace(frame, event, arg):
    events.append((event, frame.f_lineno - traced.__code__.co_firstlineno, frame.f_locals.get("n"), arg))
    return trace


print(traced())
sys.settrace(trace)
traced()
sys.settrace(None)
print(*events, sep="\n")


def constants():
    n = 1000
    n += 1
    f = 1.5
    f += 1
    return n, f


print([constants() for _ in range(3)], constants.__code__.co_consts)


def parameters(n, f):
    n += 1
    f *= 2
    return n, f


big, real = 10**6, 2.5
print([parameters(big, real) for _ in range(20)][-1], big, real)


def unpacked(pair):
    for a, b in [pair] * 3:
        a += 1
        b += a
    return a, b


def lent():
    """What a caller passes from its own variables may be borrowed in the callee."""

    def change(n, f, i):
        n += 1
        f += 1
        n = n * 3
        for i in range(300, 303):
            pass
        return n, f, i

    def pass_on(n, f, i):
        return change(n, f, i), n, f, i

    n, f, i = 1000 * len("a"), 1.5 * len("a"), 5000 * len("a")
    print(change(n, f, i), pass_on(n, f, i), change(f=f, n=n, i=i), n, f, i)


often(lent)

print(unpacked((1000, 2.5)), unpacked((1.5, 4000)))


def deleted():
    n = 1000 * len("ab")
    n += 1
    del n
    try:
        n += 1
    except UnboundLocalError as error:
        print(error)


often(deleted)
