# Thousands of short threads: nothing of them is left, and what belonged to each is destroyed by it.
import _thread
import gc
import os
import sys
import threading

from lib.bounded import EXPECTED, Crew, check, done, eventually, times, work

sys.setswitchinterval(1e-4)
local = threading.local()
counts = {"threading": 0, "raw": 0, "destroyed": 0, "failed": 0}
lock = threading.Lock()


def count(what):
    with lock:
        counts[what] += 1


class Possession:
    def __init__(self):
        self.owner = threading.get_ident()

    def __del__(self):
        count("destroyed" if threading.get_ident() == self.owner else "failed")


def short(what):
    local.possession = Possession()
    count(what if work(20) == work(20) else "failed")


def batch(n):
    for _ in range(n // 50):
        with Crew() as crew:
            for _ in range(50):
                crew.add(short, "threading")
        for _ in range(50):
            _thread.start_new_thread(short, ("raw",))
        eventually(lambda: _thread._count() == 0, "the end of the threads")
    gc.collect()


def settled():
    return len(os.listdir("/proc/self/task")) == 1 and list(sys._current_frames()) == [threading.get_ident()]


n = times(20) * 50
batch(50)
eventually(settled, "one thread")
blocks = sys.getallocatedblocks()
batch(n)
eventually(settled, "one thread")
left = sys.getallocatedblocks() - blocks
check(left < n / 10 + 200, left, "blocks are left")
check(counts == {"threading": n + 50, "raw": n + 50, "destroyed": 2 * (n + 50), "failed": 0}, counts)

# Several threads that start and join others, with some of everything in between.
def starts(n):
    for _ in range(n):
        thread = threading.Thread(target=short, args=("threading",))
        thread.start()
        check(work(30) == work(30))
        thread.join()


with Crew() as crew:
    for _ in range(4):
        crew.add(starts, n // 4)
eventually(settled, "one thread")
check(counts["threading"] == n + 50 + n // 4 * 4 and counts["failed"] == 0, counts)
check(work() == EXPECTED)
done(**counts)
