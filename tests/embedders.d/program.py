"""Run inside gdb and vim by tests/embedders; uses the evaluator widely and the program's own API."""

import asyncio
import hashlib
import re
import sys
import threading

lines = []


def say(*words):
    lines.append(" ".join(map(str, words)))


class Shape:
    __match_args__ = ("kind", "size")

    def __init__(self, kind, size):
        self.kind, self.size = kind, size

    @property
    def area(self):
        match self:
            case Shape("square", n):
                return n * n
            case Shape(kind, _):
                raise ValueError(f"no area for {kind!r}")


def fibonacci():
    a, b = 0, 1
    while True:
        yield a
        a, b = b, a + b


async def gather(n):
    async def one(i):
        await asyncio.sleep(0)
        return i * i

    return await asyncio.gather(*(one(i) for i in range(n)))


def traced():
    calls = []
    sys.setprofile(lambda frame, event, arg: calls.append((event, frame.f_code.co_name)))
    try:
        Shape("square", 2).area
    finally:
        sys.setprofile(None)
    return calls


for library in {line.split()[-1] for line in open("/proc/self/maps") if "libpython" in line}:
    say("libpython from", library)
say(sys.version)
say([n for n, _ in zip(fibonacci(), range(20))])
say(Shape("square", 12).area, sum(x for x in range(100_000) if x % 7 == 3))
try:
    Shape("circle", 1).area
except ValueError as error:
    say(type(error).__name__, error, error.__traceback__.tb_next.tb_lineno)
try:
    raise ExceptionGroup("two", [KeyError(1), TypeError(2)])
except* TypeError as group:
    say("group", group.exceptions)
except* KeyError as group:
    say("group", group.exceptions)
say(asyncio.run(gather(5)))
say(traced())
say(hashlib.sha3_256(b"reval").hexdigest(), hashlib.blake2b(b"reval", digest_size=8).hexdigest())
results = {}
threads = [threading.Thread(target=lambda i=i: results.update({i: sum(range(i * 1000))})) for i in range(4)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
say(sorted(results.items()))
say(re.sub(r"(\w)(\w*)", lambda m: m[2] + m[1], "host linked in place of ceval"))

if "gdb" in sys.modules:
    import gdb

    class Answer(gdb.Command):
        """Multiplies two numbers."""

        def __init__(self):
            super().__init__("answer", gdb.COMMAND_USER)

        def invoke(self, argument, from_tty):
            left, right = (gdb.parse_and_eval(word) for word in gdb.string_to_argv(argument))
            print("answer", left * right, (left * right).type)

    class Twice(gdb.Function):
        def invoke(self, value):
            return value * 2

    Answer()
    Twice("twice")
    print(*lines, sep="\n")
else:
    import vim

    say(vim.eval("6 * 7"), vim.eval("map(range(3), 'v:val + 1')"))
    vim.current.buffer[:] = lines
