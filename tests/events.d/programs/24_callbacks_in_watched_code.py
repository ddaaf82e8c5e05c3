# modes: own
# Callbacks whose own code is watched, that call what is being watched, and calls traced from within.
import sys

mon, E = sys.monitoring, sys.monitoring.events
TOOL, OTHER = 0, 1
depth = 0


def helper(x):
    if x > 1:
        return helper(x - 1)
    return [x for x in (1, 2)]


def generator():
    for i in range(2):
        yield helper(i)


running = generator()


def subject(n):
    total = 0
    for i in generator():
        total += len(i) + n
    return helper(total)


def watching(name, act):
    def callback(code, *rest):
        log(name, code, *[show(r) for r in rest])
        act()
    return callback


def calls(): helper(3), subject.__code__.co_code, [*generator()]


def calls_tracing():
    global depth
    if depth < 2:
        depth += 1
        log("in")
        sys.call_tracing(helper, (2,))
        log("out")
        depth -= 1


def advances(): log(next(running, "exhausted"))


def compiles(): exec("for i in range(2): helper(i)", {"helper": helper})


def fails():
    try:
        raise KeyError
    except KeyError:
        helper(1)


for act in calls, calls_tracing, advances, compiles, fails:
    for name in "LINE", "INSTRUCTION", "CALL", "PY_START", "PY_RETURN", "BRANCH_RIGHT", "JUMP", "PY_YIELD":
        mon.use_tool_id(TOOL, "tool"), mon.use_tool_id(OTHER, "other")
        callback = watching(name, act)
        mon.register_callback(TOOL, getattr(E, name), callback)
        mon.register_callback(OTHER, E.LINE, watching("other LINE", lambda: None))
        mon.set_events(TOOL, getattr(E, name))
        mon.set_local_events(OTHER, callback.__code__, E.LINE), mon.set_local_events(OTHER, helper.__code__, E.LINE)
        running = generator()
        subject(1)
        mon.set_events(TOOL, 0)
        callback(subject.__code__)
        mon.set_local_events(OTHER, callback.__code__, 0), mon.set_local_events(OTHER, helper.__code__, 0)
        mon.free_tool_id(TOOL), mon.free_tool_id(OTHER)


# C functions, classes and objects as callbacks.
class Callable:
    def __call__(self, code, *rest): log("object", code, *[show(r) for r in rest])

    def method(self, code, *rest): log("method", code, *[show(r) for r in rest])


mon.use_tool_id(TOOL, "tool")
collected = []
for callback in Callable(), Callable().method, lambda *a: log("lambda", *map(show, a)), log, collected.insert, divmod:
    mon.register_callback(TOOL, E.PY_START, callback)
    mon.set_events(TOOL, E.PY_START)
    try:
        helper(2)
    except TypeError as error:
        mon.set_events(TOOL, 0)
        log("error", error)
    mon.set_events(TOOL, 0)
mon.free_tool_id(TOOL)
