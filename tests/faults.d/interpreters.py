# Subinterpreters created, used and destroyed in threads, with a GIL of their own and with the main one's, while the
# main interpreter computes; some by another thread than the one that created them.
import _interpreters
import os
import queue
import subprocess
import sys
import threading

from lib.bounded import EXPECTED, Crew, check, done, times, work

CODE = """
import threading, sys
sys.setswitchinterval(1e-4)
out = []
def work():
    total = 0
    for i in range(300):
        try:
            total += i
            if i % 100 == 0: raise KeyError(i)
        except KeyError as e:
            total += e.args[0]
    out.append(total)
threads = [threading.Thread(target=work) for _ in range(3)]
for t in threads: t.start()
for t in threads: t.join()
work()
assert out == [45150] * 4, out
class Garbage:
    def __del__(self): total.append(1)
total = []
for i in range(50):
    g = Garbage(); g.g = g
del g
import gc; gc.collect()
assert len(total) == 50, len(total)
def suspended():
    try: yield
    finally: total.clear()
keep = suspended(); next(keep)
"""
sys.setswitchinterval(1e-3)
handed_over = queue.Queue()
ids, lock, stop = [], threading.Lock(), False


def run(interpreter, code):
    failure = _interpreters.exec(interpreter, code)
    check(failure is None, failure and failure.errdisplay)


def uses(kind, n):
    for turn in range(n):
        interpreter = _interpreters.create(kind)
        with lock:
            ids.append(interpreter)
        run(interpreter, CODE)
        # An exception stays inside, and the interpreter goes on.
        failure = _interpreters.exec(interpreter, "raise ValueError(out[0])")
        check(failure.type.__name__ == "ValueError" and failure.msg == "45150", failure)
        if turn % 2:
            handed_over.put(interpreter)
        else:
            _interpreters.destroy(interpreter)


def destroys(n):
    for _ in range(n):
        interpreter = handed_over.get()
        run(interpreter, "assert out[0] == 45150; out.append(1)")
        _interpreters.destroy(interpreter)


def computes():
    while not stop:
        check(work() == EXPECTED)


n = times(1) * 2
with Crew() as busy:
    busy.add(computes)
    with Crew() as crew:
        for kind in ("isolated", "isolated", "legacy", "legacy"):
            crew.add(uses, kind, n)
            crew.add(destroys, n // 2)
    stop = True
check(len(ids) == len(set(ids)) == 4 * n, ids)
check([id for id, *_ in _interpreters.list_all()] == [0], _interpreters.list_all())

# An interpreter that cannot be destroyed, because it runs.
interpreter = _interpreters.create("isolated")
read, write = os.pipe()
with Crew() as crew:
    crew.add(run, interpreter, f"import os; os.read({read}, 1)")
    while not _interpreters.is_running(interpreter):
        work(50)
    try:
        _interpreters.destroy(interpreter)
        check(False, "destroyed while it ran")
    except _interpreters.InterpreterError as e:
        check("running" in str(e), e)
    os.write(write, b"x")
_interpreters.destroy(interpreter)

# Left to the end of the program, which does not like it, but copes.
ended = subprocess.run([sys.executable, "-c", f"""
import _interpreters
for kind in ("isolated", "legacy", "isolated"):
    failure = _interpreters.exec(_interpreters.create(kind), {CODE!r})
    assert failure is None, failure
"""], stdin=subprocess.DEVNULL, capture_output=True, text=True)
check(ended.returncode == 0 and ended.stdout == "", ended)
check(ended.stderr == "<sys>:0: RuntimeWarning: remaining subinterpreters; close them with Interpreter.close()\n", ended)
done(interpreters=len(ids) + 1)
