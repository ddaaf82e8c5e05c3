# Forks of a process whose other threads compute, wait, start and stop: in the child the thread that forked is the
# main one, has the GIL, gets the signals, and can have threads of its own.
import gc
import os
import signal
import sys
import threading
import traceback
import warnings

from lib.bounded import EXPECTED, Crew, check, done, times, work

warnings.simplefilter("ignore", DeprecationWarning)  # of fork() among threads
stop = False


def computes():
    while not stop:
        check(work() == EXPECTED)


def starts_threads():
    while not stop:
        with Crew() as crew:
            crew.add(work)


def passes_on():
    read, write = os.pipe()
    while not stop:
        os.write(write, b"x")
        check(os.read(read, 1) == b"x")
    os.close(read)
    os.close(write)


def child(again):
    signal.alarm(60)
    me, hits = threading.get_ident(), []
    check(threading.active_count() == 1 and threading.main_thread() is threading.current_thread())
    check(list(sys._current_frames()) == [me])
    check(work() == EXPECTED)
    signal.signal(signal.SIGUSR1, lambda *_: hits.append(threading.get_ident()))
    turns = 0
    with Crew() as crew:
        for _ in range(3):
            crew.add(computes_once)
        crew.add(lambda: os.kill(os.getpid(), signal.SIGUSR1))
    while not hits:
        turns += 1
    check(hits == [me])
    gc.collect()
    if again:
        check(wait(fork(False)) == 42)


def computes_once():
    check(work() == EXPECTED)


def fork(again):
    pid = os.fork()
    if pid == 0:
        status = 1
        try:
            child(again)
            status = 42
        except BaseException:
            traceback.print_exc()
        finally:
            os._exit(status)
    return pid


def wait(pid):
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def forks(n):
    for turn in range(n):
        check(wait(fork(turn % 4 == 0)) == 42)


# A call that runs as the fork ends, on both sides.
sides = []
os.register_at_fork(before=lambda: sides.append(work()), after_in_parent=lambda: sides.append(work()),
                    after_in_child=lambda: check(work() == EXPECTED))
n = times(6)
with Crew() as crew:
    for function in (computes, computes, starts_threads, passes_on):
        crew.add(function)
    for interval in (0.005, 1e-6):
        sys.setswitchinterval(interval)
        forks(n)
        with Crew() as forkers:
            forkers.add(forks, n)
            forkers.add(forks, n)
    stop = True
check(sides == [EXPECTED] * (3 * n * 2 * 2), len(sides))

# A child that ends as programs do: the interpreter is finalized, and its exit functions run.
read, write = os.pipe()
with Crew() as crew:
    stop = False
    crew.add(computes)
    pid = os.fork()
    if pid == 0:
        __import__("atexit").register(lambda: os.write(write, b"at exit"))
        sys.exit(7)
    check(wait(pid) == 7)
    stop = True
check(os.read(read, 100) == b"at exit")
done(forks=6 * n)
