# modes: own
# Random walks: programs run while tools, trace and profile functions come and go at random places.
import random
import sys

mon, E = sys.monitoring, sys.monitoring.events
NAMES = [n for n in dir(E) if n.isupper() and n not in ("NO_EVENTS", "BRANCH")]
LOCAL = [n for n in NAMES if n not in ("RAISE", "RERAISE", "EXCEPTION_HANDLED", "PY_UNWIND", "PY_THROW", "C_RAISE",
                                       "C_RETURN")]


class Stop(Exception):
    pass


def arithmetic(n):
    total = 0
    for i in range(n):
        total += i if i % 2 else -i
        while total > 5:
            total -= 3
    return total


def generates(n):
    try:
        for i in range(n):
            yield from (arithmetic(j) for j in range(i))
    except KeyError:
        yield -1
    finally:
        arithmetic(1)
    return n


def handles(n):
    out = []
    for i in range(n):
        try:
            if i == 1:
                raise KeyError(i)
            out.append([1, 2][i])
        except KeyError as error:
            out.append(error.args)
        except IndexError:
            continue
        finally:
            out.append("f")
    return out


def consumes(n):
    g = generates(n)
    out = [next(g, None)]
    try:
        out.append(g.throw(KeyError))
    except StopIteration as stop:
        out.append(stop.value)
    out += generates(n)
    return [(x, y) for x in out for y in range(2) if x]


async def awaits(n):
    async def one(i): return arithmetic(i)
    return [await one(i) async for i in ticks(n)]


async def ticks(n):
    for i in range(n):
        yield i


def runs(n):
    coroutine = awaits(n)
    try:
        coroutine.send(None)
    except StopIteration as stop:
        return stop.value


def matches(n):
    match [*range(n)]:
        case []:
            return None
        case [x, *rest] if rest:
            return x, rest
        case {"k": 1} | [0]:
            return "single"


def recurses(n): return 1 + recurses(n - 1) if n else len(str(n))


FUNCTIONS = [arithmetic, consumes, handles, runs, matches, recurses]
CODES = [f.__code__ for f in (*FUNCTIONS, generates, awaits, ticks)]
ours = set(map(id, CODES))


def places(traceback):
    while traceback:
        yield traceback.tb_frame.f_code.co_name, traceback.tb_lineno, traceback.tb_lasti
        traceback = traceback.tb_next


sys.unraisablehook = lambda details: log("unraisable", details.exc_value, *places(details.exc_traceback))


def walk(seed):
    dice = random.Random(seed)
    steps = 0

    def step(code):
        """Perhaps does something; the answer for a tool's callback."""
        nonlocal steps
        steps += 1
        if steps > 3000:
            return None
        roll = dice.random()
        if roll < 0.05:
            return mon.DISABLE
        if roll < 0.08:
            change(code)
        elif roll < 0.085:
            log("raises")
            raise Stop(steps)
        return None

    def change(code=None):
        kind = dice.randrange(9)
        tool = dice.choice((0, 2, 5))
        events = 0
        if dice.random() < 0.7:
            for name in dice.sample(LOCAL if kind in (2, 3) else NAMES, dice.randrange(1, 5)):
                events |= getattr(E, name)
        if events & (E.C_RETURN | E.C_RAISE):
            events |= E.CALL | E.C_RETURN | E.C_RAISE
        log("change", str(kind), str(tool), str(events))
        if kind <= 1:
            mon.set_events(tool, events)
        elif kind <= 3:
            target = dice.choice(CODES) if code is None or dice.random() < 0.5 else code
            if id(target) in ours:
                mon.set_local_events(tool, target, events)
        elif kind == 4:
            mon.restart_events()
        elif kind == 5:
            sys.settrace(trace if dice.random() < 0.6 else None)
        elif kind == 6:
            sys.setprofile(profile if dice.random() < 0.6 else None)
        elif kind == 7:
            mon.clear_tool_id(tool)
            register(tool)
        elif kind == 8 and dice.random() < 0.3:
            for name in dice.sample(NAMES, 2):
                mon.register_callback(tool, getattr(E, name), None)

    def register(tool):
        for name in NAMES:
            def callback(code, *rest, name=name):
                if id(code) not in ours:
                    return None
                log(str(tool), name, code, *[show(r) for r in rest])
                answer = step(code)
                return None if name not in LOCAL else answer
            mon.register_callback(tool, getattr(E, name), callback)

    def trace(frame, event, argument):
        if id(frame.f_code) not in ours:
            return None
        log("trace", event, frame.f_code, str(frame.f_lineno), str(frame.f_lasti))
        frame.f_trace_opcodes = dice.random() < 0.3
        frame.f_trace_lines = dice.random() < 0.9
        step(frame.f_code)
        return trace

    def profile(frame, event, argument):
        if id(frame.f_code) in ours:
            log("profile", event, frame.f_code, str(frame.f_lineno), show(argument))
            step(frame.f_code)

    for tool in 0, 2, 5:
        mon.use_tool_id(tool, f"tool {tool}")
        register(tool)
    try:
        for _ in range(12):
            try:
                change()
                log(dice.choice(FUNCTIONS)(dice.randrange(5)))
            except Exception as error:
                log("stopped", error, *places(error.__traceback__))
    finally:
        steps = 9999
        sys.settrace(None), sys.setprofile(None)
        for tool in 0, 2, 5:
            mon.set_events(tool, 0)
            for code in CODES:
                mon.set_local_events(tool, code, 0)
            mon.free_tool_id(tool)
        mon.restart_events()
    log(*[f(3) for f in FUNCTIONS])


for seed in range(150):
    log("walk", str(seed))
    walk(seed)
log(mon._all_events())
