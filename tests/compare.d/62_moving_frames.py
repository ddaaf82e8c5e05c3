# Generators and coroutines that are begun in one thread and go on in others, and what outlives its thread.
# Where each thread has bytecode of its own, every step is taken in another copy of it.
import sys
import threading
import traceback

THREADS = 4
STEPS = 12


def in_thread(function, *args):
    "What the function returns or raises in a thread of its own."
    result = []

    def call():
        try:
            result.append(function(*args))
        except BaseException as error:
            result.append(error)

    thread = threading.Thread(target=call)
    thread.start()
    thread.join()
    return result[0]


class Team:
    "Threads that take turns."

    def __init__(self, size):
        self.turns = [threading.Semaphore(0) for _ in range(size)]
        self.done = threading.Semaphore(0)
        self.work = self.result = None
        self.members = [threading.Thread(target=self.member, args=(turn,)) for turn in self.turns]
        for member in self.members:
            member.start()

    def member(self, turn):
        while True:
            turn.acquire()
            if self.work is None:
                return
            try:
                self.result = self.work()
            except BaseException as error:
                self.result = type(error).__name__, error.args
            self.done.release()

    def __call__(self, number, work):
        self.work = work
        self.turns[number % len(self.turns)].release()
        self.done.acquire()
        return self.result

    def close(self):
        self.work = None
        for turn, member in zip(self.turns, self.members):
            turn.release()
            member.join()


def numbers(start):
    total = start
    while True:
        sent = yield total
        # Specialized on its own in each thread: ints here, floats and strings there.
        total = total + (sent if sent is not None else type(total)(1))


def chain(*parts):
    for part in parts:
        try:
            got = yield from part
        except KeyError as error:
            got = yield f"caught {error}"
        yield f"part gave {got}"


def counted(n):
    for i in range(n):
        yield i
    return n


class Awaitable:
    def __await__(self):
        return (yield "waiting")


async def coroutine(n):
    results = []
    for _ in range(n):
        results.append(await Awaitable())
    async for item in agen(2):
        results.append(item)
    return results


async def agen(n):
    for i in range(n):
        got = await Awaitable()
        yield i, got


def frames():
    team = Team(THREADS)
    for start in (1, 1.5, "x"):
        generator = numbers(start)
        values = [team(i, lambda: next(generator)) for i in range(STEPS)]
        print(values)
    mixed = numbers(0)
    print([team(i, lambda: mixed.send(None if i == 0 else value))
           for i, value in enumerate([None, 1, 2.5, True, 10**20, -3])])

    both = chain(counted(3), counted(2))
    print([team(i, lambda: next(both)) for i in range(3)])
    print(team(3, lambda: both.throw(KeyError("thrown elsewhere"))), team(0, lambda: both.send("answer")))
    print([team(i, lambda: next(both, "end")) for i in range(4)])

    coro = coroutine(2)
    print([team(i, lambda: coro.send(None if i == 0 else i)) for i in range(5)])
    print(team(2, lambda: coro.close()), team(1, lambda: coro.send(None))[0])

    # Loops that were begun in one thread and run hot in others.
    def hot(limit):
        total = 0
        for i in range(limit):
            total += i & 3
            if i % 1000 == 0:
                yield total
        return total

    running = hot(STEPS * 1000)
    print([team(i, lambda: next(running)) for i in range(STEPS)], team(1, lambda: next(running)))
    team.close()


def fail(depth):
    local = depth * 2
    if depth:
        return fail(depth - 1)
    raise ValueError(local)


def outliving():
    # A traceback, and the lines and variables of its frames, from a thread that is gone.
    error = in_thread(fail, 3)
    for frame, line in traceback.walk_tb(error.__traceback__):
        print(frame.f_code.co_name, line == frame.f_lineno, line - frame.f_code.co_firstlineno,
              frame.f_lasti >= 0, frame.f_locals.get("local"))

    # A generator, begun in a thread that is gone. (c-tests/tlbc.c has the bytecode freed in between.)
    def begun():
        generator = chain(counted(5))
        return [next(generator), generator]

    first, generator = in_thread(begun)
    print(first)
    for _ in range(3):
        in_thread(fail, 1)
        print(in_thread(next, generator), generator.gi_frame.f_lineno - generator.gi_code.co_firstlineno)
    error.__traceback__.tb_next.tb_frame.clear()
    print([frame.f_lineno - frame.f_code.co_firstlineno for frame, _ in traceback.walk_tb(error.__traceback__)])
    in_thread(generator.close)
    print(generator.gi_frame, list(generator))


def traced_elsewhere():
    # Lines that a tool is told of in code that threads share, some of which come before the tool, some after.
    def step(n):
        a = n + 1
        b = a * 2
        return b

    monitoring = sys.monitoring
    lines = []
    team = Team(3)
    team(0, lambda: step(1))
    monitoring.use_tool_id(2, "test")
    monitoring.register_callback(2, monitoring.events.LINE,
                                 lambda code, line: lines.append(line - code.co_firstlineno))
    monitoring.set_local_events(2, step.__code__, monitoring.events.LINE)
    for member in range(3):
        lines.clear()
        print(team(member, lambda: step(member)), lines)
    monitoring.set_local_events(2, step.__code__, 0)
    lines.clear()
    print([team(member, lambda: step(member)) for member in range(3)], lines)
    monitoring.register_callback(2, monitoring.events.LINE, None)
    monitoring.free_tool_id(2)
    team.close()


frames()
outliving()
traced_elsewhere()
