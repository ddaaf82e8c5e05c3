# Programs that end while threads of theirs run: with which status, after printing what, and that they do end.
import subprocess
import sys

from lib.bounded import check, done, times

PRELUDE = """
import _thread, atexit, os, signal, sys, threading, time
sys.setswitchinterval(1e-5)
def spin():
    while True: [x for x in range(50)]
def say(*words): os.write(1, (" ".join(map(str, words)) + "\\n").encode())
def daemon(function, *args):
    t = threading.Thread(target=function, args=args, daemon=True); t.start(); return t
"""
PROGRAMS = {
    "daemons that compute": ("for _ in range(20): daemon(spin)\nsay('end')", "end", 0),
    "daemons that give the GIL up all the time": ("""
def naps():
    while True: time.sleep(0)
for _ in range(10): daemon(naps)
time.sleep(0.01)
sys.exit(3)""", "", 3),
    "daemons that wait": ("""
lock = threading.Lock(); lock.acquire()
for _ in range(5): daemon(lock.acquire)
for _ in range(5): daemon(time.sleep, 1000)
r, w = os.pipe()
for _ in range(5): daemon(os.read, r, 1)
say('end')""", "end", 0),
    "daemons that are woken while the interpreter ends": ("""
lock = threading.Lock(); lock.acquire()
def woken():
    lock.acquire(); lock.release(); spin()
for _ in range(5): daemon(woken)
class Late:
    def __del__(self, release=lock.release, write=os.write): release(); write(1, b'released')
sys.late = Late()
say('end')""", "end\nreleased", 0),
    "daemons that start and stop threads": ("""
def starts():
    while True:
        try:
            t = threading.Thread(target=len, args=('x',), daemon=True); t.start(); t.join()
        except RuntimeError: return
for _ in range(3): daemon(starts)
time.sleep(0.01)
say('end')""", "end", 0),
    "raw threads": ("for _ in range(10): _thread.start_new_thread(spin, ())\ntime.sleep(0.005)\nsay('end')", "end", 0),
    "threads that are waited for": ("""
def slow(n, before):
    before.join(); time.sleep(0.005); say('thread', n)
before = threading.main_thread()
for n in range(1, 4):
    before = threading.Thread(target=slow, args=(n, before)); before.start()
daemon(spin)
say('main')""", "main\nthread 1\nthread 2\nthread 3", 0),
    "a thread that starts another one as the main thread ends": ("""
def first():
    threading.main_thread().join()
    t = threading.Thread(target=say, args=('second',)); t.start(); t.join()
    say('first')
threading.Thread(target=first).start()
daemon(spin)""", "second\nfirst", 0),
    "exit functions beside threads": ("""
for _ in range(5): daemon(spin)
def last():
    say('last', threading.current_thread() is threading.main_thread())
    t = threading.Thread(target=say, args=('one more',)); t.start(); t.join()
atexit.register(last)
atexit.register(lambda: say(sum(range(100000))))
sys.exit(5)""", "4999950000\nlast True\none more", 5),
    "an exit function that waits for a thread": ("""
stop = False
def runs():
    while not stop: pass
    say('stopped')
t = daemon(runs)
@atexit.register
def ends():
    global stop
    stop = True; t.join(); say('joined')
""", "stopped\njoined", 0),
    "an exception while threads run": ("for _ in range(5): daemon(spin)\nsys.stderr = None\nraise ValueError", "", 1),
    "os._exit in a thread": ("daemon(spin)\nthreading.Thread(target=os._exit, args=(9,)).start()\nspin()", "", 9),
    "a signal kills it": ("for _ in range(3): daemon(spin)\nos.kill(os.getpid(), signal.SIGKILL)\nspin()", "", -9),
    "KeyboardInterrupt from a thread": ("""
daemon(spin)
try:
    threading.Thread(target=lambda: (time.sleep(0.02), _thread.interrupt_main())).start()
    spin()
except KeyboardInterrupt: say('interrupted')
sys.exit(2)""", "interrupted", 2),
    "interrupted while it waits for threads": ("""
gate = threading.Event()
def waits():
    time.sleep(0.05); os.kill(os.getpid(), signal.SIGINT); gate.wait(0.05)
signal.signal(signal.SIGINT, lambda *_: (say('handler'), gate.set()))
daemon(spin)
say('main')
threading.Thread(target=waits).start()""", "main\nhandler", 0),
    "finalizers that compute while threads want the GIL": ("""
class Late:
    def __del__(self, write=os.write, sum=sum, range=range): write(1, b'finalized %d' % sum(x for x in range(1000)))
sys.late = Late()
for _ in range(5): daemon(spin)
say('end')""", "end\nfinalized 499500", 0),
    "a finalizer that wants a thread too late": ("""
class Late:
    def __del__(self, start=_thread.start_new_thread, write=os.write):
        try: start(write, (1, b'never'))
        except Exception as e: write(1, str(e).encode())
sys.late = Late()
for _ in range(5): daemon(spin)""", "can't create new thread at interpreter shutdown", 0),
    "an interpreter with threads is left open": ("""
import _interpreters, warnings
warnings.simplefilter('ignore') # it would tell that the interpreter is still there
i = _interpreters.create('legacy')
assert _interpreters.exec(i, 'import threading, time\\nt = threading.Thread(target=time.sleep, args=(0.01,)); t.start()') is None
for _ in range(3): daemon(spin)
say('end')""", "end", 0),
    "exceptions for threads as it ends": ("""
import ctypes
threads = [daemon(spin) for _ in range(5)]
threading.excepthook = lambda args: None
for t in threads: ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(t.ident), ctypes.py_object(SystemExit))
say('end')""", "end", 0),
}


def run(name):
    source, out, status = PROGRAMS[name]
    try:
        ended = subprocess.run([sys.executable, "-X", "faulthandler", "-c", PRELUDE + source], timeout=60,
                               stdin=subprocess.DEVNULL, capture_output=True, text=True)
    except subprocess.TimeoutExpired as late:
        raise AssertionError(f"{name}: still running; it said {late.stdout} {late.stderr}") from None
    check((ended.stdout.strip(), ended.stderr, ended.returncode) == (out, "", status), name, ended)


for _ in range(times(2)):
    for name in PROGRAMS:
        run(name)
done(programs=times(2) * len(PROGRAMS))
