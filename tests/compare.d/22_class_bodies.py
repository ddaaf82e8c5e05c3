# The class statement: metaclasses, __prepare__, cells, decorators, name lookup in bodies, and refusals.
import builtins
import types


class Meta(type):
    @classmethod
    def __prepare__(mcls, name, bases, **kw):
        print("prepare", mcls.__name__, name, bases, kw)
        return {"prepared": True}

    def __new__(mcls, name, bases, ns, **kw):
        print("new", name, [k for k in ns if not k.startswith("__")], kw)
        return super().__new__(mcls, name, bases, dict(ns))

    def __init__(cls, name, bases, ns, **kw):
        print("init", name, kw)
        super().__init__(name, bases, ns)

    def __call__(cls, *a, **kw):
        print("call", cls.__name__, a, kw)
        return super().__call__(*a, **kw)


class Plain(metaclass=Meta, option=1):
    attr = prepared

    def __init__(self, v=0): self.v = v


class Child(Plain, other="x"):
    print("in body", __qualname__, __module__)

    class Inner:
        where = __qualname__

    def method(self): return __class__, Child.Inner.where


print(Child(5).v, Child().method()[1], Child().method()[0] is Child)


class InitSub:
    subs = []

    def __init_subclass__(cls, /, tag=None, **kw):
        super().__init_subclass__(**kw)
        cls.subs.append((cls.__name__, tag))


class S1(InitSub, tag="one"): pass
class S2(S1): pass


class Named:
    def __set_name__(self, owner, name): print("set_name", owner.__name__, name)


class Owner:
    a = Named()
    b = c = Named()


print(InitSub.subs)


def decorate(tag):
    print("decorator", tag)
    return lambda x: print("decorating", tag, x.__name__) or x


@decorate("outer")
@decorate("inner")
class Decorated:
    @decorate("method")
    def m(self): pass


x = "global x"


def function():
    x = "local x"
    y = "local y"

    class A:
        print(x)
        x = "class x"
        print(x, y)
        del x
        print(x)
        m = [x for _ in [1]]

        class B:
            print(x)
            z = lambda: y
            nonlocal y
            y = "changed"
        locals()["dynamic"] = "through locals"
        print(dynamic)
    return A.m, A.B.z(), y, A.dynamic


print(function())


class Globals:
    global made_global
    made_global = x
    x = x + "!"
    __slots__ = ("s", "__private")

    def __init__(self): self.__private = 1


print(made_global, Globals.x, Globals()._Globals__private, hasattr(Globals(), "__dict__"))


class Gen(list[int]): pass


class Entries:
    def __mro_entries__(self, bases): print("mro_entries", len(bases)); return (dict,)


class FromEntries(Entries()): pass


print(FromEntries.__bases__, FromEntries.__orig_bases__[0].__class__.__name__, Gen.__orig_bases__)


def factory(name, bases, ns): return name, bases, sorted(k for k in ns if not k.startswith("__"))


class ByFunction(metaclass=factory):
    one = 1


print(ByFunction)
bases, kw = (InitSub,), {"tag": "starred"}


class Starred(*bases, **kw): pass


print(InitSub.subs[-1], types.new_class("New", (), {}, lambda ns: ns.update(a=1)).a)
bad = """
class E(1): pass
class E(None): pass
class E(int, str): pass
class E(bool): pass
class E(Plain, metaclass=type("M2", (type,), {})): pass
class E(Plain, Plain): pass
class E(object, Plain): pass
class E(metaclass=5): pass
class E(InitSub, unknown=1): pass
class E(kw=1): pass
class E: 1 / 0
class E: undefined
class E(*5): pass
class E(**5): pass
class E(**{1: 2}): pass
class E(metaclass=type("P", (type,), {"__prepare__": lambda *a: 5})): pass
class E(metaclass=type("P", (type,), {"__prepare__": classmethod(lambda *a: 5)})): pass
class E: __slots__ = "a", "a b"
class E: __slots__ = "a"; a = 1
class E: __slots__ = 5
class E: __qualname__ = 5
class E(type("N", (), {"__mro_entries__": lambda *a: 5})()): pass
class E: a = type("F", (), {"__set_name__": lambda *a: 1 / 0})()
class E: __classcell__ = 5
class E(InitSub, tag=1, tag2=2): pass
""".strip().splitlines()
for source in bad:
    try:
        exec(source, globals())
        print(source, "ok")
    except Exception as e:
        print(source, "->", type(e).__name__, e, getattr(e, "__notes__", ""))


class KeepsCell(type):
    def __new__(mcls, name, bases, ns):
        if name == "Loses":
            ns.pop("__classcell__")
        if name == "Swaps":
            return super().__new__(mcls, name, bases, dict(ns, __classcell__=types.CellType()))
        if name == "Twice":
            super().__new__(mcls, "First", bases, dict(ns))
            return super().__new__(mcls, name, bases, dict(ns))
        return super().__new__(mcls, name, bases, ns)


for name in ("Keeps", "Loses", "Swaps", "Twice"):
    try:
        exec(f"class {name}(metaclass=KeepsCell):\n    def m(self): return __class__\nprint({name}().m())", globals())
    except Exception as e:
        print(name, type(e).__name__, e)
build = builtins.__build_class__
builtins.__build_class__ = lambda f, name, *a, **kw: ("built", name, a, kw)


class Intercepted(int, k=1): pass


print(Intercepted)
del builtins.__build_class__
try:
    class Unbuilt: pass
except NameError as e:
    print(e)
builtins.__build_class__ = build
for args in ((), (1,), (1, "n"), (lambda: None, 5), (len, "n"), (lambda: None, "n"), (lambda: "not a cell", "n")):
    try:
        print(build(*args).__name__)
    except Exception as e:
        print(type(e).__name__, e)


class Ns(dict):
    def __getitem__(self, k):
        if k.startswith("magic"):
            return "from " + k
        return super().__getitem__(k)

    def __setitem__(self, k, v):
        print("ns set", k) if k != "__firstlineno__" else None
        super().__setitem__(k, v)

    def __delitem__(self, k):
        print("ns del", k)
        super().__delitem__(k)


class NsMeta(type):
    __prepare__ = classmethod(lambda *a: Ns())
    def __new__(m, n, b, ns): return super().__new__(m, n, b, dict(ns))


def enclosing():
    free = "free variable"

    class WithNs(metaclass=NsMeta):
        a = magic_one
        b = free
        del a
        try:
            del missing
        except NameError as e:
            print(e)
        try:
            missing
        except NameError as e:
            print(e)
        def m(self): return free
    return WithNs.b


print(enclosing())


class BadGet(dict):
    def __getitem__(self, k): raise ZeroDivisionError(k)


for text in ("name", "len", "def f(): pass"):
    try:
        exec(text, {}, BadGet())
    except Exception as e:
        print(text, type(e).__name__, e)
print(Child.__static_attributes__, Plain.__static_attributes__, Child.__firstlineno__ > 0, Decorated.__doc__)
