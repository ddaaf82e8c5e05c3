# environment: PYTHON_JIT_SIDE_EXIT_INITIAL_VALUE=1 PYTHON_JIT_SIDE_EXIT_INITIAL_BACKOFF=1
"""Loops over pairs that are unpacked at once: enumerate, zip, the items of dicts.

The iterators and their containers change while loops run, somebody looks at them, and objects end when the next pair comes. Loops that
have got used to one kind of iterator meet others.
"""

import gc
import sys

COUNT = 60
ended = []


class Loud:
    """Its end sees the variables of its caller."""

    def __init__(self, name):
        self.name = name

    def __del__(self):
        frame = sys._getframe(1)
        ended.append((self.name, frame.f_code.co_name, sorted(frame.f_locals)))


class Names:
    def __init__(self, count):
        self.a = self.b = count
        self.c = str(count)


class Own(dict):
    pass


def total(pairs):
    """Used for all kinds of iterators in turn."""
    number, texts = 0, []
    for a, b in pairs:
        number += len(str(a)) * 3 + len(str(b))
        if number % 17 == 0:
            texts.append((a, b))
    return number, len(texts)


def sums(numbers):
    result = 0.0
    for i, x in enumerate(numbers):
        for j, y in zip(numbers, range(i, 1000, 3)):
            result += i * x - j * y
    return result


def items_of(table):
    result = 0
    for key, value in table.items():
        result += value * 2
        if key == -1:
            table = None
    return result


def counts(values):
    """The references to an item, and to its tuple."""
    result = []
    iterator = enumerate(values)
    for i, x in iterator:
        result.append((i, sys.getrefcount(x), [len(one) for one in gc.get_referents(iterator) if isinstance(one, tuple)]))
    for a, b in zip(values, values):
        result.append((a is b, sys.getrefcount(a)))
    for a, b in dict(enumerate(values)).items():
        result.append((a, sys.getrefcount(b)))
    return result


def kept(values):
    """The tuple is not unpacked, or not only."""
    result = []
    for pair in enumerate(values):
        result.append(pair)
    for pair in zip(values, values):
        a, b = pair
        result.append((a is b, pair is not None, len(pair)))
    return [pair[0] for pair in result], len({id(pair) for pair in result[:COUNT]})


def replaced(count):
    """Objects that only the iterator's tuple holds end when the next pair comes."""
    values = [Loud(i) for i in range(count)]
    for i, x in enumerate(values):
        values[i] = None
        x = i
    for i, x in zip([Loud("l") for _ in range(count)], [Loud("r") for _ in range(count)]):
        i = x = None
    table = {i: Loud("value") for i in range(count)}
    for i, x in table.items():
        table[i] = i
        del x
    return len(ended)


def ends(count):
    """So do iterators and containers."""
    for i in range(count):
        for a, b in zip([Loud("l"), Loud("m")], (Loud("r"),)):
            c = a, b
        for a, b in enumerate((Loud("e"), i)):
            pass
        for a, b in {1: Loud("d")}.items():
            a = b = None
    return len(ended)


def starts(values):
    result = []
    for start in 0, 5, -3, 1 << 60, (1 << 61) - 3, (1 << 62) - 2, sys.maxsize - 2, sys.maxsize + 1, -1 << 70, True:
        last = None
        for i, x in enumerate(values, start):
            last = i, type(i)
        result.append(last)
    return result


def grows(count):
    """Lists change while loops run over them."""
    values, seen = list(range(count)), 0
    for i, x in enumerate(values):
        if i % 7 == 0 and len(values) < 3 * count:
            values.append(i)
            values.append(x * 2)
        if i % 11 == 3:
            values.pop()
        seen += i * x
    other = list(values)
    for a, b in zip(values, other):
        if a % 3 == 0:
            other.pop()
        if a % 5 == 0:
            values.insert(0, a)
            if len(values) > 5 * count:
                values.clear()
        seen += a + b
    return seen, len(values), len(other)


def looked_at(values):
    """The loop is left, and somebody else goes on with the iterator."""
    result = []
    for stop in range(5, COUNT, 9):
        iterator = enumerate(values, stop)
        for i, x in iterator:
            if i == 2 * stop:
                break
        result.append((i, next(iterator, None), iterator.__reduce__()[1][1]))
        left = iter(values)
        both = zip(left, range(100))
        for a, b in both:
            if b == stop:
                break
        result.append((next(left, None), next(both, None)))
        table = {number: number * 2 for number in range(COUNT)}
        items = iter(table.items())
        for a, b in items:
            if a == stop:
                break
        result.append((items.__length_hint__(), next(items, None)))
    return result


def nested_next(values):
    """The body takes items, too."""
    result = []
    iterator = iter(values)
    for i, x in enumerate(iterator):
        result.append((i, x, next(iterator, None)))
    iterator = iter(values)
    for a, b in zip(iterator, iterator):
        result.append((a, b))
    pairs = zip(values, range(COUNT))
    for a, b in pairs:
        result.append((b, next(pairs, None)))
    return len(result), result[::7]


def changed_dicts(count):
    result = []
    for change in range(6):
        table = {number: number for number in range(count)}
        if change == 4:
            table["text"] = 1
        try:
            for key, value in table.items():
                if key == count // 2:
                    if change == 1:
                        table["new"] = 1
                    elif change == 2:
                        del table[key]
                    elif change == 3:
                        del table[key]
                        table["other"] = key
                    elif change == 5:
                        table.clear()
                result.append(value)
            result.append("end")
        except RuntimeError as error:
            result.append(str(error))
    return result.count("end"), [one for one in result if isinstance(one, str)], len(result)


def uneven(count):
    result = []
    for left in range(0, count, 7):
        for right in range(0, count, 11):
            try:
                for a, b in zip(range(left), list(range(right)), strict=left % 2 == 0):
                    result.append(a + b)
            except ValueError as error:
                result.append(str(error))
    return len(result), result[-3:]


def kinds():
    yield enumerate([1, 2, 3] * 20)
    yield enumerate((1.5, "x") * 20)
    yield enumerate(range(5, 50))
    yield enumerate("text" * 9)
    yield enumerate(x * x for x in range(40))
    yield zip([1, 2] * 20, ("a", "b") * 30)
    yield zip((1, 2) * 20, range(100))
    yield zip("ab" * 10, range(100))
    yield zip(range(30), {x: x for x in range(50)})
    yield {x: x * 2 for x in range(50)}.items()
    yield {str(x): x * 2 for x in range(50)}.items()
    yield {x * 0.5 if x % 2 else str(x): x for x in range(50)}.items()
    yield vars(Names(5)).items()
    yield Own({x: x for x in range(45)}).items()
    yield reversed({x: x for x in range(45)}.items())
    yield {1: 2}.items()
    yield {}.items()
    yield [(x, x + 1) for x in range(40)]
    yield ((x, x + 1) for x in range(40))
    table = {x: x for x in range(90)}
    for x in range(0, 90, 2):
        del table[x]
    yield table.items()
    yield enumerate([])
    yield zip([], [1])


for _ in range(3):
    print([total(pairs) for pairs in kinds()])
for pairs in kinds():
    pairs = list(pairs)
    print([total(iter(pairs)) for _ in range(3)][-1])
for numbers in list(range(40)), [number * 0.5 for number in range(50)], [1 << number for number in range(70)], (1, 2, 3) * 9:
    print([sums(numbers) for _ in range(3)])
for table in {x: x for x in range(90)}, {str(x): x * 0.5 for x in range(90)}, {-1: 1} | {x: x for x in range(90)}, vars(Names(3)):
    try:
        print([items_of(dict(table)) for _ in range(3)])
    except TypeError as error:
        print(error)
VALUES = [object() for _ in range(COUNT)]
for function in counts, kept:
    before = [sys.getrefcount(value) for value in VALUES]
    print(function.__name__, [function(VALUES) for _ in range(3)][-1])
    print([sys.getrefcount(value) for value in VALUES] == before)
for function in replaced, ends, grows, changed_dicts, uneven:
    print(function.__name__, [function(COUNT) for _ in range(3)])
    print(len(ended), ended[:5], ended[-9:])
    ended.clear()
for function in starts, looked_at, nested_next:
    print(function.__name__, [function(list(range(COUNT))) for _ in range(3)][-1])
