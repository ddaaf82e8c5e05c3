"""perf and gdb look at tests/lib/stacks.py: what tests/unwinding and tests/attach share.

The settings of an interpreter are variables for it, and not for the tool that looks into it."""

import os
import re
import subprocess
from collections import Counter
from pathlib import Path

from .build import ROOT, TESTS, host

PARTS = TESTS / "unwinding.d"
PROGRAM = TESTS / "lib" / "stacks.py"
TURNS = 1200  # of the program, about a second
# What py-bt lists in os.getppid().
STACK = ["inner", "__add__", "outer", "<module>"]


def run(command, **options):
    """What a command prints; its messages go into the exception if it fails."""
    env = {key: value for key, value in os.environ.items() if not key.startswith("PYTHON")} | options.pop("env", {})
    done = subprocess.run([str(word) for word in command], capture_output=True, text=True, timeout=600,
                          env=env | {"LC_ALL": "C.UTF-8"}, stdin=subprocess.DEVNULL, **options)
    if done.returncode:
        raise OSError(f"{command[0]} ended with {done.returncode}: {(done.stdout + done.stderr)[-1500:]}")
    return done.stdout


# --- perf -----------------------------------------------------------------------------------------

def samples(folder, interpreter, graph, *options, **settings):
    """The walks that perf makes while the program runs, each a list of names, innermost first."""
    data = f"{folder}/perf.data"
    variables = [f"{name}={value}" for name, value in settings.items()]
    # Timers count on machines that have no counters for hardware events, too.
    printed = run(["perf", "record", "--quiet", "--clockid", "mono", "--freq", "499", "--event", "cpu-clock:u",
                   "--call-graph", graph, "--output", data, "env", *variables, interpreter, *options, PROGRAM, TURNS])
    pid = int(printed)
    try:
        if "perf_jit" in options:
            run(["perf", "inject", "--jit", "--input", data, "--output", f"{data}.jit"])
            data += ".jit"
        listing = run(["perf", "script", "--no-inline", "--input", data, "--fields", "ip,sym"])
    finally:
        for left in Path("/tmp").glob(f"*-{pid}[-.]*"):
            if re.match(r"(perf|jit|jitted)-", left.name):
                left.unlink()
    walks = [[line.split(None, 1)[1] for line in walk.splitlines() if " " in line.strip()]
             for walk in listing.split("\n\n")]
    return [walk for walk in walks if walk]


def reaches_the_start(walk):
    return "Py_BytesMain" in walk


def perf_may_run(folder):
    """None, or why it may not."""
    try:
        run(["perf", "record", "--quiet", "--event", "cpu-clock:u", "--output", f"{folder}/try.data", "true"])
    except OSError as error:
        return str(error)
    return None


# --- gdb ------------------------------------------------------------------------------------------

def gdb(interpreter, place, *commands, env={}, **settings):
    """What gdb prints when the program has stopped at a place in os.getppid(), two evaluators deep."""
    # Without a shell, which would get the settings.
    commands = ["set debuginfod enabled off", "set breakpoint pending on", "set startup-with-shell off",
                *(f"set environment {name} {value}" for name, value in settings.items()),
                f"break {place}", "run", *commands]
    return run(["gdb", "-nx", "-batch", "-iex", "set auto-load safe-path /", *(f"-ex={line}" for line in commands),
                "--args", interpreter, PROGRAM, 1], env=env)


def walk_by_steps(interpreter, place, steps, **settings):
    """gdb walks the stack at the place and at each of so many instructions after it. Returns (number of evaluators,
    "whole" or "lost") -> how often, and what gdb has printed."""
    printed = gdb(interpreter, place, f"source {PARTS / 'gdb_walks.py'}", env={"STEPS": str(steps)}, **settings)
    lines = [line.split()[1:] for line in printed.splitlines() if line.startswith("walks: ")]
    return Counter({(int(evaluators), how): int(times) for evaluators, how, times in lines}), printed


def python_script(fetch):
    """CPython's script for gdb, if it is there or can be fetched."""
    settings = host()
    packaged = Path(settings["REVAL_HOST_SYSROOT"] or "/", "usr/share/gdb/auto-load/usr/bin/python3.14-gdb.py")
    if fetch and settings["REVAL_HOST_SYSROOT"] and not packaged.exists():
        run([ROOT / "host/packages", "python3.14-dbg"])
    beside = Path(f"{os.path.realpath(settings['REVAL_HOST_PYTHON'])}-gdb.py")
    return next((path for path in (packaged, beside) if path.exists()), None)


def py_bt(folder, interpreter, script, place, **settings):
    """The Python functions that py-bt lists, and what gdb has printed."""
    types, include = f"{folder}/types.o", host()["REVAL_HOST_INCLUDE"]
    tier2 = host()["REVAL_HOST_TIER2"]
    run(["gcc", "-g", "-fno-eliminate-unused-debug-types", "-c", "-o", types, PARTS / "types.c", f"-I{include}",
         f"-I{include}/internal", f"-I{host()['REVAL_HOST_PLATINCLUDE']}",
         *([f"-D_Py_TIER2={tier2}"] if tier2 != "0" else []), *(["-D_Py_JIT=1"] if int(tier2) & 1 else [])])
    # Loaded for its types only, at an address where nothing is.
    printed = gdb(interpreter, place, f"source {script}", f"add-symbol-file {types} 0x10000", "py-bt", **settings)
    return re.findall(r'File ".*stacks.py", line \d+, in (\S+)', printed), printed
