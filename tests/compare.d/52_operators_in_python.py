"""Operators and calls whose methods are Python functions: results, order of calls, errors, frames, counts, recursion."""

import operator
import sys
import traceback
import zlib

SYMBOLS = {
    "add": "+", "and": "&", "floordiv": "//", "lshift": "<<", "matmul": "@", "mod": "%", "mul": "*", "or": "|",
    "pow": "**", "rshift": ">>", "sub": "-", "truediv": "/", "xor": "^",
}
ROUNDS = 40


def attempt(function, *args):
    "The last of many results, or the exception with its places."
    for _ in range(ROUNDS):
        try:
            result, raised = function(*args), None
        except Exception as error:
            raised = error
    if raised is None:
        return result
    places = [(place[0].f_code.co_name, place[1] - function.__code__.co_firstlineno)
              for place in traceback.walk_tb(raised.__traceback__.tb_next)]
    return type(raised).__name__, str(raised), places


def functions(symbol):
    "New code for each use, which meets only what one case brings."
    space = {}
    exec(f"def plain(a, b):\n    return a {symbol} b\ndef assign(a, b):\n    a {symbol}= b\n    return a\n", space)
    return space["plain"], space["assign"]


# --- all operators, with all kinds of right operands -------------------------------------------

log = []


def make(name, bases=(), **methods):
    "A class whose methods, one for each operator, return what `methods` say."
    def method(prefix, result):
        def call(self, other):
            log.append((name, prefix, type(other).__name__))
            return result if result is not Ellipsis else (name, prefix)
        return call
    space = {}
    for short in SYMBOLS:
        for prefix, result in methods.items():
            space[f"__{prefix}{short}__"] = method(prefix, result)
    return type(name, bases or (object,), space)


Plain = make("Plain", **{"": ...})
Refuses = make("Refuses", **{"": NotImplemented})
Both = make("Both", **{"": NotImplemented, "r": ...})
RefusesBoth = make("RefusesBoth", **{"": NotImplemented, "r": NotImplemented})
Reflected = make("Reflected", r=...)
ReflectedRefuses = make("ReflectedRefuses", r=NotImplemented)
Assigns = make("Assigns", **{"": ..., "i": ...})
AssignRefuses = make("AssignRefuses", **{"": ..., "i": NotImplemented})
Sub = make("Sub", (Plain,), **{"": ...})
SubReflected = make("SubReflected", (Plain,), r=...)
SubInherits = make("SubInherits", (Plain,))
OfInt = make("OfInt", (int,), **{"": NotImplemented})
OfList = make("OfList", (list,), **{"": NotImplemented})
Empty = make("Empty")

operands = [cls() for cls in (Plain, Refuses, Both, RefusesBoth, Reflected, ReflectedRefuses, Assigns, AssignRefuses, Sub,
                              SubReflected, SubInherits, OfInt, OfList, Empty)] + [3, 2.5, True, "s", [1], None, 1j]
for short, symbol in SYMBOLS.items():
    lines = []
    for left in operands:
        for right in operands:
            for kind in functions(symbol):
                if isinstance(left, list) and kind.__name__ == "assign":
                    continue
                log.clear()
                result = attempt(kind, left, right)
                calls = log[:len(log) // ROUNDS]
                assert log == calls * ROUNDS, log
                lines.append(f"{short} {kind.__name__} {type(left).__name__} {type(right).__name__} {result} {calls}")
    # All lines of two operators, which differ in what they do for sequences, and of the others whether they are the same.
    print("\n".join(line for line in lines if "()" not in line) if short in ("sub", "mul") else zlib.crc32("\n".join(lines).encode()))


# --- one place, many types ---------------------------------------------------------------------

def subtract(a, b):
    return a - b


for _ in range(ROUNDS):
    for left in operands[:11] + [7, 7.5]:
        for right in operands[:11] + [2, 0.5]:
            try:
                subtract(left, right)
            except TypeError as error:
                last = str(error)
print(last)


# --- what a method can see and do --------------------------------------------------------------

class Vector:
    def __init__(self, x, y):
        self.x, self.y = x, y

    def __add__(self, other):
        return Vector(self.x + other.x, self.y + other.y)

    def __sub__(self, other):
        frame = sys._getframe()
        seen.append((sys.getrefcount(self), sys.getrefcount(other), frame.f_back.f_code.co_name, frame.f_back.f_lineno,
                     frame.f_back.f_back.f_code.co_name))
        del frame
        return self.x - other.x

    def __mul__(self, scale):
        raise ValueError(scale)

    def __truediv__(self, other):
        yield self.x
        yield other

    async def __floordiv__(self, other):
        return self.x // other

    def __mod__(self, other, extra=5):
        return extra

    def __or__(self, *others):
        return others

    def __and__(self, other, *, key=1):
        return key

    def __xor__(self):
        return "never"

    def __pow__(self, other, modulus=None):
        return modulus

    def __rsub__(self, other):
        return "reflected", other

    def __eq__(self, other):
        return NotImplemented

    def __repr__(self):
        return f"Vector {self.y}"

    def __del__(self):
        if deleted is not None:
            deleted.append((self.x if isinstance(self.x, int) else type(self.x).__name__, sys._getframe(1).f_code.co_name, sys._getframe(1).f_lineno))


deleted = None
a, b = Vector(1, 2), Vector(3, 4)


def names(a, b):
    return a - b


def temporaries():
    return Vector(1, 2) - Vector(3, 4)


def chain(a, b, c):
    return (a + b + c - a,
            a - b)


for function, args in ((names, (a, b)), (temporaries, ()), (chain, (a, b, a))):
    seen = []
    print(function.__name__, attempt(function, *args), seen[-2:], len(seen))
deleted = []
print(attempt(temporaries), deleted[-4:])
print(attempt(lambda: Vector(1, 2) * 3), deleted[-1:])
print(attempt(lambda: Vector(1, 2) ^ 3), deleted[-1:])
print(attempt(lambda: 2 - Vector(5, 6)), deleted[-1:])
deleted = None
print(attempt(lambda: list(a / b)[0], ), attempt(lambda: list(a / 7)))


def awaits():
    try:
        (a // 1).send(None)
    except StopIteration as stop:
        return stop.value


print(attempt(awaits))
print(attempt(lambda: a % 1), attempt(lambda: a | 1), attempt(lambda: a & 1), attempt(lambda: a ** 1))
print(attempt(lambda: (2 - a, 2.5 - a, a == b, a + a == a)))


def nested(a, b):
    try:
        return a * (b
                    - b)
    except ValueError as error:
        return [(f.name, f.lineno - nested.__code__.co_firstlineno, f.colno) for f in traceback.extract_tb(error.__traceback__)[:1]]


print(attempt(nested, a, b))


def in_generator(a, b):
    for _ in range(3):
        yield a - b


seen = []
print([list(in_generator(a, b)) for _ in range(ROUNDS)][-1], seen[-1])


# --- recursion ---------------------------------------------------------------------------------

class Deep:
    depth = 0

    def __sub__(self, other):
        self.depth += 1
        return self - other

    def __call__(self, n):
        self.depth += 1
        return self(n + 1)


def depth_of(function):
    deep = Deep()
    try:
        function(deep)
    except RecursionError as error:
        return deep.depth, str(error), len(traceback.extract_tb(error.__traceback__))


for limit in (120, 333):
    sys.setrecursionlimit(limit)
    print([depth_of(lambda deep: deep - 1) for _ in range(3)][-1], [depth_of(lambda deep: deep(1)) for _ in range(3)][-1])
sys.setrecursionlimit(1000)


class Down:
    def __init__(self, n):
        self.n = n

    def __sub__(self, other):
        if self.n == 0:
            return other
        return Down(self.n - 1) - (other + 1)


print(attempt(lambda: Down(300) - 0))


# --- changes -----------------------------------------------------------------------------------

class Changes:
    def __sub__(self, other):
        return "first"


class Other(Changes):
    def __sub__(self, other):
        return "of another class"


def other_method(self, other):
    return "second"


def third(self, other):
    return "third"


def defaults(self, other=1, more=2):
    return more


changing = Changes()
results = []
for n in range(ROUNDS * 12):
    try:
        results.append(subtract(changing, 1))
    except TypeError as error:
        results.append(str(error))
    match n // ROUNDS, n % ROUNDS:
        case 1, 0:
            Changes.__sub__ = other_method
        case 2, 0:
            other_method.__code__ = third.__code__
        case 3, 0:
            Changes.__sub__ = lambda self, other: NotImplemented
            Changes.__sub__ = staticmethod(lambda other: ("static", other))
        case 4, 0:
            Changes.__sub__ = defaults
        case 5, 0:
            defaults.__defaults__ = 1, 7
        case 6, 0:
            changing.__class__ = Other
        case 7, 0:
            changing.__class__ = Changes
        case 8, 0:
            Changes.__sub__ = operator.is_
        case 9, 0:
            Changes.__isub__ = lambda self, other: "in place"
            Changes.__sub__ = other_method
print([results[n] for n in range(5, len(results), ROUNDS)])


class Meddles:
    def __sub__(self, other):
        if other == 5:
            del Meddles.__sub__
        if other == 6:
            self.__class__ = Changes
        if other == 7:
            del self, other
            return NotImplemented
        return other


def meddle(n):
    try:
        return meddling - n
    except TypeError as error:
        return str(error)


keep = Meddles.__sub__
for n in (1, 6, 2, 7, 3, 5, 4):
    for _ in range(ROUNDS):
        Meddles.__sub__ = keep
        meddling = Meddles()
        result = [meddle(1), meddle(n), meddle(1)]
    print(n, result)


# --- calls of instances ------------------------------------------------------------------------

class Calls:
    def __init__(self, n):
        self.n = n

    def __call__(self, x, y=3, *rest, key=None, **more):
        return self.n, x, y, rest, key, more


class CallsNothing(Calls):
    __call__ = None


class CallsOther(Calls):
    __call__ = staticmethod(lambda *args: args)


class CallsBound(Calls):
    __call__ = Calls(8)


class Meta(type):
    def __call__(cls, x):
        return "meta", cls.__name__, x


class OfMeta(metaclass=Meta):
    pass


class Holds:
    attribute = Calls(5)

    def __init__(self):
        self.own = Calls(6)


def call(f, x):
    return f(x)


for callable in (Calls(1), CallsNothing(2), CallsOther(3), CallsBound(4), OfMeta, Holds().attribute, Holds().own):
    print(attempt(call, callable, 9), attempt(lambda f, x: f(x), callable, 9))
    print(attempt(lambda f: f(1, 2, 3, 4), callable), attempt(lambda f: f(), callable), attempt(lambda f: f(1, key=2), callable),
          attempt(lambda f: f(*(1, 2)), callable))
print(attempt(lambda h: (h.own(1), h.attribute(2), Holds.attribute(3)), Holds()))


class Raises:
    def __call__(self, x):
        raise KeyError(x)


def calls_raising(f, x):
    return [f(
        x)]


print(attempt(calls_raising, Raises(), 4))


class Generates:
    def __call__(self, n):
        yield from range(n)


print(attempt(lambda g: list(g(3)), Generates()))


# --- tools -------------------------------------------------------------------------------------

def watched():
    seen.clear()
    r = [a - b, a + b, 3 - a, Calls(1)(2)]
    try:
        a * 4
    except ValueError:
        pass
    return len(r)


def tracer(frame, event, arg):
    if frame.f_code.co_filename == __file__:
        events.append((event, frame.f_code.co_name, frame.f_lineno, frame.f_back and frame.f_back.f_code.co_name))
    return tracer


seen = []
attempt(watched)
for setter in (sys.settrace, sys.setprofile):
    events = []
    setter(tracer)
    watched()
    setter(None)
    for event in events:
        print(event)


class Switches:
    "Switches a tool on, and off again, while an operator runs."

    def __sub__(self, other):
        sys.settrace(tracer if other else None)
        sys._getframe(1).f_trace = tracer
        if other == 2:
            raise ValueError(2)
        return NotImplemented if other == 3 else other


def switching(n):
    try:
        return Switches() - n, Switches() - 0
    except (TypeError, ValueError) as error:
        return Switches() - 0, str(error)


attempt(switching, 0)
for n in (1, 2, 3):
    events = []
    print(attempt(switching, n))
    sys.settrace(None)
    for event in events[:12]:
        print(n, event)

MONITORING = sys.monitoring
MONITORING.use_tool_id(2, "test")


def report(name):
    def callback(code, *args):
        if code.co_filename == __file__:
            events.append((name, code.co_name, *(arg for arg in args if isinstance(arg, (int, str, type(NotImplemented))))))
    return callback


NAMES = ("PY_START", "PY_RETURN", "PY_UNWIND", "RAISE", "CALL", "C_RETURN", "C_RAISE", "LINE", "EXCEPTION_HANDLED")
for name in NAMES:
    MONITORING.register_callback(2, getattr(MONITORING.events, name), report(name))
events = []
MONITORING.set_events(2, sum(getattr(MONITORING.events, name) for name in NAMES))
watched()
switching(3)
MONITORING.set_events(2, 0)
MONITORING.free_tool_id(2)
for event in events:
    print(event)


# --- assignment to items -----------------------------------------------------------------------

class Items:
    def __init__(self, name):
        self.name, self.stored = name, []

    def __setitem__(self, key, value):
        seen.append((sys.getrefcount(self), sys.getrefcount(key), sys.getrefcount(value), sys._getframe().f_back.f_code.co_name))
        self.stored.append((key, value))
        return Vector(key, value)

    def __delitem__(self, key):
        seen.append(("deleted", key))


class ItemsRaise(Items):
    def __setitem__(self, key, value):
        raise KeyError(key)


class ItemsDefaults(Items):
    def __setitem__(self, key, value, more=4):
        self.stored.append((key, value, more))


class ItemsOneArgument(Items):
    def __setitem__(self, key):
        self.stored.append(key)


class ItemsOfList(list):
    def __setitem__(self, key, value):
        super().__setitem__(key, value + 1)


class ItemsGenerates(Items):
    def __setitem__(self, key, value):
        self.stored.append(key)
        yield value


class ItemsNothing(Items):
    __setitem__ = None


class ItemsDeep(Items):
    depth = 0

    def __setitem__(self, key, value):
        self.depth += 1
        self[key] = value


def store(items, key, value):
    items[key] = value


def store_and_delete(items, key, value):
    items[key] = value
    items[
        key] = value
    del items[key]


for cls in (Items, ItemsRaise, ItemsDefaults, ItemsOneArgument, ItemsGenerates, ItemsNothing):
    seen = []
    items = cls("items")
    for f in store, store_and_delete:
        print(cls.__name__, f.__name__, attempt(f, items, (1, 2), "value"), items.stored[-2:], seen[-2:], len(items.stored))
items = ItemsOfList([1, 2, 3])
print(attempt(store, items, 1, 5), attempt(store, items, 7, 5), items)
deleted = []
print(attempt(lambda: store(Items("temporary"), Vector(1, 2), Vector(3, 4))), deleted[-3:])
print(attempt(lambda: store(ItemsRaise("temporary"), Vector(1, 2), Vector(3, 4))), deleted[-3:])
deleted = None
deep = ItemsDeep("deep")
try:
    deep[1] = 2
except RecursionError as error:
    print(deep.depth, error, len(traceback.extract_tb(error.__traceback__)))

for n in range(ROUNDS * 3):
    items = Items("changes")
    store(items, n, n)
    match n // ROUNDS, n % ROUNDS:
        case 1, 0:
            Items.__setitem__ = lambda self, key, value: self.stored.append("second")
        case 2, 0:
            del Items.__setitem__
            Items.__setitem__ = lambda *args: args[0].stored.append("third")
    if n % ROUNDS == 5:
        print(n, items.stored)
