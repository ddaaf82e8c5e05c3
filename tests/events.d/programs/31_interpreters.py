# modes: own
# Each interpreter has tools of its own.
import sys
import _interpreters

mon, E = sys.monitoring, sys.monitoring.events
SOURCE = """
import sys
mon, E = sys.monitoring, sys.monitoring.events
def f(n):
    for i in range(n):
        if i: n += 1
    return n
events = []
assert mon._all_events() == {}, mon._all_events()
for tool in range(6):
    assert mon.get_tool(tool) is None
    mon.use_tool_id(tool, str(tool))
mon.register_callback(2, E.LINE, lambda code, line: events.append(line))
mon.register_callback(3, E.INSTRUCTION, lambda code, offset: events.append(offset))
mon.set_events(2, E.LINE)
f(2)
mon.set_events(2, 0)
mon.set_local_events(3, f.__code__, E.INSTRUCTION)
f(1)
sys.settrace(lambda frame, event, argument: events.append(event))
f(1)
sys.settrace(None)
print(*events)
class Late:
    def __del__(self): f(3); print("late")
sys.keep = Late()
"""


def g(n):
    return [n for n in range(n)]


mon.use_tool_id(2, "main")
mon.register_callback(2, E.LINE, lambda code, line: log(code, line) if code is g.__code__ else None)
mon.set_events(2, E.LINE)
for config in "isolated", "legacy":
    interpreter = _interpreters.create(config)
    g(1)
    error = _interpreters.run_string(interpreter, SOURCE)
    log(error and error.formatted)
    g(2)
    _interpreters.destroy(interpreter)
    g(3)
mon.set_events(2, 0)
log(mon._all_events())
mon.free_tool_id(2)
