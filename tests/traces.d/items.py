# environment: PYTHON_JIT_SIDE_EXIT_INITIAL_VALUE=1 PYTHON_JIT_SIDE_EXIT_INITIAL_BACKOFF=1
"""Loops over sets, dicts and values of dicts, and the ends of sets.

Containers change while loops run over them, iterators are shared or continue elsewhere, and objects that only a container refers to
end in the loop. Loops that have got used to one kind of iterator meet others.
"""

import gc
import sys
import weakref

COUNT = 60
ended = []


class Loud:
    """Its end sees the variables of its caller."""

    def __init__(self, name):
        self.name = name

    def __hash__(self):
        """Sets have the same order each time."""
        return int(self.name * 2)

    def __del__(self):
        frame = sys._getframe(1)
        ended.append((self.name, frame.f_code.co_name, sorted(frame.f_locals)))


class Equal:
    def __init__(self, value):
        self.value = value

    def __hash__(self):
        return 7

    def __eq__(self, other):
        ended.append(("==", sys._getframe(1).f_code.co_name))
        return isinstance(other, Equal) and self.value == other.value


class Names:
    def __init__(self, count):
        self.a = self.b = count
        self.c = str(count)


class OwnSet(set):
    pass


class OwnDict(dict):
    def __iter__(self):
        return iter([3, 1, 2])


def total(items):
    """Used for all kinds of iterators in turn."""
    number, found = 0, []
    for item in items:
        number += len(str(item)) * 3
        if number % 17 == 0:
            found.append(item)
    return number, len(found)


def all_kinds():
    table = {number * 7: str(number) for number in range(COUNT)}
    texts = {str(number): number for number in range(COUNT)}
    holes = dict(table)
    for number in range(0, COUNT, 3):
        del holes[number * 7]
    removed = set(range(COUNT * 2))
    for number in range(0, COUNT * 2, 5):
        removed.discard(number)
    return [
        table, texts, holes, table.keys(), texts.values(), holes.values(), set(table), frozenset(texts), removed,
        vars(Names(3)), vars(Names(3)).values(), set(), {}, {}.values(), OwnSet(range(9)), OwnDict(a=1), "text",
        table.items(), [1, 2, 3], (4, 5), range(6), b"bytes", iter(set("abc")), {1: 2}.values(),
    ]


def kinds_in_turn():
    for _ in range(8):
        for items in all_kinds():
            print(*total(items), end=" ")
        print()


def sums(numbers, table):
    result = 0
    for x in numbers:
        for y in table:
            result += x * y
        for y in table.values():
            result -= x + y
    return result


def grow(container, add, at):
    """Changes what it loops over."""
    seen = []
    try:
        for item in container:
            seen.append(item)
            if len(seen) == at:
                add(container)
    except RuntimeError as error:
        return len(seen), str(error)
    return len(seen), None


def replace_keys(table):
    """As many keys as before, but others."""
    del table[next(iter(table))]
    table["new"] = 1


def replace_item(numbers):
    numbers.remove(next(iter(numbers)))
    numbers.add("new")


def changes():
    for at in (1, 5, COUNT - 1, COUNT, COUNT + 9):
        for _ in range(12):
            results = [
                grow(set(range(COUNT)), lambda items: items.add("new"), at),
                grow(set(range(COUNT)), lambda items: items.clear(), at),
                grow(dict.fromkeys(range(COUNT)), lambda items: items.update(new=1), at),
                grow(dict.fromkeys(range(COUNT)), lambda items: items.clear(), at),
            ]
            replaced = [
                grow(set(range(COUNT)), replace_item, at)[1],
                grow(dict.fromkeys(range(COUNT)), replace_keys, at)[1],
            ]
        print(at, results, replaced)


def values_end(table):
    """Each value ends while the loop has it, or when the next one comes."""
    for value in table.values():
        for key in table:
            if table[key] is value:
                table[key] = None
                break
        name = value and value.name
    return name


def keys_end(count):
    result = 0
    numbers = {(number, str(number)) for number in range(count)}
    for key in sorted(numbers):
        numbers.discard(key)
        result += key[0]
        kept = key
    return result, kept


def only_the_loop(count):
    """Nothing but the iterator refers to the set or dict."""
    result = 0
    for number in range(count):
        for a in {number * 1000, number * 1001, number * 1002}:
            result += a
        for b in {number * 1000: number, number * 1001: 2}.values():
            result += b
        for c in {str(number): 1, str(number) * 2: 2}:
            result += len(c)
    return result


def shared(container, count):
    """Two loops with one iterator."""
    result = []
    for _ in range(count):
        iterator = iter(container)
        for a in iterator:
            result.append(a)
            for b in iterator:
                result.append((a, b))
                break
        result.append(iterator.__length_hint__())
        result.append(next(iterator, "end"))
    return len(result), result[-4:]


def half(iterator, count):
    result = None
    for item in iterator:
        result = item
        count -= 1
        if not count:
            break
    return result, iterator.__length_hint__()


def halves():
    for _ in range(30):
        iterators = [iter(set(range(COUNT))), iter(dict.fromkeys(range(COUNT))), iter({1: 2, 3: 4}.values())]
        results = [half(iterator, count) for iterator in iterators for count in (1, 20, 100)]
    print(results)


def sets_end(count):
    """Sets that end with their keys: from the first one on, up to one whose end can be seen."""
    for number in range(count):
        loud = number % 10 == 3
        keys = frozenset([number * 1000, (number, number * 1000), str(number) * 2])
        if loud:
            keys = keys | {Loud(number)}
        other = {number * 1000.5, number * 1000}
        if number % 20 == 7:
            other.add(Loud(-number))
            other.add((Loud(number + 0.5), number))
        keys = other = None
    return loud


def watched_sets_end(count):
    seen = []
    for number in range(count):
        keys = {number * 1000, str(number)}
        if number % 9 == 4:
            watcher = weakref.ref(keys, lambda _: seen.append((number, sys._getframe(1).f_code.co_name)))
        del keys
    return seen, watcher()


def equal_keys(count):
    table = {Equal(number): number for number in range(4)}
    result = 0
    for _ in range(count):
        for key in table:
            result += key.value
        for key in set(table):
            result += table[key]
    return result, len(ended)


def main():
    kinds_in_turn()
    print(sums(range(COUNT), {number: number / 2 for number in range(COUNT)}))
    changes()
    for count in (3, COUNT):
        print(values_end({number: Loud(number) for number in range(count)}), len(ended), ended[-3:])
        print(keys_end(count), only_the_loop(count))
    for container in (set(range(COUNT)), dict.fromkeys("abcdefghij"), {1: 2, 3: 4}.values(), frozenset("xyz")):
        print(*shared(container, 40))
    halves()
    ended.clear()
    print(sets_end(COUNT * 2), ended)
    print(*watched_sets_end(COUNT))
    ended.clear()
    print(*equal_keys(COUNT))
    small = 10 ** 6
    before = sys.getrefcount(small), sys.getrefcount(None) > 0
    numbers = {small, small + 1}
    for _ in range(COUNT):
        for number in numbers:
            other = number
    number = other = None
    print(sys.getrefcount(small) - before[0], len(gc.get_referrers(numbers)) > 0)


for _ in range(3):
    main()
