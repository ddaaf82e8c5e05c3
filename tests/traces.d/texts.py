# environment: PYTHON_JIT_SIDE_EXIT_INITIAL_VALUE=1 PYTHON_JIT_SIDE_EXIT_INITIAL_BACKOFF=1
"""Texts of objects that need no Python code: f-strings and `str`. And such that need it.

A loop gets hot with one kind of operands, and meets all others then.
"""

import sys

log = []


class Looking:
    """Its texts know what the caller has."""

    def look(self, name):
        frame = sys._getframe(2)
        log.append((name, frame.f_code.co_name, frame.f_locals.get("total"), frame.f_lineno))
        return f"<{name} {frame.f_locals.get('total')}>"

    def __str__(self):
        return self.look("str")

    def __repr__(self):
        return self.look("repr")

    def __format__(self, spec):
        return self.look("format " + spec)


class Failing:
    def __str__(self):
        raise ValueError("no str")

    def __repr__(self):
        raise ValueError("no repr")

    def __format__(self, spec):
        raise ValueError("no format")


class Ended:
    def __init__(self, name):
        self.name = name

    def __str__(self):
        return self.name

    def __del__(self):
        frame = sys._getframe(1)
        log.append((type(self.name).__name__, frame.f_locals.get("total")))


class Int(int):
    def __str__(self):
        return "own int"


class String(str):
    def __format__(self, spec):
        return "own format"

    def __str__(self):
        return "own str"


class Float(float):
    def __repr__(self):
        return "own float"


VALUES = (
    0, 1, 5, 9, 10, -1, -9, -10, 123456789, -(1 << 29), 1 << 29, (1 << 30) - 1, 1 << 30, -(1 << 30), (1 << 60), 1 << 62, -(1 << 63), 1 << 80, 10**5000,
    0.0, -0.0, 1.5, 1e300, float("inf"), float("nan"), 0.1, "", "a", "héllo", "\u4e2d", "\U0001f600", "'\"\n", b"b", True, False, None, (), (1, "a"), [1.5],
    {1: 2}, Int(3), String("s"), Float(1.5), int, Looking(), Failing(),
)
TEMPLATES = {
    "format": "text = f'{value}'",
    "parts": "text = f'<{value}|{total}>'",
    "str": "text = f'{value!s}'",
    "repr": "text = f'{value!r}'",
    "ascii": "text = f'{value!a}'",
    "spec": "text = f'{value:>12}'",
    "call": "text = str(value)",
    "number": "text = f'{total * 3 - 7}/{total * 0.5}/{total > 9}'; text += str(value)",
    "large": "text = f'{total * 1000000007 * 1000003}{-total << 40}'; text += str(total * 1000000007 * 1000003)",
    "is": "text = f'{value}' is value, str(value) is value, f'{value!r}' is f'{value!r}', f'{total % 10}' is str(total % 10)",
    "twice": "text = (f'{value}', f'{value}', value)",
    "end": "text = f'{Ended(value)}{Ended(total)!s}'",
}


def made(statement):
    namespace = dict(globals())
    exec(f"def work(values):\n    total = 0\n    texts = []\n    for value in values:\n        total += 1\n        {statement}\n"
         "        texts.append(text)\n    return texts, total\n", namespace)
    return namespace["work"]


def attempt(work, values):
    del log[:]
    try:
        texts, total = work(values)
        result = repr(texts[-3:]), total
    except Exception as error:
        result = type(error).__name__, str(error)[:60], error.__traceback__.tb_next.tb_lineno
    return result, list(log)


for name, statement in TEMPLATES.items():
    for first in "text", 7, -123456, 2.5, True, None:
        work = made(statement)
        print(name, repr(first), attempt(work, [first] * 60))
        for value in VALUES:
            if isinstance(value, int) and value > 10**100:
                # It is too long.
                print("  ", attempt(work, [first, value])[0][:2])
            else:
                print("  ", attempt(work, [first, value]), attempt(work, [value] * 3))


def counts():
    """No reference is lost or gained."""
    text = "".join(["a", "b"])
    before = sys.getrefcount(text)
    for number in range(300):
        one = f"{text}"
        two = str(text)
        three = f"{text}-{number}-{number / 4}"
    print(one is text, two is text, three, sys.getrefcount(text) - before)
    del one, two
    print(sys.getrefcount(text) - before)


counts()
