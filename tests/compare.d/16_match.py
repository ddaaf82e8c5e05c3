# Pattern matching: every pattern, every way not to match, and the errors.
import collections
import dataclasses
import enum


class Color(enum.Enum):
    RED = 1
    GREEN = 2


@dataclasses.dataclass
class Point:
    x: int
    y: int


class Positional:
    __match_args__ = ("a", "b")

    def __init__(self, a, b): self.a, self.b = a, b


class NoArgs: pass


class Base: __match_args__ = ("q",)


class Derived(Base): q = 5


def match_literal(v):
    match v:
        case 0: return "zero"
        case -1: return "minus one"
        case 1.5 | 2.5: return "halves"
        case 1 + 2j: return "complex"
        case "text": return "text"
        case b"bytes": return "bytes"
        case None: return "none"
        case True: return "true"
        case Color.RED: return "red"
        case str() | bytes() as s if len(s) > 8: return "long", s
        case str(s): return "string", s
        case int(n) if n > 100: return "big", n
        case int() | float(): return "number"
        case _: return "other"


def match_sequence(v):
    match v:
        case []: return "empty"
        case [x]: return "one", x
        case [1, y]: return "one and", y
        case [x, y] if x == y: return "twins", x
        case (x, (y, z)): return "nested", x, y, z
        case ["go", *rest]: return "go", rest
        case [*init, "end"]: return "end", init
        case [first, *_, last] if first == last: return "loop", first
        case [a, *mid, b]: return "span", a, mid, b
        case [*all]: return "all", all
        case _: return "no sequence"


def match_mapping(v):
    match v:
        case {"kind": "circle", "r": r}: return "circle", r
        case {"kind": str(k), **rest}: return k, rest
        case {1: a, 2: [b, *_]}: return a, b
        case {Color.RED: c}: return "red", c
        case {"deep": {"er": {"x": x}}}: return "deeper", x
        case {"none": None, **kw}: return "none", kw
        case {}: return "mapping", len(v)
        case _: return "no mapping"


def match_class(v):
    match v:
        case Point(x=0, y=0): return "origin"
        case Point(x, 0): return "on x", x
        case Point(x=x) if x < 0: return "left", x
        case Point(x, y): return x, y
        case Positional(1, b=b): return "one", b
        case Positional(a, Positional(b, c)): return "nested", a, b, c
        case Positional(): return "positional"
        case Base(q): return "base", q
        case NoArgs(attr=a): return "attr", a
        case NoArgs(): return "no args"
        case bool(b): return "bool", b
        case dict(d): return "dict", d
        case list([x, y]) | tuple((x, y)): return "pair", x, y
        case collections.deque(): return "deque"
        case range(start=s): return "range", s
        case _: return "other"


class Map(collections.abc.Mapping):
    def __init__(self, d): self.d = d
    def __getitem__(self, k): print("getitem", k); return self.d[k]
    def __iter__(self): return iter(self.d)
    def __len__(self): return len(self.d)


class DefaultGet(dict):
    def __missing__(self, k): return "missing " + str(k)


class Seq(collections.abc.Sequence):
    def __init__(self, *a): self.a = a
    def __getitem__(self, i): print("item", i); return self.a[i]
    def __len__(self): print("len"); return len(self.a)


with_attr = NoArgs()
with_attr.attr = "v"
values = [0, -1, 1, 1.5, 1 + 2j, "text", "other", "a long string", b"bytes", b"bytes too long", None, True, False, Color.RED, Color.GREEN, 101, 7, 2.5, (), [],
          [5], [1, 2], [3, 3], (1, (2, 3)), ["go", 1, 2], [1, "end"], [1, 2, 1], [1, 2, 3, 4], range(3), range(1), Seq(), Seq(1, 2), Seq("go"), Seq(1, 2, 3, 1),
          collections.deque([1, 2]), {}, {"kind": "circle", "r": 1}, {"kind": "sq", "w": 2}, {"kind": 5}, {1: 2, 2: [3, 4]}, {1: 2, 2: 3}, {Color.RED: 1},
          {"deep": {"er": {"x": 9}}}, {"none": None, "b": 1}, Map({"kind": "m", "z": 1}), DefaultGet(), Point(0, 0), Point(5, 0), Point(-1, 3), Point(1, 2),
          Positional(1, 2), Positional(3, Positional(4, 5)), Positional(7, 8), Derived(), NoArgs(), with_attr, object, len]
for v in values:
    name = type(v).__name__
    for fn in (match_literal, match_sequence, match_mapping, match_class):
        print(name, fn.__name__, fn(v))


class BadArgs: __match_args__ = ["a"]
class BadArgs2: __match_args__ = (1,)
class Raises:
    __match_args__ = ("a",)
    @property
    def a(self): raise ValueError("in property")
class RaisesAttr:
    __match_args__ = ("a", "b")
    a = 1
class RaisesArgs(type):
    @property
    def __match_args__(cls): raise KeyError("match args")
class WithMeta(metaclass=RaisesArgs): pass
class Instance(type):
    def __instancecheck__(cls, obj): return obj == 5
class FiveLike(metaclass=Instance): pass
class BadLen(collections.abc.Sequence):
    def __len__(self): raise OverflowError("len")
    def __getitem__(self, i): return 1
class BadEq:
    def __eq__(self, other): raise ZeroDivisionError("eq")
class BadGet(Map):
    def get(self, k, default=None): raise LookupError("get " + str(k))
class BadKeys(Map):
    def keys(self): return 5


errors = """
case Point(1, 2, 3): pass
case NoArgs(1): pass
case NoArgs(1, 2): pass
case BadArgs(1): pass
case BadArgs2(1): pass
case Raises(1): pass
case Raises(a=1): pass
case RaisesAttr(1, 2): pass
case RaisesAttr(1, c=2): pass
case WithMeta(1): pass
case WithMeta(): pass
case Point(1, x=2): pass
case int(1, 2): pass
case int(1, x=2): pass
case str(x, 2): pass
case FiveLike(): print("five")
case not_a_class(): pass
case undefined(): pass
case Color.BLUE: pass
case [1, 2]: pass
case [1, *_]: pass
case 1: pass
case "s": pass
case {"a": 1}: pass
case {"a": 1, **rest}: pass
case {Color.RED: _, "a": x}: print(x)
case {Color.RED.value: a, 1: b}: pass
case x if x.attr: pass
case x if 1 / 0: pass
""".strip().splitlines()
not_a_class = 5
for case in errors:
    for subject in (Point(1, 2), NoArgs(), BadArgs(), BadArgs2(), Raises(), RaisesAttr(), WithMeta(), 5, 1, "s", BadLen(), BadEq(), BadGet({"a": 1}), BadKeys({"a": 1}),
                    {"a": 1, 1: 2}):
        try:
            exec(f"match subject:\n    {case}\n    case _: result = 'unmatched'\n", globals())
        except Exception as e:
            print(case, type(subject).__name__, type(e).__name__, e)


def captures(v):
    "Names bound by a pattern that fails in the end stay bound or unbound as the compiler says."
    match v:
        case [a, b, 3]: return "first"
        case [a, *_] if a == 0: return "second"
    try:
        return a
    except NameError as e:
        return str(e)


print([captures(v) for v in ([1, 2, 3], [0], [5, 6, 7], [], 5)])
match (1, 2), 3:
    case (a, b), c:
        print(a, b, c)
match {"x": 1}:
    case {"x": x, **rest} if not rest:
        print(x, rest)
