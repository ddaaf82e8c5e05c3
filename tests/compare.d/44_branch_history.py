# environment: PYTHON_JIT=0
# The last sixteen decisions of a branch are in its inline cache: shifted left, the lowest bit 1 for a jump. What
# the numbers have to be is asserted here, so that two interpreters cannot agree on something else. Traces of tier 2 keep no history.
import opcode
import sys

CACHES = opcode._inline_cache_entries
JUMPS = {f"POP_JUMP_IF_{what}" for what in ("TRUE", "FALSE", "NONE", "NOT_NONE")}
INITIAL = 0x5555
E = sys.monitoring.events
TOOL = 3


def branches(function):
    "[(generic name, what it is now, history)] of a function's conditional jumps."
    # Generic opcodes, to find the way through the caches; then what is there.
    generic, now, found, at = function.__code__.co_code, function.__code__._co_code_adaptive, [], 0
    while at < len(generic):
        name = opcode.opname[generic[at]]
        if name in JUMPS:
            found.append((name, opcode.opname[now[at]], int.from_bytes(now[at + 2:at + 4], sys.byteorder)))
        at += 2 + 2 * CACHES.get(name, 0)
    return found


def make(test, *values):
    namespace = {}
    exec(f"def f(x):\n    if {test}:\n        return 1\n    return 2\n", namespace)
    return namespace["f"]


def history(decisions, before=INITIAL, paused=0):
    for jumped in decisions:
        before = ((before | paused) << 1 | jumped) & 0xFFFF
    return before


# The test, the instruction, what jumps and what does not
KINDS = [("x", "POP_JUMP_IF_FALSE", 0, 1), ("not x", "POP_JUMP_IF_TRUE", 1, 0),
         ("x is None", "POP_JUMP_IF_NOT_NONE", 1, None), ("x is not None", "POP_JUMP_IF_NONE", None, 1),
         ("x < 5", "POP_JUMP_IF_FALSE", 7, 3), ("x in (1, 2)", "POP_JUMP_IF_FALSE", 3, 1)]
SEQUENCES = [(), (1,), (0,), (1, 0, 1, 1), (0,) * 16, (1,) * 16, (1, 0) * 8, (1,) * 3 + (0,) * 5, (1, 1, 0) * 11, (0,) * 40]


def ignore(*args):
    pass


def check(f, name, instrumented, expected, what):
    [(generic, now, bits)] = branches(f)
    assert generic == name, (what, generic)
    assert now.startswith("INSTRUMENTED_") == instrumented, (what, now)
    assert bits == expected, f"{what}: {bits:016b} instead of {expected:016b}"


# Known numbers first
f = make("x")
check(f, "POP_JUMP_IF_FALSE", False, 0b0101010101010101, "unused")
f(0)
check(f, "POP_JUMP_IF_FALSE", False, 0b1010101010101011, "jumped once")
f(1)
check(f, "POP_JUMP_IF_FALSE", False, 0b0101010101010110, "and then not")
for x in (0, 0, 1, 1, 0, 1, 0, 0):
    f(x)
check(f, "POP_JUMP_IF_FALSE", False, 0b0101011011001011, "eight more")

for test, name, jumps, falls in KINDS:
    for decisions in SEQUENCES:
        f = make(test)
        check(f, name, False, INITIAL, test)
        for jumped in decisions:
            assert f(jumps if jumped else falls) == (2 if jumped else 1)
        check(f, name, False, history(decisions), (test, decisions))
    print(test, name, "plain")

# Monitored in every way, in the middle of a life. The host starts every first cache unit again like a counter when it
# puts an instrumented form over an instruction or takes it away; the history goes on from there.
# INSTRUMENTED_INSTRUCTION pauses what it takes for a counter, each time that it runs over a branch that is not
# instrumented for itself.
RESTARTED = 0x11
PAUSED = 1 << 4
sys.monitoring.use_tool_id(TOOL, "history")
for event in (E.BRANCH_LEFT, E.BRANCH_RIGHT, E.LINE, E.INSTRUCTION):
    sys.monitoring.register_callback(TOOL, event, ignore)
# The events, whether the branch itself is instrumented (falling through is the NOT_TAKEN behind it), whether its cache is
# started again on the way in and out
WAYS = {"branches": (E.BRANCH_LEFT | E.BRANCH_RIGHT, True, True, True), "left": (E.BRANCH_LEFT, False, False, False),
        "right": (E.BRANCH_RIGHT, True, True, True), "lines": (E.LINE, False, False, False),
        "instructions": (E.INSTRUCTION, True, False, True),
        "all": (E.BRANCH_LEFT | E.BRANCH_RIGHT | E.LINE | E.INSTRUCTION, True, True, True)}
for test, name, jumps, falls in KINDS:
    for way, (events, instrumented, restarts, restarts_again) in WAYS.items():
        for decisions in SEQUENCES:
            f = make(test)
            bits = INITIAL
            for on in (False, True, False):
                sys.monitoring.set_local_events(TOOL, f.__code__, events if on else 0)
                if on and restarts or not on and bits != INITIAL and restarts_again:
                    bits = RESTARTED
                # The instructions change when the code is entered the next time, if not earlier.
                for jumped in (1, 0, *decisions):
                    f(jumps if jumped else falls)
                bits = history((1, 0, *decisions), bits, PAUSED if on and way == "instructions" else 0)
                check(f, name, on and instrumented, bits, (test, way, on, decisions))
    print(test, name, "monitored")
sys.monitoring.free_tool_id(TOOL)

# Traced, which instruments every instruction for as long as it lasts
for test, name, jumps, falls in KINDS:
    f = make(test)
    f(jumps)

    def trace(frame, event, argument):
        frame.f_trace_opcodes = True
        return trace

    sys.settrace(trace)
    for x in (jumps, falls, jumps):
        f(x)
    sys.settrace(None)
    f(jumps)
    check(f, name, False, history([1], RESTARTED), (test, "traced"))
    print(test, name, "traced")


# Each branch has a history of its own
def several(n):
    evens = 0
    for i in range(n):
        if i % 2 == 0 and i != 4:
            evens += 1
        while evens is None:
            pass
    return evens


several(10)
for name, now, bits in branches(several):
    print(name, now, f"{bits:016b}")
first, second, third, *_ = branches(several)
assert first[2] == history(i % 2 != 0 for i in range(10))
assert second[2] == history(i == 4 for i in range(0, 10, 2))

# A copy of a code object starts anew
f = make("x")
f(0)
g = type(f)(f.__code__.replace(co_name="g"), {})
check(g, "POP_JUMP_IF_FALSE", False, INITIAL, "copied")
check(f, "POP_JUMP_IF_FALSE", False, history([1]), "original")
