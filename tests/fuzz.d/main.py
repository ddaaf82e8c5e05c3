"""Compares reval with the reference interpreter on generated programs.

    tests/fuzz                           for a minute; then the seed to go on with is printed
    tests/fuzz --seed 5 --programs 1     a program
    tests/fuzz --print 5                 its text
    tests/fuzz --seconds 600 --mode jit hot exits7
    tests/fuzz FILE ...                  these programs, such as those that it has written
    tests/fuzz --self-test               that differences are noticed, and programs reduced

Programs are made from numbers, their seeds. In every mode, all that a program shows must be what the reference
interpreter with tier 2 off shows: values, exceptions and their places, events of tools, counts of references, the way
it ends; on debug hosts, also the total of references. A program with a difference is reduced, written to build/fuzz,
and printed. The programs in fuzz.d/found were once different. They run first.
"""

import argparse
import os
import sys
import time
from concurrent.futures import FIRST_COMPLETED, ProcessPoolExecutor, wait
from pathlib import Path

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import compare  # noqa: E402
import generator  # noqa: E402
import self_test  # noqa: E402
from reduce import reduce  # noqa: E402

BATCH = 50
ENOUGH = 5  # differences, after which no more are looked for
REDUCING = 60  # seconds for a program
RESULTS = compare.BUILD / "fuzz"
FOUND = Path(__file__).resolve().parent / "found"


def batch(first, count, modes):
    return compare.differences({str(seed): generator.program(seed) for seed in range(first, first + count)}, modes)


def search(first, limit, seconds, modes, jobs):
    """(outcome, number of programs)"""
    end = time.monotonic() + seconds
    total, done, following = compare.Outcome([], [], []), 0, first
    with ProcessPoolExecutor(jobs) as pool:
        running = {}
        while True:
            while (len(running) < jobs and len(total.different) < ENOUGH and time.monotonic() < end
                   and (limit is None or following < first + limit)):
                count = BATCH if limit is None else min(BATCH, first + limit - following)
                running[pool.submit(batch, following, count, modes)] = count
                following += count
            if not running:
                return total, done
            for future in wait(running, return_when=FIRST_COMPLETED).done:
                total.add(future.result())
                done += running.pop(future)


def report(difference, reducing):
    """Prints a difference, after making its program smaller."""
    if reducing:
        difference = reduce(difference, compare.REVAL, compare.REFERENCE, reducing)
    RESULTS.mkdir(parents=True, exist_ok=True)
    path = RESULTS / f"{difference.name}-{difference.mode}.py"
    path.write_text(difference.program)
    print(f"FAIL {difference.name}, mode {difference.mode}: {path}")
    for line in (*difference.program.splitlines()[:60], "--", *difference.lines()):
        print("    " + line)


def files(paths, modes):
    """What differs in these programs."""
    outcome = compare.differences({Path(path).stem: Path(path).read_text() for path in paths}, modes)
    if outcome.slow or outcome.unsteady:
        raise SystemExit(f"too slow: {outcome.slow}; not the same each time: {outcome.unsteady}")
    return outcome.different


def main():
    parser = argparse.ArgumentParser(prog="tests/fuzz", description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=60, help="how long to look; then differences are reduced")
    parser.add_argument("--seed", type=int, help="the first one; by default, one that depends on the time")
    parser.add_argument("--programs", type=int, metavar="N", help="so many and no more")
    modes = [mode for mode in compare.MODES if compare.HAS_COMPILER or not mode.startswith("exits")]
    parser.add_argument("--mode", nargs="+", choices=compare.MODES, default=modes,
                        help="of tier 2: not at all, as users have it, as early as it can be, or (with the compiler) also with "
                             "forced exits from machine code; all by default")
    parser.add_argument("-j", type=int, default=2, metavar="N", help="batches at a time")
    parser.add_argument("--reduce", type=float, default=REDUCING, metavar="SECONDS",
                        help="for each difference; 0: not at all")
    parser.add_argument("--print", type=int, metavar="SEED", help="print a program")
    parser.add_argument("--self-test", action="store_true")
    parser.add_argument("files", nargs="*")
    args = parser.parse_args()
    if args.print is not None:
        print(generator.program(args.print), end="")
        return 0
    if args.self_test:
        return self_test.main()

    if args.files:
        found = files(args.files, args.mode)
        for difference in found:
            report(difference, args.reduce)
        failed = {difference.name for difference in found}
        print(f"{len(args.files) - len(failed)} passed, {len(failed)} failed")
        return 1 if failed else 0

    found = files(sorted(FOUND.glob("*.py")), args.mode)
    for difference in found:
        report(difference, 0)
    seed = args.seed if args.seed is not None else int(time.time()) * 1000 % 10**9
    print(f"fuzz: from seed {seed}, mode {' '.join(args.mode)}", flush=True)
    start = time.monotonic()
    outcome, programs = search(seed, args.programs, args.seconds, args.mode, args.j)
    minutes = (time.monotonic() - start) / 60
    for difference in outcome.different:
        report(difference, args.reduce)
    print(f"fuzz: {programs} programs, {programs / minutes:.0f} a minute; left out: too slow {outcome.slow}, "
          f"not the same each time {outcome.unsteady}")
    print(f"fuzz: {len(outcome.different)} different; go on with --seed {seed + programs}")
    # Otherwise a run that compares nothing would pass.
    left_out = len(outcome.slow) + len(outcome.unsteady)
    if left_out > programs // 20 + 2 or not programs:
        print(f"FAIL too few programs: {programs} with {left_out} left out")
        return 1
    return 1 if found or outcome.different else 0


if __name__ == "__main__":
    sys.exit(main())
