"""The process, a thread or an interpreter ends, or tries to, while a round of a loop is recorded.

Each case runs in a process of its own and ends it. The loop becomes hot after 1, 3 or 16 rounds, and waits in one round.
"""

import _interpreters
import atexit
import gc
import os
import sys
import threading
import time

MOMENTS = 1, 2, 3, 4, 15, 16, 17
ROUNDS = 40


def point(x):
    return x, x + 1


def loop(actions):
    total = 0
    for act in actions:
        total += point(1)[1]
        act()
        total += point(2)[1]
    return total


def generator(actions):
    for act in actions:
        act()
        yield 1


def driver(actions):
    total = 0
    for one in generator(actions):
        total += one
    return total


def nothing():
    pass


def with_action(moment, act):
    actions = [nothing] * ROUNDS
    actions[moment] = act
    return actions


def thread_waits(function, moment):
    """A daemon thread is in the round for ever; the main thread runs the same loop, and ends the process."""
    arrived, never = threading.Event(), threading.Lock()
    never.acquire()

    def wait():
        arrived.set()
        never.acquire()
    threading.Thread(target=function, args=(with_action(moment, wait),), daemon=True).start()
    arrived.wait()
    print(function([nothing] * ROUNDS))
    gc.collect()


def thread_sleeps(function, moment):
    """The same with a thread that wants to run on while the process ends."""
    arrived = threading.Event()

    def wait():
        arrived.set()
        while True:
            time.sleep(0.0001)
    threading.Thread(target=function, args=(with_action(moment, wait),), daemon=True).start()
    arrived.wait()


def threads_alternate(function, moment):
    """Two threads are in the round at the same time, and leave it in the order in which they came."""
    barrier, results = threading.Barrier(2), []

    def meet():
        barrier.wait()

    def run():
        results.append(function(with_action(moment, meet)))
    threads = [threading.Thread(target=run) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    print(results, function([nothing] * ROUNDS))


def exits(function, moment):
    """The round raises SystemExit; what runs at the end has the same loop."""
    atexit.register(lambda: print("at the end", function([nothing] * ROUNDS)))
    function(with_action(moment, lambda: sys.exit(4)))


def exits_at_once(function, moment):
    function(with_action(moment, lambda: (sys.stdout.flush(), os._exit(5))))


def object_dies(function, moment):
    """The loop runs in a finalizer while the interpreter ends."""
    class Last:
        def __del__(self):
            print("finalizer", function(with_action(moment, nothing)))
    sys.modules["last"] = Last()


def interpreter_waits(function, moment):
    """An interpreter cannot be destroyed while one of its threads is in the round."""
    there, here = os.pipe()
    back, forth = os.pipe()
    interpreter = _interpreters.create()
    program = f"""
import os
def nothing():
    pass
def wait():
    os.write({here}, b"x")
    os.read({back}, 1)
actions = [nothing] * {ROUNDS}
actions[{moment}] = wait
total = 0
for act in actions:
    total += len("ab")
    act()
assert total == {2 * ROUNDS}
"""
    failures = []
    thread = threading.Thread(target=lambda: failures.append(_interpreters.exec(interpreter, program)))
    thread.start()
    os.read(there, 1)
    try:
        _interpreters.destroy(interpreter)
    except _interpreters.InterpreterError as error:
        print(type(error).__name__)
    os.write(forth, b"x")
    thread.join()
    _interpreters.destroy(interpreter)
    print(failures, function([nothing] * ROUNDS))


CASES = thread_waits, thread_sleeps, threads_alternate, exits, exits_at_once, object_dies, interpreter_waits

for case in CASES:
    for function in loop, driver:
        found = []
        for moment in MOMENTS:
            sys.stdout.flush()
            child = os.fork()
            if not child:
                os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
                case(function, moment)
                sys.exit(0)
            found.append(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
        print(case.__name__, function.__name__, *found)
