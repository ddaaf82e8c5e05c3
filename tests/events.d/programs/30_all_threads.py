# modes: own
# Watching that is switched on in all threads, while they are in the middle of something.
import sys
import threading

mon, E = sys.monitoring, sys.monitoring.events
baton = [threading.Semaphore(0) for _ in range(3)]
back = threading.Semaphore(0)


def leaf(x):
    y = x
    return y


def turn(number):
    """Waits until it is this thread's turn again."""
    back.release()
    baton[number].acquire()


def work(number):
    total = 0
    for i in range(4):
        turn(number)
        total += leaf(i)
    log(total)
    back.release()


def let(number):
    baton[number].release()
    back.acquire()


def tell(frame, event, argument):
    if frame.f_code in CODES:
        log(event, frame.f_code, str(frame.f_lineno), show(argument[1] if event == "exception" else argument))
        return tell


def round_of(*actions):
    threads = [threading.Thread(target=work, args=(i,), name=f"worker {i}") for i in range(3)]
    for thread in threads:
        thread.start()
        back.acquire()
    for action in actions:
        action()
        for number in range(3):
            let(number)
        log(leaf(1))
    for thread in threads:
        thread.join()


CODES = leaf.__code__, work.__code__
mon.use_tool_id(1, "tool")
for name in "LINE", "PY_START", "PY_RETURN", "JUMP", "INSTRUCTION":
    def callback(code, *rest, name=name):
        if code in CODES:
            log(name, code, *[show(r) for r in rest])
    mon.register_callback(1, getattr(E, name), callback)


def nothing(): pass


round_of(nothing, lambda: threading.settrace_all_threads(tell), nothing,
         lambda: threading.settrace_all_threads(None))
round_of(nothing, lambda: threading.setprofile_all_threads(tell), nothing,
         lambda: threading.setprofile_all_threads(None))
round_of(lambda: sys.settrace(tell), nothing, lambda: sys.settrace(None), nothing)
round_of(lambda: mon.set_events(1, E.LINE | E.PY_RETURN), nothing, lambda: mon.set_events(1, E.INSTRUCTION),
         lambda: mon.set_events(1, 0))
round_of(nothing, lambda: mon.set_local_events(1, work.__code__, E.LINE | E.JUMP | E.INSTRUCTION), nothing,
         lambda: mon.set_local_events(1, work.__code__, 0))
threading.settrace(tell)
round_of(nothing, lambda: threading.settrace_all_threads(None), lambda: threading.settrace_all_threads(tell), nothing)
threading.settrace_all_threads(None), threading.setprofile_all_threads(None)
mon.free_tool_id(1)
log(mon._all_events(), threading.gettrace(), threading.getprofile())
