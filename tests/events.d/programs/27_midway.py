# modes: own
# Watching that begins and ends in the middle of a frame, of a loop, of a generator, of a call from C.
import sys

mon, E = sys.monitoring, sys.monitoring.events
EVENTS = [n for n in dir(E) if n.isupper() and n not in ("NO_EVENTS", "BRANCH")]


def tell(frame, event, argument):
    log(event, frame.f_code, str(frame.f_lineno), str(frame.f_lasti),
        show(argument[1] if event == "exception" else argument))
    return tell


def opcodes(frame, event, argument):
    frame.f_trace_opcodes = True
    tell(frame, event, argument)
    return opcodes


def begin_here(function):
    """As a debugger's set_trace does."""
    frame = sys._getframe(1)
    while frame and frame.f_code.co_filename == __file_name__:
        frame.f_trace = function
        frame.f_trace_opcodes = function is opcodes
        frame = frame.f_back
    sys.settrace(function)


__file_name__ = sys._getframe().f_code.co_filename


def leaf(x):
    if x == 1:
        start()
    y = x * 2
    if x == 2:
        stop()
    return y


def middle(n):
    total = 0
    for i in range(n):
        total += leaf(i)
        total += 1
    return total


def generator(n):
    for i in range(n):
        yield leaf(i)
    try:
        yield "late"
    finally:
        leaf(9)


def subject():
    log(middle(4), sorted([3, 1, 2], key=leaf), [leaf(i) for i in range(3)])
    g = generator(4)
    log(next(g), next(g), next(g), *g)
    log({leaf(i): [leaf(j) for j in range(2)] for i in range(3)})
    try:
        [leaf(i) for i in (0, 1, "x" + 1 if False else None)][5]
    except (TypeError, IndexError) as error:
        log(error)
    return leaf(2)


def tool_on(events):
    def on(): mon.set_events(2, events)
    return on


def local_on(events, *codes):
    def on():
        for code in codes:
            mon.set_local_events(2, code, events)
    return on


def off():
    mon.set_events(2, 0)
    for code in CODES:
        mon.set_local_events(2, code, 0)


CODES = [f.__code__ for f in (leaf, middle, generator, subject)]
mon.use_tool_id(2, "tool")
for name in EVENTS:
    def callback(code, *rest, name=name):
        if code.co_filename == __file_name__:
            log(name, code, *[show(r) for r in rest])
    mon.register_callback(2, getattr(E, name), callback)
EVERYTHING = sum(getattr(E, name) for name in EVENTS)
WAYS = [
    (lambda: sys.settrace(tell), lambda: sys.settrace(None)),
    (lambda: sys.setprofile(tell), lambda: sys.setprofile(None)),
    (lambda: begin_here(tell), lambda: sys.settrace(None)),
    (lambda: begin_here(opcodes), lambda: sys.settrace(None)),
    (lambda: begin_here(tell), lambda: begin_here(opcodes)),
    (tool_on(EVERYTHING), off),
    (tool_on(E.LINE), off),
    (tool_on(E.INSTRUCTION), tool_on(E.LINE)),
    (local_on(E.LINE | E.INSTRUCTION, *CODES), off),
    (local_on(E.BRANCH_LEFT | E.BRANCH_RIGHT | E.JUMP | E.CALL, *CODES[:2]), local_on(E.LINE, *CODES[1:])),
    (tool_on(E.PY_RETURN | E.PY_YIELD | E.PY_RESUME), lambda: sys.settrace(tell)),
    (tool_on(E.STOP_ITERATION | E.RAISE | E.PY_UNWIND | E.EXCEPTION_HANDLED | E.RERAISE), off),
]
for number, (start, stop) in enumerate(WAYS):
    log("way", number)
    log(subject())
    sys.settrace(None), sys.setprofile(None), off()
    log(subject.__code__.co_code == subject.__code__.replace().co_code)
    start, stop = off, off
mon.free_tool_id(2)
