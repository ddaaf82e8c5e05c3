# The collector asked for by whoever allocates, in many threads at once, with finalizers that run Python, among signals
# and switches: nothing is collected twice, and nothing is forgotten.
import gc
import signal
import sys
import threading

from lib.bounded import EXPECTED, MAIN, Crew, check, done, times, work

sys.setswitchinterval(1e-4)
gc.set_threshold(50, 2, 2)
made, finalized, phases, elsewhere = [0] * 5, [], [0, 0], 0
lock = threading.Lock()


class Ring:
    def __init__(self, number):
        self.me, self.number = self, number

    def __del__(self):
        finalized.append(self.number)
        check(work(10) == work(10))


def phase(what, info):
    phases[what == "stop"] += 1


def handler(number, frame):
    global elsewhere
    elsewhere += threading.get_ident() != MAIN


def makes(i, n):
    for turn in range(n):
        Ring((i, turn))
        made[i] += 1
        if turn % 100 == 0:
            check(work() == EXPECTED)


gc.callbacks.append(phase)
signal.signal(signal.SIGALRM, handler)
signal.setitimer(signal.ITIMER_REAL, 0.001, 0.001)
n = times(400)
with Crew() as crew:
    for i in range(4):
        crew.add(makes, i, n)
    makes(4, n)
signal.setitimer(signal.ITIMER_REAL, 0)
gc.collect()
gc.callbacks.remove(phase)
check(made == [n] * 5 and elsewhere == 0)
check(len(finalized) == 5 * n and set(finalized) == {(i, turn) for i in range(5) for turn in range(n)}, len(finalized))
check(phases[0] == phases[1] > n // 50, phases)
done(finalized=len(finalized), collections=phases[0])
