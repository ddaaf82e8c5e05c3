# environment: PYTHON_JIT_SIDE_EXIT_INITIAL_VALUE=2 PYTHON_JIT_SIDE_EXIT_INITIAL_BACKOFF=1
"""Machine code is made in a thread of the library, of which a program sees nothing.

What is printed is the same without tier 2.
"""

import os
import subprocess
import sys
import threading
import time
import warnings

# CPython warns of a fork in a process with other threads.
warnings.simplefilter("error")


class Point:
    def __init__(self, x, y):
        self.x = x
        self.y = y

    def moved(self, by):
        return Point(self.x + by, self.y - by)


TEMPLATE = """
def work(count):
    point, total = Point(0, 0), 0.0
    for i in range(count):
        if i % {number} == 0:
            point = point.moved(i & 7)
        elif i % 3:
            total += point.x * 0.5
        else:
            total -= len(str(i)) + point.y
    return point.x, point.y, total
"""


def new_function(number):
    """A function whose traces do not exist yet."""
    names = {"Point": Point}
    exec(TEMPLATE.format(number=number), names)
    return names["work"]


def fork_in_the_middle():
    """Both processes go on while the code is made, and after that."""
    for number in range(2, 12):
        function = new_function(number)
        before = function(900)
        child = os.fork()
        results = [function(4000) for _ in range(20)]
        if child == 0:
            again = new_function(number)
            right = len(set(results)) == 1 and again(900) == before and again(4000) == results[0]
            os._exit(7 if right else 1)
        _, status = os.waitpid(child, 0)
        print(number, before, set(results), os.waitstatus_to_exitcode(status))


def preexec():
    function = new_function(13)
    function(5000)
    done = subprocess.run([sys.executable, "-c", "print('child')"], preexec_fn=lambda: function(5000),
                          capture_output=True, text=True)
    print(done.stdout, done.stderr, done.returncode)


def threads():
    """All have something compiled at the same time."""
    results = {}

    def run(number):
        function = new_function(number)
        results[number] = [function(3000) for _ in range(30)]

    running = [threading.Thread(target=run, args=(number,)) for number in range(2, 10)]
    for thread in running:
        thread.start()
    for thread in running:
        thread.join()
    for number, values in sorted(results.items()):
        print(number, set(values))


def no_thread_is_left():
    """It ends when there is nothing to do."""
    deadline = time.monotonic() + 30
    while len(os.listdir("/proc/self/task")) > 1 and time.monotonic() < deadline:
        time.sleep(0.01)
    print(len(os.listdir("/proc/self/task")))


ENDS = f"""
class Point:
    def __init__(self, x, y):
        self.x, self.y = x, y
    def moved(self, by):
        return Point(self.x + by, self.y - by)
{TEMPLATE.format(number=5)}
print(work(100), work(100), work(%d))
"""


def ends():
    """The interpreter ends while code is made."""
    for count in (200, 1000, 3000, 9000):
        done = subprocess.run([sys.executable, "-c", ENDS % count], capture_output=True, text=True)
        print(count, done.stdout, done.stderr, done.returncode)


def functions_that_end():
    """Code objects end while their code is made."""
    totals = set()
    for _ in range(200):
        function = new_function(4)
        totals.add(function(300))
    print(totals)


def signals():
    """They interrupt the program, not the thread."""
    import signal
    got = []
    signal.signal(signal.SIGALRM, lambda *_: got.append(1))
    signal.setitimer(signal.ITIMER_REAL, 0.001, 0.001)
    function = new_function(6)
    values = {function(2000) for _ in range(50)}
    begin = time.monotonic()
    while len(got) < 20 and time.monotonic() < begin + 30:
        time.sleep(0.01)
    signal.setitimer(signal.ITIMER_REAL, 0)
    print(values, len(got) >= 20)


fork_in_the_middle()
preexec()
threads()
no_thread_is_left()
ends()
functions_that_end()
signals()
