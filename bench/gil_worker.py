"""Measures the GIL of the interpreter that runs it.

    python gil_worker.py                 the names of the measurements and what they are, as JSON
    python gil_worker.py NAME SECONDS    the figures of one, as JSON; less is better
"""

import ctypes
import json
import os
import statistics
import subprocess
import sys
import threading
import time

MEASUREMENTS = {}


def measurement(function):
    MEASUREMENTS[function.__name__] = function
    return function


def spin(counts, i, stop):
    """Counts its turns until told; the GIL is given up on request only."""
    n = 0
    while not stop:
        n += 1
        counts[i] = n


class Beside:
    """CPU-bound threads that run meanwhile."""

    def __init__(self, threads):
        self.counts, self.stop = [0] * threads, []
        self.threads = [threading.Thread(target=spin, args=(self.counts, i, self.stop)) for i in range(threads)]

    def __enter__(self):
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *exception):
        self.stop.append(True)
        for thread in self.threads:
            thread.join()


def per_call(functions, seconds):
    """Seconds for a call of each function, the best of many short rows of calls, in turn."""
    row, best, end = range(2000), [float("inf")] * len(functions), time.perf_counter() + seconds
    while time.perf_counter() < end:
        for i, function in enumerate(functions):
            start = time.perf_counter()
            for _ in row:
                function(1)
            best[i] = min(best[i], (time.perf_counter() - start) / len(row))
    return best


@measurement
def uncontended(seconds):
    """the time to drop the GIL and take it again while nobody wants it"""
    # The same call of the same C function, with and without.
    keeping, dropping = per_call([ctypes.PyDLL(None).abs, ctypes.CDLL(None).abs], seconds)
    return {"uncontended drop and take": dropping - keeping, "a call that drops and takes": dropping}


def turns(threads, seconds):
    """How many turns a second each of so many CPU-bound threads does."""
    with Beside(threads) as crew:
        before, start = list(crew.counts), time.perf_counter()
        time.sleep(seconds)
        after, spent = list(crew.counts), time.perf_counter() - start
    return [(b - a) / spent for a, b in zip(before, after)]


@measurement
def fairness(seconds):
    """two CPU-bound threads: how much more the first one gets than the second, and what both get done"""
    figures = {}
    for label, interval in (("", 0.005), (", short interval", 0.0002)):
        sys.setswitchinterval(interval)
        two, [alone] = turns(2, seconds / 3), turns(1, seconds / 6)
        figures[f"fairness of two threads{label}"] = max(two) / max(1, min(two))
        figures[f"throughput of two threads{label}"] = alone / sum(two)
    return figures


@measurement
def io_delay(seconds):
    """a thread that talks to another process, beside a CPU-bound one: the time for question and answer"""
    figures = {}
    for threads in (0, 1):
        with subprocess.Popen(["cat"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0) as echo:
            question, answer, delays = echo.stdin.fileno(), echo.stdout.fileno(), []
            with Beside(threads):
                end = time.perf_counter() + seconds / 2
                while (start := time.perf_counter()) < end or len(delays) < 10:
                    os.write(question, b"?")
                    os.read(answer, 1)
                    delays.append(time.perf_counter() - start)
            echo.stdin.close()
        delays.sort()
        where = "beside a busy thread" if threads else "alone"
        figures[f"delay of input, {where}"] = statistics.median(delays)
        figures[f"delay of input, {where}, 95%"] = delays[int(len(delays) * 0.95)]
    return figures


@measurement
def wake_up(seconds):
    """a thread that sleeps for a moment, beside CPU-bound ones: how late it is back"""
    figures = {}
    for threads in (1, 3):
        late = []
        with Beside(threads):
            end = time.perf_counter() + seconds / 2
            while (start := time.perf_counter()) < end or len(late) < 10:
                time.sleep(0.001)
                late.append(time.perf_counter() - start - 0.001)
        figures[f"late after a sleep, {threads} busy"] = statistics.median(late)
    return figures


@measurement
def contended(seconds):
    """threads that drop the GIL and take it again all the time, for a system call or nothing at all"""
    figures = {}
    nothing = ctypes.CDLL(None).abs
    for what, function in (("nothing", lambda: nothing(1)), ("a system call", os.sched_yield)):
        for threads in (2, 4, 8):
            stop, counts = [], [0] * threads

            def repeats(i):
                while not stop:
                    function()
                    counts[i] += 1

            crew = [threading.Thread(target=repeats, args=(i,)) for i in range(threads)]
            for thread in crew:
                thread.start()
            start, before = time.perf_counter(), sum(counts)
            time.sleep(seconds / 6)
            spent, done = time.perf_counter() - start, sum(counts) - before
            stop.append(True)
            for thread in crew:
                thread.join()
            figures[f"dropped for {what}, {threads} threads"] = spent / max(1, done)
    return figures


@measurement
def handing_on(seconds):
    """threads in a ring, each waiting for a lock that the one before it releases: the time to hand it on"""
    figures = {}
    for threads in (2, 4, 8):
        gates, passed, stop = [threading.Lock() for _ in range(threads)], [0] * threads, []
        for gate in gates:
            gate.acquire()

        def hands_on(i):
            mine, following = gates[i], gates[(i + 1) % threads]
            while not stop:
                mine.acquire()
                passed[i] += 1
                following.release()

        crew = [threading.Thread(target=hands_on, args=(i,)) for i in range(threads)]
        for thread in crew:
            thread.start()
        start = time.perf_counter()
        gates[0].release()
        time.sleep(seconds / 3)
        spent, handed = time.perf_counter() - start, sum(passed)
        stop.append(True)
        # Whoever waits for the lock at the end: let it see that it is the end.
        for gate in gates:
            try:
                gate.release()
            except RuntimeError:
                pass
        for thread in crew:
            thread.join()
        figures[f"handing a lock on, {threads} threads"] = spent / handed
    return figures


@measurement
def threads(seconds):
    """starting and joining a thread that does nothing"""
    best, end = float("inf"), time.perf_counter() + seconds
    while time.perf_counter() < end:
        start = time.perf_counter()
        for _ in range(100):
            thread = threading.Thread(target=int)
            thread.start()
            thread.join()
        best = min(best, (time.perf_counter() - start) / 100)
    return {"a thread's life": best}


if len(sys.argv) == 1:
    print(json.dumps({name: function.__doc__ for name, function in MEASUREMENTS.items()}))
else:
    print(json.dumps(MEASUREMENTS[sys.argv[1]](float(sys.argv[2]))))
