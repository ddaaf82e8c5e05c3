"""Runs programs in the interpreter under test.

    runner.py FILE           a program; what it shows is written at once
    runner.py BATCH SECONDS  a JSON file, [[name, text], ...]

For each program of a batch, a line of JSON comes out: its name, how it ended, and all that it wrote. It runs in a
process of its own, forked from this one, so it can neither change nor stop the others, and for so many seconds of
processor time at most.
"""

import gc
import json
import os
import resource
import select
import signal
import sys
import time
import types

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import prelude  # noqa: E402

MEMORY = 4 << 30
OUTPUT = 8 << 20  # bytes of one program
DEPTH = 150  # of recursion
WALL = 20  # seconds of real time for one of processor time: the machine may be busy


def execute(text):
    """Runs one program. Does not return."""
    out = prelude.output
    sys.stdout = sys.stderr = out
    module = types.ModuleType("fuzz")
    sys.modules["fuzz"] = module
    namespace = module.__dict__
    namespace.update({name: getattr(prelude, name) for name in prelude.__all__})
    builtins = vars(prelude.builtins)
    saved = dict(builtins)
    status = 0
    frame = sys._getframe()
    depth = 0
    while frame is not None:
        frame, depth = frame.f_back, depth + 1
    sys.setrecursionlimit(depth + DEPTH)
    gc.disable()
    before = references()
    try:
        exec(compile(text, prelude.FILE, "exec"), namespace)
    except SystemExit as end:
        out.line(f"SystemExit {prelude.describe(end.code)}")
        status = 3
    except BaseException as error:
        prelude.unwatch()
        out.line("uncaught " + prelude.describe(error))
        status = 1
    prelude.unwatch()
    builtins.clear()
    builtins.update(saved)
    try:
        namespace.clear()
        gc.collect()
    except BaseException as error:
        out.line("at the end " + prelude.describe(error))
    if before:
        gc.collect()
    out.close(f"references {references() - before}" if before else None)
    os._exit(status)


def references():
    """The total of references, on a debug host; otherwise 0. The cache of methods depends on addresses."""
    if not hasattr(sys, "gettotalrefcount"):
        return 0
    sys._clear_internal_caches()
    return sys.gettotalrefcount()


def child(text, writing, seconds):
    os.dup2(writing, 1)
    os.dup2(writing, 2)
    resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds + 1))
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    execute(text)


def run(text, seconds):
    """(how it ended, output)"""
    reading, writing = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            child(text, writing, seconds)
        except BaseException as error:  # the runner's own
            os.write(2, f"runner: {prelude.describe(error)} {error!r}\n".encode())
        os._exit(99)
    os.close(writing)
    deadline, parts, size, late = time.monotonic() + seconds * WALL, [], 0, False
    while True:
        if not select.select([reading], [], [], max(0, deadline - time.monotonic()))[0] or size > OUTPUT:
            os.kill(pid, signal.SIGKILL)
            late = True
            break
        part = os.read(reading, 1 << 16)
        if not part:
            break
        parts.append(part)
        size += len(part)
    os.close(reading)
    _, status = os.waitpid(pid, 0)
    code = os.waitstatus_to_exitcode(status)
    end = f"exit status {code}"
    if late or code in (-signal.SIGXCPU, -signal.SIGKILL):
        end = "time limit"
    elif code < 0:
        end = f"killed by {signal.Signals(-code).name}"
    return end, b"".join(parts).decode(errors="backslashreplace")


def main():
    path, *seconds = sys.argv[1:]
    with open(path) as file:
        if not seconds:
            prelude.output.at_once = True
            execute(file.read())
        batch = json.load(file)
    gc.collect()
    gc.freeze()
    for name, text in batch:
        end, output = run(text, int(seconds[0]))
        print(json.dumps([name, end, output]), flush=True)


if __name__ == "__main__":
    main()
