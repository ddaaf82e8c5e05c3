"""Machine code leaves where nothing asks for it, if that is what the environment asks for, and counts that.

What is printed is the same without tier 2.
"""

import ctypes
import os


class Point:
    def __init__(self, x, y):
        self.x, self.y = x, y

    def moved(self, by):
        return Point(self.x + by, self.y - by)


def count():
    """How many exits were forced."""
    function = getattr(ctypes.pythonapi, "reval_forced_exits", None)
    if function is None:
        # The reference, or the extension module, which shows no such symbols.
        return 0
    function.restype = ctypes.c_uint64
    return function()


def work(rounds):
    point, total, items = Point(0, 0.5), 0, []
    for i in range(rounds):
        point = point.moved(i & 3)
        total += point.x * 3 + len(items) % 5
        if i % 3:
            items.append((i, total))
        elif items:
            first, second = items[-1]
            total -= first + second // 2
    return point.x, point.y, total, len(items)


ROUNDS = 2000
print([work(ROUNDS) for _ in range(5)][-1])
every = int(os.environ.get("PYTHON_JIT_FAIL_GUARDS", 0))
# Each round has many places where its code may leave.
print(count() > ROUNDS // every if every and os.environ["PYTHON_JIT"] == "1" else count() == 0)
