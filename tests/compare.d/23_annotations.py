# Annotations, type parameters, type aliases: what is evaluated, when, and in which scope.
import annotationlib
import inspect
import sys
from annotationlib import Format, get_annotations


def f(a: int, b: "text" = 1, *args: late, k: [x for x in (1, 2)] = 2, **kw: dict) -> 1 + 1: pass


for fmt in (Format.FORWARDREF, Format.STRING):
    print(fmt.name, {k: (v.__forward_arg__ if isinstance(v, annotationlib.ForwardRef) else v) for k, v in get_annotations(f, format=fmt).items()})
try:
    f.__annotations__
except NameError as e:
    print(e)
late = "late bound"
print(f.__annotations__, f.__annotate__(1), f.__annotate__.__name__)
try:
    f.__annotate__(2)
except NotImplementedError as e:
    print("not implemented", e)
module_var: int = 5
only_declared: str
print(sys.modules[__name__].__annotations__, __annotate__(1))
condition = False
if condition:
    never: bytes
while True:
    in_loop: float
    break
print(sorted(__annotate__(1)))


class C:
    a: int
    b: "D" = 1
    c: undefined_here
    if condition:
        d: int
    def m(self, x: a) -> "C": pass


try:
    C.__annotations__
except NameError as e:
    print(e)
undefined_here = 3
print(C.__annotations__, C.__annotate__(1))
try:
    C.m.__annotations__
except NameError as e:
    print(e)
C.a = "class attribute"
del C.a


class Sees:
    T = int
    x: T
    def m(self, y: T): pass
    T2 = T


print(Sees.__annotations__, Sees.m.__annotations__)


def local_scope(v):
    x: v
    y: undefined_and_never_evaluated = v
    (z): int = 3
    class L:
        field: v
    def g(p: v): pass
    return y, z, L.__annotations__, g.__annotations__


print(local_scope(str), local_scope.__annotations__)


def generic[T, U: int, *Ts, **P, D = str](x: T, *a: *Ts) -> U: return T


class Box[T, V = list[T]]:
    item: T
    def get[W](self, w: W) -> tuple[T, W]: return T, W


type Alias = list[Alias] | int
type Pair[A, B = A] = tuple[A, B]
type Fails = 1 / 0
type Bounded[T: (int, undefined_later)] = T
print(generic.__type_params__, generic(1), generic.__annotations__, [p.has_default() for p in generic.__type_params__])
print(Box.__type_params__, Box[int], Box.__annotations__, Box.get.__type_params__, Box().get(1), Box.__orig_bases__, Box.__parameters__)
print(Alias.__name__, Alias.__value__, Pair.__value__, Pair[int, str], Pair.__type_params__, Alias, Alias.__type_params__)
for text in ("Fails.__value__", "Bounded.__type_params__[0].__constraints__", "Box[1, 2, 3]", "Alias[int]", "generic.__type_params__[1].__bound__",
             "generic.__type_params__[4].__default__", "Box.__type_params__[1].__default__", "generic.__type_params__[0].__default__"):
    try:
        print(text, eval(text))
    except Exception as e:
        print(text, "->", type(e).__name__, e)
undefined_later = float
print(Bounded.__type_params__[0].__constraints__)


class Outer[T]:
    attr = "outer attr"

    class Inner[S: T](list[S]):
        type X = tuple[S, T, attr]
        attr = "inner attr"

    def meth[R = attr](self) -> R: return __class__, T, R


print(Outer.Inner.X.__value__, Outer().meth()[1:], Outer.meth.__type_params__[0].__default__, Outer.Inner.__type_params__[0].__bound__)


def in_function[T](x: T):
    y = 1

    def inner[S = T](z: S = y):
        nonlocal y
        y += z
        return S, T, y
    return inner


inner = in_function(1)
print(inner(), inner(10), inner.__type_params__[0].__default__)
print(inspect.signature(generic, annotation_format=Format.STRING))
C.__annotations__["new"] = 1
print(C.__annotations__)
C.__annotations__ = {"replaced": True}
print(C.__annotations__, C.__annotate__)
del f.__annotations__
print(f.__annotations__, f.__annotate__)
f.__annotate__ = lambda fmt: {"made": fmt}
print(f.__annotations__)
for bad in (5, lambda: 1, lambda f: 5):
    try:
        f.__annotate__ = bad
        print(f.__annotations__)
    except Exception as e:
        print(type(e).__name__, e)
exec("from __future__ import annotations\ndef g(a: undefined_forever, b: 1 / 0): pass\nclass K:\n    x: nothing\nprint(g.__annotations__, K.__annotations__)")


@lambda fn: print("decorated", fn.__annotations__) or fn
def h(a: int, /, b: str, *, c: "x"): pass


async def coro(a: int) -> str: yield
lam = lambda a=1, *, b=2: (a, b)
print(coro.__annotations__, lam.__annotations__, lam.__annotate__, lam.__kwdefaults__)
