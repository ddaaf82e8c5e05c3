"""Measures how much threads get done together on the interpreter that runs it.

    python threads_worker.py                         the workloads and what they are, as JSON, and whether there is a GIL
    python threads_worker.py NAME THREADS SECONDS    units of work a second, by all threads together
"""

import json
import sys
import threading
import time

WORKLOADS = {}


def workload(function):
    WORKLOADS[function.__name__] = function
    return function


def fib(n):
    return n if n < 2 else fib(n - 1) + fib(n - 2)


@workload
def calls():
    """calls of functions"""
    fib(15)


@workload
def numbers():
    """arithmetic with ints and floats"""
    total, x = 0, 0.5
    for i in range(4000):
        total += i * i % 7
        x = x * 3.7 * (1 - x)
    return total, x


class Vector:
    def __init__(self, x, y):
        self.x = x
        self.y = y

    def plus(self, other):
        return Vector(self.x + other.x, self.y + other.y)


@workload
def instances():
    """instances of a class, their attributes and methods"""
    step, here = Vector(1, 2), Vector(0, 0)
    for _ in range(600):
        here = here.plus(step)
    return here


@workload
def lists():
    """lists of its own: a sieve"""
    flags = [True] * 2000
    for i in range(2, 45):
        if flags[i]:
            for j in range(i * i, 2000, i):
                flags[j] = False
    return sum(flags)


TEXT = "the quick brown fox jumps over the lazy dog and runs away from it".split() * 20


@workload
def words():
    """a dictionary of its own, with words that all threads read"""
    counts = {}
    for word in TEXT:
        counts[word] = counts.get(word, 0) + 1
    return sorted(counts)


def countdown(n):
    while n:
        yield n
        n -= 1


@workload
def generators():
    """generators"""
    return sum(n for n in countdown(1200) if n & 1)


TABLE = {i: i * i for i in range(100)}
LIMIT = 1500


@workload
def shared():
    """globals and a dictionary that all threads read"""
    total = 0
    for i in range(LIMIT):
        total += TABLE[i % 100]
    return total


def measure(work, count, seconds):
    """Units a second: all threads begin together and stop at the same time."""
    begin = threading.Barrier(count + 1)
    done, stop = [0] * count, []

    def run(number):
        units = 0
        # Its copy of the bytecode is made and specialized before the clock starts.
        for _ in range(20):
            work()
        begin.wait()
        while not stop:
            work()
            units += 1
        done[number] = units

    threads = [threading.Thread(target=run, args=(number,)) for number in range(count)]
    for thread in threads:
        thread.start()
    begin.wait()
    start = time.perf_counter()
    time.sleep(seconds)
    stop.append(True)
    for thread in threads:
        thread.join()
    return sum(done) / (time.perf_counter() - start)


def main():
    if len(sys.argv) == 1:
        gil = getattr(sys, "_is_gil_enabled", lambda: True)()
        names = {name: function.__doc__ for name, function in WORKLOADS.items()}
        print(json.dumps({"gil": gil, "workloads": names}))
    else:
        name, threads, seconds = sys.argv[1:]
        print(measure(WORKLOADS[name], int(threads), float(seconds)))


if __name__ == "__main__":
    main()
