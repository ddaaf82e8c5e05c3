# sys.setswitchinterval at its ends: threads that compute, threads that wait and threads that hand a lock on get their
# turns, whatever it is, and while it changes.
import sys
import threading
import time

from lib.bounded import EXPECTED, Crew, check, done, eventually, times, work

for value in (0, -1.0, float("-inf")):
    try:
        sys.setswitchinterval(value)
        check(False, value)
    except ValueError as e:
        check(str(e) == "switch interval must be strictly positive", e)
for value in ("1", None):
    try:
        sys.setswitchinterval(value)
        check(False, value)
    except TypeError:
        pass
check(sys.getswitchinterval() == 0.005, sys.getswitchinterval())
for value, read in ((1e-6, 1e-6), (1e-7, 0), (0.25, 0.25), (1000, 1000), (1e6, 1e6)):
    sys.setswitchinterval(value)
    check(abs(sys.getswitchinterval() - read) < 1e-9, value, sys.getswitchinterval())


def spin(turns, i, stop):
    while not stop:
        turns[i] += 1


def everybody_gets_on(interval, threads=4):
    """Threads that never give the GIL up by themselves."""
    sys.setswitchinterval(interval)
    turns, stop = [0] * threads, []
    with Crew() as crew:
        for i in range(threads):
            crew.add(spin, turns, i, stop)
        for _ in range(3):
            before = turns[:]
            eventually(lambda: all(now > then for now, then in zip(turns, before)), f"all got on at {interval}")
        stop.append(True)
    return sum(turns)


def handed_on(interval, rounds):
    """Threads that only ever wait for each other: the interval must not matter."""
    sys.setswitchinterval(interval)
    gates = [threading.Lock() for _ in range(4)]
    for gate in gates:
        gate.acquire()
    passed = []

    def hands_on(i):
        for _ in range(rounds):
            gates[i].acquire()
            passed.append(i)
            gates[(i + 1) % 4].release()

    with Crew() as crew:
        for i in range(4):
            crew.add(hands_on, i)
        gates[0].release()
    check(passed == [0, 1, 2, 3] * rounds)
    return len(passed)


turned = passed = 0
for interval in (1e-7, 1e-5, 0.005, 0.03):
    turned += everybody_gets_on(interval)
for interval in (1e-7, 1e-6, 0.005, 1000, 1e6):
    passed += handed_on(interval, times(50))

# With a very long one nobody has to give it up: a thread computes to its end, and still the others come after it.
sys.setswitchinterval(1e6)
with Crew() as crew:
    for _ in range(4):
        crew.add(lambda: check(work(2000) == work(2000)))
    check(work() == EXPECTED)

# While it changes all the time, but for very long ones: those who wait already would keep to them.
sys.setswitchinterval(0.001)
stop, changed = [], 0
turns = [0] * 3
with Crew() as crew:
    for i in range(3):
        crew.add(spin, turns, i, stop)
    for _ in range(times(30)):
        for interval in (1e-7, 0.002, 1e-5, 0.01, 1e-6):
            sys.setswitchinterval(interval)
            changed += 1
            time.sleep(0)
    sys.setswitchinterval(0.001)
    before = turns[:]
    eventually(lambda: all(now > then for now, then in zip(turns, before)), "all got on")
    stop.append(True)
done(turned=turned > 0, passed=passed, changed=changed)
