# Threads: the GIL is passed on, a specific thread is interrupted, locals and traces are per thread, finalizers run.
import ctypes
import signal
import sys
import threading
import time

sys.setswitchinterval(1e-5)
N = 20_000


def count(out, i):
    total = 0
    for j in range(N):
        total += j & i
        if j % 1000 == 0:
            d = {k: k for k in "abc"}
    out[i] = total, sum(numbers(100)), len(d)


def numbers(n):
    for i in range(n):
        try:
            yield i
        finally:
            pass


results = {}
threads = [threading.Thread(target=count, args=(results, i)) for i in range(8)]
for t in threads:
    t.start()
for t in threads:
    t.join()
print([results[i] == ((sum(j & i for j in range(N))), 4950, 3) for i in range(8)])

lock, shared = threading.Lock(), 0


def locked():
    global shared
    for _ in range(2000):
        with lock:
            shared += 1


threads = [threading.Thread(target=locked) for _ in range(4)]
for t in threads:
    t.start()
for t in threads:
    t.join()
print(shared)


class Stop(Exception): pass


def spin(log, ready):
    try:
        ready.set()
        while True:
            pass
    except Stop:
        log.append(("stopped", threading.current_thread().name))
    ready2.wait()
    log.append("went on")


log, ready, ready2 = [], threading.Event(), threading.Event()
victim = threading.Thread(target=spin, args=(log, ready), name="victim")
victim.start()
ready.wait()
set_async = ctypes.pythonapi.PyThreadState_SetAsyncExc
set_async.argtypes = ctypes.c_ulong, ctypes.py_object
print(set_async(victim.ident, Stop), set_async(1, Stop))
ready2.set()
victim.join()
print(log)
try:
    set_async(threading.get_ident(), KeyError)
    for i in range(1000):
        pass
    print("never")
except KeyError as e:
    print("async in main", e.args)
hits = []
signal.signal(signal.SIGALRM, lambda n, frame: hits.append(frame.f_code.co_name))


def waits():
    while not hits:
        pass


signal.setitimer(signal.ITIMER_REAL, 0.02)
waits()
print(hits)


def raises(n, frame): raise TimeoutError("from the handler")


signal.signal(signal.SIGALRM, raises)
signal.setitimer(signal.ITIMER_REAL, 0.02)
try:
    while True:
        [x for x in range(100)]
except TimeoutError as e:
    print(e)
signal.signal(signal.SIGALRM, lambda *a: hits.append("in comprehension"))
signal.setitimer(signal.ITIMER_REAL, 0.02)
while len(hits) < 2:
    [x for x in range(100)]
print(hits)
local = threading.local()


def traced(name, out):
    events = []
    def trace(frame, event, arg):
        if frame.f_code is small.__code__:
            events.append(event)
        return trace
    if name == "traced":
        sys.settrace(trace)
    for _ in range(50):
        small()
    out[name] = len(events), sys.gettrace() is not None


def small():
    x = 1
    return x


out = {}
threads = [threading.Thread(target=traced, args=(n, out)) for n in ("traced", "plain")]
for t in threads:
    t.start()
for t in threads:
    t.join()
print(sorted(out.items()), sys.gettrace())
threading.settrace(lambda f, e, a: seen.add(f.f_code.co_name))
threading.setprofile(None)
seen = set()
t = threading.Thread(target=small)
t.start()
t.join()
threading.settrace(None)
print("small" in seen)
stop = threading.Event()


def background():
    while not stop.is_set():
        small()


profiled = set()
t = threading.Thread(target=background)
t.start()
threading.setprofile_all_threads(lambda f, e, a: profiled.add((f.f_code.co_name, e)))
deadline = time.monotonic() + 30
while ("small", "call") not in profiled and time.monotonic() < deadline:
    time.sleep(0.001)
threading.setprofile_all_threads(None)
stop.set()
t.join()
print(("small", "call") in profiled, ("small", "return") in profiled)


def dies(): raise ValueError("in a thread")


hook = []
threading.excepthook = lambda args: hook.append((args.exc_type.__name__, str(args.exc_value)))
t = threading.Thread(target=dies)
t.start()
t.join()
print(hook)


def deep(n): return deep(n - 1) + 1 if n else 0


threading.stack_size(512 * 1024)
t = threading.Thread(target=lambda: results.update(deep=deep(800)))
t.start()
t.join()
print(results["deep"])
threading.Thread(target=lambda: (time.sleep(0.05), [small() for _ in range(1000)]), daemon=False).start()
threading.Thread(target=lambda: [small() for _ in iter(int, 1)], daemon=True).start()
print("end of main")
