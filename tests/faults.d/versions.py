# Monitoring switched on and off while threads run, start and stop: every thread sees the newest version as soon as it
# runs, whether it was running, waiting or not yet there, and nothing that the breaker carries is lost over it.
import ctypes
import os
import signal
import sys
import threading

from lib.bounded import EXPECTED, MAIN, Crew, check, done, eventually, times, work

monitoring = sys.monitoring
TOOL = 3
monitoring.use_tool_id(TOOL, "versions")
sys.setswitchinterval(1e-4)
set_exception = ctypes.pythonapi.PyThreadState_SetAsyncExc
set_exception.argtypes = ctypes.c_ulong, ctypes.py_object
seen, signals = {}, 0


def observed(turn):
    return turn


def starts(code, offset):
    if code is observed.__code__:
        me = threading.get_ident()
        seen[me] = seen.get(me, 0) + 1


def handler(number, frame):
    global signals
    signals += 1
    check(threading.get_ident() == MAIN)


signal.signal(signal.SIGUSR1, handler)
monitoring.register_callback(TOOL, monitoring.events.PY_START, starts)


class Stop(Exception):
    pass


THREADS = 4
want = [0] * THREADS  # a request: even numbers to be seen by the monitor, odd ones not to be
have = [0] * THREADS
idents = [0] * THREADS
stop = []


def answers(i):
    idents[i] = threading.get_ident()
    while not stop:
        if have[i] != want[i]:
            have[i] = observed(want[i])


def short():
    check(work() == EXPECTED)


with Crew() as crew:
    for i in range(THREADS):
        crew.add(answers, i)
    eventually(lambda: all(idents), "the threads")
    for turn in range(1, times(25) + 1):
        on = turn % 2 == 0
        monitoring.set_events(TOOL, monitoring.events.PY_START if on else 0)
        before = dict(seen)
        with Crew() as visitors:
            visitors.add(short)
            expected = signals + 1
            os.kill(os.getpid(), signal.SIGUSR1)
            for i in range(THREADS):
                want[i] = turn
            eventually(lambda: have == want, "the answers")
            eventually(lambda: signals == expected, "the signal")
        for ident in idents:
            check(seen.get(ident, 0) == before.get(ident, 0) + on, turn, seen, before)
    monitoring.set_events(TOOL, 0)

    # Events on and off as fast as can be, and an exception for a thread each time: it arrives nevertheless.
    def ends_of_it(started):
        try:
            started.append(True)
            while True:
                observed(0)
        except Stop:
            started.append(True)

    for turn in range(times(25)):
        started = []
        with Crew() as victims:
            thread = victims.add(ends_of_it, started)
            eventually(lambda: started, "the start")
            for on in (1, 0, 1):
                monitoring.set_events(TOOL, monitoring.events.PY_START * on)
            check(set_exception(thread.ident, Stop) == 1)
            for on in (0, 1, 0):
                monitoring.set_events(TOOL, monitoring.events.PY_START * on)
        check(len(started) == 2)

    # Trace functions for all threads.
    for turn in range(times(10)):
        traced = set()
        threading.settrace_all_threads(lambda frame, event, arg: traced.add(threading.get_ident()))
        for i in range(THREADS):
            want[i] += 1
        eventually(lambda: have == want and traced >= set(idents), "all are traced")
        threading.settrace_all_threads(None)
    stop.append(True)
monitoring.free_tool_id(TOOL)
done(signals=signals, events=sum(seen.values()))
