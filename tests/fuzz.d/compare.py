"""Runs programs on reval and on the reference interpreter, and compares all that can be seen of them."""

import difflib
import json
import os
import re
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).resolve().parent
BUILD = Path(os.environ.get("REVAL_BUILD", HERE.parent.parent / "build")).resolve()
REVAL = os.path.abspath(os.environ.get("REVAL_PYTHON", BUILD / "bin" / "python3.14"))
REFERENCE = os.path.abspath(os.environ.get("REVAL_REFERENCE", BUILD / "bin" / "python3.14-ref"))

HOST_DEBUG = "REVAL_HOST_DEBUG=1" in (BUILD / "host.env").read_text().split()

HOT = {"PYTHON_JIT": "1", "PYTHON_JIT_JUMP_BACKWARD_INITIAL_VALUE": "1", "PYTHON_JIT_JUMP_BACKWARD_INITIAL_BACKOFF": "0",
       "PYTHON_JIT_SIDE_EXIT_INITIAL_VALUE": "1", "PYTHON_JIT_SIDE_EXIT_INITIAL_BACKOFF": "0"}
# Tier 2: not at all; as users have it; as early as it can be; the same, and machine code leaves at every second, or seventh, place
# where it may.
MODES = {
    "off": {"PYTHON_JIT": "0"},
    "jit": {"PYTHON_JIT": "1"},
    "hot": HOT,
    "exits2": HOT | {"PYTHON_JIT_FAIL_GUARDS": "2"},
    "exits7": HOT | {"PYTHON_JIT_FAIL_GUARDS": "7"},
}
HAS_COMPILER = os.environ.get("REVAL_COMPILER") == "cranelift"
STEADY = 3  # times that a difference must show itself again
SECONDS = 5  # of processor time for one program
LATE = "time limit"

ADDRESS = re.compile("0x[0-9a-fA-F]+")
# Programs that collect garbage after some number of allocations. An executor is an allocation, too, so with tier 2
# they may collect earlier.
COLLECTING = re.compile(r"\bgc\.(enable|set_threshold)\(")
# What an assertion of a debug host begins with.
PROGRAM = re.compile(r"^python3\.14(-ref)?: ", re.MULTILINE)
REFERENCES = re.compile(r"^references -?\d+\n\Z", re.MULTILINE)


@dataclass(frozen=True)
class Result:
    """How a program ended, and what it wrote."""

    end: str
    text: str

    def without_references(self):
        return Result(self.end, REFERENCES.sub("", self.text))


@dataclass(frozen=True)
class Difference:
    name: str
    program: str
    mode: str
    expected: Result
    got: Result

    @property
    def kind(self):
        """What a smaller program must have in common with this one."""
        return "output" if self.expected.end == self.got.end else self.got.end

    def lines(self, most=40):
        """What differs, for people."""
        if self.expected.end != self.got.end:
            yield f"- {self.expected.end}"
            yield f"+ {self.got.end}"
        found = difflib.unified_diff(self.expected.text.splitlines(), self.got.text.splitlines(), "reference", "reval",
                                     n=2, lineterm="")
        for number, line in enumerate(found):
            if number == most:
                yield "..."
                return
            yield line[:300]


def run(interpreter, mode, programs, seconds=None):
    """Results of programs {name: text}, by name."""
    env = {key: value for key, value in os.environ.items() if not key.startswith(("PYTHON", "REVAL"))}
    env.update(MODES[mode], PYTHONHASHSEED="0", PYTHONDONTWRITEBYTECODE="1", LC_ALL="C.UTF-8")
    with tempfile.NamedTemporaryFile("w", suffix=".json") as batch:
        json.dump(list(programs.items()), batch)
        batch.flush()
        command = [interpreter, "-W", "ignore", HERE / "runner.py", batch.name, str(seconds or SECONDS)]
        done = subprocess.run(command, env=env, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE, text=True)
    results = {}
    for line in done.stdout.splitlines():
        name, end, text = json.loads(line)
        results[name] = Result(end, ADDRESS.sub("0x", PROGRAM.sub("python: ", text)))
    for name in programs:
        results.setdefault(name, Result(f"the runner ended with status {done.returncode}", done.stderr))
    return results


@dataclass
class Outcome:
    """Of comparing programs."""

    different: list
    slow: list  # names of programs that reach the limit on the reference
    unsteady: list  # names of programs that are not the same each time

    def add(self, other):
        self.different += other.different
        self.slow += other.slow
        self.unsteady += other.unsteady


def differences(programs, modes, python=REVAL, reference=REFERENCE):
    """The outcome of these programs {name: text}."""
    if not programs or not modes:
        return Outcome([], [], [])
    expected = run(reference, "off", programs)
    slow = [name for name, result in expected.items() if result.end == LATE]
    programs = {name: text for name, text in programs.items() if name not in slow}
    outcome = Outcome([], slow, [])
    for mode in modes:
        fit = programs if mode == "off" else {n: text for n, text in programs.items() if not COLLECTING.search(text)}
        for name, got in run(python, mode, fit).items():
            if not equal(expected[name], got, mode):
                confirm(Difference(name, programs[name], mode, expected[name], got), outcome, python, reference)
    return outcome


def equal(expected, got, mode):
    if mode == "off":
        return expected == got
    # Traces hold references.
    return expected.without_references() == got.without_references()


def confirm(difference, outcome, python, reference):
    """Adds it to the outcome, if it happens again. For example, addresses can change what a program shows."""
    program = {difference.name: difference.program}
    if difference.got.end == LATE:
        [got] = run(python, difference.mode, program, 2 * SECONDS).values()
        if not equal(difference.expected, got, difference.mode):
            outcome.different.append(difference)
        return
    for _ in range(STEADY):
        [expected] = run(reference, "off", program).values()
        [got] = run(python, difference.mode, program).values()
        if expected != difference.expected or equal(expected, got, difference.mode):
            outcome.unsteady.append(difference.name)
            return
    outcome.different.append(difference)
