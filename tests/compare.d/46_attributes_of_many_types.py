# Attributes where objects of many types meet, so that no inline cache is enough: what is remembered of a type must not
# outlive what it was true for.
import gc
import types
from concurrent import interpreters

COMMON = """
class Plain:
    shared = "class"
    def __init__(self): self.x = "x"
    def m(self): return "m"
class Child(Plain): pass
class Grandchild(Child): pass
class Other:
    shared = "other"
    def __init__(self): self.y, self.x = "y", "other x"
    def m(self): return "other m"
class Slots:
    __slots__ = ("x", "y")
    shared = "slots"
    def __init__(self): self.x = "slot"
    def m(self): return "slots m"
class Lazy(list):
    shared = "lazy"
    x = "class x"
    def m(self): return "lazy m"
class InDict:
    shared = "in dict"
    def __init__(self):
        self.__dict__ = {"a": 1, "b": 2, "x": "dict x"}
    def m(self): return "in dict m"
class Meta(type):
    def m(cls): return "meta m"
class WithMeta(metaclass=Meta):
    shared = "with meta"
    x = "meta x"

def get(o): return o.x
def get_shared(o): return o.shared
def call(o): return o.m()
def put(o, v): o.x = v
KINDS = Plain, Child, Grandchild, Other, Slots, Lazy, InDict, WithMeta, lambda: WithMeta
def objects(): return [kind() for kind in KINDS]
def outcome(f, *args):
    try: return f(*args)
    except Exception as e: return f"{type(e).__name__}: {e}"
def heat(objs, rounds=40):
    for i in range(rounds):
        for o in objs:
            seen = [outcome(get, o), outcome(get_shared, o), outcome(call, o), outcome(lambda: put(o, get(o)))]
    return seen
def look(objs):
    return [(type(o).__name__, outcome(get, o), outcome(get_shared, o), outcome(call, o)) for o in objs]
"""
exec(COMMON)

objs = objects()
heat(objs)
print(look(objs))


def after(what, change):
    heat(objs)
    print(what, outcome(change))
    print(look(objs))
    heat(objs)
    print(look(objs))


plain, child, grandchild, other, slots, lazy, in_dict, with_meta, _ = objs


# The class changes.
def other_method(self):
    return "new m"


after("method replaced in the base", lambda: setattr(Plain, "m", other_method))
after("method added to a class between", lambda: setattr(Child, "m", lambda self: "child m"))
after("and taken away", lambda: delattr(Child, "m"))
after("attribute replaced", lambda: setattr(Plain, "shared", "changed"))
after("data descriptor hides instances", lambda: setattr(Plain, "x", property(lambda self: "property", lambda s, v: None)))
after("and is taken away", lambda: delattr(Plain, "x"))
after("slot replaced", lambda: setattr(Slots, "shared", property(lambda self: "slots property")))
after("__bases__", lambda: setattr(Grandchild, "__bases__", (Other,)))
after("__bases__ back", lambda: setattr(Grandchild, "__bases__", (Child,)))
after("metaclass gets a data descriptor", lambda: setattr(Meta, "shared", property(lambda cls: "meta property")))
after("and loses it", lambda: delattr(Meta, "shared"))
after("class attribute of the class itself", lambda: setattr(WithMeta, "x", "new meta x"))

# The instance changes.
after("instance hides a method", lambda: setattr(plain, "m", lambda: "instance m"))
after("another one, too", lambda: setattr(Child(), "m", lambda: "not seen"))
after("no longer", lambda: delattr(plain, "m"))
after("instance hides a class attribute", lambda: setattr(other, "shared", "instance"))
after("lazy dictionary", lambda: setattr(lazy, "m", lambda: "lazy instance"))
after("lazy dictionary, again without", lambda: lazy.__dict__.clear())
after("dictionary made", lambda: sorted(child.__dict__))
after("changed there", lambda: child.__dict__.update(x="by dict", m=lambda: "by dict m"))
after("emptied", lambda: child.__dict__.clear())
after("new one", lambda: setattr(child, "__dict__", {"x": "new dict"}))
after("another class", lambda: setattr(plain, "__class__", Other))
after("and back", lambda: setattr(plain, "__class__", Plain))
after("slot emptied", lambda: delattr(slots, "x"))
after("slot filled", lambda: setattr(slots, "x", "filled"))
after("attribute deleted", lambda: delattr(other, "x"))
after("attribute set", lambda: setattr(other, "x", "again"))
after("at another index", lambda: setattr(in_dict, "__dict__", {"x": "first"}))
after("gone from the dictionary", lambda: in_dict.__dict__.pop("x"))
after("and back at the end", lambda: in_dict.__dict__.update({"c": 3, "d": 4, "x": "last"}))
after("keys that are no strings", lambda: in_dict.__dict__.update({1: 2}))
after("many attributes", lambda: [setattr(grandchild, f"a{i}", i) for i in range(40)][-1])

# Lookups of its own.
after("__getattr__", lambda: setattr(Slots, "__getattr__", lambda self, name: "getattr " + name))
after("and something to do for it", lambda: delattr(slots, "x"))
after("__getattribute__", lambda: setattr(Child, "__getattribute__", lambda self, name: "getattribute " + name))
after("no longer", lambda: delattr(Child, "__getattribute__"))
after("__setattr__", lambda: setattr(Other, "__setattr__", lambda self, name, value: self.__dict__.update({name: "by setattr"})))
after("no longer", lambda: delattr(Other, "__setattr__"))

# Order of insertion and stores.
made = []
for i in range(30):
    for kind in (Plain, Child, Other, Slots):
        o = kind.__new__(kind)
        put(o, i)
        if kind is not Slots:
            o.z = 1
            put(o, i + 1)
            made.append(list(o.__dict__))
print(made[-3:])

# Values are released when they are replaced, also by destructors that look again.
class Loud:
    def __init__(self, o): self.o = o
    def __del__(self): log.append((type(self.o).__name__, get(self.o)))


log = []
for i in range(20):
    for o in (plain, other, grandchild, slots):
        put(o, Loud(o))
        put(o, i)
print(len(log), log[-4:])
log.clear()

# Names that are freed, and others at their address.
for i in range(300):
    name = f"name_{i % 7}_{i}"
    space = {}
    exec(f"def get(o): return o.{name}\ndef put(o, v): o.{name} = v", space)
    few = [kind() for kind in (Plain, Child, Other)]
    for _ in range(3):
        for o in few:
            space["put"](o, (name, type(o).__name__))
        for o in few * 3:
            assert space["get"](o) == (name, type(o).__name__), (name, space["get"](o))
    del space, few
    if i % 50 == 0:
        gc.collect()

# Types that are freed, and others at their address.
for i in range(300):
    kinds = [type(f"T{i}", (), {"shared": i, "m": lambda self, i=i: i, "__slots__": ()}),
             type(f"U{i}", (), {"shared": -i, "m": lambda self, i=i: -i})]
    for _ in range(5):
        for kind, expected in zip(kinds, (i, -i)):
            assert get_shared(kind()) == call(kind()) == expected
            assert get_shared(kind) == expected
    del kinds, kind

# Modules.
modules = [types.ModuleType(f"m{i}") for i in range(5)]
for turn in range(30):
    for i, module in enumerate(modules):
        put(module, (turn, i))
        assert get(module) == (turn, i)
    if turn == 20:
        modules[0].__getattr__ = lambda name: "module getattr " + name
        del modules[1].x
        print(outcome(get, modules[1]), outcome(get_shared, modules[0]))

# Interpreters come and go, with the same versions of other types.
PROGRAM = COMMON + """
mine = objects()
heat(mine)
setattr(Plain, "m", lambda self: "m in " + where)
seen = look(mine)
heat(mine)
assert look(mine) == seen, (look(mine), seen)
assert call(Plain()) == "m in " + where
"""
for i in range(70):
    interpreter = interpreters.create()
    interpreter.prepare_main(where=f"interpreter {i}")
    interpreter.exec(PROGRAM)
    interpreter.close()
print(look(objs))

# Several at a time.
several = [interpreters.create() for _ in range(3)]
for _ in range(3):
    for i, interpreter in enumerate(several):
        interpreter.prepare_main(where=f"interpreter {i}")
        interpreter.exec(PROGRAM)
print(look(objs))
for interpreter in several:
    interpreter.close()
print(look(objs))
