# modes: own
# Callbacks that change what is watched: their own events, another tool's, of the code that runs, of all code.
import sys

mon, E = sys.monitoring, sys.monitoring.events
ALL = [n for n in dir(E) if n.isupper() and n not in ("NO_EVENTS", "BRANCH", "C_RETURN", "C_RAISE")]


def leaf(x):
    if x:
        return [y for y in range(x)]
    raise KeyError(x)


def generator(n):
    while n:
        n -= 1
        yield n


def subject():
    total = 0
    for i in generator(3):
        total += sum(leaf(i + 1))
        try:
            leaf(0)
        except KeyError:
            total += 1
    return total


def record(tool, name, then):
    def callback(code, *rest):
        log(tool, name, code, *[show(r) for r in rest])
        return then(code, *rest)
    mon.register_callback(tool, getattr(E, name), callback)


def nothing(*args): pass


A, B = 0, 5
LOCALS = E.LINE | E.INSTRUCTION | E.CALL | E.PY_RETURN | E.BRANCH_LEFT | E.BRANCH_RIGHT | E.JUMP


def toggles(tool, events):
    def change(code, *rest):
        mon.set_events(tool, 0 if mon.get_events(tool) else events)
    return change


def local_toggles(tool, events, codes=None):
    def change(code, *rest):
        for c in codes or [code]:
            mon.set_local_events(tool, c, 0 if mon.get_local_events(tool, c) else events)
    return change


def frees(code, *rest):
    mon.free_tool_id(B)
    mon.use_tool_id(B, "again")
    for name in ALL:
        record(B, name, nothing)


def restarts(code, *rest):
    mon.restart_events()
    return mon.DISABLE


def reregisters(code, *rest):
    for name in "LINE", "INSTRUCTION":
        old = mon.register_callback(B, getattr(E, name), None)
        mon.register_callback(B, getattr(E, name), old)


CHANGES = [
    toggles(B, E.LINE), toggles(B, E.INSTRUCTION), toggles(B, LOCALS), toggles(B, E.RAISE | E.PY_UNWIND),
    local_toggles(B, E.LINE), local_toggles(B, E.INSTRUCTION | E.LINE), local_toggles(B, LOCALS),
    local_toggles(B, LOCALS, [leaf.__code__, subject.__code__]), frees, restarts, reregisters,
    local_toggles(A, E.LINE | E.CALL),
]
for number, change in enumerate(CHANGES):
    for name in ALL:
        log("change", number, "at", name)
        mon.use_tool_id(A, "a"), mon.use_tool_id(B, "b")
        for other in ALL:
            record(B, other, nothing)
        record(A, "LINE", nothing), record(A, "CALL", nothing)
        record(A, name, change)
        mon.set_events(A, getattr(E, name))
        try:
            log(subject())
        except Exception as error:
            log(error)
        mon.set_events(A, 0)
        log(subject())
        mon.set_events(B, 0)
        for code in leaf.__code__, subject.__code__, generator.__code__:
            mon.set_local_events(A, code, 0), mon.set_local_events(B, code, 0)
        mon.free_tool_id(A), mon.free_tool_id(B)
        mon.restart_events()
log(mon._all_events())
