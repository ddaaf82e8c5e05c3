# status: 1
# Tracebacks: lines, columns, chains, notes, groups; each printed by the host from what the evaluator recorded.
import sys
import traceback


def show(f, *a):
    print("--", f.__name__)
    try:
        f(*a)
    except BaseException as e:
        traceback.print_exception(e, file=sys.stdout)
        tb = e.__traceback__
        while tb:
            code = tb.tb_frame.f_code
            print("  ", code.co_name, tb.tb_lineno, tb.tb_lasti, list(code.co_positions())[tb.tb_lasti // 2])
            tb = tb.tb_next


def arithmetic(): return (1 + 2) * (3 /
                                      0)
def subscript(): return {"a": {"b": []}}["a"]["b"][0]
def attribute(): return "s".upper().no_such.more
def call(): return len(1,
                       2)
def nested_call(): return max(min(1), 2)
def unpack(): a, (b, c) = 1, 2
def compare(): return 1 < 2 < "3"
def unary(): return -"x"
def imports(): import no.such.module
def from_import(): from os import no_such
def assertion(): assert 1 == 2, "message"
def del_name(): del undefined
def for_loop():
    for x in 5: pass
def for_target():
    for x.y in [1]: pass
def with_enter():
    with 5: pass
def comprehension(): return [1 / x for x in (1, 0)]
def generator(): return list(1 / x for x in (1, 0))
def decorator():
    @1 / 0
    def f(): pass
def default(a=lambda: 1 / 0): return a()
def class_body():
    class C:
        x = 1
        y = x / 0
def f_string(): return f"{1}{2 + ''}"
def starred(): return print(*5)
def kw_starred(): return print(**5)
def multi_line(): return call_with(
    1,
    two=2,
)
def match():
    match 5:
        case undefined.x: pass
def raise_from():
    try:
        try:
            1 / 0
        except ZeroDivisionError as e:
            raise KeyError("from") from e
    except KeyError:
        raise ValueError("during")
def suppressed():
    try:
        1 / 0
    except ZeroDivisionError:
        raise ValueError("none") from None
def noted():
    e = ValueError("with notes")
    e.add_note("first\nnote")
    e.add_note("second")
    raise e
def group(): raise ExceptionGroup("g", [make(ValueError), make(TypeError), ExceptionGroup("h", [KeyError(1)])])
def make(kind):
    try:
        raise kind("made")
    except kind as e:
        return e
def reraise():
    try:
        arithmetic()
    except ZeroDivisionError as e:
        raise
def reraise_named():
    try:
        arithmetic()
    except ZeroDivisionError as e:
        raise e
def in_finally():
    try:
        arithmetic()
    finally:
        subscript()
def with_traceback(): raise ValueError("w").with_traceback(make(TypeError).__traceback__)
def recursive(n=6):
    if n: recursive(n - 1)
    else: 1 / 0
def throw():
    def g():
        yield 1
    it = g()
    next(it)
    it.throw(ValueError("thrown"))
def yield_from():
    def g(n):
        if n: yield from g(n - 1)
        yield 1 / n
    list(g(2))
def coroutine():
    async def a(): return await b()
    async def b(): 1 / 0
    a().send(None)
def exec_code(): exec("x = 1\ny = x / 0\n")
def eval_code(): eval("(1,\n 2)[5]")
def syntax(): compile("def f(:\n  pass", "<bad>", "exec")
def suggestion(): return arithmetc()
def attr_suggestion(): return [].appendd
def store_attr(): None.attr = 5
def store_subscr(): (1,)[0] = 2
def augmented():
    x = "a"
    x += 1
def callback(): return sorted([1, 2], key=lambda v: v / 0)
def prop():
    class P:
        @property
        def p(self): return 1 / 0
        def __init__(self): self.p
    P()
def exits(): sys.exit("message")
def chained(): return a_function()(1)(2)
def a_function(): return lambda x: lambda y: x / 0


for f in [v for v in list(globals().values()) if callable(v) and getattr(v, "__module__", "") == "__main__" and v not in (show, make, a_function)]:
    show(f)
e = make(ValueError)
tb = e.__traceback__
print(tb.tb_lineno, tb.tb_next, tb.tb_frame.f_code.co_name)
tb.tb_next = make(KeyError).__traceback__
traceback.print_exception(e, file=sys.stdout)
try:
    tb.tb_next = tb
except ValueError as err:
    print(err)
try:
    raise_from()
finally:
    group()
