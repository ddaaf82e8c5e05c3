# modes: own
# Jumps: every line to every line of functions of all shapes, by f_lineno from a trace function.
import sys

E, mon = sys.monitoring.events, sys.monitoring


def straight(out):
    out.append(1)
    out.append(2)
    out.append(3)


def looping(out):
    for i in (1, 2):
        out.append(i)
        if i == 2:
            out.append("two")
    else:
        out.append("else")
    while len(out) < 9:
        out.append(0)
    return out


def guarded(out):
    try:
        out.append("try")
        {}["k"]
    except KeyError as error:
        out.append("handler")
    finally:
        out.append("finally")
    out.append("after")


def managed(out):
    with open("/dev/null") as file:
        out.append("with")
        out.append("with more")
    out.append("after")


def comprehended(out):
    out.extend([
        x
        for x in (1, 2)
        if x
    ])
    out.append("after")


def matched(out):
    match out:
        case []:
            out.append("empty")
        case [x, *_]:
            out.append(x)
    out.append("end")


def generator(out):
    out.append("start")
    yield 1
    out.append("between")
    x = yield 2
    out.append("end")


def collected(out): return list(generator(out))


def unbound(out):
    a = 1
    b = a
    out.append(b)
    del b
    out.append(a)


def jump(function, code, event, first, target, opcodes=False):
    start, done, steps = code.co_firstlineno, False, 0

    def trace(frame, what, argument):
        nonlocal done, steps
        if frame.f_code is not code:
            return None
        steps += 1
        if steps > 300:
            raise RecursionError("endless")
        frame.f_trace_opcodes = opcodes
        line = frame.f_lineno - start
        log(what, str(line), str(frame.f_lasti))
        if not done and what == event and line == first:
            done = True
            try:
                frame.f_lineno = start + target
            except (ValueError, RuntimeError) as error:
                log("no:", error)
            else:
                log("jumped")
        return trace

    out = []
    sys.settrace(trace)
    try:
        function(out)
    except Exception as error:
        log(error)
    finally:
        sys.settrace(None)
    return out


sys.unraisablehook = lambda details: None
import warnings
warnings.simplefilter("ignore")
for function, code in [(f, f.__code__) for f in (straight, looping, guarded, managed, comprehended, matched, unbound)
                       ] + [(collected, generator.__code__)]:
    lines = sorted({line - code.co_firstlineno for _, _, line in code.co_lines() if line is not None})
    if code is generator.__code__:
        lines.remove(0)  # what makes the generator: not for the generator itself
    for first in lines:
        for target in lines:
            log("jump", function, str(first), str(target), jump(function, code, "line", first, target))
    for event in "call", "return", "exception", "opcode":
        for first in lines[::2]:
            log("jump at", event, str(first), jump(function, code, event, first, lines[-1], event == "opcode"))


# While tools watch too.
def tell(name):
    def callback(code, *rest):
        if code is looping.__code__:
            log(name, *[show(r) for r in rest])
    return callback


mon.use_tool_id(3, "tool")
for name in "LINE", "INSTRUCTION", "JUMP", "BRANCH_LEFT", "BRANCH_RIGHT":
    mon.register_callback(3, getattr(E, name), tell(name))
mon.set_events(3, E.LINE | E.INSTRUCTION | E.JUMP | E.BRANCH_LEFT | E.BRANCH_RIGHT)
for first, target in (2, 6), (3, 7), (6, 1), (1, 8), (7, 2):
    log("watched jump", jump(looping, looping.__code__, "line", first, target))
mon.set_events(3, 0)
mon.free_tool_id(3)

# From elsewhere it is refused.
frame = sys._getframe()
try:
    frame.f_lineno = 1
except ValueError as error:
    log(error)


def from_tool(code, line):
    if code is straight.__code__:
        try:
            sys._getframe(1).f_lineno = line + 1
        except ValueError as error:
            log(error)


mon.use_tool_id(3, "tool")
mon.register_callback(3, E.LINE, from_tool)
mon.set_events(3, E.LINE)
straight([])
mon.set_events(3, 0)
for wrong in "x", 1.5, 10**30, -1, 99999:
    def trace(frame, what, argument):
        if what == "line":
            try:
                frame.f_lineno = wrong
            except (ValueError, TypeError, OverflowError) as error:
                log(error)
        return trace
    sys.settrace(trace)
    straight([])
    sys.settrace(None)
