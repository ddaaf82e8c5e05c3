# modes: own
# What can be seen of a code object while it is watched: bytecode, branches, lines, positions; copies and hashes.
import dis
import io
import marshal
import sys

mon, E = sys.monitoring, sys.monitoring.events
SETS = [E.LINE, E.INSTRUCTION, E.LINE | E.INSTRUCTION, E.BRANCH_LEFT, E.BRANCH_RIGHT, E.JUMP, E.CALL, E.PY_START,
        E.PY_RETURN, E.PY_YIELD, E.PY_RESUME, E.STOP_ITERATION, (1 << 10) - 1]


def branching(x):
    for i in range(x):
        if i and x is not None:
            continue
        while i:
            i -= 1
    return x if x else None


def generator(x):
    yield x
    got = yield from (y for y in range(x))
    return got


async def asynchronous(x):
    async for y in x:
        await y
    async with x:
        pass


class C:
    def method(self): return super().method().attribute


def matching(x):
    match x:
        case [a, *_] if a:
            return a
        case {"k": None}:
            return x


def everything(code):
    out = io.StringIO()
    dis.dis(code, file=out, adaptive=False, show_caches=True)
    return (code.co_code, [*code.co_branches()], [*code.co_lines()], hash(out.getvalue()), len(marshal.dumps(code)))


mon.use_tool_id(0, "tool"), mon.use_tool_id(4, "other")
for name in dir(E):
    if name.isupper() and name != "NO_EVENTS":
        mon.register_callback(0, getattr(E, name), lambda *a: None)
        mon.register_callback(4, getattr(E, name), lambda *a, name=name: None if "C_R" in name else mon.DISABLE)
for function in branching, generator, asynchronous, C.method, matching:
    code = function.__code__
    before = everything(code)
    copy = code.replace()
    log(function, *before[1], before[4])
    for events in SETS:
        for tool in 0, 4:
            mon.set_local_events(tool, code, events)
            now = everything(code)
            log(events, now == before, type(now), code == copy, hash(code) == hash(copy),
                code == code.replace(), marshal.loads(marshal.dumps(code)) == code)
            if now[1:3] != before[1:3]:
                log(*now[1], *now[2])
            if function is branching:
                function(3), function(2)
            mon.set_local_events(tool, code, 0)
            log(everything(code) == before)
    mon.set_local_events(0, code, (1 << 10) - 1), mon.set_local_events(4, code, E.LINE | E.INSTRUCTION)
    again = code.replace(co_name="renamed")
    log(mon.get_local_events(0, again), everything(code)[:4] == everything(code.replace())[:4])
    mon.set_local_events(0, code, 0), mon.set_local_events(4, code, 0)
log(hasattr(branching.__code__, "_co_code_adaptive"), sys.getsizeof(branching.__code__) > 0)
mon.free_tool_id(0), mon.free_tool_id(4)
