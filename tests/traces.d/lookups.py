# environment: PYTHON_JIT_SIDE_EXIT_INITIAL_VALUE=1 PYTHON_JIT_SIDE_EXIT_INITIAL_BACKOFF=1
"""Operators of objects that need no Python code: membership, items of dicts, equality, and truth. And such that need it.

A loop gets hot with one kind of operands, and meets all others then.
"""

import gc
import random
import sys

log = []


class Same:
    """Equal to all, and of the hash of 5."""

    def __eq__(self, other):
        log.append(("eq", sys._getframe(1).f_code.co_name, sorted(sys._getframe(1).f_locals)))
        return True

    def __hash__(self):
        return 5

    def __repr__(self):
        return "Same()"


class Failing:
    def __eq__(self, other):
        raise ValueError("no comparison")

    def __hash__(self):
        return 7

    def __bool__(self):
        raise ValueError("no truth")

    def __repr__(self):
        return "Failing()"


class Plain:
    def __repr__(self):
        return "Plain()"


class Sized:
    def __init__(self, size):
        self.size = size

    def __len__(self):
        return self.size

    def __repr__(self):
        return f"Sized({self.size})"


class Truth:
    def __init__(self, value):
        self.value = value

    def __bool__(self):
        return self.value

    def __repr__(self):
        return f"Truth({self.value})"


class String(str):
    def __eq__(self, other):
        return "String"

    __hash__ = str.__hash__


class Missing(dict):
    def __missing__(self, key):
        return "missing", key


NAN = float("nan")
PLAIN = Plain()
VALUES = (
    0, 1, 5, -1, 7, True, False, None, "", "a", "ab", "\u4e2d", b"", b"a", 0.0, 1.0, 5.0, NAN, 1 << 70, (), (1,), [], [1], {}, {1: 2}, set(),
    frozenset([1]), PLAIN, Same(), Failing(), Sized(0), Sized(3), Truth(True), Truth(False), String("a"), int, Plain, len, range(0), range(3), "".join(["a", "b"]),
)
TEMPLATES = {
    "in": "result.append(left in right)",
    "not in": "result.append(left not in right)",
    "==": "result.append(left == right)",
    "!=": "result.append(left != right)",
    "<": "result.append(left < right)",
    "if ==": "result.append(1 if left == right else 2)",
    "item": "result.append(right[left])",
    "get": "result.append(right.get(left))",
    "get with default": "result.append(right.get(left, log))",
    "truth": "result.append(1 if left else 2)",
    "not": "result.append(not left)",
    "store": "right[left] = 1; result.append(len(right))",
}


def made(statement):
    namespace = dict(globals())
    exec(f"def work(pairs):\n    result = []\n    for left, right in pairs:\n        {statement}\n    return result\n", namespace)
    return namespace["work"]


def attempt(work, pairs):
    del log[:]
    try:
        result = [repr(one) for one in work(pairs)]
    except Exception as error:
        trace = error.__traceback__.tb_next
        result = type(error).__name__, str(error), trace.tb_lineno
    return result, list(log)


def containers():
    yield {key: index for index, key in enumerate((0, 1, "a", "ab", PLAIN, int, 1 << 70, (1,), None, True))}
    yield {"a": 1, "b": 2}
    yield {}
    yield {Same(): 1, 6: 2}
    yield {Failing(): 1, 8: 2}
    yield Missing(a=1)
    yield {0, 1, "a", "ab", PLAIN, int, (1,), None}
    yield frozenset({0, 1, "a", "ab", PLAIN, int, (1,), None})
    yield {Same(), 6}
    yield {Failing(), 8}
    yield set()
    yield [0, "a", PLAIN, NAN, Same(), 5, Failing()]
    yield (0, "a", PLAIN, NAN)
    yield (Failing(), 1)
    yield list(range(200))
    yield "abc"
    yield b"abc"
    yield range(5)


def show(container):
    """The order of a set depends on addresses."""
    if isinstance(container, (set, frozenset)):
        return type(container).__name__, sorted(map(repr, container))
    return container


FIRST = {
    "truth": (Plain(), 1), "not": (Plain(), 1), "==": (Plain(), Plain()), "!=": (Plain(), Plain()), "<": (1, 2), "if ==": ("a", None),
}


def all_operands():
    for name, statement in TEMPLATES.items():
        for first in (("a", {"a": 1}), (1, {1: 2}), ("a", {"a"}), (int, frozenset([int, str])), ("a", ["b", "a"]), FIRST.get(name)):
            if first is None or name not in ("in", "not in") and first is not FIRST.get(name) and not isinstance(first[1], dict):
                continue
            work = made(statement)
            attempt(work, [first] * 40)
            print(name, first[0], show(first[1]))
            if name in FIRST:
                for left in VALUES:
                    print(" ", repr(left), [attempt(work, [first, (left, right)]) for right in VALUES])
            else:
                for container in containers():
                    print("  ", show(container), [attempt(work, [first, (left, container)]) for left in VALUES])


def many_sets():
    """Sets of all sizes, with keys that were removed, and hashes that meet."""
    chance = random.Random(5)

    def count(keys, container):
        found = 0
        for key in keys:
            if key in container:
                found += 1
        return found

    keys = [number * 64 for number in range(60)] + list(range(60)) + [str(number) for number in range(60)] + [1 << 40, 1 << 59, -1, -2, -3]
    for size in (0, 1, 4, 5, 8, 20, 60, 100, 170):
        chosen = chance.sample(keys, size)
        container = set(chosen)
        for key in chance.sample(chosen, size // 3):
            container.discard(key)
        expected = sum(1 for key in keys if any(key is one or key == one for one in container))
        counts = count(keys, container), count(keys, frozenset(container)), count(keys, dict.fromkeys(container)), count(keys, list(container))
        print(size, expected, counts)
        print(count([key + 0 if isinstance(key, int) else "".join(key) for key in keys], container))


def containers_that_change():
    seen = {}
    order = []
    for number in range(400):
        key = number % 37
        if key in seen:
            seen[key] += 1
        else:
            seen[key] = 1
            order.append(key)
        if number == 200:
            seen.clear()
        if number == 300:
            seen[Same()] = 0
    print(sorted(seen.values()), len(order), seen.get(5), log[-1:])
    words = set()
    hits = 0
    for number in range(400):
        word = "word" + str(number % 50)
        if word in words:
            hits += 1
            if hits % 7 == 0:
                words.remove(word)
        else:
            words.add(word)
    print(hits, len(words))


def values_that_end():
    """What a dict has given stays when the dict lets go of it."""
    ended = []

    class Loud:
        def __init__(self, name):
            self.name = name

        def __del__(self):
            ended.append(self.name)

    names = []
    table = {}
    for number in range(120):
        table["key"] = Loud(number)
        value = table["key"]
        del table["key"]
        names.append(value.name)
        other = {1: Loud(-number)}.get(1)
        names.append(other.name)
        names.append({2: Loud(number + 1000)}[2].name)
    print(names[-3:], len(ended), ended[-4:])


def counts_of_references():
    value, default = Plain(), Plain()
    table = {"a": value, 5: value}
    before = sys.getrefcount(value), sys.getrefcount(default), sys.getrefcount(table)
    for number in range(200):
        table["a"], table[5], table.get("a"), table.get(number, default), table.get("b"), value in table, value == default
        if value or default:
            pass
    after = sys.getrefcount(value), sys.getrefcount(default), sys.getrefcount(table)
    print([new - old for new, old in zip(after, before)])


def classes_that_change():
    class Changing:
        pass

    values = [Changing() for _ in range(60)]

    def run():
        equal = true = 0
        for value in values:
            equal += value == values[0]
            true += 1 if value else 0
        return equal, true

    print(run())
    Changing.__eq__ = lambda self, other: True
    print(run())
    Changing.__bool__ = lambda self: False
    print(run())
    del Changing.__eq__, Changing.__bool__
    Changing.__len__ = lambda self: 0
    print(run())
    del Changing.__len__
    print(run())


all_operands()
many_sets()
containers_that_change()
values_that_end()
counts_of_references()
classes_that_change()
