"""Runs CPython's own test suite on an interpreter and judges the outcome, test by test.

What may fail is listed in expected-failures.txt; see there.
"""

import os
import re
import resource
import shlex
import signal
import subprocess
import time
import xml.etree.ElementTree as ElementTree
from dataclasses import dataclass, field

from .build import BUILD, REFERENCE, REVAL, TESTS, host_is_debug, host_is_packaged

EXPECTED_FAILURES = TESTS / "lib" / "expected-failures.txt"
LOGS = BUILD / "test"

# Where the host's tier 2 starts to count: its test suite knows these numbers, and some tests wait for a trace just
# that long. reval starts from 16 unless it is told otherwise.
HOST_THRESHOLDS = {"PYTHON_JIT_JUMP_BACKWARD_INITIAL_VALUE": "4095", "PYTHON_JIT_JUMP_BACKWARD_INITIAL_BACKOFF": "12"}
# Tier 2 as users have it: a loop is hot after 16 iterations.
TIER2 = ("PYTHON_JIT=1", "PYTHON_JIT_JUMP_BACKWARD_INITIAL_VALUE=16", "PYTHON_JIT_JUMP_BACKWARD_INITIAL_BACKOFF=4")

# `0:00:05 load avg: 2.24 [10/12/1] test_gc passed (1.2 sec) -- running (1): test_dis (31.0 sec)`
PROGRESS = re.compile(r"\d+:\d\d:\d\d (?:load avg: [\d.]+ )?(?:mem: \S+ [KMG]iB )?"
                      r"\[ *(?P<count>\d+/\d+(?:/\d+)?)\] (?P<file>test\S+) (?P<outcome>.+?)"
                      r"(?: \([\d.]+ (?:ms|sec|min|hour)[^)]*\))?(?: -- running .*)?$")
FINE = ("passed", "run no tests")
SKIPPED = "skipped"
ENV_CHANGED = "failed (env changed)"


@dataclass
class Results:
    """What happened: the outcome of each test file, the names of the single tests that failed."""

    files: dict = field(default_factory=dict)
    failures: set = field(default_factory=set)
    tests: int = 0
    seconds: float = 0

    def failures_of(self, file):
        return {test for test in self.failures if belongs(test, file)}

    def failed(self):
        return [file for file, outcome in self.files.items() if not outcome.startswith((*FINE, SKIPPED))]

    def skipped(self):
        return [file for file, outcome in self.files.items() if outcome.startswith(SKIPPED)]


def belongs(test, file):
    """Whether the test `test.test_x.Class.test_y` is of the file `test_x`."""
    return test == f"test.{file}" or test.startswith(f"test.{file}.")


def host_kind():
    """`release` or `debug` for the packaged hosts, which expected-failures.txt knows; `other` for the rest."""
    if not host_is_packaged():
        return "other"
    return "debug" if host_is_debug() else "release"


def library_has_tier2():
    """Whether the library has a tier 2: not after `make EXPERIMENTAL_JIT=no`."""
    return os.environ.get("REVAL_EXPERIMENTAL_JIT") != "no"


def tier2_marks():
    """What expected-failures.txt calls the tier 2 of the library. The packaged hosts' is off by default."""
    if not library_has_tier2():
        return {"EXPERIMENTAL_JIT=no"}
    is_on = os.environ.get("REVAL_EXPERIMENTAL_JIT") in ("yes", "interpreter")
    return set() if is_on else {"JIT-off-by-default"}


def modules(file):
    """(settings, names) for each part of a list in run-quick.d."""
    parts = [((), [])]
    for line in (TESTS / "run-quick.d" / file).read_text().splitlines():
        words = line.partition("#")[0].split()
        if words and words[0].startswith("["):
            parts.append((tuple(line.strip("[]").split()), []))
        else:
            parts[-1][1].extend(words)
    return parts


def run(label, interpreter, files, *options, settings=(), timeout=300, jobs=2):
    """`interpreter -m test`; prints its progress, keeps everything else in a log."""
    work = LOGS / label
    work.mkdir(parents=True, exist_ok=True)
    log, report = work / "log", work / "junit.xml"
    report.unlink(missing_ok=True)
    command = [interpreter, "-m", "test", f"-j{jobs}", f"--timeout={timeout}", f"--tempdir={work}",
               f"--junit-xml={report}", *options, *files]
    env = {key: value for key, value in os.environ.items() if not key.startswith(("PYTHON", "REVAL"))}
    env.update(HOST_THRESHOLDS)
    env.update(setting.split("=", 1) for setting in settings)
    print(f"== {label}: {len(files) or 'all'} test files, log in {log}", flush=True)
    results, start = Results(), time.monotonic()
    with log.open("w") as out:
        print("#", *settings, shlex.join(command), file=out, flush=True)
        process = subprocess.Popen(command, cwd=work, env=env, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                   stderr=subprocess.STDOUT, text=True, errors="backslashreplace",
                                   start_new_session=True, preexec_fn=start_afresh)
        try:
            for line in process.stdout:
                out.write(line)
                found = PROGRESS.match(line.rstrip())
                if found:
                    results.files[found["file"]] = found["outcome"]
                if found and not found["outcome"].startswith(SKIPPED):
                    print("  ", found["count"], found["file"], found["outcome"], flush=True)
            status = process.wait()
        except BaseException:
            os.killpg(process.pid, signal.SIGKILL)
            raise
    results.seconds = time.monotonic() - start
    if report.exists():
        for case in ElementTree.parse(report).iter("testcase"):
            results.tests += 1
            if case.find("failure") is not None or case.find("error") is not None:
                results.failures.add(case.get("name"))
    for file in files:
        if not any(belongs(f"test.{name}", file) for name in results.files):
            results.files[file] = f"not run: the test runner ended with status {status}"
    if not results.files or (status and not results.failed()):
        results.files["the test runner"] = f"ended with status {status}"
    return results


def start_afresh():
    """In a new process: no core files, and interrupts, which a shell may have switched off for its background."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    signal.signal(signal.SIGINT, signal.SIG_DFL)


class Expected:
    """expected-failures.txt, for the circumstances of this run (`debug`, `PYTHON_JIT=1`, ...)."""

    LINE = re.compile(r"(?P<name>\S+)\s+(?:\[(?P<marks>[^]]*)\]\s+)?(?P<reason>\S.*)")

    def __init__(self, circumstances):
        self.names, self.flaky = {}, set()
        for number, line in enumerate(EXPECTED_FAILURES.read_text().splitlines(), 1):
            if not line.strip() or line.startswith("#"):
                continue
            entry = self.LINE.fullmatch(line)
            if not entry:
                raise SystemExit(f"expected-failures.txt:{number}: an entry is a name and a reason")
            marks = set((entry["marks"] or "").split())
            if marks - {"flaky"} <= circumstances:
                self.names[entry["name"]] = entry["reason"]
                if "flaky" in marks:
                    self.flaky.add(entry["name"])

    def problems(self, results):
        """(file, what is wrong) for everything that the list does not say, and what it says in vain."""
        for file, outcome in results.files.items():
            tests = results.failures_of(file)
            listed = {name for name in self.names if belongs(name, file)}
            if not outcome.startswith((*FINE, SKIPPED)) and file not in self.names:
                if unexpected := sorted(tests - listed):
                    yield file, f"{outcome}: {', '.join(unexpected)}"
                elif not tests:
                    yield file, outcome
            if not outcome.startswith(SKIPPED):
                for name in sorted(listed - tests - self.flaky):
                    yield file, f"{name} is expected to fail and passes"
                if outcome.startswith(FINE) and file in self.names and file not in self.flaky:
                    yield file, "is expected to fail and passes"


def no_better(reference, results, file):
    """Whether every test that failed in `results` failed in `reference`, too."""
    if tests := results.failures_of(file):
        return tests <= reference.failures_of(file)
    return not reference.files[file].startswith((*FINE, SKIPPED)) and not reference.failures_of(file)


def check(label, files, *options, settings=(), timeout=300, as_reference=False):
    """Runs the files on reval, prints what went wrong, and returns how many passed and how many did not.

    A file that failed while others ran beside it is given a second chance alone, unless it crashed or hung: two
    busy cores are enough to miss a deadline in a test of sleeping. A file that is skipped has to be skipped by the
    reference interpreter too. For the rest the reference is asked as well, to say who is to blame; and if the host
    is not a packaged one, what fails is excused by the same tests that fail on the reference. `as_reference` is for
    interpreters that are not those of the build directory: the reference excuses them, too, and what
    expected-failures.txt says of packaged hosts is not about them.
    """
    excused = as_reference or host_kind() == "other"
    expected = Expected({*settings, *tier2_marks(), "attached" if as_reference else host_kind()})
    results = run(label, REVAL, files, *options, settings=settings, timeout=timeout)
    wrong = dict(expected.problems(results))

    again = [file for file, what in wrong.items() if re.match(r"failed \((\d|env)", results.files.get(file, ""))]
    if again:
        second = run(f"{label}-again", REVAL, again, *options, settings=settings, timeout=timeout, jobs=1)
        for file in set(again) - dict(expected.problems(second)).keys():
            print(f"unsteady: {file} {wrong.pop(file)}, but not when it ran alone")

    if suspects := [*dict.fromkeys([*wrong, *results.skipped()])]:
        suspects = [file for file in suspects if file in results.files and " " not in file]
        reference = run(f"{label}-ref", REFERENCE, suspects, *options, settings=settings, timeout=timeout)
        for file in results.skipped():
            if not reference.files[file].startswith(SKIPPED):
                wrong[file] = "skipped, and not by the reference"
        for file, what in list(wrong.items()):
            if file not in reference.files:
                continue
            wrong[file] += f" [the reference: {reference.files[file]}]"
            if excused and no_better(reference, results, file):
                print(f"as the reference: {file} {what}")
                del wrong[file]
    for file, what in wrong.items():
        print(f"FAIL {file}: {what}")
    print(f"== {label}: {len(results.files)} files, {results.tests} tests, {len(results.skipped())} skipped, "
          f"{results.seconds:.0f} s, {len(wrong)} wrong", flush=True)
    return len(results.files.keys() - wrong.keys()), len(wrong)
