"""LOAD_GLOBAL, LOAD_SUPER_ATTR, and names that change under them."""

from forms import change, function, use

import builtins

NAMES = ("here", "len", "missing", "True_", "print", "__name__", "__debug__")


class Dict(dict):
    def __missing__(self, key):
        return key


def globals_of(kind):
    namespace = {"__builtins__": builtins, "here": 1, "__name__": "x"}
    if kind == "subclass":
        return Dict(namespace)
    if kind == "number":
        namespace[1] = 2
    elif kind == "copied":
        namespace["__builtins__"] = dict(vars(builtins))
    elif kind == "poor":
        namespace["__builtins__"] = {"len": len}
    elif kind == "strange":
        namespace["__builtins__"] = {"len": len, 1: 2}
    elif kind == "custom":
        namespace["__builtins__"] = Dict(vars(builtins))
    elif kind == "none":
        del namespace["__builtins__"]
    elif kind == "wide":
        namespace.update({f"name{i}": i for i in range(70_000)})
    elif kind == "deleted":
        namespace.update({f"name{i}": i for i in range(100)})
        for i in range(100):
            del namespace[f"name{i}"]
    return namespace


KINDS = ("plain", "subclass", "number", "copied", "poor", "strange", "custom", "none", "wide", "deleted")
for kind in KINDS:
    for name in NAMES:
        namespace = globals_of(kind)
        called = function(f"global_{kind}_{name}", "", f"return {name}", namespace=namespace)
        use(called)
        use(function(f"call_{kind}_{name}", "", f"return {name}('ab')", namespace=namespace))
        use(function(f"two_{kind}_{name}", "", f"return {name}, len", namespace=namespace))
        # The namespace changes: another value, another name, a shadow of the builtin, without it
        namespace["here"] = 2
        use(called, times=60)
        namespace["another"] = 2
        use(called, times=60)
        namespace["len"] = namespace["missing"] = 3
        use(called, times=60)
        del namespace["len"]
        use(called, times=60)
        namespace[2] = 3
        use(called, times=60)
        namespace.clear()
        use(called, times=60)

wide = globals_of("wide")
use(function("global_late", "", "return name69999", namespace=wide))
use(function("global_early", "", "return name10", namespace=wide))

late = function("builtin_added", "", "return added_to_builtins")
use(late)
builtins.added_to_builtins = 1
use(late, times=60)
del builtins.added_to_builtins
use(late, times=60)


class Meta(type):
    def called(cls):
        return cls

    value = 3


class Base:
    value = 1

    def __init__(self, *args):
        pass

    def called(self, *args):
        return self

    @classmethod
    def of_class(cls):
        return cls

    @staticmethod
    def static():
        return 1

    @property
    def calculated(self):
        return 2


def fake_super(*args):
    return Base()


def classes(expression, **extra):
    namespace = {"Base": Base, "Meta": Meta, "fake": fake_super, **extra}
    source = f"""
class Derived(Base, metaclass=Meta):
    def method(self, other=None):
        return {expression}
    @classmethod
    def of_class(cls):
        return {expression.replace("self", "cls")}
    @staticmethod
    def static(self=None):
        return {expression}
    def __new__(self, *args):
        return super().__new__(self)
"""
    exec(compile(source, f"<{expression}>", "exec"), namespace)
    return namespace["Derived"]


EXPRESSIONS = [f"{base}.{attribute}" for base in ("super()", "super(Derived, self)", "super(Base, self)", "super(3, self)",
                                                 "super(Derived, 3)", "super(Derived, Derived)", "super(other, self)")
               for attribute in ("value", "called()", "called", "called(1, 2)", "static()", "of_class()", "calculated",
                                 "missing", "missing()", "__init__(1)", "__class__", "called(*(1, 2))", "called(x=1)")]
for expression in EXPRESSIONS:
    for extra in ({}, {"super": fake_super}):
        Derived = classes(expression, **extra)
        use(lambda: Derived().method(), times=6)
        use(lambda: Derived.of_class(), times=6)
        use(lambda: Derived.static(), times=6)

# The shadow comes later and goes again
namespace = {"Base": Base}
exec(compile("class Derived(Base):\n    def method(self): return super().called()\n", "<shadowed later>", "exec"), namespace)
method = namespace["Derived"]().method
use(method)
namespace["super"] = fake_super
use(method, times=60)
del namespace["super"]
use(method, times=60)
