# environment: PYTHON_JIT_SIDE_EXIT_INITIAL_VALUE=1 PYTHON_JIT_SIDE_EXIT_INITIAL_BACKOFF=1
"""Changes of dicts, sets and lists that need no Python code. And such that need it: keys that look at their caller, values that end.

A loop gets hot with one kind of operands, and meets all others then.
"""

import sys

log = []


def note(*what):
    frame = sys._getframe(2)
    log.append((*what, frame.f_code.co_name, frame.f_locals.get("total"), frame.f_locals.get("kept")))


class Key:
    """Equal to all, and of the hash of 5."""

    def __eq__(self, other):
        note("eq")
        return True

    def __hash__(self):
        note("hash")
        return 5

    def __repr__(self):
        return "Key()"


class Failing:
    def __eq__(self, other):
        raise ValueError("no comparison")

    def __hash__(self):
        return 7

    def __repr__(self):
        return "Failing()"


class Ended:
    def __init__(self, name):
        self.name = name

    def __del__(self):
        note("end", self.name)

    def __repr__(self):
        return f"Ended({self.name})"


class Plain:
    def __repr__(self):
        return "Plain()"


class Dict(dict):
    def __setitem__(self, key, value):
        note("setitem")
        super().__setitem__(key, value)

    def __delitem__(self, key):
        note("delitem")
        super().__delitem__(key)

    def keys(self):
        note("keys")
        return super().keys()


class String(str):
    def __hash__(self):
        note("hash")
        return str.__hash__(self)

    __eq__ = str.__eq__


class Iterable:
    def __repr__(self):
        return "Iterable()"

    def __iter__(self):
        note("iter")
        return iter((1, 2))


class Mapping:
    __iter__ = None

    def __repr__(self):
        return "Mapping()"

    def keys(self):
        note("keys")
        return ["m"]

    def __getitem__(self, key):
        note("item")
        return key


class Instance:
    def __init__(self):
        self.a = 1
        self.b = 2


def new_instance():
    instance = Instance()
    return instance.__dict__


PLAIN = Plain()
KEYS = 0, 1, 5, 7, -1, 1 << 70, 1.5, True, None, "a", "ab", "\u4e2d", b"a", (1,), [], PLAIN, Key(), Failing(), String("a"), int
CONTAINERS = (
    lambda: {}, lambda: {"a": 1}, lambda: {1: 1, "a": 2}, lambda: {Key(): 1}, lambda: {Failing(): 1}, lambda: {String("a"): 1}, lambda: Dict(a=1), new_instance,
    lambda: Instance().__dict__, lambda: {"a": Ended("old"), 5: Ended("five")}, lambda: [0, 1, 2, 3, 4, 5, 6, 7, 8], lambda: bytearray(9), lambda: (1, 2),
)
ITERABLES = (
    (1, 2), [], [1, "a"], {"a": 1}, {1: 2}, {Key(): 1}, {1, }, frozenset("a"), "ab", b"ab", range(3), {"a": 1}.keys(), {"a": 1}.values(), {"a": 1}.items(), Iterable(),
    Dict(a=1), Mapping(), {"a": 1, "b": 2, "c": 3}, new_instance(), 5, None,
)
TEMPLATES = {
    # what is done, and what it gets: a container and a key, or an iterable
    "store": ("kept[one] = total", 2),
    "store and use": ("old = kept.get(one) if isinstance(kept, dict) else None; kept[one] = total * 2; total += len(kept); more.append(old)", 2),
    "store an end": ("kept[one] = Ended(total)", 2),
    "count": ("kept[one] = kept.get(one, 0) + 1", 2),
    "delete": ("del kept[one]", 2),
    "store and delete": ("kept[one] = total; del kept[one]", 2),
    "comprehension": ("more.append({key: total for key in (one, 'x', one)})", 2),
    "set comprehension": ("more.append(len({key for key in (one, 'x', 1)}))", 2),
    "map": ("more.append({one: total, 'b': kept})", 2),
    "map of two": ("more.append({'a': total, one: 1, 'b': one})", 2),
    "empty map": ("kept = {}; kept[one] = total; more.append(kept)", 2),
    "set": ("more.append(len({one, 1, 'a'}))", 2),
    "list": ("more.append([total, *one, total])", 1),
    "tuple": ("more.append((*one, total))", 1),
    "set of items": ("more.append(len({*one, total}))", 1),
    "merge": ("more.append({**one, 'z': total})", 1),
    "merge behind": ("more.append({'z': total, **one})", 1),
    "keywords": ("more.append(taken(**one))", 1),
    "two keywords": ("more.append(taken(z=1, **one))", 1),
    "arguments": ("more.append(taken(*one, total))", 1),
}


def taken(*arguments, **keywords):
    return arguments, keywords


def made(statement):
    namespace = dict(globals())
    exec(f"def work(operands):\n    total = 0\n    more = []\n    for kept, one in operands:\n        total += 1\n        {statement}\n"
         "    return more[-3:], total, kept if isinstance(kept, (dict, list)) else None\n", namespace)
    return namespace["work"]


def attempt(work, operands):
    del log[:]
    try:
        result = repr(work(operands))
    except Exception as error:
        result = type(error).__name__, str(error), error.__traceback__.tb_next.tb_lineno
    del operands
    return result, [repr(one) for one in log]


for name, (statement, count) in TEMPLATES.items():
    if count == 2:
        for first in "a", 1, PLAIN:
            work = made(statement)
            print(name, repr(first), attempt(work, [({first: 0}, first) for _ in range(60)]))
            for number, new in enumerate(CONTAINERS):
                print("  ", number, [attempt(work, [({first: 0}, first), (new(), key)]) for key in KEYS])
                print("  ", number, [attempt(work, [(new(), key) for _ in range(3)]) for key in KEYS])
    else:
        for first in (1, 2), {"a": 1}:
            work = made(statement)
            print(name, first, attempt(work, [(None, first)] * 60))
            for iterable in ITERABLES:
                print("  ", repr(iterable)[:40], attempt(work, [(None, first), (None, iterable)]), attempt(work, [(None, iterable)] * 3))


def many_items():
    """More operands than a micro-op without a frame has."""
    for number in range(100):
        one = {"a": number, "b": 1, "c": 1, "d": 1, "e": 1, "f": 1, "g": 1, "h": 1, "i": 1, "j": 1, "k": 1, "l": 1, "m": 1, "n": 1, "o": 1, "p": 1, "q": number}
        two = [number, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31, 32, 33, 34, number]
        three = {number, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31, 32, 33, 34}
    print(one, two, len(three))


many_items()


def borrowed_keys():
    """The key is one that only the dict has."""
    total = 0
    for number in range(200):
        table = {Ended(number): total}
        for key in table:
            del table[key]
            break
        total += key.name
    print(total, len(log))


del log[:]
borrowed_keys()


def watched():
    """A dict whose changes others rely on: the globals of a function that is in machine code."""
    namespace = {"limit": 1}
    exec("def work(count):\n    total = 0\n    for number in range(count):\n        total += limit\n    return total\n", namespace)
    work = namespace["work"]
    print(work(300))
    for number in range(300):
        namespace["limit"] = number
        if number % 100 == 0:
            print(work(10))
    print(work(300))
    for number in range(300):
        builtins = {"len": number}
        builtins["len"] = number + 1
        del builtins["len"]


watched()


def attributes():
    """A dictionary of attributes that are in the instance itself."""
    results = []
    for number in range(300):
        instance = Instance()
        instance.a = number
        names = instance.__dict__
        names["a"] += 1
        names["c"] = 5
        instance.a += 1
        del names["b"]
        results.append((instance.a, instance.c, hasattr(instance, "b")))
    print(results[-1], len(set(results)))


attributes()
