# environment: PYTHON_JIT_JUMP_BACKWARD_INITIAL_VALUE=4095 PYTHON_JIT_JUMP_BACKWARD_INITIAL_BACKOFF=12
# (The host's tier 2 does not note where a loop was left, which branch events tell: both start it equally late.)
# sys.monitoring: every event for a corpus of functions, globally and per code object, DISABLE, restart, errors.
import sys

from lib.corpus import FUNCTIONS

if hasattr(sys, "gettotalrefcount"):
    # A debug host asserts what does not hold: at the end of `async for` with branch events, and about the
    # traceback of an exception group whose handling was interrupted by a callback.
    FUNCTIONS = [f for f in FUNCTIONS if f.__name__ not in ("coroutines", "groups")]
mon = sys.monitoring
E = mon.events
TOOL = 3
mon.use_tool_id(TOOL, "compare")
NAMES = [n for n in dir(E) if n.isupper() and n != "NO_EVENTS"]


def word(arg):
    if isinstance(arg, type(word.__code__)):
        return arg.co_name
    if isinstance(arg, (int, str, bool, type(None), float, tuple)) and "0x" not in repr(arg):
        return arg
    if isinstance(arg, BaseException):
        return type(arg).__name__, str(arg)
    return "MISSING" if arg is mon.MISSING else getattr(arg, "__name__", type(arg).__name__)


def record(events, names, reply=None):
    for name in NAMES:
        def callback(*args, name=name):
            events.append((name, *map(word, args)))
            return reply
        mon.register_callback(TOOL, getattr(E, name), callback if name in names else None)


def mask(names): return sum(getattr(E, n) for n in names if n not in ("C_RETURN", "C_RAISE", "BRANCH"))


def call(f):
    try:
        f()
    except Exception as e:
        e.__traceback__ = None


SETS = [[n] for n in NAMES] + [NAMES, ["LINE", "INSTRUCTION"], ["CALL", "C_RETURN", "C_RAISE"], ["PY_START", "PY_RETURN", "PY_YIELD", "PY_RESUME"],
                               ["BRANCH_LEFT", "BRANCH_RIGHT", "JUMP"], ["RAISE", "RERAISE", "EXCEPTION_HANDLED", "PY_UNWIND", "STOP_ITERATION", "PY_THROW"]]
for names in SETS:
    wanted = mask(names) | (E.CALL if {"C_RETURN", "C_RAISE"} & set(names) else 0) | (E.BRANCH_LEFT | E.BRANCH_RIGHT if names == ["BRANCH"] else 0)
    for f in FUNCTIONS:
        events = []
        record(events, names)
        mon.set_events(TOOL, wanted)
        call(f)
        mon.set_events(TOOL, 0)
        print("global", *names[:3], f.__name__, len(events), hash(tuple(map(repr, events))))
        if len(names) == 1 and names[0] != "INSTRUCTION":
            print(*events, sep="\n")
for name in NAMES:
    for f in FUNCTIONS:
        events = []
        record(events, [name])
        try:
            mon.set_local_events(TOOL, f.__code__, getattr(E, name))
        except ValueError as e:
            print(name, e)
            break
        call(f), call(f)
        print("local", name, f.__name__, len(events), hash(tuple(map(repr, events))), mon.get_local_events(TOOL, f.__code__) == getattr(E, name))
        mon.set_local_events(TOOL, f.__code__, 0)
for name in NAMES:
    for f in FUNCTIONS:
        events = []
        record(events, [name], mon.DISABLE)
        try:
            mon.set_events(TOOL, mask([name]))
            call(f), call(f)
            before = len(events)
            mon.restart_events()
            call(f)
            print("disabled", name, f.__name__, before, len(events), hash(tuple(map(repr, events))))
        except Exception as e:
            print("disabled", name, type(e).__name__, e)
        mon.set_events(TOOL, 0)


def plain(x=1):
    y = x + 1
    return len([y])


def raising(name, kind=ZeroDivisionError("from the callback")):
    def callback(*args):
        if args[0] is plain.__code__:
            raise kind
    mon.register_callback(TOOL, getattr(E, name), callback)


for name in NAMES:
    record([], [])
    try:
        raising(name)
        mon.set_events(TOOL, mask([name]) or E.CALL)
        print(name, plain())
    except Exception as e:
        print(name, type(e).__name__, e)
    finally:
        mon.set_events(TOOL, 0)
record([], [])
# Several tools at once, each with its own events; one disables, the other does not.
log = []
for tool, reply in ((TOOL, None), (4, mon.DISABLE), (5, None)):
    if tool != TOOL:
        mon.use_tool_id(tool, f"tool {tool}")
    for name in ("LINE", "PY_START", "PY_RETURN", "CALL"):
        mon.register_callback(tool, getattr(E, name), lambda *a, tool=tool, name=name, reply=reply: log.append((tool, name, word(a[1]))) or reply)
mon.set_events(TOOL, E.LINE | E.PY_START)
mon.set_events(4, E.LINE | E.CALL)
mon.set_local_events(5, plain.__code__, E.LINE | E.PY_RETURN)
plain(), plain()
mon.set_events(TOOL, 0)
plain()
mon.restart_events()
plain()
mon.set_events(4, 0)
mon.set_local_events(5, plain.__code__, 0)
plain()
print(*log, sep="\n")
print(mon.get_tool(4), mon.get_tool(2), mon.get_events(4), mon.register_callback(5, E.LINE, None).__name__)
mon.free_tool_id(4), mon.free_tool_id(5)
for text in ("mon.use_tool_id(3, 'again')", "mon.use_tool_id(9, 'x')", "mon.use_tool_id(1, 5)", "mon.set_events(2, 1)", "mon.set_events(3, -1)", "mon.set_events(3, 1 << 30)",
             "mon.set_events(3, E.C_RETURN)", "mon.set_events(3, E.C_RETURN | E.CALL)", "mon.set_local_events(3, plain, 1)", "mon.set_local_events(3, plain.__code__, E.RAISE)",
             "mon.register_callback(3, 3, None)", "mon.register_callback(3, 0, None)", "mon.free_tool_id(7)", "mon.get_tool(6)", "mon.get_local_events(3, 5)", "mon.clear_tool_id(3)",
             "mon.register_callback(3, E.C_RAISE, None)", "mon.set_local_events(3, plain.__code__, E.C_RETURN)"):
    try:
        print(text, eval(text))
    except Exception as e:
        print(text, "->", type(e).__name__, e)
mon.set_events(TOOL, 0)


def on_in_the_middle():
    "Events that are switched on inside of a running loop and a suspended generator."
    log = []
    for name in ("LINE", "JUMP", "PY_RESUME", "PY_YIELD"):
        mon.register_callback(TOOL, getattr(E, name), lambda code, *a, name=name: log.append((name, code.co_name, word(a[0]))))
    def g():
        for i in range(4):
            yield i
    it = g()
    next(it)
    for i in range(3):
        if i == 1:
            mon.set_events(TOOL, E.LINE | E.JUMP | E.PY_RESUME | E.PY_YIELD)
        next(it)
        if i == 2:
            mon.set_events(TOOL, 0)
    list(it)
    return [(n, c, v - on_in_the_middle.__code__.co_firstlineno if n == "LINE" else v) for n, c, v in log]


print(*on_in_the_middle(), sep="\n")
mon.free_tool_id(TOOL)
for f in FUNCTIONS:
    call(f)
print("end")
