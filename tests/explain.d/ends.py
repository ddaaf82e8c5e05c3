"""Shows what it is started as, and ends in some way."""

import atexit
import os
import sys

import __main__

print(sys.argv, sys.path, __name__, __file__, sys.flags, sorted(vars(__main__)))
print({name: value for name, value in os.environ.items() if name.startswith(("PYTHON", "REVAL"))})
print("sitecustomize" in sys.modules, sys._getframe().f_back, repr(sys.stdin.read()))
atexit.register(print, "the end")


def fails(count):
    if not count:
        raise ValueError("deep")
    fails(count - 1)


match sys.argv[1]:
    case "exit":
        sys.exit(7)
    case "message":
        sys.exit("a message")
    case "exception":
        fails(3)
    case "interrupt":
        import signal

        signal.raise_signal(signal.SIGINT)
    case "fork":
        if os.fork() == 0:
            print("child")
            sys.exit(3)
        print(os.wait()[1])
    case "exec":
        sys.stdout.flush()
        os.execv(sys.executable, [sys.executable, "-c", "print('another program')"])
    case "child":
        import subprocess

        shown = "import os; print([os.environ.get(name) for name in ('REVAL_EXPLAIN', 'PYTHONPATH')])"
        print(subprocess.run([sys.executable, "-c", shown], capture_output=True, text=True).stdout)
    case "thread":
        import threading

        threading.Timer(0.1, print, ["the thread's end"]).start()
    case "folder":
        os.chdir("/")
    case "without code":
        for number in range(2000):
            exec(f"def short(n):\n    while n: n -= 1\nshort({number})")
    case "interpreter":
        from concurrent import interpreters

        interpreters.create().exec("print(sum(range(10)))")
