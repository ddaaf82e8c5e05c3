"""That the fuzzer notices differences and reduces programs: the reference interpreter is compared with itself, as it is
and made to misbehave."""

import os
import tempfile
from contextlib import contextmanager
from pathlib import Path
from unittest import mock

import compare
import generator
from reduce import reduce

PROGRAMS = 30
SMALL = 40  # characters
REDUCING = 180  # seconds


def main():
    failed, tests = 0, [reproduction, equality, output, crash, hang, total]
    for test in tests:
        try:
            test()
            print("ok  ", test.__name__, flush=True)
        except AssertionError as problem:
            print("FAIL", test.__name__, problem, flush=True)
            failed += 1
    print(f"fuzz: self-test: {len(tests) - failed} passed, {failed} failed")
    return 1 if failed else 0


def programs():
    return {str(seed): generator.program(seed) for seed in range(PROGRAMS)}


@contextmanager
def faulty(fault):
    """The reference interpreter, with what prelude.py does wrong when a program shows a dict."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "python"
        path.write_text(f'#!/bin/sh\nREVAL_FUZZ_FAULT={fault} exec "{compare.REFERENCE}" "$@"\n')
        os.chmod(path, 0o755)
        yield str(path)


def reproduction():
    assert programs() == programs(), "a seed gives two programs"


def equality():
    outcome = compare.differences(programs(), ["off"], compare.REFERENCE)
    assert outcome == compare.Outcome([], [], []), outcome


def found(fault, kind):
    with faulty(fault) as python:
        different = compare.differences(programs(), ["off"], python).different
    assert different, "no difference"
    assert {d.kind for d in different} == {kind}, f"the differences are {[d.kind for d in different]}"
    return different[0]


def output():
    different = found("value", "output")
    with faulty("value") as python:
        small = reduce(different, python, compare.REFERENCE, REDUCING)
    assert small.kind == "output" and len(small.program) < SMALL, f"reduced to {small.program!r}"
    assert "+wrong" in list(small.lines()), list(small.lines())


def crash():
    found("crash", "killed by SIGABRT")


def hang():
    with faulty("hang") as python, mock.patch.object(compare, "SECONDS", 1):
        [late] = compare.differences({"hang": "show(1)\nshow({1: 2})\n"}, ["off"], python).different
    assert late.kind == compare.LATE, late.kind


def total():
    """The total of references, on debug hosts."""
    with faulty("leak") as python:
        different = compare.differences({"leak": "show({1: 2})\n"}, ["off", "jit"], python).different
    assert [d.mode for d in different] == ["off"] * compare.HOST_DEBUG, different
