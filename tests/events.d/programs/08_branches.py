# Branches and loops of every form, short ones and ones whose jumps need more than a byte.


def booleans(a, b, c):
    if a and b or not c:
        return 1
    if not (a or b) and c:
        return 2
    return 3 if a else 4 if b else 5


def nones(a, b=None):
    if a is None:
        return "a"
    if b is not None:
        return "b"
    while a is not None:
        a = None
    return a or b


def chained(a, b, c): return a < b < c, a < b > c != a


def loops(n):
    out = []
    while n:
        n -= 1
        if n == 2:
            continue
        for i in range(n):
            if i > 2:
                break
        else:
            out.append(n)
            continue
        out.append(-n)
    else:
        out.append("else")
    for i in ():
        out.append("never")
    for i in "ab":
        for j in (1, 2):
            if j == 2:
                break
            out.append(i)
    return out


def unpacks(pairs):
    for a, (b, *c) in pairs:
        if a:
            yield b
        elif c:
            yield c
        else:
            return


def one_line(n):
    for i in range(n): pass
    while n: n -= 1
    if n: n = 1
    elif not n: n = 2
    else: n = 3
    return n


def asserts(x):
    assert x, "none"
    assert isinstance(x, int) and x > 0
    return x


def dead():
    if 0:
        return 1
    while 1:
        if True:
            break
    if __debug__:
        return 2


for a in (0, 1):
    for b in (0, 1):
        for c in (0, 1):
            log(booleans(a, b, c))
log(nones(None), nones(1), nones(1, 2), chained(1, 2, 3), chained(2, 1, 0), loops(6), one_line(3), dead())
log(list(unpacks([(1, (2, 3)), (0, (2, 3)), (0, (1,)), (1, (1,))])))
for x in 1, 0, -1:
    try:
        log(asserts(x))
    except AssertionError as error:
        log(error)

body = "\n".join(f"            t = t + {i} if n > {i} else t - a[{i % 3}]" for i in range(120))
source = f"""
def wide(n, a):
    t = 0
    for i in range(3):
        if i:
{body}
        elif i is None:
            return None
        else:
            continue
        if t > 9000:
            break
    return t
"""
space = {}
exec(compile(source, "wide", "exec"), space)
log(space["wide"](50, [1, 2, 3]), space["wide"](500, [1, 2, 3]))
names = ", ".join(f"v{i}" for i in range(300))
exec(f"def many():\n    {names} = range(300)\n    return [v0, v299, v256] if v299 is not None else v298", space)
log(space["many"]())
log(*[len(list(f.__code__.co_branches())) for f in (booleans, nones, loops, unpacks, space["wide"])])
