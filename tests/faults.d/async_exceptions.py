# Exceptions for chosen threads: each arrives once, in its thread and no other, while all compute, start and stop; in
# a thread that waits it arrives when it is back; one can be replaced and taken back.
import ctypes
import random
import sys
import threading
import time

from lib.bounded import EXPECTED, MAIN, Crew, check, done, eventually, times, work

set_exception = ctypes.pythonapi.PyThreadState_SetAsyncExc
set_exception.argtypes = ctypes.c_ulong, ctypes.py_object
cancel = ctypes.PYFUNCTYPE(ctypes.c_int, ctypes.c_ulong, ctypes.c_void_p)(("PyThreadState_SetAsyncExc", ctypes.pythonapi))
sys.setswitchinterval(1e-4)


class Stop(Exception):
    pass


def one():
    return type("Stop", (Stop,), {})


def spin(go_on):
    while go_on:
        pass


# A thread each time, among others that must not notice.
VICTIMS = 5
got = [[] for _ in range(VICTIMS)]
ready = [False] * VICTIMS
go_on = [True]


def victim(i):
    while go_on:
        try:
            ready[i] = True
            spin(go_on)
        except Stop as e:
            ready[i] = False
            got[i].append(type(e))
        finally:
            ready[i] = False


def bystander():
    while go_on:
        check(work(50) == work(50))


sent = [[] for _ in range(VICTIMS)]
random.seed(14)
with Crew() as crew:
    victims = [crew.add(victim, i) for i in range(VICTIMS)]
    crew.add(bystander)
    for turn in range(times(100)):
        i = random.randrange(VICTIMS)
        eventually(lambda: ready[i], "the victim is back")
        sent[i].append(one())
        check(set_exception(victims[i].ident, sent[i][-1]) == 1)
        eventually(lambda: len(got[i]) == len(sent[i]), "the exception")
    go_on.clear()
check(got == sent)
total = sum(map(len, sent))

# From several threads at once, each with its own victim, which ends of it.
ends = []


def ends_of_it(mine, started):
    try:
        started.append(threading.get_ident())
        spin([True])
    except mine:
        ends.append(mine)


def stops_one():
    for _ in range(times(20)):
        mine, started = one(), []
        with Crew() as crew:
            thread = crew.add(ends_of_it, mine, started)
            eventually(lambda: started, "the start")
            work(50)
            check(set_exception(thread.ident, mine) == 1)


with Crew() as crew:
    for _ in range(4):
        crew.add(stops_one)
check(len(ends) == len(set(ends)) == 4 * times(20))

# A thread that waits for a lock is not disturbed; the exception is there when it has it.
for _ in range(times(5)):
    lock, order = threading.Lock(), []
    lock.acquire()

    def waits():
        try:
            lock.acquire()
            order.append("locked")
            spin([True])
        except Stop:
            order.append("stopped")

    with Crew() as crew:
        thread = crew.add(waits)
        time.sleep(0.002)
        check(set_exception(thread.ident, Stop) == 1)
        check(work() == EXPECTED and not order)
        lock.release()
    check(order[-1] == "stopped", order)

# Replaced by another one, or taken back: set before the thread can look.
for turn in range(times(20)):
    first, second, order = one(), one(), []

    def looks():
        try:
            check(set_exception(threading.get_ident(), first) == 1)  # looked at behind this call
        except Stop as e:
            order.append(type(e))
        try:
            lock.acquire()
            work(50)
        except Stop as e:
            order.append(type(e))

    lock = threading.Lock()
    lock.acquire()
    with Crew() as crew:
        thread = crew.add(looks)
        eventually(lambda: order, "the first one")
        check(set_exception(thread.ident, first) == 1)
        check(set_exception(thread.ident, second) == 1)
        if turn % 2:
            check(cancel(thread.ident, None) == 1)
        lock.release()
    check(order == ([first] if turn % 2 else [first, second]), order)

# No such thread: it is said, and nothing happens; a thread that has ended is no thread.
thread = threading.Thread(target=work)
thread.start()
thread.join()
check(set_exception(thread.ident, Stop) == 0 and set_exception(0, Stop) == 0)
try:
    set_exception(MAIN, KeyError)
    spin([True])
except KeyError:
    total += 1
done(exceptions=total + len(ends))
