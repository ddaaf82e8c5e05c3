# isinstance, len and dict.get where arguments of many types meet at one call.
import abc
import collections
import typing


class Base: pass
class Derived(Base): pass
class Lying(Base):
    __class__ = int
class LyingProperty:
    @property
    def __class__(self): return Derived
class Raising:
    @property
    def __class__(self): raise ValueError("no class")
class Attribute:
    def __getattribute__(self, name): return str if name == "__class__" else object.__getattribute__(self, name)
class Meta(type):
    def __instancecheck__(cls, instance): return instance == 1 or "maybe" if cls.__name__ == "Odd" else type.__instancecheck__(cls, instance)
class Odd(metaclass=Meta): pass
class Even(metaclass=Meta): pass
class Abstract(abc.ABC): pass
Abstract.register(list)
Abstract.register(Derived)
class Int(int): pass
class Str(str): pass
@typing.runtime_checkable
class HasRead(typing.Protocol):
    def read(self): ...


INSTANCES = [0, 1, True, None, 1.5, "a", b"a", [], (), {}, set(), frozenset(), object(), Base(), Derived(), Lying(), LyingProperty(),
             Raising(), Attribute(), Odd(), Even(), Int(3), Str("s"), int, Base, Odd, len, lambda: 0, collections.OrderedDict(),
             collections.Counter(), range(3), NotImplemented, 2j, iter([])]
CLASSES = [int, str, object, list, dict, tuple, type, type(None), bool, float, bytes, Base, Derived, Odd, Even, Meta, Abstract, HasRead, Int,
           (), (int, str), (str, (int, (Base,))), (list, Odd), (Odd, list), (Base, Derived), [int], 5, None, int | str, list[int],
           (list[int],), (int, 5), (5, int), collections.abc.Mapping, collections.OrderedDict, typing.Any, set, frozenset]


def check(instance, cls): return isinstance(instance, cls)
def outcome(f, *args):
    try: return f(*args)
    except Exception as e: return f"{type(e).__name__}: {e}"


for turn in range(4):
    seen = [[outcome(check, instance, cls) for cls in CLASSES] for instance in INSTANCES]
for instance, row in zip(INSTANCES, seen): print(type(instance).__name__, row)
# One class at a time, so that the call has a form of its own.
for cls in CLASSES:
    def check(instance): return isinstance(instance, cls)
    for turn in range(30):
        row = [outcome(check, instance) for instance in INSTANCES]
    print(getattr(cls, "__name__", cls), row)

# What a class is changes.
class A: pass
class B: pass
class C(A): pass
def check(instance, cls): return isinstance(instance, cls)
one = C()
for turn in range(200):
    if turn == 50: C.__bases__ = (B,)
    if turn == 100: one.__class__ = B
    if turn == 150: A.__instancecheck__ = lambda self, i: True
    row = check(one, A), check(one, B), check(one, C), check(one, (A, C))
    if turn % 50 in (0, 49): print(turn, row)

# dict.get
class Default(dict):
    def __missing__(self, key): return "missing"
    def get(self, key, default=None): return "own get", key
class Key:
    def __init__(self, n): self.n = n
    def __hash__(self): return self.n
    def __eq__(self, other):
        if self.n == 3: raise ValueError("compared")
        return isinstance(other, Key) and other.n == self.n
    def __repr__(self): return f"Key({self.n})"


DICTS = [{}, {"a": 1, "b": None}, {1: "int", 2**40: "large", None: "none"}, {Key(1): "k", Key(3): "raises", "a": 2}, Default(a=1),
         collections.defaultdict(list, a=3), collections.OrderedDict(a=4), {int: "type", len: "len", Base: "class"},
         {i: i for i in range(1000)}]
ARGS = [("a",), ("".join(["a"]), 7), ("c",), ("c", "default"), (1,), (2**40, 0), (2**40 + 1,), (None, 5), (Key(1),), (Key(2),), (Key(3),),
        (int,), (Base, 1), (len,), (str, 2), ([],), ({}, 1), (), (1, 2, 3), (999,), (1.0,), (True,)]
def get(d, *args): return d.get(*args)
def get1(d, k): return d.get(k)
def get2(d, k, default): return d.get(k, default)
def get0(d): return d.get()
def get3(d, a, b, c): return d.get(a, b, c)
GETS = get0, get1, get2, get3
for turn in range(40):
    seen = [[outcome(GETS[len(args)], d, *args) for args in ARGS] for d in DICTS]
    assert repr(seen) == repr([[outcome(get, d, *args) for args in ARGS] for d in DICTS])
for d, row in zip(DICTS, seen): print(type(d).__name__, [repr(value).partition(" at 0x")[0] for value in row])
for turn in range(100):
    for cls in (dict, collections.OrderedDict):
        value = [outcome(cls.get, {"a": 1}, "a"), outcome(cls.get, 5, "a"), outcome(dict.get, Default(a=5), "a")]
print(value)
