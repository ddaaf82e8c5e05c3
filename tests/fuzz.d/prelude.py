"""What generated programs use: they show values and events, and drive coroutines.

The runner puts the public names of this module into the namespace of each program. Programs replace builtins and
attributes of modules. So this module has its own references to everything that it uses.
"""

import _thread
import builtins
import gc
import math
import os
import re
import sys
import types
import weakref
import zlib
from string.templatelib import Template

__all__ = ["attempt", "builtins", "collect", "gather", "gc", "gone", "in_thread", "local_events", "Manager",
           "AsyncManager",
           "math", "monitor", "monitor_off", "pause", "profile", "run", "show", "sys", "trace", "types", "weakref"]

FILE = "<fuzz>"
ADDRESS = re.compile("0x[0-9a-fA-F]+")
LINES = 20_000  # of output and of events that are kept in full
STEPS = 200  # of one coroutine

# Programs change the builtins. The functions of this module have their own.
__builtins__ = dict(vars(builtins))

NAMED = (types.FunctionType, types.BuiltinFunctionType, types.MethodType, types.GeneratorType, types.CoroutineType,
         types.AsyncGeneratorType)
PLAIN = (int, float, bool, complex, str, bytes, type(None), range, slice)


class Output:
    """Lines, written to standard output at the end, or at once if that is asked for."""

    def __init__(self):
        self.lines = []
        self.count = 0
        self.sum = 0
        self.at_once = False

    def line(self, text):
        self.count += 1
        text = ADDRESS.sub("0x", text)
        if self.at_once:
            os.write(1, (text + "\n").encode("utf-8", "backslashreplace"))
        elif self.count <= LINES:
            self.lines.append(text)
        else:
            self.sum = zlib.crc32(text.encode("utf-8", "backslashreplace"), self.sum)

    def write(self, text):
        "For sys.stdout and sys.stderr."
        for line in text.split("\n"):
            if line:
                self.line("| " + line)

    def flush(self):
        pass

    def close(self, last):
        if self.count > LINES:
            self.lines.append(f"and {self.count - LINES} more lines, sum {self.sum}")
        if last is not None:
            self.lines.append(last)
        data = "".join([line + "\n" for line in self.lines]).encode("utf-8", "backslashreplace")
        self.lines.clear()
        while data:
            data = data[os.write(1, data):]


output = Output()
fault = os.environ.get("REVAL_FUZZ_FAULT")  # see self_test.py
spare = []


def describe(value, depth=3):
    """A text for a value. Does not run code of the program."""
    kind = type(value)
    if kind is int:
        return repr(value) if value.bit_length() < 2000 else hex(value)
    if kind in PLAIN:
        return repr(value)
    if depth == 0:
        return "..."
    inner = depth - 1
    if kind in (list, tuple):
        brackets = "[]" if kind is list else "()"
        return brackets[0] + ", ".join([describe(item, inner) for item in value]) + brackets[1]
    if kind in (set, frozenset):
        return "{" + ", ".join(sorted([describe(item, inner) for item in value])) + "}"
    if kind is dict:
        return "{" + ", ".join([f"{describe(k, inner)}: {describe(v, inner)}" for k, v in value.items()]) + "}"
    if kind is Template:
        parts = [f"{describe(part.value, inner)}!{part.conversion}:{part.format_spec}<{part.expression}>"
                 for part in value.interpolations]
        return f"t{value.strings} {parts}"
    if issubclass(kind, BaseException):
        return describe_exception(value, inner)
    if issubclass(kind, type):
        return f"<class {name_of(value)}>"
    if kind in NAMED:
        return f"<{kind.__name__} {value.__name__}>"
    try:
        attributes = object.__getattribute__(value, "__dict__")
    except AttributeError:
        attributes = {}
    if type.__getattribute__(kind, "__module__") != "fuzz" or type(attributes) is not dict:
        return f"<{name_of(kind)}>"
    return f"<{name_of(kind)}" + "".join([f" {key}={describe(item, inner)}" for key, item in attributes.items()]) + ">"


def name_of(kind):
    return type.__dict__["__name__"].__get__(kind)


def describe_exception(error, depth):
    text = type(error).__name__ + "(" + ", ".join([describe(a, depth) for a in error.args]) + ")"
    if error.__traceback__ is not None:
        text += " at " + " ".join(places(error.__traceback__))
    for sign, other in (" from ", error.__cause__), (" during ", error.__context__):
        if other is not None:
            text += sign + ("self" if other is error else describe(other, depth))
    for note in getattr(error, "__notes__", ()):
        text += " note " + describe(note, depth)
    return text


def places(traceback):
    """Where in the program: function, line, offset of the instruction."""
    found = []
    while traceback is not None:
        code = traceback.tb_frame.f_code
        if code.co_filename == FILE:
            found.append(f"{code.co_name}:{traceback.tb_lineno}+{traceback.tb_lasti}")
        traceback = traceback.tb_next
    return found if len(found) < 30 else [*found[:10], f"{len(found) - 20} more", *found[-10:]]


def show(*values):
    if fault is not None:
        misbehave(values)
    output.line(" ".join([describe(value) for value in values]))


def misbehave(values):
    """What a self-test asks for: something that must be noticed."""
    if not values or type(values[0]) is not dict or not values[0]:
        return
    if fault == "value":
        output.line("wrong")
    elif fault == "crash":
        os.abort()
    elif fault == "hang":
        while True:
            pass
    elif fault == "leak":
        spare.append(object())


def attempt(function, /, *args, **kwargs):
    """Calls it, shows what comes back or is raised, and returns that."""
    try:
        result = function(*args, **kwargs)
    except Exception as error:
        show("raised", error)
        return None
    show("returned", result)
    return result


def in_thread(function):
    """Calls it in another thread; returns or raises what it does."""
    result = []

    def body():
        try:
            result.extend([function(), None])
        except Exception as error:
            result.extend([None, error])

    _thread.start_joinable_thread(body).join()
    value, error = result
    if error is not None:
        raise error
    return value


@types.coroutine
def pause(value):
    """Suspends the coroutine; returns what the loop sends."""
    return (yield value)


def run(coroutine):
    """Drives a coroutine to its end. What it gets from `pause(n)` is n + 1, and for multiples of 13 an exception."""
    step, seen = None, []
    try:
        for _ in range(STEPS):
            if type(step) is int and step % 13 == 12:
                step = coroutine.throw(KeyError(step))
            else:
                step = coroutine.send(step + 1 if type(step) is int else None)
            seen.append(step)
    except StopIteration as end:
        show("finished", seen, end.value)
        return end.value
    except Exception as error:
        show("failed", seen, error)
        return None
    coroutine.close()
    show("stopped", len(seen))
    return None


def gather(*coroutines):
    """Drives coroutines in turn; a list of their results."""
    results, waiting = [None] * len(coroutines), dict(enumerate(coroutines))
    for _ in range(STEPS):
        for number, coroutine in list(waiting.items()):
            try:
                coroutine.send(None)
            except StopIteration as end:
                results[number] = end.value
                del waiting[number]
            except Exception as error:
                results[number] = describe(error)
                del waiting[number]
        if not waiting:
            break
    for coroutine in waiting.values():
        coroutine.close()
    return results


async def collect(numbers):
    """A list of what an asynchronous generator yields."""
    return [number async for number in numbers]


class Manager:
    """A context manager that shows what it sees. Suppresses the exceptions of a type."""

    def __init__(self, name, suppressed=()):
        self.name = name
        self.suppressed = suppressed

    def __enter__(self):
        show("enter", self.name)
        return len(self.name)

    def __exit__(self, kind, error, traceback):
        show("exit", self.name, error)
        return kind is not None and issubclass(kind, self.suppressed)


class AsyncManager(Manager):
    async def __aenter__(self):
        await pause(1)
        return self.__enter__()

    async def __aexit__(self, *about):
        await pause(2)
        return self.__exit__(*about)


def gone(name):
    """A callback for weakref.ref, which shows that the object is gone."""
    return lambda reference: show("gone", name, reference())


# Watching.


def watched(code):
    return code.co_filename == FILE


def trace(lines=True, opcodes=False, until=10**9):
    """sys.settrace; the local trace function returns None after so many events."""
    left = until

    def local(frame, event, argument):
        nonlocal left
        left -= 1
        code = frame.f_code
        about = describe(argument, 1) if event in ("return", "exception") else ""
        output.line(f"{event} {code.co_name}:{frame.f_lineno}+{frame.f_lasti} {about}")
        return local if left > 0 else None

    def call(frame, event, argument):
        if not watched(frame.f_code) or left <= 0:
            return None
        output.line(f"{event} {frame.f_code.co_name}:{frame.f_lineno}")
        frame.f_trace_lines = lines
        frame.f_trace_opcodes = opcodes
        return local

    sys.settrace(call)


def profile():
    def function(frame, event, argument):
        if watched(frame.f_code):
            about = argument.__name__ if event.startswith("c_") else describe(argument, 1) if event == "return" else ""
            output.line(f"profile {event} {frame.f_code.co_name}:{frame.f_lineno} {about}")

    sys.setprofile(function)


def callback(tool, event, disable):
    """Shows events in code of the program. Returns DISABLE every `disable`th time."""
    count = 0

    def function(code, *details):
        nonlocal count
        if not watched(code):
            return None
        count += 1
        about = [describe(d, 1) if not isinstance(d, types.CodeType) else d.co_name for d in details]
        output.line(f"{tool} {event} {code.co_name} {' '.join(about)}")
        return sys.monitoring.DISABLE if disable and count % disable == 0 else None

    return function


def mask(events):
    bits = 0
    for event in events:
        bits |= getattr(sys.monitoring.events, event)
    return bits


def use(tool, events, disable):
    if sys.monitoring.get_tool(tool) is None:
        sys.monitoring.use_tool_id(tool, f"tool {tool}")
    for event in events:
        sys.monitoring.register_callback(tool, mask([event]), callback(tool, event, disable))


def monitor(tool, events, disable=0):
    """Watches these events everywhere."""
    use(tool, events, disable)
    sys.monitoring.set_events(tool, mask(events))


def local_events(tool, function, events, disable=0):
    """Watches these events in a function."""
    use(tool, events, disable)
    sys.monitoring.set_local_events(tool, function.__code__, mask(events))


def monitor_off(tool):
    if sys.monitoring.get_tool(tool) is not None:
        sys.monitoring.free_tool_id(tool)


def unwatch():
    sys.settrace(None)
    sys.setprofile(None)
    for tool in range(6):
        monitor_off(tool)
