# modes: own
# f_trace, f_trace_lines and f_trace_opcodes, changed before and while a frame runs; local trace functions.
import sys


def leaf(x):
    y = x
    return y


def subject(n):
    a = leaf(1)
    for i in range(n):
        a += leaf(i)
        if i == 1:
            a -= 1
    try:
        int("x")
    except ValueError:
        a += 1
    return a


def generator():
    x = 1
    yield x
    x = 2
    yield x


def use():
    g = generator()
    next(g)
    for y in g:
        leaf(y)


def tell(frame, event, argument):
    log(event, frame.f_code, str(frame.f_lineno), str(frame.f_lasti),
        show(argument[1] if event == "exception" else argument))


def trace_with(lines, opcodes, keep=True):
    def trace(frame, event, argument):
        tell(frame, event, argument)
        frame.f_trace_lines, frame.f_trace_opcodes = lines, opcodes
        return trace if keep else None
    return trace


def run(trace, function=lambda: (subject(2), use())):
    log("run")
    sys.settrace(trace)
    try:
        function()
    except Exception as error:
        log(error)
    finally:
        sys.settrace(None)


for lines in True, False:
    for opcodes in True, False:
        for keep in True, False:
            run(trace_with(lines, opcodes, keep))


class Alternating:
    """Other settings at each event."""

    def __init__(self, period): self.count, self.period = 0, period

    def __call__(self, frame, event, argument):
        self.count += 1
        tell(frame, event, argument)
        frame.f_trace_opcodes = self.count % self.period == 0
        frame.f_trace_lines = self.count % 5 != 0
        return self


for period in 2, 3, 7:
    run(Alternating(period))


def other_local(frame, event, argument):
    tell(frame, event, argument)
    log("other")
    return trace_with(True, False) if event == "line" else other_local


run(other_local)


def deletes(frame, event, argument):
    tell(frame, event, argument)
    if event == "line" and frame.f_code is leaf.__code__:
        del frame.f_trace
        log(frame.f_trace)
    return deletes


run(deletes)


def raises_at(event_wanted, number):
    seen = 0

    def trace(frame, event, argument):
        nonlocal seen
        tell(frame, event, argument)
        if opcodes:
            frame.f_trace_opcodes = True
        if event == event_wanted:
            seen += 1
            if seen == number:
                raise LookupError(event)
        return trace
    return trace


for opcodes in False, True:
    for event in "call", "line", "return", "exception", "opcode":
        for number in 1, 3:
            run(raises_at(event, number))
            log(sys.gettrace())
for event in "call", "return", "c_call", "c_return", "c_exception":
    def profile(frame, what, argument):
        tell(frame, what, argument)
        if what == event and frame.f_code is subject.__code__:
            raise LookupError(what)
    sys.setprofile(profile)
    try:
        subject(2)
    except LookupError as error:
        log(error)
    log(sys.getprofile())
    sys.setprofile(None)
sys.settrace(5)
try:
    subject(1)
except TypeError as error:
    log(error)
sys.settrace(None)
for wrong in ("f_trace_lines", 5), ("f_trace_opcodes", "x"), ("f_trace_lines", None):
    try:
        setattr(sys._getframe(), *wrong)
    except TypeError as error:
        log(error)
