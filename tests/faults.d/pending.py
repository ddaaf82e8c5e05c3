# Pending calls from many threads into full queues: each is made once, in the right thread, and what one raises is
# raised there.
import linecache
import sys
import threading
import time

import _testcapi
import _testinternalcapi

from lib.bounded import EXPECTED, MAIN, Crew, check, done, eventually, times, work

# As the host's headers have it: for the main thread, and for whoever runs in the interpreter.
QUEUES = ((_testcapi._pending_threadfunc, 32), (_testinternalcapi.pending_threadfunc, 300))
sys.setswitchinterval(1e-4)
total = 0

# With the GIL held, nothing can be called before the queue is full.
for turn in range(times(10)):
    for add, room in QUEUES:
        made = []
        added = add(lambda: made.append(threading.get_ident()), 2 * room, blocking=True, ensure_added=False)
        eventually(lambda: len(made) >= room, f"{room} calls")
        check(added == room and made == [MAIN] * room, added, len(made))
        total += added

# From threads, into the same two queues, without the GIL; others compute, and may be asked to make some.
EACH = times(1500)
stop = False
made = {True: 0, False: 0}
makers = {True: set(), False: set()}


def computes():
    while not stop:
        check(work() == EXPECTED)


def call(main):
    def made_by_somebody():
        made[main] += 1
        makers[main].add(threading.get_ident())
    return made_by_somebody


def adds(add, function, n):
    left = n
    while left:
        left -= add(function, min(left, 10), blocking=False, ensure_added=True)


with Crew() as crew:
    crew.add(computes)
    with Crew() as adders:
        for main, (add, _) in zip((True, False), QUEUES):
            for _ in range(2):
                adders.add(adds, add, call(main), EACH)
        while any(thread.is_alive() for thread in adders.threads):
            check(work() == EXPECTED)
    eventually(lambda: sum(made.values()) == 4 * EACH, "all calls")
    check(made == {True: 2 * EACH, False: 2 * EACH}, made)
    check(makers[True] == {MAIN} and makers[False], makers)
    total += 4 * EACH

    # While the main thread does not run Python, its calls wait; the others' do not.
    waiting, others = [], []
    event = threading.Event()
    QUEUES[0][0](lambda: waiting.append(threading.get_ident()), 1, blocking=True)
    eventually(lambda: waiting, "a call in the main thread")

    def asks_while_main_waits():
        # The main thread is inside the function when it is seen at the call, and then still is.
        line = None
        while line is None or "gate.acquire()" not in line:
            frame = sys._current_frames()[MAIN]
            line = linecache.getline(frame.f_code.co_filename, frame.f_lineno)
            time.sleep(0.05)
        QUEUES[0][0](lambda: waiting.append(threading.get_ident()), 5, blocking=False)
        QUEUES[1][0](lambda: others.append(threading.get_ident()), 5, blocking=False)
        for _ in range(10000):
            if len(others) == 5:
                break
            work(20)
        event.seen = len(waiting), len(others)
        event.set()

    crew.add(asks_while_main_waits)
    threading.Lock.acquire(gate := threading.Lock())
    crew.add(lambda: (event.wait(), gate.release()))
    gate.acquire()  # one call of a C function until both are done
    eventually(lambda: len(waiting) == 6, "the main thread's calls")
    check(event.seen == (1, 5), event.seen)
    check(set(waiting) == {MAIN} and MAIN not in others, waiting, others)
    stop = True


# What a call raises comes out of the main thread, once each.
class Refused(Exception):
    pass


def refuses():
    raise Refused


refused = 0
for turn in range(times(100)):
    try:
        _testcapi._pending_threadfunc(refuses, 1, blocking=bool(turn % 2), ensure_added=True)
        eventually(lambda: False, "the exception of a pending call")
    except Refused:
        refused += 1
check(refused == times(100))
done(calls=total, refused=refused)
