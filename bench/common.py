"""What the scripts in this directory share: the interpreters, running them in turn, figures."""

import json
import math
import os
import statistics
import subprocess
import sys
import time
from pathlib import Path
from typing import NamedTuple

BENCH = Path(__file__).resolve().parent
ROOT = BENCH.parent
BUILD = Path(os.environ.get("REVAL_BUILD", ROOT / "build")).resolve()
WORK = BUILD / "bench"
FAILURES = WORK / "failed.log"  # what failed processes of the last run printed
# The distribution's with the extension module, if that has been built: make core
CORE = Path(os.environ.get("REVAL_CORE", ROOT / "target/attach/release/libreval.so"))
ATTACHED = str(WORK / "attached/bin/python")


def path_of(variable, default):
    return os.path.abspath(os.environ.get(variable, default))


INTERPRETERS = {
    "reval": path_of("REVAL_PYTHON", BUILD / "bin/python3.14"),
    "reference": path_of("REVAL_REFERENCE", BUILD / "bin/python3.14-ref"),
    "distribution": path_of("REVAL_DISTRIBUTION", BUILD / "bin/python3.14-dist"),
} | ({"attached": ATTACHED} if CORE.exists() else {})


class Jit(NamedTuple):
    """An interpreter that makes machine code."""

    path: str
    settings: dict  # variables of the environment that it needs for that
    is_on: str  # a program that prints True then
    made_by: str  # a command


# bench/run measures those of them that are there.
JITS = {
    "attached-jit": Jit(ATTACHED if CORE.exists() else str(CORE), {"REVAL": "jit"},
                        "import reval; print(reval.status()['tier2'] == 'on')", "make core"),
    "reval-jit": Jit(path_of("REVAL_COMPILING", ROOT / "build/release-jit-interpreter-cranelift/bin/python3.14"),
                     {"PYTHON_JIT": "1"}, "import sys; print(sys._jit.is_enabled())",
                     "make COMPILER=cranelift EXPERIMENTAL_JIT=interpreter python"),
    "python3.15-jit": Jit(path_of("REVAL_NEXT", ROOT / "build/tools/python3.15/root/usr/bin/python3.15"),
                          {"PYTHON_JIT": "1"}, "import sys; print(sys._jit.is_enabled())", "host/python3.15"),
}
LIMIT = 600  # seconds for one process


class Failed(Exception):
    """A process of an interpreter did not end well. The message is one line."""


def end(message):
    """Ends the script with one line."""
    sys.exit(f"{os.path.relpath(sys.argv[0], ROOT)}: {message}")


def shown(path):
    """A path as a person would type it in the project's directory."""
    return os.path.relpath(path, ROOT) if Path(path).is_relative_to(ROOT) else str(path)


def require_interpreters(names=tuple(INTERPRETERS)):
    """Ends the script if one of them is not there. Makes the one that is attached."""
    missing = [shown(INTERPRETERS[name]) for name in names
               if name != "attached" and not os.access(INTERPRETERS[name], os.X_OK)]
    if missing:
        end(f"{', '.join(missing)} missing: make python")
    if "attached" in names:
        attach()


def attach():
    environment = Path(ATTACHED).parent.parent
    subprocess.run([ROOT / "host/attach", INTERPRETERS["distribution"], CORE, environment], check=True,
                   stdout=subprocess.DEVNULL)
    if not json.loads(run("attached", "-c", "import json, reval; print(json.dumps(reval.status()['enabled']))")):
        end(f"{shown(CORE)} is not for the distribution's interpreter: make core")


def jits(names=tuple(JITS)):
    """Those of these names that make machine code here. Says in a line each which do not. After `require_interpreters`."""
    reasons = {name: why_not(name) for name in names}
    for name, reason in reasons.items():
        if reason:
            print(f"bench: no column {name}: {shown(JITS[name].path)} {reason}: {JITS[name].made_by}", file=sys.stderr)
    return [name for name, reason in reasons.items() if not reason]


def why_not(name):
    """Why an interpreter makes no machine code, if it makes none."""
    if not os.access(JITS[name].path, os.X_OK):
        return "missing"
    try:
        return None if run(name, "-c", JITS[name].is_on) == "True\n" else "has no JIT"
    except Failed:
        return "does not run"


def run(name, *arguments, keep=("PYTHON_JIT",), **settings):
    """Runs an interpreter, without the PYTHON variables of this process but those to keep; what it prints."""
    env = {key: value for key, value in os.environ.items()
           if key in keep or not key.startswith("PYTHON") and key != "REVAL"}
    program = INTERPRETERS.get(name)
    if name in JITS:
        program, own, *_ = JITS[name]
        env |= own
    elif name == "attached":
        env["REVAL"] = "1"
    try:
        done = subprocess.run([program, *map(str, arguments)], cwd=BENCH, env=env | settings,
                              stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=LIMIT)
    except subprocess.TimeoutExpired:
        raise Failed(f"no end after {LIMIT} seconds on {name}") from None
    except OSError as error:
        raise Failed(str(error)) from None
    if done.returncode:
        with FAILURES.open("a") as log:
            log.write(f"{name} {' '.join(map(str, arguments))}:\n{done.stderr}\n")
        reason = (done.stderr.splitlines() or [f"it ended with {done.returncode}"])[-1]
        raise Failed(f"failed on {name}: {reason} (see {shown(FAILURES)})")
    return done.stdout


def in_turn(turn, names=tuple(INTERPRETERS)):
    """The interpreters, with another one first in each round."""
    first = turn % len(names)
    return [*names[first:], *names[:first]]


def progress(text):
    if sys.stderr.isatty():
        print(f"\r\033[K{text}", end="", file=sys.stderr, flush=True)


def save(kind, values):
    """Keeps all values of a run. Returns the file."""
    result = WORK / f"{kind}-{time.strftime('%Y%m%d-%H%M%S')}.json"
    result.write_text(json.dumps(values, indent=1) + "\n")
    print("all values:", shown(result))
    return result


def run_main(main):
    """Ends the script with what main() returns, or with one line."""
    WORK.mkdir(parents=True, exist_ok=True)
    FAILURES.unlink(missing_ok=True)
    try:
        sys.exit(main())
    except Failed as failure:
        end(failure)
    except KeyboardInterrupt:
        progress("")
        end("interrupted")
