"""What the programs in the folder above share. Each takes one number, how much of everything to do, and ends with a
line of what it counted."""

import sys
import threading
import time

SCALE = float(sys.argv[1]) if len(sys.argv) > 1 else 1.0
PATIENCE = 60 * max(1, SCALE)  # seconds for anything that has to happen at all
MAIN = threading.get_ident()


def times(n):
    return max(1, round(n * SCALE))


def check(condition, *what):
    """An assertion that -O does not remove."""
    if not condition:
        raise AssertionError(*what)


def eventually(condition, what):
    """Waits until it is true, without holding the GIL all the time."""
    end = time.monotonic() + PATIENCE
    while not condition():
        check(time.monotonic() < end, f"not in {PATIENCE} s: {what}")
        time.sleep(0.0005)


class Crew:
    """Threads whose failures are not lost: `with Crew() as crew: crew.add(function, ...)` joins them and raises what
    the first of them raised."""

    def __init__(self):
        self.threads, self.failures = [], []

    def add(self, function, *args):
        def run():
            try:
                function(*args)
            except BaseException as failure:
                self.failures.append(failure)

        thread = threading.Thread(target=run, daemon=True)
        self.threads.append(thread)
        thread.start()
        return thread

    def __enter__(self):
        return self

    def __exit__(self, kind, value, traceback):
        if kind is None:
            self.join()

    def join(self):
        for thread in self.threads:
            thread.join(PATIENCE)
            check(not thread.is_alive(), f"{thread} has not ended in {PATIENCE} s")
        self.threads.clear()
        if self.failures:
            raise self.failures[0]


def work(n=200):
    """Some of everything that the evaluator does, and its known result."""
    total = 0
    for i in range(n):
        try:
            total += len(str(i)) if i % 3 else sum(j for j in range(3))
            if i % 50 == 0:
                raise KeyError(i)
        except KeyError as e:
            total += e.args[0]
    return total


EXPECTED = work()


def done(**counted):
    print("ok", *(f"{name}={value}" for name, value in counted.items()))
