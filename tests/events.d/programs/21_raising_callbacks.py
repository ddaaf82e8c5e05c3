# modes: own
# Callbacks that raise: at every kind of event, at every occurrence of it.
import sys

mon, E = sys.monitoring, sys.monitoring.events
NAMES = [n for n in dir(E) if n.isupper() and n != "NO_EVENTS"]


class Mine(Exception):
    pass


def generator(n):
    try:
        for i in range(n):
            yield i
    except Mine:
        yield "mine in the generator"
    return n


def inner(n):
    result = yield from generator(n)
    return result


def subject(n):
    out = []
    try:
        for i in inner(n):
            if i == 1:
                continue
            out.append(len(str(i)))
        with open("/dev/null") as file:
            out.append(file.read())
        try:
            int("x")
        except ValueError:
            out.append("value")
        try:
            try:
                [][1]
            finally:
                out.append("finally")
        except IndexError as error:
            out.append("index")
        g = generator(2)
        next(g)
        try:
            g.throw(KeyError)
        except KeyError:
            out.append("thrown")
        for _ in generator(0): pass
        while out and not out[-1]: out.pop()
    except Mine as error:
        out.append("mine")
        lines = []
        traceback = error.__traceback__
        while traceback:
            lines.append((traceback.tb_frame.f_code.co_name, traceback.tb_lineno, traceback.tb_lasti))
            traceback = traceback.tb_next
        log(*lines), log(error.__context__)
    return out


def run():
    try:
        return subject(2)
    except Exception as error:
        return error


mon.use_tool_id(2, "raises")
for name in NAMES:
    need = E.CALL | E.C_RAISE | E.C_RETURN if name in ("C_RAISE", "C_RETURN") else 0
    for when in range(12):
        seen = 0

        def callback(code, *rest):
            global seen
            if code.co_name == "<module>":
                return
            seen += 1
            if seen == when + 1:
                log(code, *[show(r) for r in rest])
                raise Mine(name, when)

        mon.register_callback(2, getattr(E, name), callback)
        mon.set_events(2, getattr(E, name) | need)
        try:
            result = subject(2)
        except Mine as error:
            result = error
        finally:
            seen = -99999
            mon.set_events(2, 0)
        log(name, when, result)
        if seen < when - 99999:
            break
    mon.register_callback(2, getattr(E, name), None)

# The first of two tools raises: the second one is not asked.
mon.use_tool_id(3, "second")


def raises(code, *rest):
    if code is subject.__code__:
        raise Mine("first")


def tells(code, *rest):
    log("second", code, *[show(r) for r in rest])


for name in "LINE", "CALL", "PY_RETURN", "INSTRUCTION", "RAISE":
    mon.register_callback(2, getattr(E, name), raises), mon.register_callback(3, getattr(E, name), tells)
    mon.set_events(2, getattr(E, name)), mon.set_events(3, getattr(E, name))
    try:
        result = run()
    except Mine as error:
        result = error
    finally:
        mon.set_events(2, 0), mon.set_events(3, 0)
    log(name, result)
mon.register_callback(2, E.LINE, 5)
mon.set_local_events(2, generator.__code__, E.LINE)
try:
    subject(1)
except TypeError as error:
    log(error)
mon.set_local_events(2, generator.__code__, 0)


def odd_answers(code, line):
    log(line)
    return answers[line % len(answers)]


answers = [0, 1, "x", None, mon.MISSING]
mon.register_callback(2, E.LINE, odd_answers)
mon.set_local_events(2, subject.__code__, E.LINE)
log(run())
mon.free_tool_id(2), mon.free_tool_id(3)
