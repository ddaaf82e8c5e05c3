# modes: own
# The functions of sys.monitoring themselves: what they return, what they refuse, and in which words.
import sys

mon, E = sys.monitoring, sys.monitoring.events


def f(): return [len(str(x)) for x in range(2)]


def attempt(function, *args):
    try:
        result = function(*args)
    except Exception as error:
        result = error
    log(function.__name__, *args, "->", result)
    return result


code = f.__code__
for number in -1, 0, 3, 5, 6, 7, 8, 10**10, "x", None, 1.0, True:
    for function, *rest in ((mon.use_tool_id, "name"), (mon.use_tool_id, "again"), (mon.get_tool,), (mon.get_events,),
                            (mon.set_events, E.LINE), (mon.get_local_events, code), (mon.set_local_events, code, E.CALL),
                            (mon.register_callback, E.LINE, None), (mon.clear_tool_id,), (mon.get_events,),
                            (mon.get_local_events, code), (mon.get_tool,), (mon.free_tool_id,), (mon.get_tool,),
                            (mon.free_tool_id,)):
        attempt(function, number, *rest)
attempt(mon.use_tool_id, 1, 5), attempt(mon.use_tool_id, 1), attempt(mon.use_tool_id, 1, "one", 2)
attempt(mon.use_tool_id, 2, "two")
for events in (0, -1, E.LINE, E.C_RETURN, E.C_RAISE, E.C_RETURN | E.CALL, E.CALL | E.C_RETURN | E.C_RAISE, E.BRANCH,
               E.BRANCH | E.LINE, E.BRANCH_LEFT, E.RAISE, E.PY_UNWIND | E.LINE, E.STOP_ITERATION, E.RERAISE, 1 << 17,
               1 << 18, 1 << 19, 1 << 20, (1 << 19) - 1, 1 << 31, 1 << 40, "x", 2.0, None, True):
    attempt(mon.set_events, 2, events), attempt(mon.get_events, 2)
    attempt(mon.set_local_events, 2, code, events), attempt(mon.get_local_events, 2, code)
    attempt(mon._all_events)
    attempt(mon.set_events, 2, 0)
    attempt(mon.set_local_events, 2, code, 0)
for what in f, None, 5, "code", f.__code__:
    attempt(mon.set_local_events, 2, what, 0), attempt(mon.get_local_events, 2, what)
for event in (0, 1, 2, 3, 5, -1, E.LINE | E.CALL, E.BRANCH, E.C_RAISE, E.C_RETURN, E.PY_UNWIND, 1 << 18, 1 << 19,
              1 << 20, 1 << 40, "x"):
    for callback in f, 5, None:
        attempt(mon.register_callback, 2, event, callback)
attempt(mon.restart_events), attempt(mon.restart_events, 1), attempt(mon.DISABLE.__repr__), attempt(mon.MISSING.__repr__)
log(*sorted((n, v) for n, v in vars(E).items()), *sorted(n for n in dir(mon) if n.isupper()))

# The older BRANCH beside the two newer events.
for register in ("BRANCH",), ("BRANCH", "BRANCH_LEFT"), ("BRANCH_RIGHT", "BRANCH"), ("BRANCH_LEFT", "BRANCH_RIGHT"):
    for answer in None, mon.DISABLE:
        for events in E.BRANCH, E.BRANCH_LEFT, E.BRANCH_RIGHT:
            log("branches", *register, answer, events)
            for name in "BRANCH", "BRANCH_LEFT", "BRANCH_RIGHT":
                mon.register_callback(2, getattr(E, name), None)
            for name in register:
                def callback(code, source, target, name=name):
                    log(name, source, target)
                    return answer
                mon.register_callback(2, getattr(E, name), callback)
            mon.set_local_events(2, code, events)
            f(), f()
            mon.restart_events()
            f()
            mon.set_local_events(2, code, 0)
attempt(mon.free_tool_id, 2)
attempt(mon.get_tool, 2)
# A tool that was freed leaves nothing behind.
mon.use_tool_id(2, "new")
mon.register_callback(2, E.LINE, lambda *a: log("heard", *map(show, a)))
f()
mon.set_local_events(2, code, E.LINE)
f()
mon.clear_tool_id(2)
f()
attempt(mon.get_local_events, 2, code), attempt(mon.get_tool, 2)
mon.register_callback(2, E.LINE, lambda *a: log("heard", *map(show, a)))
mon.set_local_events(2, code, E.LINE)
f()
mon.free_tool_id(2)
f()
# All of them at once.
for tool in range(6):
    mon.use_tool_id(tool, f"tool {tool}")
    mon.register_callback(tool, E.INSTRUCTION, lambda *a, tool=tool: log(tool, *map(show, a)))
    mon.register_callback(tool, E.LINE, lambda *a, tool=tool: log(tool, "line", *map(show, a)) or mon.DISABLE)
    mon.set_local_events(tool, code, E.INSTRUCTION | E.LINE)
    f()
for tool in (3, 0, 5, 1, 4, 2):
    mon.set_local_events(tool, code, 0)
    f()
    mon.free_tool_id(tool)
