# Class bodies, exec, eval, imports, annotations, type parameters.
import sys
import types

module = types.ModuleType("made")
exec("""
__all__ = ["f", "C"]
def f(a: int = 1) -> "str": return a
class C[T]:
    x: list[T] = []
    type Alias = dict[str, T]
    def m[U: int](self, u: U) -> U: return u
type Late = Missing
""", vars(module))
sys.modules["made"] = module
log(module.f.__annotations__, module.C.__type_params__, module.C.Alias.__value__, module.C().m(1))
try:
    module.Late.__value__
except NameError as error:
    log(error)


class Namespace(dict):
    def __missing__(self, key):
        if key.startswith("auto"):
            return key
        raise KeyError(key)


class Meta(type):
    @classmethod
    def __prepare__(cls, name, bases, **kw): return Namespace()

    def __new__(cls, name, bases, space, **kw): return super().__new__(cls, name, bases, dict(space), **kw)

    def __init__(cls, name, bases, space, **kw): super().__init__(name, bases, dict(space))


class Auto(metaclass=Meta):
    a = auto_b
    def method(self): return __class__


class Sub(Auto):
    def __init_subclass__(cls, **kw): log("subclass", kw)


class SubSub(Sub, word=5):
    try:
        b = missing
    except NameError as error:
        log(error)


def imports():
    import made
    from made import f, C as D
    try:
        from made import nothing
    except ImportError as error:
        log(error)
    try:
        import made.deeper
    except ModuleNotFoundError as error:
        log(error)
    return f(2), D


from made import *
log(Auto.a, Auto().method(), imports(), f(3), C)
space = {"n": 3}
exec("m = n + 1\nexec('k = m + 1')", space)
log(space["k"], eval("[n for _ in range(n)]", space), eval("lambda: n", space)())
try:
    exec("def broken(:")
except SyntaxError as error:
    log(error.msg)
exec("raise KeyError('in exec')") if len(space) == 0 else log("not run")
try:
    eval("unknown", {})
except NameError as error:
    log(error)


def nonlocals():
    x = 1
    def change():
        nonlocal x
        x += 1
        del x
    change()
    try:
        return x
    except NameError as error:
        return error


log(nonlocals(), globals()["__name__"], sorted(locals())[:2], (lambda: locals())())
