# status: 1
# Loads, stores and deletions of attributes: every kind, specialized, and then changed underneath.
import sys
import types


class Data:
    "A data descriptor."
    def __get__(self, obj, owner): return "data", obj is None, owner.__name__
    def __set__(self, obj, value): print("Data.__set__", value)
    def __delete__(self, obj): print("Data.__delete__")


class NonData:
    def __get__(self, obj, owner): return "nondata", obj is None


class Meta(type):
    meta_attr = "from meta"

    @property
    def meta_prop(cls): return "meta prop", cls.__name__

    def meta_meth(cls): return "meta meth", cls.__name__


class A(metaclass=Meta):
    data, nondata, const = Data(), NonData(), "const"

    def __init__(self): self.a, self.b = 1, 2

    def meth(self): return "meth", self.a

    @property
    def prop(self): return "prop", self.a

    @prop.setter
    def prop(self, v): self.a = v

    @classmethod
    def clsm(cls): return cls.__name__

    @staticmethod
    def stat(): return "stat"


class Slots:
    __slots__ = "x", "y"
    const = "slots const"

    def __init__(self): self.x = 1

    def meth(self): return self.x


class GetAttr:
    def __getattr__(self, name):
        if name == "no":
            raise AttributeError("no such " + name)
        return "getattr " + name


class GetAttribute:
    x = 5

    def __getattribute__(self, name):
        if name == "bad":
            raise ValueError("bad")
        return "getattribute " + name

    def __setattr__(self, name, value): print("setattr", name, value)

    def __delattr__(self, name): print("delattr", name)


class Both(A):
    def __getattr__(self, name): return "fallback " + name


class IntSub(int):
    def __init__(self, *a): self.extra = "e"


class Lazy:
    def __init__(self): self.__dict__ = {"a": "from a plain dict"}


mod = types.ModuleType("mod")
mod.attr = "module attr"
mod.__getattr__ = lambda name: "module getattr " + name if name != "no" else mod.__missing__
empty = types.ModuleType("empty")
objects = [A(), A, Slots(), Slots, GetAttr(), GetAttribute(), Both(), IntSub(3), mod, empty, sys, 5, "s", None, Lazy(), super(A, A()),
           (lambda: 1), A().meth, [], types.SimpleNamespace(a="ns")]
names = ["a", "b", "data", "nondata", "const", "meth", "prop", "clsm", "stat", "x", "y", "meta_attr", "meta_prop", "meta_meth", "attr", "no",
         "bad", "extra", "real", "append", "__class__", "__dict__", "__name__", "__code__"]


def show(value):
    if callable(value):
        try:
            return "callable", value()
        except Exception as e:
            return "callable", type(e).__name__
    return type(value).__name__ if isinstance(value, (dict, types.MappingProxyType)) else value


for name in names:
    scope = {}
    exec(f"def load(o): return o.{name}\ndef call(o): return o.{name}()", scope)
    for o in objects:
        results = []
        for fn in (scope["load"], scope["call"]):
            for _ in range(20):
                try:
                    r = show(fn(o))
                except Exception as e:
                    r = type(e).__name__, str(e)
            results.append(r)
        if not any("at 0x" in repr(r) for r in results):
            print(type(o).__name__, name, results)

for name in ("a", "data", "const", "prop", "x", "new"):
    scope = {}
    exec(f"def store(o): o.{name} = 'stored'\ndef delete(o): del o.{name}", scope)
    for o in (A(), Slots(), Both(), IntSub(3), mod, 5, None, object(), Lazy()):
        for fn in ("store", "delete", "delete"):
            for _ in range(20 if fn == "store" else 1):
                try:
                    r = scope[fn](o)
                except Exception as e:
                    r = type(e).__name__, str(e)
            print(type(o).__name__, fn, name, r)


def store_new(n):
    out = []
    for i in range(n):
        o = A.__new__(A)
        o.first = i
        o.second = i
        o.first += 1
        if i % 9 == 0:
            del o.first
        if i % 11 == 0:
            o.__dict__["third"] = 3
        if i % 13 == 0:
            o.__dict__ = {"first": "replaced"}
        out.append(sorted(o.__dict__.items()))
    return out


print(store_new(50)[::6])


def grow(o, n):
    for i in range(n):
        setattr(o, f"attr{i}", i)
    return o.attr0, len(vars(o))


print(grow(A(), 5), grow(A(), 50), grow(A(), 10))


class Wide: pass


def hinted(n):
    "More attributes than fit in the object: they live in a dict, where they may move."
    w, out = Wide(), []
    for i in range(40):
        setattr(w, f"a{i}", i)
    for i in range(n):
        w.a0 += 1
        if i == n // 2:
            w.__dict__ = {f"a{i}": -i for i in range(39, -1, -1)}
        out.append(w.a0)
    return out[::7]


print(hinted(60))


def evolve():
    "A class that changes under one specialized load."
    class B:
        v = "class"
    b = B()
    for i in range(120):
        if i == 20: b.v = "instance"
        if i == 40: del b.v
        if i == 60: B.v = property(lambda self: "property")
        if i == 80: del B.v; B.__getattr__ = lambda self, n: "getattr " + n
        if i == 100: B.__getattribute__ = lambda self, n: "getattribute " + n
        r = b.v
        if i % 20 in (0, 19):
            print(i, r)


evolve()


def many(objs):
    return [o.v for o in objs]


classes = [type(f"T{i}", (), {"v": i, "__slots__": () if i % 2 else ("w",)}) for i in range(10)]
print(many([c() for c in classes] * 10)[-10:])


class Weird:
    def __getattribute__(self, name):
        raise AttributeError


try:
    Weird().anything
except AttributeError as e:
    print(repr(e), e.name, type(e.obj).__name__)
print(getattr(Weird(), "x", "default"), hasattr(Weird(), "x"))
A().missing
