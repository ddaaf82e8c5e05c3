"""BINARY_OP, COMPARE_OP, CONTAINS_OP, STORE_SUBSCR, TO_BOOL on everything that they treat differently."""

from collections import deque, namedtuple
from forms import change, function, label, use


class Text(str):
    pass


class Whole(int):
    pass


class Items(list):
    pass


class Mapping(dict):
    pass


class Getitem:
    def __getitem__(self, key):
        if key == 9:
            raise IndexError
        return key

    def __setitem__(self, key, value):
        pass

    def __len__(self):
        return 0


class GetitemOfMany:
    def __getitem__(self, *keys, default=None):
        return keys

    def __contains__(self, item):
        return True


class GetitemOfThree:
    def __getitem__(self, key, default=None):
        if key == 9:
            raise IndexError
        return key


class GetitemBuiltin:
    __getitem__ = [1, 2, 3].__getitem__


class Adding:
    def __add__(self, other):
        return self

    __radd__ = __sub__ = __mul__ = __lt__ = __iadd__ = __add__

    def __bool__(self):
        return False


class Plain:
    pass


Pair = namedtuple("Pair", "first second")

VALUES = {
    "zero": 0, "one": 1, "small": 300, "minus": -3, "big": 1 << 70, "true": True, "whole": Whole(1),
    "float": 1.5, "nothing": 0.0, "nan": float("nan"), "complex": 1j,
    "str": "ab", "accent": "\xe9t\xe9", "greek": "\u03b1\u03b2", "text": Text("ab"), "empty": "", "bytes": b"ab",
    "list": [1, 2, 3], "items": Items([1, 2, 3]), "tuple": (1, 2, 3), "pair": Pair(1, 2), "range": range(3),
    "dict": {1: 2, "ab": 3}, "mapping": Mapping({1: 2}), "set": {1, 2}, "frozen": frozenset([1]), "deque": deque([1, 2]),
    "slice": slice(0, 2), "none": None, "getitem": Getitem(), "many": GetitemOfMany(), "three": GetitemOfThree(),
    "builtin": GetitemBuiltin(), "adding": Adding(), "plain": Plain(), "type": int, "bytearray": bytearray(b"ab"),
}
OPERATORS = "+ - * / // % ** << >> & | ^ @".split()
NUMBERS = "zero one small minus big true whole float nothing nan complex".split()


def is_huge(operator, a, b):
    "Whether the result may be, or grow with each use."
    if operator == "*":
        return {a, b} & {"small", "big"} and not {a, b} <= {*NUMBERS}
    return operator in ("**", "<<") and b in ("small", "big")


def fresh(value):
    "One that may be changed."
    return value.copy() if isinstance(value, (list, dict, set, bytearray, deque)) else value


for operator in OPERATORS:
    for a, left in VALUES.items():
        for b, right in VALUES.items():
            interesting = a in NUMBERS and b in NUMBERS or a == b or operator in "+-*|" and "float" in (a, b) \
                or operator == "+" and "str" in (a, b) or "adding" in (a, b)
            if interesting and not is_huge(operator, a, b):
                use(function(f"binary_{label(operator)}_{a}_{b}", "a, b", f"return a {operator} b"), left, right)
                use(function(f"inplace_{label(operator)}_{a}_{b}", "a, b", f"a {operator}= b", "return a"),
                    fresh(left), right)

for a, left in VALUES.items():
    for b, right in VALUES.items():
        if b in NUMBERS or b in ("str", "slice", "list", "none", "getitem", "accent", "type", "tuple"):
            use(function(f"subscript_{a}_{b}", "a, b", "return a[b]"), left, right)
            use(function(f"store_{a}_{b}", "a, b", "a[b] = 1"),
                fresh(left), right)
            use(function(f"slice_{a}_{b}", "a, b", "return a[:b]"), left, right)
        if a == b or {a, b} <= {*NUMBERS} or "str" in (a, b) or "text" in (a, b):
            for operator in ("<", "==", "!=", ">="):
                use(function(f"compare_{label(operator)}_{a}_{b}", "a, b", f"return a {operator} b"), left, right)
                use(function(f"branch_{label(operator)}_{a}_{b}", "a, b", f"if a {operator} b:", "  return 1"),
                    left, right)
        use(function(f"contains_{a}_{b}", "a, b", "return a in b"), left, right)
    use(function(f"not_{a}", "a", "return not a"), left)
    use(function(f"if_{a}", "a", "if a:", "  return 1"), left)
    use(function(f"and_{a}", "a", "return a and a or a"), left)

# Indices at and beyond the ends
for a in ("list", "items", "tuple", "pair", "str", "accent", "greek", "range", "dict"):
    for index in (0, 2, 3, -1, -4, 1 << 40, 1 << 70):
        use(function(f"index_{a}", "a, b", "return a[b]"), VALUES[a], index)
        use(function(f"store_index_{a}", "a, b", "a[b] = 1"), fresh(VALUES[a]), index)

# Strings: onto the same local, another one, a cell, a global
STRINGS = {
    "same": ("s, t", "s += t", "return s"),
    "assigned": ("s, t", "s = s + t", "return s"),
    "other": ("s, t", "r = s + t", "return r"),
    "right": ("s, t", "s = t + s", "return s"),
    "cell": ("s, t", "s += t", "return lambda: s"),
    "loop": ("s, t", "for _ in range(3): s += t", "return s"),
    "two": ("s, t", "s += t + t", "return s"),
    "chain": ("s, t", "return s + t + s"),
    "unused": ("s, t", "s + t"),
}
for name, (parameters, *body) in STRINGS.items():
    for b in ("str", "accent", "text", "empty", "one"):
        use(function(f"string_{name}_{b}", parameters, *body), "ab", VALUES[b])
        change(function(f"string_change_{name}_{b}", parameters, *body), ("ab", "c"), ("ab", VALUES[b]))

# One form and then another
KINDS = [(1, 2), (1.5, 2.5), ("a", "b"), (1, 2.5), (2.5, 1), (1 << 70, 1), ([1], [2]), ((1, 2), 1), ([1, 2], 1), ("ab", 1),
         ({1: 2}, 1), (Getitem(), 1), (GetitemOfMany(), 1), (5, {5}), (1.5, 0), (3, 0.0)]
for i, first in enumerate(KINDS):
    for j, second in enumerate(KINDS):
        for operator in ("a + b", "a - b", "a * b", "a / b", "a | b", "a[b]", "a < b", "a == b", "a in b", "b in a"):
            if i != j:
                change(function(f"change_{label(operator)}_{i}_{j}", "a, b", f"return {operator}"), first, second)
for i, first in enumerate(VALUES.values()):
    for j, second in enumerate(("zero", "true", "str", "list", "none", "plain", "float", "adding")):
        change(function(f"change_bool_{i}_{j}", "a", "if not a:", "  return 1"), (first,), (VALUES[second],))
CONTAINERS = [([1, 2], 1), ([1, 2], 5), ([1, 2], -1), ({}, 1), (Getitem(), 1), ((1, 2), 1), (bytearray(b"ab"), 1),
              ([1, 2], slice(0, 1)), (Items([1, 2]), 1)]
for i, first in enumerate(CONTAINERS):
    for j, second in enumerate(CONTAINERS):
        change(function(f"change_store_{i}_{j}", "a, b", "a[b] = 99"), first, second)


# The class changes under the specialized subscript
class Changing:
    def __getitem__(self, key):
        return key


subscript = function("changing_getitem", "a", "return a[0]")
use(subscript, Changing())
Changing.__getitem__ = lambda self, key: key + 1
use(subscript, Changing(), times=70)
Changing.__getitem__ = lambda self, *keys: keys
use(subscript, Changing(), times=70)
del Changing.__getitem__
use(subscript, Changing(), times=70)


# A class whose truth changes
class Truth:
    pass


truth = function("changing_truth", "a", "return not a")
use(truth, Truth())
Truth.__len__ = lambda self: 0
use(truth, Truth(), times=70)
del Truth.__len__
use(truth, Truth(), times=70)
