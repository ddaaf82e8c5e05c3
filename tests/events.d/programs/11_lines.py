# Lines: several on one, one over several, going back, without a number, with strange ones.
import ast


def several(): a = 1; b = 2; return a + b


def multi(a, b):
    c = (a +
         b *
         a)
    d = [
        c,
        a
        if c else
        b,
    ]
    return {
        "x": max(
            c,
            *d,
        ),
        "y":
            min(d),
    }


def back(
    a=several(),
    b=(1,
       2),
):
    return (a,
            b)[
        0
    ]


@(lambda
  f: f)
@staticmethod
def decorated():
    "doc"


def statement_forms(n):
    global g
    g = n
    del g
    pass
    if n: return 1
    x: int = 5
    y: "str"
    import os, sys
    from os import (
        path,
        sep,
    )
    with open(os.devnull) as f, \
         open(os.devnull) as h:
        f.read()
    try: raise KeyError
    except KeyError: pass
    finally: x = 6
    return (lambda: x)()


class Body: a = 1; b = [a for a in range(2)]


def f_strings(a):
    return f"""{a}
    {a +
     1}""" + (
        "constant"
        "folded"
    )


log(several(), multi(1, 2), back(), decorated(), statement_forms(0), statement_forms(1), f_strings(3))

tree = ast.parse("def odd(n):\n    a = n\n    b = a\n    for i in range(2):\n        a = i\n    return a + b\n")
numbers = iter([70000, 3, 3, 200, 1, 2, 300, 100000, 5, 5, 4] * 9)
for node in ast.walk(tree):
    if hasattr(node, "lineno"):
        node.lineno = node.end_lineno = next(numbers)
        node.col_offset = node.end_col_offset = 0
space = {}
exec(compile(tree, "odd", "exec"), space)
log(space["odd"](5))
plain = several.__code__
for table in b"", bytes([0x80 | 15 << 3 | 7] * 3), plain.co_linetable[:2]:
    strange = plain.replace(co_linetable=table)
    log(eval(strange), [*strange.co_lines()])
code = multi.__code__.replace(co_firstlineno=1000)
log(type(multi)(code, globals())(2, 3))
source = "x = 1\n" + "\n" * 300 + "y = 2; z = [\n" + "\n" * 200 + "x]\nfor i in z: x = i\n"
exec(compile(source, "far", "exec"), space)
exec(compile("1\n", "empty", "exec")), exec(compile("", "nothing", "exec")), eval("1 +\\\n2")
