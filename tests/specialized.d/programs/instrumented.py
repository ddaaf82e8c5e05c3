"""Bytecode that is instrumented, used, and relieved again."""

import sys

from forms import function, use

E = sys.monitoring.events
TOOL = 4


def generator(n):
    for i in range(n):
        yield i


class Owner:
    value = 1

    def method(self, a):
        return a

    @property
    def calculated(self):
        return self.value


def everything(n, o):
    total = 0
    for i in range(n):
        total += i
        if i % 3 == 0:
            total -= 1
        elif i is None:
            continue
        while total > 100 and total:
            total -= 50
        total += o.method(i) + o.value + o.calculated + len("ab")
        a, b = (i, total)
    for i in generator(n):
        total += i
    for i in [1, 2], (3, 4):
        x, y = i
    try:
        None + 1
    except TypeError:
        pass
    return [x for x in generator(3)], sum(y for y in (1, 2)), max(1, 2, key=None)


def ignore(*args):
    return None


def disable(*args):
    return sys.monitoring.DISABLE


def copies(name):
    return [function(f"{name}_{i}", "n, o", "return everything(n, o)", "for i in range(n): o.method(i)", "return o[n] if n else 1",
                     namespace={"everything": everything}) for i in range(3)] + \
           [type(f)(f.__code__.replace(co_name=name), globals()) for f in (everything, generator)]


kept = []
EVENTS = (E.LINE, E.INSTRUCTION, E.CALL, E.PY_START | E.PY_RETURN, E.BRANCH_LEFT | E.BRANCH_RIGHT, E.JUMP, E.PY_YIELD | E.PY_RESUME,
          E.STOP_ITERATION | E.RAISE, E.LINE | E.INSTRUCTION | E.CALL | E.BRANCH_LEFT | E.BRANCH_RIGHT | E.JUMP | E.PY_START)
owner = Owner()
sys.monitoring.use_tool_id(TOOL, "specialized")
for events in EVENTS:
    for callback in (ignore, disable):
        for event in range(17):
            sys.monitoring.register_callback(TOOL, 1 << event, callback)
        code = type(everything)(everything.__code__.replace(co_name=f"before_{events}_{callback.__name__}"), globals())
        kept.append(code)
        use(code, 20, owner)
        sys.monitoring.set_local_events(TOOL, code.__code__, events & ~(E.RAISE))
        use(code, 20, owner)
        late = type(everything)(everything.__code__.replace(co_name=f"during_{events}_{callback.__name__}"), globals())
        kept.append(late)
        sys.monitoring.set_local_events(TOOL, late.__code__, events & ~(E.RAISE))
        use(late, 20, owner)
        if events != E.LINE:
            sys.monitoring.set_local_events(TOOL, code.__code__, 0)
            sys.monitoring.set_local_events(TOOL, late.__code__, 0)
        use(code, 20, owner, times=2)
        use(late, 20, owner, times=2)
        sys.monitoring.set_events(TOOL, events)
        use(code, 5, owner, times=2)
        sys.monitoring.set_events(TOOL, 0)
        sys.monitoring.restart_events()
        use(late, 5, owner, times=2)
for event in range(17):
    sys.monitoring.register_callback(TOOL, 1 << event, None)
sys.monitoring.free_tool_id(TOOL)


def trace(frame, event, argument):
    return trace


for install in (sys.settrace, sys.setprofile):
    code = type(everything)(everything.__code__.replace(co_name=f"traced_{install.__name__}"), globals())
    kept.append(code)
    use(code, 10, owner)
    install(trace)
    use(code, 10, owner)
    install(None)
    use(code, 10, owner, times=2)
