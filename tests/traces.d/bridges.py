# environment: PYTHON_JIT_SIDE_EXIT_INITIAL_VALUE=1 PYTHON_JIT_SIDE_EXIT_INITIAL_BACKOFF=0
"""Side exits that are taken as often as not: what is in registers goes on into the code behind them."""

import sys
import traceback

ROUNDS = 600


def numbers():
    """Floats and ints that have no objects when the exit is taken."""
    total, count, odd = 0.0, 0, 0
    for i in range(ROUNDS):
        if i % 3 == 0:
            total += 1.5
        elif i % 3 == 1:
            count += i
        else:
            odd -= 1
            total = total - odd
    return total, count, odd


def nested():
    total = 0
    for i in range(ROUNDS // 4):
        scale = i * 0.5
        for j in range(i % 7):
            if j & 1:
                total += j
            else:
                total += scale
        for j in range(3, 9 - i % 11):
            total -= j
    return total


def identities():
    """A float that a variable shares stays the same object, whichever way is taken."""
    shared = float("2.5")
    value, same = shared, 0
    for i in range(ROUNDS):
        if i % 4 == 0:
            value = shared
        elif i % 4 == 1:
            value = value + 0.0
        kept = value
        if i % 5 == 0:
            same += kept is value
        else:
            same += 2 * (value is shared)
    return same


class Account:
    def __init__(self, balance):
        self.balance = balance

    def change(self, amount):
        if amount & 1:
            return self.take(amount)
        self.balance += amount
        return self.balance

    def take(self, amount):
        if amount % 5 == 0:
            return None
        self.balance -= amount * 0.5
        return self.balance


def frames():
    """Exits in functions whose frames do not exist."""
    account, missing, total = Account(10), 0, 0
    for i in range(ROUNDS):
        result = account.change(i)
        if result is None:
            missing += 1
        else:
            total += result
    return account.balance, missing, total


def where(depth):
    frame = sys._getframe(1)
    names = []
    while frame and len(names) < depth:
        names.append((frame.f_code.co_name, frame.f_lineno - frame.f_code.co_firstlineno))
        frame = frame.f_back
    return names


def inner(i, seen):
    local = i * 2
    if i % 50 == 7:
        seen.append((where(3), dict(sys._getframe().f_locals, seen=None)))
    elif i % 2:
        local += 1
    return local


def looked_at():
    """Somebody looks at the frames, seldom."""
    seen, total = [], 0
    for i in range(ROUNDS):
        total += inner(i, seen)
    return total, seen


def risky(i):
    if i % 3 == 0:
        return 10 // (i % 9)
    if i % 3 == 1:
        return i / (i % 5)
    return [i][i % 2]


def exceptions():
    lines, total = {}, 0
    for i in range(ROUNDS):
        try:
            total += risky(i)
        except (ZeroDivisionError, IndexError) as error:
            place = [entry.lineno - risky.__code__.co_firstlineno for entry in traceback.extract_tb(error.__traceback__)]
            key = type(error).__name__, place[-1]
            lines[key] = lines.get(key, 0) + 1
    return round(total, 9), sorted(lines.items())


def tree(depth):
    if depth > 0:
        yield from tree(depth - 1)
        yield depth
        yield from tree(depth - 2)


def generators():
    total = 0
    for i in range(ROUNDS // 20):
        for value in tree(i % 6):
            if value % 2:
                total += value
            else:
                total -= 1
    evens = (value for value in range(ROUNDS) if value % 2 == 0)
    return total, sum(value if value % 3 else -value for value in evens)


def containers():
    """Iterators that end, lists that change under them, lengths."""
    lists = [[1, 2, 3], [], [4], list(range(9))]
    total, lengths = 0, 0
    for i in range(ROUNDS // 4):
        items = lists[i % 4]
        for item in items:
            if item == 2 and i % 40 == 0:
                items.append(i)
            elif item == 3:
                total += 1
            total += item
        for item in (items[:1], (), "ab", {1: 2}, {3}, b"xyz", frozenset((1, 2))):
            lengths += len(item)
        for first, second in ((1, 2), (i, i + 1)):
            total += first - second
    return total, lengths, [len(items) for items in lists]


class Counted:
    ended = []

    def __init__(self, number):
        self.number = number

    def __del__(self):
        Counted.ended.append(self.number)


def ends():
    """Objects end where they end without traces."""
    Counted.ended.clear()
    order = []
    for i in range(ROUNDS // 2):
        one = Counted(i)
        if i % 3:
            other = one
        else:
            other = None
        order.append(len(Counted.ended))
        del one
        order.append(len(Counted.ended))
    del other
    return sum(order), len(Counted.ended), Counted.ended[-3:]


factor = 1


def changes():
    """What the code relies on changes in the middle."""
    global factor
    total = 0
    for i in range(ROUNDS):
        if i % 2:
            total += factor
        else:
            total += Account(i).change(2)
        if i == ROUNDS // 2:
            factor = 2.5
        if i == ROUNDS // 3:
            Account.change = lambda self, amount: amount
        if i == ROUNDS // 3 + ROUNDS // 4:
            Account.__init__ = lambda self, balance: setattr(self, "balance", -balance)
            del Account.change
            Account.change = lambda self, amount: self.balance + amount
    return total


def mixed():
    """Ints that are too large for a register, floats with ints, and zeros as divisors."""
    values = [1, -3, 0, 2.5, -0.0, 1 << 29, 1 << 31, 1 << 61, 1 << 63, -(1 << 62), float("inf"), True]
    results = []
    for i in range(ROUNDS):
        left, right = values[i % 12], values[(i // 12 + i) % 12]
        try:
            if i % 4 == 0:
                result = left / right
            elif i % 4 == 1:
                result = left * right - left
            elif i % 4 == 2:
                result = left & right if isinstance(left, int) and isinstance(right, int) else left + right
            else:
                result = left - right + i
        except (ZeroDivisionError, OverflowError) as error:
            result = type(error).__name__
        results.append(result)
    return results


for part in (numbers, nested, identities, frames, looked_at, exceptions, generators, containers, ends, mixed, changes):
    for _ in range(2):
        print(part.__name__, part())
