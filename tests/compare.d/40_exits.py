# Ways for a program to end; each in a process of its own.
import re
import subprocess
import sys

PROGRAMS = ["raise SystemExit", "raise SystemExit(3)", "raise SystemExit('text')", "raise SystemExit(None)", "raise SystemExit((1, 2))", "import sys; sys.exit(2**40)",
            "raise KeyboardInterrupt", "1 / 0", "def f(): f()\nf()", "raise ValueError('é€')", "import os; os._exit(7)", "class E(BaseException): pass\nraise E('own')",
            "class E(Exception):\n    def __str__(self): raise ValueError\nraise E", "import sys\nsys.excepthook = lambda *a: print('hook', a[0].__name__)\n1 / 0",
            "import sys\nsys.excepthook = lambda *a: 1 / 0\nraise KeyError('k')", "import atexit, sys\natexit.register(lambda: print('atexit'))\nsys.exit(4)",
            "try:\n    raise SystemExit(5)\nfinally:\n    print('finally')", "import threading\nthreading.Thread(target=lambda: 1 / 0).start()", "x = (yield)", "def f(:", "import sys; del sys.stdout; 1/0",
            "try:\n    import sys; sys.exit(1)\nexcept SystemExit as e: print(e.code)", "raise BaseExceptionGroup('g', [SystemExit(1), ValueError(2)])",
            "import signal, os; os.kill(os.getpid(), signal.SIGINT); [x for x in range(10**6)]", "import signal, os; signal.raise_signal(signal.SIGTERM)",
            "async def f(): pass\nf()", "def g():\n    try: yield\n    finally: print('closed')\nx = g(); next(x)", "class D:\n    def __del__(self): print('del', print is not None)\nd = D()",
            "import asyncio\nasync def m(): raise SystemExit(6)\nasyncio.run(m())", "import asyncio\nasync def m():\n    t = asyncio.create_task(n()); await asyncio.sleep(0)\nasync def n(): 1 / 0\nasyncio.run(m())",
            "import sys; sys.setrecursionlimit(100)\nclass A:\n    def __repr__(self): return repr(self)\nrepr(A())", "import faulthandler; faulthandler.dump_traceback()",
            "print(__name__, __file__ if '__file__' in dir() else None, __spec__)", "import sys; sys.settrace(lambda *a: None); sys.exit(3)",
            "import sys\ndef t(f, e, a): return t\nsys.settrace(t)\ndef f():\n    raise SystemExit(9)\nf()", "with open('/dev/full', 'w') as f: f.write('x')"]
OPTIONS = [[], ["-X", "dev"]]
for options in OPTIONS:
    for program in PROGRAMS:
        done = subprocess.run([sys.executable, *options, "-c", program], capture_output=True, text=True)
        # Addresses and the name of the interpreter are nobody's business.
        err = re.sub(r"0x[0-9a-f]+( \[.*?\])?", "0x", done.stderr)
        print(options, repr(program), done.returncode, done.stdout, err, sep="\n    ")
