# modes: own
# sys.settrace and sys.setprofile from callbacks of tools, and tools changed by trace and profile functions.
import sys

mon, E = sys.monitoring, sys.monitoring.events
TOOL = 2


def leaf(x):
    y = x + 1
    return len([y])


def raises():
    raise KeyError


def subject(n):
    total = 0
    for i in range(n):
        total += leaf(i)
    try:
        raises()
    except KeyError:
        total += 1
    return total


def trace(frame, event, argument):
    log("trace", event, frame.f_code, str(frame.f_lineno), show(argument[1] if event == "exception" else argument))
    return trace


def profile(frame, event, argument):
    log("profile", event, frame.f_code, str(frame.f_lineno), show(argument))


def tell(name, then=lambda *a: None):
    def callback(code, *rest):
        log("tool", name, code, *[show(r) for r in rest])
        return then()
    mon.register_callback(TOOL, getattr(E, name), callback)


def once(*actions):
    left = list(actions)

    def act():
        if left:
            left.pop(0)()
    return act


for name in "LINE", "PY_START", "CALL", "PY_RETURN", "INSTRUCTION", "RAISE", "JUMP", "BRANCH_LEFT", "EXCEPTION_HANDLED":
    for actions in ([lambda: sys.settrace(trace), lambda: sys.settrace(None)],
                    [lambda: sys.setprofile(profile), lambda: None, lambda: sys.setprofile(None)],
                    [lambda: sys.settrace(trace), lambda: sys.setprofile(profile)]):
        mon.use_tool_id(TOOL, "tool")
        tell(name, once(*actions))
        mon.set_events(TOOL, getattr(E, name))
        log(subject(2))
        mon.set_events(TOOL, 0)
        log(subject(1))
        sys.settrace(None), sys.setprofile(None)
        mon.free_tool_id(TOOL)

mon.use_tool_id(TOOL, "tool")
for name in "LINE", "CALL", "INSTRUCTION", "PY_RETURN":
    tell(name)


def switching(kind, events):
    def function(frame, event, argument):
        log(kind, event, frame.f_code, str(frame.f_lineno))
        if frame.f_code in (leaf.__code__, raises.__code__):
            mon.set_events(TOOL, 0 if mon.get_events(TOOL) else events)
        else:
            mon.set_local_events(TOOL, frame.f_code, 0 if mon.get_local_events(TOOL, frame.f_code) else events)
        return function
    return function


for events in E.LINE, E.INSTRUCTION, E.LINE | E.CALL | E.PY_RETURN:
    for install in sys.settrace, sys.setprofile:
        install(switching(install.__name__, events))
        subject(2)
        install(None)
        mon.set_events(TOOL, 0)
        mon.set_local_events(TOOL, subject.__code__, 0)
# Both at once on the same lines.
sys.settrace(trace), sys.setprofile(profile)
mon.set_events(TOOL, E.LINE | E.CALL)
subject(2)
sys.settrace(None)
subject(1)
mon.set_events(TOOL, 0)
subject(1)
sys.setprofile(None)
subject(1)
mon.free_tool_id(TOOL)
log(mon._all_events(), sys.gettrace(), sys.getprofile())
