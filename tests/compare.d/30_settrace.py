# status: 1
# sys.settrace: the whole stream of events for a corpus of functions; lines set, tracing turned off half-way, errors.
import sys

from lib.corpus import FUNCTIONS


def tracer(events, opcodes=False, lines=True):
    def trace(frame, event, arg):
        code = frame.f_code
        frame.f_trace_opcodes, frame.f_trace_lines = opcodes, lines
        if event == "exception":
            arg = arg[0].__name__, str(arg[1]), arg[2].tb_lineno
        elif event != "return" or "0x" in repr(arg):
            arg = type(arg).__name__
        events.append((event, code.co_name, frame.f_lineno, frame.f_lasti if opcodes else None, arg))
        return trace
    return trace


for opcodes, lines in ((False, True), (True, True), (True, False), (False, False)):
    for f in FUNCTIONS:
        events = []
        sys.settrace(tracer(events, opcodes, lines))
        try:
            f()
        except Exception as e:
            e.__traceback__ = None
        sys.settrace(None)
        print(f.__name__, len(events), hash(tuple(map(repr, events))))
        if not opcodes:
            print(*events, sep="\n")
# Twice more, when the code has been specialized.
for f in FUNCTIONS:
    for _ in range(20):
        try:
            f()
        except Exception:
            pass
    events = []
    sys.settrace(tracer(events))
    try:
        f()
    except Exception:
        pass
    sys.settrace(None)
    print(f.__name__, len(events), hash(tuple(map(repr, events))))


def jumps(events):
    x = 1
    x = 2
    x = 3
    for i in range(3):
        x += i
    x = 4
    return x


def jumper(rules):
    first = jumps.__code__.co_firstlineno

    def trace(frame, event, arg):
        if event == "line" and frame.f_code is jumps.__code__:
            line = frame.f_lineno - first
            if line in rules:
                try:
                    frame.f_lineno = first + rules.pop(line)
                except Exception as e:
                    print("  refused", line, type(e).__name__, e)
            print("  at", frame.f_lineno - first, end="")
        return trace
    return trace


for rules in ({2: 3}, {3: 1}, {1: 5}, {6: 1}, {5: 6}, {1: 7}, {1: 100}, {2: -5}, {6: 4}, {6: 5}):
    print(rules)
    sys.settrace(jumper(dict(rules)))
    try:
        print(" =", jumps(None))
    except Exception as e:
        print(" !", type(e).__name__, e)
    finally:
        sys.settrace(None)


def raising(frame, event, arg):
    if event == "line" and frame.f_lineno == target.__code__.co_firstlineno + 2:
        raise RuntimeError("from the tracer")
    return raising


def target():
    a = 1
    b = 2
    return a + b


sys.settrace(raising)
try:
    target()
except RuntimeError as e:
    print(e, sys.gettrace())
sys.settrace(None)


def off_half_way(frame, event, arg):
    seen.append((event, frame.f_code.co_name))
    if event == "line" and len(seen) > 3:
        sys.settrace(None)
    return off_half_way


seen = []
sys.settrace(off_half_way)
target()
target()
print(seen, sys.gettrace())


def local_only():
    seen = []
    def local(frame, event, arg):
        seen.append((event, frame.f_lineno - frame.f_code.co_firstlineno))
        return None if event == "line" and len(seen) > 1 else local
    def inner():
        a = 1
        b = 2
        c = 3
    sys.settrace(lambda *a: local if a[0].f_code.co_name == "inner" else None)
    inner()
    sys._getframe().f_trace = local
    x = 1
    sys.settrace(None)
    del sys._getframe().f_trace
    return seen


print(local_only())
for bad in (5, "x"):
    sys.settrace(bad)
    try:
        target()
    except TypeError as e:
        sys.settrace(None)
        print(e)
sys.settrace(None)


def on_inside():
    "Tracing that begins in the middle of a call sees what comes."
    def t(frame, event, arg):
        seen.append((event, frame.f_code.co_name, frame.f_lineno - frame.f_code.co_firstlineno))
        return t
    sys.settrace(t)
    target()
    x = [i for i in range(2)]
    sys.settrace(None)


seen = []
on_inside()
print(seen)
sys.settrace(lambda *a: 1 / 0)
target()
