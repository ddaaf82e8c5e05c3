"""LOAD_ATTR and STORE_ATTR: every kind of owner with every kind of attribute."""

import collections
import dataclasses
import enum
import functools
import math
import sys
import types
import weakref

from forms import change, function, label, use


class Descriptor:
    def __get__(self, instance, owner=None):
        return 5


class Overriding(Descriptor):
    def __set__(self, instance, value):
        pass


class Callable:
    def __call__(self, *args):
        return args


def module_function(*args):
    return args


class Attributes:
    "What every owner class has."
    value = 1
    text = "text"
    nested = int
    number = Callable()
    function = staticmethod(module_function)
    descriptor = Descriptor()
    overriding = Overriding()
    builtin = len
    partial = functools.partial(module_function, 1)

    def method(self, *args):
        return args

    @classmethod
    def of_class(cls, *args):
        return args

    @staticmethod
    def static(*args):
        return args

    @property
    def calculated(self):
        return 1

    @calculated.setter
    def calculated(self, value):
        pass

    @property
    def readonly(self):
        return 1

    @functools.cached_property
    def cached(self):
        return 1

    length = property(len)
    writeonly = property(None, lambda self, value: None)
    strange = property(lambda self, *args: 1)
    optional = property(lambda self, default=2: default)
    keyword = property(lambda self, *, default=2: default)
    from_keys = dict.__dict__["fromkeys"]
    wrong_slot = types.CodeType.co_name

    def __len__(self):
        return 7


def owner_class(name, bases=(), **namespace):
    shared = {key: value for key, value in vars(Attributes).items() if key not in ("__dict__", "__weakref__")}
    cls = types.new_class(name, bases, {}, lambda body: body.update(shared | namespace))
    cls.cached.__set_name__(cls, "cached")
    return cls


def fill(instance):
    instance.own = 1
    instance.shadow = 2
    instance.callback = module_function
    return instance


Plain = owner_class("Plain")
Slotted = owner_class("Slotted", __slots__=("own", "shadow", "callback"))
SlottedAndDict = owner_class("SlottedAndDict", __slots__=("own", "__dict__"))
SlottedWeak = owner_class("SlottedWeak", __slots__=("own", "shadow", "callback", "__weakref__"))
OfList = owner_class("OfList", (list,))
OfInt = owner_class("OfInt", (int,))
OfDict = owner_class("OfDict", (dict,))
OfTuple = owner_class("OfTuple", (tuple,))
OfException = owner_class("OfException", (Exception,))
OfModule = owner_class("OfModule", (types.ModuleType,))
OfProperty = owner_class("OfProperty", (property,))
Getattr = owner_class("Getattr", __getattr__=lambda self, name: module_function)
Getattribute = owner_class("Getattribute", __getattribute__=lambda self, name: object.__getattribute__(self, name))
GetattributeOfMany = owner_class("GetattributeOfMany",
                                 __getattribute__=lambda self, *name: object.__getattribute__(self, *name))
GetattributeDefault = owner_class("GetattributeDefault",
                                  __getattribute__=lambda self, name, x=1: object.__getattribute__(self, name))
Both = owner_class("Both", __getattr__=lambda self, name: 1,
                   __getattribute__=lambda self, name: object.__getattribute__(self, name))
BuiltinGetattribute = owner_class("BuiltinGetattribute", __getattribute__=object.__getattribute__)
Setattr = owner_class("Setattr", __setattr__=lambda self, name, value: object.__setattr__(self, name, value))
Delattr = owner_class("Delattr", __delattr__=lambda self, name: None)
Inheriting = types.new_class("Inheriting", (Plain,))


class Meta(type):
    value = 3
    meta_value = 4

    def meta_method(cls, *args):
        return args

    @property
    def meta_calculated(cls):
        return 1


class MetaGetattribute(type):
    def __getattribute__(cls, name):
        return super().__getattribute__(name)


class MetaGetattr(type):
    def __getattr__(cls, name):
        return 1


class MetaSlot(type):
    text = Overriding()
    method = Descriptor()


def with_metaclass(meta):
    shared = {key: value for key, value in vars(Attributes).items() if key not in ("__dict__", "__weakref__")}
    return meta("With" + meta.__name__, (), shared)


class WithMetaclass(metaclass=Meta):
    value = 1
    own = 2

    def method(self, *args):
        return args


def materialized():
    instance = fill(Plain())
    vars(instance)
    return instance


def replaced():
    instance = Plain()
    instance.__dict__ = {"own": 1, "shadow": 2, "callback": module_function}
    return instance


def of_numbers():
    instance = Plain()
    instance.__dict__ = {"own": 1, "shadow": 2, 3: 4}
    return instance


def of_subclass():
    instance = Plain()
    instance.__dict__ = collections.OrderedDict(own=1, shadow=2)
    return instance


def crowded():
    instance = fill(Plain())
    for i in range(40):
        setattr(instance, f"attribute{i}", i)
    return instance


def emptied():
    instance = fill(Plain())
    del instance.own, instance.shadow, instance.callback
    return instance


def another_order():
    instance = Plain()
    instance.shadow = instance.callback = instance.own = 1
    return instance


def shadowing():
    instance = fill(Plain())
    instance.method = instance.value = instance.static = instance.descriptor = module_function
    return instance


def module(name, **contents):
    made = types.ModuleType(name)
    vars(made).update(own=1, value=2, method=module_function, **contents)
    return made


def numbered_module():
    made = module("numbered")
    vars(made)[1] = 2
    return made


@dataclasses.dataclass
class Data:
    own: int = 1

    def method(self, *args):
        return args


@dataclasses.dataclass(slots=True, frozen=True)
class Frozen:
    own: int = 1
    value: int = 2


class Color(enum.Enum):
    own = 1
    value_ = 2

    def method(self):
        return 1


class Flags(enum.IntFlag):
    own = 1
    other = 2


Point = collections.namedtuple("Point", "own value")
cell_owner = fill(Plain())
OWNERS = {
    "plain": lambda: fill(Plain()), "fresh": Plain, "slotted": lambda: fill(Slotted()), "unset": Slotted,
    "slotted_dict": lambda: fill(SlottedAndDict()), "slotted_weak": lambda: fill(SlottedWeak()),
    "list": lambda: fill(OfList()), "bare_list": OfList, "int": lambda: fill(OfInt()), "bare_int": OfInt,
    "dict": lambda: fill(OfDict()), "tuple": OfTuple, "exception": lambda: fill(OfException()), "bare_exception": OfException,
    "property": lambda: fill(OfProperty()), "bare_property": OfProperty,
    "module_class": lambda: fill(OfModule("m")), "getattr": lambda: fill(Getattr()),
    "getattribute": lambda: fill(Getattribute()), "getattribute_many": lambda: fill(GetattributeOfMany()),
    "getattribute_default": lambda: fill(GetattributeDefault()), "both": lambda: fill(Both()),
    "builtin_getattribute": lambda: fill(BuiltinGetattribute()), "setattr": lambda: fill(Setattr()),
    "delattr": lambda: fill(Delattr()), "inheriting": lambda: fill(Inheriting()),
    "materialized": materialized, "replaced": replaced, "numbers": of_numbers, "subclass": of_subclass,
    "crowded": crowded, "emptied": emptied, "another": another_order, "shadowing": shadowing,
    "class": lambda: Plain, "slotted_class": lambda: Slotted, "with_metaclass": lambda: WithMetaclass,
    "metaclass": lambda: Meta, "meta_getattribute": lambda: with_metaclass(MetaGetattribute),
    "meta_getattr": lambda: with_metaclass(MetaGetattr), "meta_slot": lambda: with_metaclass(MetaSlot),
    "getattr_class": lambda: Getattr, "list_class": lambda: OfList,
    "type": lambda: int, "builtin_list": lambda: [], "builtin_str": lambda: "a", "builtin_int": lambda: 1,
    "module": lambda: math, "own_module": lambda: module("own"), "numbered": numbered_module,
    "lazy_module": lambda: module("lazy", __getattr__=lambda name: 1), "sys": lambda: sys,
    "data": Data, "frozen": Frozen, "enum": lambda: Color.own, "enum_class": lambda: Color, "flags": lambda: Flags.own,
    "named": lambda: Point(1, 2), "function": lambda: module_function, "bound": lambda: cell_owner.method,
    "code": lambda: module_function.__code__, "slice": lambda: slice(1, 2), "complex": lambda: 1j, "none": lambda: None,
    "super": lambda: super(Inheriting, Inheriting()), "proxy": lambda: weakref.proxy(cell_owner),
    "simple": lambda: types.SimpleNamespace(own=1, value=2), "generator": lambda: (i for i in ()),
    "raised": lambda: ValueError("x"), "generic": lambda: list[int], "mapping": lambda: types.MappingProxyType({}),
}
NAMES = ("own", "shadow", "callback", "value", "text", "nested", "number", "function", "descriptor", "overriding", "builtin",
         "method", "of_class", "static", "calculated", "readonly", "cached", "length", "writeonly", "strange", "optional",
         "keyword", "from_keys", "wrong_slot", "missing", "partial", "meta_value", "meta_method", "meta_calculated",
         "__class__", "__doc__", "__dict__", "__init__", "__len__", "append", "join", "pi", "sqrt", "real", "start", "args",
         "co_name", "co_argcount", "__name__", "__globals__", "__code__", "mro", "name", "gi_frame", "real", "upper", "items",
         "fromkeys", "from_bytes", "maxsize", "path", "__eq__", "__traceback__", "__self__", "__func__", "fget", "__module__")
for owner, make in OWNERS.items():
    for name in NAMES:
        known = make()
        use(function(f"load_{owner}_{name}", "o", f"return o.{name}"), known)
        use(function(f"call_{owner}_{name}", "o", f"return o.{name}(1)"), make())
        if owner not in ("type", "module", "sys", "class", "metaclass", "enum_class", "function", "list_class", "getattr_class",
                         "slotted_class", "with_metaclass") and name not in ("__class__", "__dict__"):
            use(function(f"store_{owner}_{name}", "o", f"o.{name} = 1"), make())
        use(function(f"fresh_{owner}_{name}", "make", f"return make().{name}"), make)

# One owner and then another
PAIRS = ("plain", "fresh", "slotted", "materialized", "replaced", "crowded", "shadowing", "inheriting", "list", "own_module",
         "class", "getattribute", "another")
for first in PAIRS:
    for second in PAIRS:
        if first != second:
            for name in ("own", "method", "value"):
                a, b = OWNERS[first](), OWNERS[second]()
                change(function(f"change_load_{first}_{second}_{name}", "o", f"return o.{name}"), (a,), (b,))
                change(function(f"change_call_{first}_{second}_{name}", "o", f"return o.{name}()"), (a,), (b,))
            if "class" not in (first, second):
                change(function(f"change_store_{first}_{second}", "o", "o.own = 1"), (OWNERS[first](),), (OWNERS[second](),))

# The class changes under the specialized instruction
for name in ("own", "value", "method", "calculated", "missing", "static"):
    for template in ("return o.{}", "return o.{}(1)", "o.{} = 1"):
        Changing = owner_class("Changing")
        instance = fill(Changing())
        called = function(f"changing_{label(template)}_{name}", "o", template.format(name))
        use(called, instance)
        for value in (1, module_function, Descriptor(), Overriding(), property(lambda self: 1), staticmethod(len)):
            setattr(Changing, name, value)
            use(called, instance, times=60)
        delattr(Changing, name)
        use(called, instance, times=60)
        Changing.__getattr__ = lambda self, name: 3
        use(called, instance, times=60)
        Changing.__getattribute__ = lambda self, name: 4
        use(called, instance, times=60)

# The instance changes
for name in ("own", "value", "method"):
    for template in ("return o.{}", "return o.{}(1)", "o.{} = 1"):
        instance = fill(owner_class("Changing")())
        called = function(f"instance_{label(template)}_{name}", "o", template.format(name))
        use(called, instance)
        setattr(instance, name, module_function)
        use(called, instance, times=60)
        vars(instance)
        use(called, instance, times=60)
        vars(instance)[1] = 2
        use(called, instance, times=60)
        instance.__dict__ = {name: 1}
        use(called, instance, times=60)

# A module changes
changing = module("changing")
called = function("changing_module", "m", "return m.own")
use(called, changing)
changing.another = 3
use(called, changing, times=60)
del changing.own
use(called, changing, times=60)
changing.__getattr__ = lambda name: 4
use(called, changing, times=60)


# A class that nobody has looked anything up in before the specializer does
def unseen(**namespace):
    return types.new_class("Unseen", (), {}, lambda body: body.update(namespace))()


WAYS = {"getattribute": {"__getattribute__": lambda self, name: 1}, "getattr": {"__getattr__": lambda self, name: 1},
        "both": {"__getattribute__": lambda self, name: 1, "__getattr__": lambda self, name: 2},
        "setattr": {"__setattr__": lambda self, name, value: None}, "neither": {"value": 1}}
for way, namespace in WAYS.items():
    for name in ("value", "missing", "__class__"):
        for template in ("return o.{}", "return o.{}(1)"):
            called = function(f"unseen_{label(template)}_{way}_{name}", "o", template.format(name))
            use(called, Plain(), times=1)
            use(called, unseen(**namespace), times=1)
    called = function(f"unseen_store_{way}", "o", "o.value = 1")
    use(called, Plain(), times=1)
    use(called, unseen(**namespace), times=1)
