#!/usr/bin/env python3
"""Runs small programs on reval and on the reference interpreter and compares what they print.

    tests/compare.py                 all of tests/programs
    tests/compare.py 00 01_arith     those whose names begin so
    tests/compare.py --python P --reference Q ...

Equal means: the same stdout, the same stderr (tracebacks, warnings) and the same exit status, byte for
byte. Lines at the top of a program may say `# options: ...` for the interpreter, `# environment: NAME=value ...`
and `# status: N` for the exit status that the reference has to end with, 0 if nothing is said; if it is
another one, then by an exception on the last line: a program that stops half-way on both is no test.
Variables such as PYTHON_JIT are passed on.
"""

import argparse
import difflib
import os
import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

TESTS = Path(__file__).resolve().parent
BIN = TESTS.parent / "build" / "bin"
PROGRAMS = TESTS / "programs"
TIMEOUT = 120


def header(program):
    found = {"options": "", "environment": "", "status": "0"}
    with program.open() as file:
        for line in file:
            key, colon, value = line.removeprefix("# ").partition(":")
            if not line.startswith("# ") or key not in found:
                return found
            found[key] = value.strip()


def status(code):
    return f"killed by {signal.Signals(-code).name}" if code < 0 else f"exit status {code}"


def run(interpreter, program, timeout):
    # Hash order is part of the output; what surrounds this run is not.
    env = {k: v for k, v in os.environ.items() if k not in ("PYTHONPATH", "PYTHONHOME", "PYTHONSTARTUP")}
    env.update(PYTHONHASHSEED="0", PYTHONDONTWRITEBYTECODE="1", PYTHON_COLORS="0", LC_ALL="C.UTF-8")
    said = header(program)
    env.update(setting.split("=", 1) for setting in said["environment"].split())
    command = [os.path.abspath(interpreter), *said["options"].split(), program.name]
    try:
        done = subprocess.run(command, cwd=program.parent, env=env, stdin=subprocess.DEVNULL,
                              capture_output=True, timeout=timeout)
        out, err, end = done.stdout, done.stderr, status(done.returncode)
    except subprocess.TimeoutExpired as late:
        out, err, end = late.stdout or b"", late.stderr or b"", f"still running after {timeout} s"
    return {"stdout": out.decode(errors="backslashreplace"), "stderr": err.decode(errors="backslashreplace"),
            "status": end}


def difference(expected, got):
    for part in expected:
        yield from difflib.unified_diff(expected[part].splitlines(), got[part].splitlines(),
                                        f"reference {part}", f"reval {part}", "", "", 2, lineterm="")


def unexpected(program, result):
    "What is wrong with the result of the reference."
    wanted = header(program)["status"]
    last_line = f"line {len(program.read_text().splitlines())}, in <module>"
    if result["status"] != status(int(wanted)) or (wanted != "0" and last_line not in result["stderr"]):
        yield f"the reference ended with {result['status']}, too early or not as expected:"
        yield from result["stderr"].splitlines()[-8:]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--python", default=os.environ.get("REVAL_PYTHON", BIN / "python3.14"))
    parser.add_argument("--reference", default=os.environ.get("REVAL_REFERENCE", BIN / "python3.14-ref"))
    parser.add_argument("--timeout", type=float, default=TIMEOUT)
    parser.add_argument("-j", type=int, default=2, metavar="N", help="programs at a time")
    parser.add_argument("names", nargs="*", help="only programs whose names begin so")
    args = parser.parse_args()

    programs = sorted(p for p in PROGRAMS.glob("*.py") if not args.names or p.name.startswith(tuple(args.names)))
    if not programs:
        parser.error(f"no program in {PROGRAMS} begins with {' or '.join(args.names)}")

    def both(program):
        return program, run(args.reference, program, args.timeout), run(args.python, program, args.timeout)

    failed = 0
    with ThreadPoolExecutor(args.j) as pool:
        for program, expected, got in pool.map(both, programs):
            problems = [*difference(expected, got), *unexpected(program, expected)]
            print("FAIL" if problems else "ok  ", program.stem, flush=True)
            for line in problems:
                print("    " + line)
            failed += bool(problems)
    print(f"{len(programs) - failed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
