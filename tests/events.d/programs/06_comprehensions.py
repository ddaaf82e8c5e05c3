# Inlined comprehensions: nested, with names of the same spelling, in classes, with lambdas and errors.
x = "outside"
log([x for x in range(3)], x)


def shadows(x):
    inner = [x for x in range(3) if x % 2 == 0]
    return inner, x


def nested(n):
    return [[(i, j) for j in range(i) if j != 1] for i in range(n)]


def closes(n):
    return [f() for f in [lambda: i for i in range(n)]]


def walrus(items):
    found = [y for item in items if (y := item * 2) > 2]
    return found, y


def fails(n):
    try:
        return {k: 1 // k for k in range(n, -3, -1)}
    except ZeroDivisionError as error:
        return error, n


def unbound():
    try:
        return [late for _ in range(1)], late
    except UnboundLocalError as error:
        return error
    late = 1


def conditions(items):
    return [a if a else b for a in items for b in items if a is not None if b is not None or a]


def longer(n):
    return [
        x + y
        for x in range(n)
        if x
        for y in (
            x,
            x + 1,
        )
    ]


class Body:
    size = 3
    squares = [i * i for i in range(3)]
    names = {name: len(name) for name in ("a", "bb")}
    method = [lambda self, i=i: i for i in range(2)]
    both = [[j for j in range(i)] for i in range(size)]


def generator_expressions(n):
    lazy = (i for i in range(n) if i)
    first = next(lazy)
    return first, sum(lazy), list((a, b) for a in range(2) for b in range(a))


def deep(n):
    return {n: [{x: {y for y in range(x)} for x in range(n)} for n in range(n)]}


log(shadows(7), nested(4), closes(3), walrus([1, 2, 3]), fails(3), unbound(), conditions([1, 0, None]), longer(3))
log(Body.squares, Body.names, Body().method[1](None), Body.both, generator_expressions(4), deep(3))
log(eval("[i for i in range(2)]"), (lambda: [k for k in "ab"])())
