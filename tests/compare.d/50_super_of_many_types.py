# Methods of super() where a method runs for objects of many types: what is remembered of two types must not outlive what it
# was true for.
import gc
from concurrent import interpreters

COMMON = """
class Root:
    def m(self, *args): return ["root"]
    def other(self): return "root other"
class Left(Root):
    def m(self, *args): return ["left", *super().m(*args)]
class Right(Root):
    def m(self, *args): return ["right", *super().m(*args)]
class Both(Left, Right):
    def m(self, *args): return ["both", *super().m(*args)]
    def other(self): return super().other(), super(Left, self).other()
class Crossed(Right, Left):
    def m(self, *args): return ["crossed", *super(Crossed, self).m(*args)]
class Late(Both): pass
class OfList(list):
    def append(self, x): super().append((x, "appended"))
    def __init__(self, *args): super().__init__(*args); self.append(0)
class OfObject:
    def __init__(self): super().__init__(); self.made = True
    def __repr__(self): return "repr " + str(super().__repr__()[:4])
KINDS = Left, Right, Both, Crossed, Late, Root
def outcome(f, *args):
    try: return f(*args)
    except Exception as e: return f"{type(e).__name__}: {e}"
def heat(rounds=60):
    objs = [kind() for kind in KINDS]
    for _ in range(rounds):
        for o in objs: outcome(lambda: o.m())
        OfList([1]), OfObject(), outcome(Both().other)
def look():
    return [outcome(lambda: kind().m()) for kind in KINDS], OfList([1]), OfObject().made, outcome(Both().other), repr(OfObject())
"""
exec(COMMON)
heat()
print(look())


def after(what, change):
    heat()
    print(what, outcome(change))
    print(look())
    heat()
    print(look())


after("replaced in the root", lambda: setattr(Root, "m", lambda self, *args: ["new root"]))
after("replaced between", lambda: setattr(Right, "m", lambda self, *args: ["new right"]))
after("taken away between", lambda: delattr(Right, "m"))
after("and put back, with another super", lambda: setattr(Right, "m", lambda self, *args: ["put", *super(Right, self).m(*args)]))
after("a property", lambda: setattr(Root, "m", property(lambda self: lambda *args: ["property", type(self).__name__])))
after("a static method", lambda: setattr(Root, "m", staticmethod(lambda *args: ["static", len(args)])))
after("a class method", lambda: setattr(Root, "m", classmethod(lambda cls, *args: ["class", cls.__name__])))
after("a number", lambda: setattr(Root, "m", 5))
after("nothing", lambda: delattr(Root, "m"))
after("a function again", lambda: setattr(Root, "m", lambda self, *args: ["again", type(self).__name__]))
after("__bases__", lambda: setattr(Late, "__bases__", (Crossed,)))
after("__bases__ back", lambda: setattr(Late, "__bases__", (Both,)))
after("order of the bases", lambda: setattr(Both, "__bases__", (Right, Left)))
after("and back", lambda: setattr(Both, "__bases__", (Left, Right)))
after("instances hide nothing", lambda: Both().__dict__.update(m=lambda: "never"))
after("the class itself", lambda: setattr(Both, "m", lambda self, *args: ["own", *super(Both, self).m(*args)]))
after("__getattribute__", lambda: setattr(Both, "__getattribute__", lambda self, name: object.__getattribute__(self, name)))
after("no longer", lambda: delattr(Both, "__getattribute__"))
after("__getattr__", lambda: setattr(Root, "__getattr__", lambda self, name: lambda *args: ["getattr", name]))
after("no longer", lambda: delattr(Root, "__getattr__"))


# self is a class, of another class, or replaced.
class Meta(type):
    def m(cls, *args): return ["meta", cls.__name__]
    def call(cls): return super().__call__
class WithMeta(Left, metaclass=Meta):
    @classmethod
    def make(cls): return super().__new__(cls), super().m
    def plain(self): return super().m()
def explicit(cls, this): return super(cls, this).m()
for _ in range(60):
    seen = [outcome(explicit, Left, Both()), outcome(explicit, Left, Both), outcome(explicit, Meta, WithMeta),
            outcome(explicit, Left, WithMeta), outcome(explicit, Left, WithMeta()), outcome(explicit, Left, Root()),
            outcome(explicit, Left, 5), outcome(explicit, Right, Left()), outcome(explicit, int, True), outcome(explicit, 5, 5),
            outcome(lambda: WithMeta().plain()), outcome(explicit, type, Left), outcome(explicit, object, Left()),
            type(WithMeta.make()[0]).__name__]
print(seen)


class Turncoat(Both): pass
one = Turncoat()
for turn in range(120):
    one.__class__ = (Turncoat, Late, Left, Right, Crossed)[turn // 8 % 5]
    assert one.m() == type(one)().m(), (turn, one.m())


# `super` is something else.
def replaced(self): return super().m()
space = {"super": lambda *args: Left()}
import types
cell = (lambda x: (lambda: x))(Both).__closure__[0]
class Holder(Both):
    def replaced(self): return super().m()
for turn in range(60):
    if turn == 30: super = lambda *args: Root()
    if turn == 45: del super
    result = outcome(Holder().replaced)
    if turn in (29, 30, 44, 45): print(turn, result)


# Classes that are freed, and others at their address, with methods of the same name.
for i in range(300):
    class A:
        def m(self, i=i): return i
    class B(A):
        def m(self): return super().m()
    class C(B):
        def m(self): return super().m()
    objs = B(), C()
    for _ in range(4):
        for o in objs: assert o.m() == i
    if i % 3 == 0:
        A.m = lambda self, i=i: -i
        assert [o.m() for o in objs] == [-i, -i]
    del A, B, C, objs, o
    if i % 50 == 0: gc.collect()

PROGRAM = COMMON + """
heat()
setattr(Root, "m", lambda self, *args: [where])
seen = look()
assert seen[0][2][-1] == where, seen
heat()
assert str(look()) == str(seen)
"""
for i in range(10):
    interpreter = interpreters.create()
    interpreter.prepare_main(where=f"interpreter {i}")
    interpreter.exec(PROGRAM)
    interpreter.close()
print(look())
