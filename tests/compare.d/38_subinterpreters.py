# Subinterpreters, with their own GIL and with a shared one, each running the whole language.
import _interpreters
import os
import threading
from concurrent import interpreters

CODE = """
import asyncio, sys, contextlib
def fib(n): return n if n < 2 else fib(n - 1) + fib(n - 2)
class P:
    def __init__(self, x): self.x = x
    def __add__(self, o): return P(self.x + o)
def gen(n):
    for i in range(n): yield i
async def co(): return [x async for x in agen()]
async def agen():
    for i in range(3):
        await asyncio.sleep(0)
        yield i
def deep(n): return deep(n + 1)
out = [fib(15), (P(1) + 2).x, sum(gen(100)), asyncio.run(co())]
try: deep(0)
except RecursionError: out.append("recursion")
try: 1 / 0
except ZeroDivisionError as e: out.append(str(e))
match [1, {"k": 2}]:
    case [a, {"k": b}]: out.append(a + b)
events = []
sys.settrace(lambda f, e, a: events.append(e))
fib(3)
sys.settrace(None)
out.append(len(events))
sys.monitoring.use_tool_id(2, "sub")
sys.monitoring.register_callback(2, sys.monitoring.events.PY_START, lambda code, offset: out.append(code.co_name))
sys.monitoring.set_events(2, sys.monitoring.events.PY_START)
fib(1)
sys.monitoring.set_events(2, 0)
import os
os.write(fd, (repr(out) + "\\n").encode())
"""


def run(interp, code):
    read, write = os.pipe()
    try:
        error = _interpreters.run_string(interp, f"fd = {write}\n{code}")
        os.close(write)
        text = b""
        while chunk := os.read(read, 4096):
            text += chunk
        return text.decode(), error and (error.type.__name__, error.msg)
    finally:
        os.close(read)


for config in ("isolated", "legacy"):
    interp = _interpreters.create(config)
    print(config, *run(interp, CODE))
    print(config, *run(interp, "x = 1\nraise ValueError('in sub')"))
    print(config, *run(interp, "os.write(fd, str(x).encode())"))
    _interpreters.destroy(interp)
results = {}


def parallel(i):
    interp = _interpreters.create()
    results[i] = run(interp, CODE)
    _interpreters.destroy(interp)


threads = [threading.Thread(target=parallel, args=(i,)) for i in range(4)]
for t in threads:
    t.start()
for t in threads:
    t.join()
print(len(set(results.values())), results[0])
interp = interpreters.create()
interp.exec("y = 5")
print(interp.call(eval, "y * 2"))
try:
    interp.exec("def f(): return undefined\nf()")
except interpreters.ExecutionFailed as e:
    print(str(e).splitlines()[0])
interp.prepare_main(z=7)
interp.exec("assert z == 7 and y == 5")
queue = interpreters.create_queue()
interp.prepare_main(q=queue)
interp.exec("for i in range(3): q.put(i)")
print([queue.get() for _ in range(3)])
t = interp.call_in_thread(exec, "import sys; sys.setrecursionlimit(100)")
t.join()
interp.close()
left = interpreters.create()
left.exec("import threading, time\nt = threading.Thread(target=lambda: [x for x in range(1000)]); t.start(); t.join()\ndef g():\n    try: yield\n    finally: q = 1\nkeep = g(); next(keep)")
print("left open", len(interpreters.list_all()))
