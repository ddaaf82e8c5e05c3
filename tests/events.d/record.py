"""Runs a program or tests in this interpreter and writes every event to a file descriptor.

    python record.py FD MODE program FILE
    python record.py FD MODE module test.test_x [name or pattern of tests ...]

tests/events reads what two interpreters write. The stream has a line for each event, `kind place argument`, and
begins another `@ file qualified-name first-line` wherever the code object changes. Each thread has a stream of its
own: the main thread's comes first, then those of the others in the order of their names.

Modes:
    global    sys.monitoring, every event, for all code
    local     every local event, switched on in a code object when it is first seen to run
    mixed     three tools with different events, global and local, that disable every third location, while
              the events are restarted and tools come and go
    trace     sys.settrace, with opcodes
    profile   sys.setprofile
    own       none: the program watches itself, and tells with `log`
"""

import fnmatch
import gc
import itertools
import os
import random
import re
import subprocess
import sys
import tempfile
import threading
import time
import types
import unittest

# --- what differs from process to process without meaning anything ------------------------------


def no_process(*args, **kwargs):
    raise unittest.SkipTest("starts another process")


os.getpid = lambda: 4242
os.fork = os.posix_spawn = subprocess._fork_exec = no_process
tempfile._RandomNameSequence.rng = random
tempfile.tempdir = os.getcwd()
clock = itertools.count(1000)
time.time = time.monotonic = time.perf_counter = threading._time = lambda: next(clock) / 1000
random.seed(3141)
SCRUBBED = re.compile("|".join(["0x[0-9a-fA-F]+", r"\d{7,}", r"used \d+ kB", *map(re.escape, (os.getcwd(), sys.executable))]))

monitoring = sys.monitoring
EVENTS = {name: value for name, value in vars(monitoring.events).items() if name.isupper() and value}
del EVENTS["BRANCH"]  # the two branch events together
EVERYTHING = sum(EVENTS.values())
NOT_LOCAL = {"RAISE", "RERAISE", "EXCEPTION_HANDLED", "PY_UNWIND", "PY_THROW", "C_RAISE", "C_RETURN"}
LOCAL = sum(value for name, value in EVENTS.items() if name not in NOT_LOCAL)

# --- arguments as text --------------------------------------------------------------------------

qualified_name = type.__dict__["__qualname__"].__get__
exception_args = BaseException.args.__get__
NAMED = {types.FunctionType, types.BuiltinFunctionType, types.MethodType, types.WrapperDescriptorType,
         types.MethodDescriptorType, types.ClassMethodDescriptorType, types.MethodWrapperType}
SIZED = {list, dict, set, frozenset, bytearray}
MISSING = monitoring.MISSING


def scrub(text):
    return SCRUBBED.sub("~", text)


def show(value, depth=2):
    """What can be told about a value without running code of its own, the same in every process."""
    kind = type(value)
    if value is None or kind is bool:
        return repr(value)
    if kind is int:
        # Large ones may be addresses or hashes, whole or parts of them.
        return repr(value) if -2**16 < value < 2**16 else "int"
    if kind is str:
        return scrub(repr(value[:200]))
    if kind is bytes:
        return scrub(repr(value[:200]))
    if kind is float or kind is complex:
        return repr(value)
    if kind is tuple and depth:
        return f"({' '.join([show(v, depth - 1) for v in value[:4]])}{' ...' if len(value) > 4 else ''})"
    if kind in SIZED:
        return f"{kind.__name__}/{len(value)}"
    if kind in NAMED:
        return f"<{kind.__name__} {value.__qualname__}>"
    if kind is types.CodeType:
        return f"<code {value.co_qualname}>"
    if value is MISSING:
        return "MISSING"
    if isinstance(value, type):
        return f"<type {qualified_name(value)}>"
    if issubclass(kind, BaseException) and depth:
        return f"{qualified_name(kind)}{show(exception_args(value), 1)}"
    return f"<{qualified_name(kind)}>"


# --- streams ------------------------------------------------------------------------------------

OUTPUT = 200  # the same number everywhere, and the lower ones are free for the program
os.dup2(int(sys.argv[1]), OUTPUT, inheritable=False)
os.close(int(sys.argv[1]))
output = open(OUTPUT, "w", encoding="utf-8", errors="backslashreplace", newline="\n")
main_thread = threading.get_ident()
lines, last_code = [], None
others = {}  # thread -> [lines, last code, name]
count = 0
FULL = 20_000


def flush():
    global count
    count += len(lines)
    lines.append("")
    output.write("\n".join(lines))
    lines.clear()


def describe(code):
    return scrub(f"@ {code.co_filename.rpartition('/')[2]} {code.co_qualname} {code.co_firstlineno}")


def add(code, text):
    """Puts a line on the stream of the running thread, unless it is about this file's own code."""
    global last_code
    if get_ident() == main_thread:
        if code is not last_code:
            if code.co_filename == __file__:
                return
            last_code = code
            lines.append(describe(code))
        lines.append(text)
        if len(lines) > FULL:
            flush()
    else:
        add_elsewhere(code, text)


get_ident = threading.get_ident


def add_elsewhere(code, text):
    mine = others.get(get_ident())
    if mine is None:
        thread = threading._active.get(get_ident())
        mine = others[get_ident()] = [[], None, thread.name if thread else "unnamed"]
    if code is not mine[1]:
        if code.co_filename == __file__:
            return
        mine[1] = code
        mine[0].append(describe(code))
    mine[0].append(text)


LOG = compile("", "log", "exec")


def log(*words):
    """For programs: puts words on the stream."""
    add(LOG, "log " + " ".join([scrub(w) if type(w) is str else show(w) for w in words]))


# --- recorders ----------------------------------------------------------------------------------

def callback(kind):
    """What writes the events of one kind."""
    if kind in ("LINE", "INSTRUCTION", "PY_START", "PY_RESUME"):
        def record(code, where):
            add(code, f"{kind} {where}")
    elif kind in ("JUMP", "BRANCH_LEFT", "BRANCH_RIGHT", "BRANCH"):
        def record(code, where, target):
            add(code, f"{kind} {where} {target}")
    elif kind in ("CALL", "C_RETURN", "C_RAISE"):
        def record(code, where, function, argument):
            add(code, f"{kind} {where} {show(function)} {show(argument)}")
    else:
        def record(code, where, value):
            add(code, f"{kind} {where} {show(value)}")
    return record


class Global:
    TOOL = 2

    def start(self):
        monitoring.use_tool_id(self.TOOL, "events")
        for name, event in EVENTS.items():
            monitoring.register_callback(self.TOOL, event, callback(name))
        monitoring.set_events(self.TOOL, EVERYTHING)

    def stop(self):
        monitoring.set_events(self.TOOL, 0)
        monitoring.free_tool_id(self.TOOL)


class Local:
    FINDER, TOOL = 1, 4

    def start(self):
        monitoring.use_tool_id(self.FINDER, "finder")
        monitoring.use_tool_id(self.TOOL, "events")
        for name, event in EVENTS.items():
            monitoring.register_callback(self.TOOL, event, callback(name))
        seen = {}

        def find(code, *rest):
            if id(code) not in seen:
                seen[id(code)] = code  # kept, so that no other has its address
                monitoring.set_local_events(self.TOOL, code, LOCAL)

        first = EVENTS["PY_START"] | EVENTS["PY_RESUME"]
        for name in ("PY_START", "PY_RESUME"):
            monitoring.register_callback(self.FINDER, EVENTS[name], find)
        monitoring.set_events(self.FINDER, first)
        self.seen = seen

    def stop(self):
        monitoring.set_events(self.FINDER, 0)
        for code in self.seen.values():
            monitoring.set_local_events(self.TOOL, code, 0)
        monitoring.free_tool_id(self.FINDER)
        monitoring.free_tool_id(self.TOOL)


class Mixed:
    """Disabling, restarting and changing sets of events, so that bytecode is rewritten all the time."""

    TOOLS = {0: ["LINE", "BRANCH_LEFT", "BRANCH_RIGHT", "PY_START", "RAISE", "PY_UNWIND"],
             3: ["INSTRUCTION", "CALL", "C_RETURN", "C_RAISE", "PY_RETURN", "EXCEPTION_HANDLED", "RERAISE"],
             5: ["LINE", "JUMP", "BRANCH", "PY_YIELD", "PY_RESUME", "STOP_ITERATION", "PY_THROW"]}
    CANNOT_BE_DISABLED = NOT_LOCAL
    CHANGE, RESTART = 500, 1700

    def start(self):
        self.turn, self.changes = 0, 0
        for tool, names in self.TOOLS.items():
            monitoring.use_tool_id(tool, f"tool {tool}")
            for name in names:
                monitoring.register_callback(tool, getattr(monitoring.events, name), self.disabling(tool, name))
            monitoring.set_events(tool, self.mask(tool))

    def mask(self, tool):
        mask = 0
        for name in self.TOOLS[tool]:
            mask |= getattr(monitoring.events, name)
        return mask

    def disabling(self, tool, name):
        record = callback(f"{name}")
        stays = name in self.CANNOT_BE_DISABLED

        def disables(code, *rest):
            self.turn += 1
            if get_ident() == main_thread:
                lines.append(f"tool {tool}")
            record(code, *rest)
            if self.turn % self.CHANGE == 0:
                self.change(code)
            if self.turn % self.RESTART == 0:
                lines.append("restart")
                monitoring.restart_events()
            return None if stays or self.turn % 3 else monitoring.DISABLE
        return disables

    def change(self, code):
        """One tool stops or begins to watch all code; another one watches this code object only."""
        self.changes += 1
        tool = (0, 3, 5)[self.changes % 3]
        events = 0 if monitoring.get_events(tool) else self.mask(tool)
        lines.append(f"change {tool} to {events}")
        monitoring.set_events(tool, events)
        monitoring.set_local_events(3, code, EVENTS["INSTRUCTION"] | EVENTS["CALL"])

    def stop(self):
        for tool in self.TOOLS:
            monitoring.free_tool_id(tool)


class Trace:
    def start(self):
        def trace(frame, event, argument):
            code = frame.f_code
            if event == "call":
                frame.f_trace_opcodes = True
            elif event == "exception":
                argument = argument[1]
            add(code, f"{event} {frame.f_lineno} {frame.f_lasti} {show(argument)}")
            return trace
        threading.settrace(trace)
        sys.settrace(trace)

    def stop(self):
        sys.settrace(None)
        threading.settrace(None)


class Profile:
    def start(self):
        def profile(frame, event, argument):
            add(frame.f_code, f"{event} {frame.f_lineno} {frame.f_lasti} {show(argument)}")
        threading.setprofile(profile)
        sys.setprofile(profile)

    def stop(self):
        sys.setprofile(None)
        threading.setprofile(None)


class Own:
    def start(self): pass
    def stop(self): pass


RECORDERS = {"global": Global, "local": Local, "mixed": Mixed, "trace": Trace, "profile": Profile, "own": Own}


# --- what is run --------------------------------------------------------------------------------

def program(path):
    """Something that runs the file as __main__."""
    with open(path, encoding="utf-8") as file:
        code = compile(file.read(), os.path.basename(path), "exec", dont_inherit=True)
    module = sys.modules["__main__"] = types.ModuleType("__main__")
    module.log, module.show = log, show
    return lambda: exec(code, vars(module))


def tests_in(suite):
    for test in suite:
        if isinstance(test, unittest.TestSuite):
            yield from tests_in(test)
        else:
            yield test


def module(name, *patterns):
    """Something that runs the tests of a module whose names match; those with a `-` before match not."""
    chosen = [p for p in patterns if not p.startswith("-")] or ["*"]
    left_out = [p[1:] for p in patterns if p.startswith("-")]

    def wanted(test):
        return any(fnmatch.fnmatchcase(test.id(), f"*.{p}") for p in chosen) and not any(
            fnmatch.fnmatchcase(test.id(), f"*.{p}") for p in left_out)

    loaded = unittest.defaultTestLoader.loadTestsFromName(name)
    suite = unittest.TestSuite([test for test in tests_in(loaded) if wanted(test)])
    result = unittest.TestResult()

    def run():
        suite.run(result)

    def report():
        for test, text in result.errors + result.failures:
            print(f"{test}\n{text}", file=sys.stderr)
        passed = result.testsRun - len(result.skipped)
        return passed, len(result.errors) + len(result.failures) + len(result.unexpectedSuccesses)

    run.report = report
    return run


def main():
    mode, kind, *what = sys.argv[2:]
    sys.argv[1:] = []
    sys.path.pop(0)
    run = {"program": program, "module": module}[kind](*what)
    report = getattr(run, "report", lambda: (1, 0))
    recorder = RECORDERS[mode]()
    gc.collect()
    gc.disable()
    recorder.start()
    try:
        run()
        gc.collect()
    finally:
        recorder.stop()
    for _, stream in sorted(others.items(), key=lambda item: item[1][2]):
        lines.append(f"thread {stream[2]}")
        lines.extend(stream[0])
    passed, failed = report()
    flush()
    print(f"end: {count} lines, {passed} passed, {failed} failed", file=output, flush=True)


main()
