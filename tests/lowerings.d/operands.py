"""Values that operations are tried with, by kind, and classes that many of them are instances of."""

import array
import math
import sys
import types


class Int(int):
    pass


class Float(float):
    pass


class Str(str):
    pass


class List(list):
    pass


class Tuple(tuple):
    pass


class Dict(dict):
    def __missing__(self, key):
        return "missing", key


class Number:
    """Its operators are Python functions; some of them decline."""

    def __init__(self, value):
        self.value = value

    def __add__(self, other):
        return "add", self.value, type(other).__name__

    def __radd__(self, other):
        return "radd", self.value, type(other).__name__

    def __sub__(self, other):
        return NotImplemented

    def __rsub__(self, other):
        return "rsub", self.value

    def __mul__(self, other):
        raise ValueError(f"times {type(other).__name__}")

    def __iadd__(self, other):
        return "iadd", self.value

    def __lt__(self, other):
        return ["less"]

    def __eq__(self, other):
        return NotImplemented

    __hash__ = None

    def __bool__(self):
        return self.value > 0

    def __neg__(self):
        return -self.value

    def __len__(self):
        return self.value

    def __getitem__(self, index):
        if isinstance(index, int) and index >= 3:
            raise IndexError(index)
        return "item", index

    def __contains__(self, item):
        return item == self.value

    def __call__(self, *args, **kwargs):
        return "called", len(args), sorted(kwargs)

    def __repr__(self):
        return f"Number({self.value})"


class Items:
    """Its items are those of a list, by functions in Python."""

    def __init__(self, *items):
        self.items = list(items)

    def __getitem__(self, index):
        return self.items[index]

    def __setitem__(self, index, value):
        self.items[index] = value

    def __delitem__(self, index):
        del self.items[index]

    def __repr__(self):
        return f"Items({self.items})"


class Slots:
    __slots__ = "x", "y"
    shared = "shared"

    def __init__(self, x=1):
        self.x = x

    def method(self, value=2):
        return self.x, value


class Plain:
    shared = "shared"

    def __init__(self, x=1):
        self.x = x

    def method(self, value=2):
        return self.x, value

    @property
    def double(self):
        return self.x * 2

    @double.setter
    def double(self, value):
        self.x = value

    @classmethod
    def of_class(cls, value=3):
        return cls.__name__, value

    @staticmethod
    def static(value=4):
        return value

    def __repr__(self):
        return f"{type(self).__name__}({sorted(vars(self).items())})"


class Open:
    """Its attributes are in a dictionary: they are too many for the object itself."""

    def __init__(self, value):
        for number in range(40):
            setattr(self, f"x{number}", number)
        self.value = value


OPEN = Open(0)


class Derived(Plain):
    def __init__(self, x=1):
        super().__init__(x)
        self.z = x

    def method(self, value=5):
        return super().method(value)


class Dynamic:
    """Its attributes are made by functions."""

    def __getattr__(self, name):
        if name.startswith("_") or name == "y":
            raise AttributeError(name)
        return "dynamic", name

    def __setattr__(self, name, value):
        if name == "y":
            raise AttributeError("not y")
        super().__setattr__(name, value)


def plain_dict(x):
    made = Plain(x)
    vars(made)["extra"] = x
    return made


module = types.ModuleType("a_module")
module.x, module.shared = 8, "of the module"

INTS = [3, 0, 1, -1, 255, 257, -6, 2**30 - 1, 2**30, -(2**30), 2**31 - 1, 2**53 + 1, 2**60, -(2**60) - 1, 2**62 - 1, 2**62,
        -(2**62), 2**63 - 1, 2**63, -(2**63), -(2**63) - 1, 2**64 + 1, 10**30]
FLOATS = [2.5, 0.0, -0.0, 1.0, -7.25, math.nan, math.inf, -math.inf, 1e308, 5e-324, 2.0**53, -1e-5]
STRINGS = ["ab", "", "a", "é", "\U0001f40d" * 3, "ab" * 20, "x"]


def sequences():
    """New ones: operations change them."""
    return {"list": [[5, 6, 7, 8], [], [1], [None, "a"], [[1], [2]]], "tuple": [(5, 6, 7, 8), (), (1, 2), (None,), ((1, 2), (3, 4))],
            "list subclass": [List([4, 5, 6]), List()], "tuple subclass": [Tuple((4, 5)), Tuple()],
            "bytes": [b"abc", b""], "bytearray": [bytearray(b"abcd")],
            "dict": [{"a": 1, 3: "three", None: 0, "x": 2}, {}], "dict subclass": [Dict(a=1)],
            "set": [{1, 2, 3, "a"}, set()], "frozenset": [frozenset((1, "a"))], "range": [range(5), range(0), range(10, 0, -3)],
            "items": [Items(1, 2, 3, 4), Items()], "array": [array.array(code, [1, 2, 3]) for code in "bBhHiIlLqQfd"]}


def numbers():
    return {"int": INTS, "float": FLOATS, "bool": [True, False], "int subclass": [Int(5), Int(2**62)],
            "float subclass": [Float(2.5)], "complex": [1 + 2j], "number": [Number(2), Number(0)]}


def texts():
    return {"str": STRINGS, "str subclass": [Str("ab")]}


def nothing():
    return {"None": [None]}


def everything():
    return numbers() | texts() | nothing() | sequences()


def indices():
    return {"int": [0, 1, -1, 2, 3, 300, -300, 2**62, 2**70], "bool": [True], "int subclass": [Int(1)], "str": ["a", "x"],
            "None": [None], "float": [1.0], "slice": [slice(1, 3), slice(None, None, -1), slice("a")]}


def objects():
    return {"plain": [Plain(1), Plain(2.5), plain_dict(3)], "derived": [Derived(4)], "slots": [Slots(5), Slots.__new__(Slots)],
            "dynamic": [Dynamic()], "class": [Plain, Derived, int], "module": [module], "int": [3], "str": ["a"], "None": [None],
            "function": [plain_dict], "number": [Number(2)]}


def function(a, b=2, *args, c=3, **kwargs):
    return a, b, args, c, sorted(kwargs.items())


def two(a, b):
    return b, a


def defaults(a=1, b=2):
    return a, b


def generator(a, b=1):
    yield a
    yield b


def delegating(a, b=1):
    yield from generator(a, b)
    return (yield from (b, a))


def deeply(a, b=1):
    yield from delegating(a, b)


async def answer(a):
    return a


async def asking(a):
    return [await answer(a), await answer(1)]


def awaited(a):
    try:
        asking(a).send(None)
    except StopIteration as stop:
        return stop.value


async def asking_often(a):
    answers = []
    for _ in range(60):
        answers.append(await answer(a))
    return answers[-1]


def awaited_often(a):
    try:
        asking_often(a).send(None)
    except StopIteration as stop:
        return stop.value


def leaf(a):
    for i in range(60):
        yield i, a


def passed_on(a):
    yield from leaf(a)


def passed_on_twice(a):
    yield from passed_on(a)


async def pauses(a):
    for i in range(60):
        await Pause(a, i)


class Pause:
    def __init__(self, *values):
        self.values = values

    def __await__(self):
        yield self.values


async def waits(a):
    await pauses(a)


def steps(a):
    """The values with which a coroutine pauses."""
    coroutine, values = waits(a), []
    try:
        while True:
            values.append(coroutine.send(None))
    except StopIteration:
        return values


def closure():
    kept = [7]

    def inner(a, b=0):
        kept[0] += 1
        return a, b, kept[0] > 7
    return inner


class New:
    def __new__(cls, *args):
        return super().__new__(cls)

    def __repr__(self):
        return "New()"


class Two:
    def __init__(self, a, b):
        self.a, self.b = a, b

    def __repr__(self):
        return f"Two({self.a!r}, {self.b!r})"


def types_of_one():
    """Kinds with one type in each."""
    return {type_.__name__: [type_] for type_ in (tuple, str, type, int, list, float)}


def callables():
    """Functions of each calling convention of C and of Python: methods of built-in types, too."""
    return {"function": [function, two, defaults, closure()], "lambda": [lambda a, b: (b, a)], "method": [Plain(1).method, Derived(2).method],
            "class method": [Plain.of_class], "static method": [Plain.static], "class": [Two, Plain, New, Slots], "number": [Number(1)],
            # No argument, one, a vector of them, with names, a tuple, a tuple and names.
            "C": [len, [].append, [].copy, divmod, isinstance, max, min, sorted, getattr, "a".join, "ab".startswith, {}.get, {}.setdefault,
                  "ab".split, print_nothing, math.hypot, ord, abs, sum, math.pow],
            "type": [int, float, str, tuple, list, type, bool, range, enumerate, dict], "nothing": [None, 3]}


def print_nothing(*args, **kwargs):
    return print(*args, file=nowhere, **kwargs)


class Nowhere:
    def write(self, text):
        pass


nowhere = Nowhere()


def shown(value, depth=3):
    """What can be seen of a value, without addresses."""
    kind = type(value)
    if isinstance(value, (types.FunctionType, types.BuiltinFunctionType, types.MethodType, type, types.ModuleType)):
        return kind.__name__, getattr(value, "__qualname__", value.__name__)
    if isinstance(value, (list, tuple, set, frozenset)) and depth:
        return kind.__name__, [shown(item, depth - 1) for item in value]
    if isinstance(value, dict) and depth:
        return kind.__name__, [(shown(key, depth - 1), shown(item, depth - 1)) for key, item in value.items()]
    if kind.__repr__ is object.__repr__ or kind in (enumerate, zip, reversed) or kind.__name__.endswith(("iterator", "generator")):
        return kind.__name__
    return kind.__name__, repr(value)[:200]


def count(value):
    return sys.getrefcount(value)
