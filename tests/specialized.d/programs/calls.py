"""CALL and CALL_KW: every kind of callable with every kind of argument list."""

import _testcapi
import functools
import operator
from forms import change, function, label, use


def none():
    pass


def one(a):
    return a


def two(a, b):
    return a, b


def default(a, b=2, c=3):
    return a


def many(*args):
    return args


def keywords(**kwargs):
    return kwargs


def everything(a, /, b=1, *args, c=2, **kwargs):
    return a


def only(*, x=1):
    return x


def named(x=1):
    return x


def generator(x=1):
    yield x


async def coroutine(x=1):
    return x


def cells(x=1):
    return lambda: x


def changed_defaults(a=1):
    return a


changed_defaults.__defaults__ = (2,)


class Methods:
    def none(self):
        pass

    def one(self, a):
        return a

    def default(self, a=1, x=2):
        return a

    def many(self, *args):
        return args

    def only(self, *, x=1):
        return x

    @classmethod
    def of_class(cls, a=1):
        return a

    @staticmethod
    def static(a=1):
        return a


class NoInit:
    pass


class Init:
    def __init__(self):
        self.a = 1


class InitOne:
    def __init__(self, a):
        self.a = a


class InitDefault:
    def __init__(self, a=1, x=2):
        self.a = a


class InitMany:
    def __init__(self, *args, **kwargs):
        pass


class InitOnly:
    def __init__(self, *, x=1):
        pass


class InitInherited(InitOne):
    pass


class InitBuiltin:
    __init__ = object.__init__


class InitReturns:
    def __init__(self, a=1):
        return 1


class InitCallable:
    __init__ = functools.partial(none)


class New:
    def __new__(cls, *args):
        return object.__new__(cls)


class NewAndInit(New):
    def __init__(self, a=1):
        pass


class InitSlots:
    __slots__ = ("a",)

    def __init__(self, a):
        self.a = a


class InitList(list):
    def __init__(self, a=()):
        super().__init__()


class Meta(type):
    pass


class WithMeta(metaclass=Meta):
    def __init__(self, a=1):
        pass


class MetaCall(type):
    def __call__(cls, *args):
        return args


class WithMetaCall(metaclass=MetaCall):
    pass


class Callable:
    def __call__(self, *args):
        return args


class Text(str):
    pass


class Failure(Exception):
    pass


exec(compile("def unoptimized(): pass", "<x>", "exec"))
methods = Methods()
CALLABLES = {
    **{f.__name__: f for f in (none, one, two, default, many, keywords, everything, only, named, generator, coroutine, cells,
                               changed_defaults)},
    **{f"bound_{name}": getattr(methods, name) for name in ("none", "one", "default", "many", "only", "of_class", "static")},
    **{f"unbound_{name}": getattr(Methods, name) for name in ("none", "one", "default", "many", "only", "of_class")},
    **{cls.__name__: cls for cls in (
        NoInit, Init, InitOne, InitDefault, InitMany, InitOnly, InitInherited, InitBuiltin, InitReturns, InitCallable, New,
        NewAndInit, InitSlots, InitList, WithMeta, WithMetaCall, Text, Failure,
        str, type, tuple, int, list, dict, float, object, bool, set, range, complex, bytes, enumerate, ValueError, property)},
    **{f.__name__: f for f in (
        len, isinstance, issubclass, abs, repr, hash, id, iter, next, getattr, max, min, sum, sorted, callable, chr, ord, divmod,
        pow, round, format, globals, locals, print.__class__, operator.add, operator.length_hint, functools.reduce,
        _testcapi.meth_varargs, _testcapi.meth_varargs_keywords, _testcapi.meth_o, _testcapi.meth_noargs,
        _testcapi.meth_fastcall, _testcapi.meth_fastcall_keywords)},
    **{f"descriptor_{kind.__name__}_{name}": getattr(kind, name) for kind, name in (
        (list, "append"), (list, "pop"), (list, "sort"), (list, "copy"), (list, "index"), (str, "upper"), (str, "join"),
        (str, "split"), (str, "format"), (str, "startswith"), (dict, "get"), (dict, "keys"), (dict, "update"), (dict, "pop"),
        (set, "add"), (int, "to_bytes"), (int, "bit_length"), (int, "__add__"), (object, "__repr__"), (tuple, "count"),
        (_testcapi.MethInstance, "meth_varargs"), (_testcapi.MethInstance, "meth_varargs_keywords"),
        (_testcapi.MethInstance, "meth_o"), (_testcapi.MethInstance, "meth_noargs"),
        (_testcapi.MethInstance, "meth_fastcall"), (_testcapi.MethInstance, "meth_fastcall_keywords"))},
    **{f"method_{name}": method for name, method in (
        ("append", [].append), ("pop", [1].pop), ("join", "".join), ("get", {}.get), ("upper", "a".upper),
        ("from_bytes", int.from_bytes), ("fromkeys", dict.fromkeys), ("of_instance", _testcapi.MethInstance().meth_fastcall),
        ("of_class", _testcapi.MethClass.meth_o), ("static", _testcapi.MethStatic.meth_o), ("wrapper", (1).__add__))},
    "instance": Callable(), "partial": functools.partial(one, 1), "lambda": lambda *args: args, "nothing": None, "number": 1,
    "static": staticmethod(one), "cached": functools.lru_cache(named), "generic": list[int], "bound_builtin": methods.__repr__,
    "bound_class": type(methods.one)(Init, methods), "bound_instance": type(methods.one)(Callable(), methods),
}
ARGUMENTS = ("", "1", "'ab'", "[]", "'a', 'b'", "1, 2", "1, int", "[], list", "'ab', int", "1, 2, 3", "(1, 2)", "[], 1", "{}, 1, 2",
             "methods", "methods, 1", "_testcapi.MethInstance()", "_testcapi.MethInstance(), 1",
             "x=1", "1, x=1", "1, 2, x=1", "a=1", "a=1, b=2", "1, b=2, c=3", "[], key=None", "*(1, 2)", "*(), **{}")
for name, called in CALLABLES.items():
    for arguments in ARGUMENTS:
        namespace = {"f": called, "methods": methods, "_testcapi": _testcapi, "__builtins__": __builtins__}
        use(function(f"call_{name}_{label(arguments)}", "", f"return f({arguments})", namespace=namespace), times=3)
        if "*" not in arguments:
            use(function(f"drop_{name}_{label(arguments)}", "", f"f({arguments})", namespace=namespace), times=3)

# As attributes: bound by LOAD_ATTR or not
ATTRIBUTES = [(owner, name, arguments) for owner, names in {
    "methods": "none one default many only of_class static missing".split(), "Methods": "of_class static none".split(),
    "[]": "append pop copy extend index sort".split(), "'ab'": "upper split join format startswith center".split(),
    "{}": "get keys update pop setdefault".split(), "set()": "add union".split(), "(1, 2)": "count index".split(),
    "(7)": "to_bytes bit_length conjugate __add__".split(), "_testcapi.MethInstance()":
        "meth_varargs meth_varargs_keywords meth_o meth_noargs meth_fastcall meth_fastcall_keywords".split(),
    "_testcapi.MethClass": "meth_varargs meth_o meth_noargs meth_fastcall".split(),
    "_testcapi": "meth_o meth_noargs meth_varargs meth_fastcall meth_fastcall_keywords".split(),
    "operator": "add not_ itemgetter".split(), "o": ["callback"]}.items() for name in names
    for arguments in ("", "1", "'a'", "1, 2", "1, 2, 3", "a=1", "1, x=2")]
holder = NoInit()
holder.callback = many
for owner, name, arguments in ATTRIBUTES:
    namespace = {"methods": methods, "Methods": Methods, "_testcapi": _testcapi, "operator": operator, "o": holder}
    use(function(f"method_{label(owner)}_{name}", "", f"return {owner}.{name}({arguments})", namespace=namespace))
    use(function(f"method_dropped_{label(owner)}_{name}", "", f"x = {owner}", f"x.{name}({arguments})", namespace=namespace))

# One callable and then another
PAIRS = ("one", "default", "many", "bound_none", "bound_one", "bound_default", "InitOne", "InitDefault", "Init", "InitMany", "str",
         "type", "tuple", "int", "len", "abs", "repr", "getattr", "instance", "meth_fastcall", "meth_varargs", "NoInit", "New",
         "descriptor_str_upper", "descriptor_list_pop", "method_upper", "named", "nothing", "sorted")
for first in PAIRS:
    for second in PAIRS:
        if first != second:
            for arguments in ("'ab'", "x=1"):
                change(function(f"change_{first}_{second}_{label(arguments)}", "f", f"return f({arguments})"),
                       (CALLABLES[first],), (CALLABLES[second],))


# What is called changes
def changing(a=1):
    return a


called = function("changing_function", "f", "return f(1)", "return f()")
by_name = function("changing_function_by_name", "f", "return f(a=1)")
for change_it in (lambda: None, lambda: setattr(changing, "__defaults__", (3,)), lambda: setattr(changing, "__code__", many.__code__),
                  lambda: setattr(changing, "__kwdefaults__", {"x": 1}), lambda: setattr(changing, "__code__", default.__code__)):
    change_it()
    use(called, changing, times=60)
    use(by_name, changing, times=60)


class Changing:
    def __init__(self, a):
        pass


called = function("changing_class", "f", "return f(1)")
use(called, Changing)
Changing.__init__ = lambda self, a=1: None
use(called, Changing, times=60)
Changing.__init__ = lambda self, *args: None
use(called, Changing, times=60)
Changing.__new__ = lambda cls, a: object.__new__(cls)
use(called, Changing, times=60)
del Changing.__init__
use(called, Changing, times=60)

# Shadows of the two builtins with forms of their own
for name in ("len", "isinstance"):
    namespace = {}
    called = function(f"shadowed_{name}", "", f"return {name}('a')" if name == "len" else f"return {name}(1, int)",
                      namespace=namespace)
    use(called)
    namespace[name] = many
    use(called, times=60)
    del namespace[name]
    use(called, times=60)

# A function of many arguments, deep and wide
wide = function("wide", ", ".join(f"a{i}" for i in range(200)), "return a0")
use(function("call_wide", "f", "return f(" + ", ".join(map(str, range(200))) + ")"), wide)
