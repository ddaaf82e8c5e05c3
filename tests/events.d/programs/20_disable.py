# modes: own
# DISABLE and restart_events: by location, by tool, by code object; what cannot be disabled.
import sys

mon, E = sys.monitoring, sys.monitoring.events
NAMES = [n for n in dir(E) if n.isupper() and n != "NO_EVENTS"]


def subject(n):
    total = 0
    for i in range(n):
        if i % 2:
            total += len([i])
        else:
            total -= 1
        while total > 100: total = 0
    try:
        total += int("x")
    except ValueError:
        total += 1
    return [total for _ in range(2)]


def generator(n):
    for i in range(n):
        yield i
    return n


def outer(n):
    def inner():
        return (yield from generator(n))
    for x in inner():
        log(x)
    return subject(n)


def watch(tool, name, answer):
    def callback(code, *rest):
        log(tool, name, code, *[show(r) for r in rest])
        return answer()
    return mon.register_callback(tool, getattr(E, name), callback)


def run(f, *args):
    try:
        return f(*args)
    except Exception as error:
        return error


def always(): return mon.DISABLE


def never(): return None


class Every:
    def __init__(self, n): self.n, self.count = n, 0

    def __call__(self):
        self.count += 1
        return mon.DISABLE if self.count % self.n == 0 else None


mon.use_tool_id(1, "one"), mon.use_tool_id(4, "four")
for name in NAMES:
    need = E.CALL | E.C_RAISE | E.C_RETURN if name in ("C_RAISE", "C_RETURN") else 0
    for answer in always, Every(2):
        log("event", name)
        watch(1, name, answer)
        try:
            mon.set_events(1, getattr(E, name) | need)
            log(run(outer, 4)), log(run(outer, 3))
            mon.restart_events()
            log(run(outer, 3))
        except Exception as error:
            log("error", error)
        mon.set_events(1, 0)
        mon.register_callback(1, getattr(E, name), None)
        mon.restart_events()

# Two tools at the same places, of which one disables.
for first, second in (always, never), (never, always), (Every(2), Every(3)):
    for name in "LINE", "INSTRUCTION", "CALL", "BRANCH_LEFT", "BRANCH_RIGHT", "JUMP", "PY_RETURN":
        watch(1, name, first), watch(4, name, second)
    events = E.LINE | E.INSTRUCTION | E.CALL | E.BRANCH_LEFT | E.BRANCH_RIGHT | E.JUMP | E.PY_RETURN
    mon.set_events(1, events), mon.set_events(4, events)
    log(run(subject, 4), run(subject, 4))
    mon.set_events(1, 0)
    log(run(subject, 3))
    mon.restart_events()
    log(run(subject, 2))
    mon.set_events(4, 0)
    mon.restart_events()

# Global and local events of the same tool; what was disabled for both.
watch(1, "LINE", always)
mon.set_local_events(1, subject.__code__, E.LINE)
log(run(outer, 2))
mon.set_events(1, E.LINE)
log(run(outer, 2))
mon.set_events(1, 0)
mon.restart_events()
log(run(outer, 2))
mon.set_local_events(1, subject.__code__, 0)
log(run(outer, 2))
mon.free_tool_id(1), mon.free_tool_id(4)

# Code that was watched is what it was.
log(subject.__code__.co_code == subject.__code__.replace().co_code, mon._all_events())
