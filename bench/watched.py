"""A program that is watched by tools that do nothing; run by bench/worker.py for bench/monitoring.

Nothing is watched before a benchmark is run: the one that is never watched needs a process in which nothing was.
"""

import sys

import pyperf

SOURCE = """
def leaf(x):
    return x + 1

def calls(n):
    total = 0
    for i in range(n):
        total = leaf(total)
        total = leaf(i)
        len("abc")
    return total

def lines(n):
    a = b = 0
    for i in range(n):
        a = i
        b = a
        a = b + 1
        b = a
        a = b
        b = i
    return a + b

def branches(n):
    total = 0
    for i in range(n):
        if i & 1:
            total += 1
        elif i & 2:
            total += 2
        if total is None:
            return
        while total > 1000:
            total = 0
    return total

def generates(n):
    for i in range(n):
        yield i

def raises(x):
    try:
        if x & 7 == 0:
            raise KeyError
    except KeyError:
        return 0

def program(n):
    calls(n), lines(n), branches(n)
    for i in generates(n):
        raises(i)
"""
N = 500
TOOL = 2
mon, E = sys.monitoring, sys.monitoring.events


def fresh():
    """The functions, compiled anew."""
    space = {}
    exec(SOURCE, space)
    return space


def nothing(*args):
    pass


def disable(*args):
    return mon.DISABLE


def trace(frame, event, argument):
    return trace


def trace_opcodes(frame, event, argument):
    frame.f_trace_opcodes = True
    return trace_opcodes


class Watched:
    """Runs a function while a tool listens."""

    def __init__(self, function, events, callback=nothing, local=False):
        self.space = fresh()
        self.function, self.events, self.callback = self.space[function], events, callback
        self.codes = [f.__code__ for f in self.space.values() if hasattr(f, "__code__")] if local else []

    def switch(self, events):
        for code in self.codes:
            mon.set_local_events(TOOL, code, events)
        if not self.codes:
            mon.set_events(TOOL, events)

    def time(self, loops):
        bit = 1
        while bit <= self.events:
            if bit & self.events:
                mon.register_callback(TOOL, bit, self.callback)
            bit <<= 1
        self.switch(self.events)
        try:
            return run(loops, self.function)
        finally:
            self.switch(0)
            mon.restart_events()


def run(loops, function):
    repeat = range(loops)
    start = pyperf.perf_counter()
    for _ in repeat:
        function(N)
    return pyperf.perf_counter() - start


def installed(install, hook):
    function = fresh()["program"]

    def time(loops):
        install(hook)
        try:
            return run(loops, function)
        finally:
            install(None)
    return time


def switching(loops):
    """All lines are watched and no longer watched, again and again, with a little work between."""
    start = pyperf.perf_counter()
    for _ in range(loops):
        for _ in range(20):
            mon.set_events(TOOL, E.LINE | E.BRANCH_LEFT | E.CALL)
            switched["lines"](1), switched["branches"](1), switched["calls"](1)
            mon.set_events(TOOL, 0)
            switched["lines"](1), switched["branches"](1), switched["calls"](1)
    return pyperf.perf_counter() - start


def off_again():
    """The program after everything has been watched."""
    function, watched = fresh()["program"], False

    def watch():
        for bit in range(16):
            mon.register_callback(TOOL, 1 << bit, nothing)
        mon.set_events(TOOL, (1 << 16) - 1 | E.C_RETURN | E.C_RAISE)
        sys.settrace(trace_opcodes), sys.setprofile(nothing)
        function(N)
        sys.settrace(None), sys.setprofile(None)
        mon.set_events(TOOL, 0)
        function(N)

    def time(loops):
        nonlocal watched
        if not watched:
            watched = True
            watch()
        return run(loops, function)
    return time


mon.use_tool_id(TOOL, "nothing")
switched = fresh()
never = fresh()["program"]
EVENTS = {
    "CALL": ("calls", E.CALL),
    "PY_START, PY_RETURN": ("calls", E.PY_START | E.PY_RETURN),
    "C_RETURN": ("calls", E.CALL | E.C_RETURN | E.C_RAISE),
    "LINE": ("lines", E.LINE),
    "BRANCH": ("branches", E.BRANCH_LEFT | E.BRANCH_RIGHT),
    "INSTRUCTION": ("lines", E.INSTRUCTION),
    "LINE, INSTRUCTION": ("lines", E.LINE | E.INSTRUCTION),
    "all but exceptions": ("program", (1 << 11) - 1),
    "exceptions": ("program", E.RAISE | E.RERAISE | E.EXCEPTION_HANDLED | E.PY_UNWIND),
}
BENCHMARKS = {"never watched": lambda loops: run(loops, never)}
for name, (function, events) in EVENTS.items():
    BENCHMARKS[name] = Watched(function, events).time
BENCHMARKS |= {
    "LINE, of these functions": Watched("lines", E.LINE, local=True).time,
    "LINE, BRANCH, disabled": Watched("program", E.LINE | E.BRANCH_LEFT | E.BRANCH_RIGHT, disable).time,
    "settrace": installed(sys.settrace, trace),
    "settrace, opcodes": installed(sys.settrace, trace_opcodes),
    "setprofile": installed(sys.setprofile, nothing),
    "on and off": switching,
    "off again": off_again(),
}
runner = pyperf.Runner()
for name, function in BENCHMARKS.items():
    runner.bench_time_func(name, function)
