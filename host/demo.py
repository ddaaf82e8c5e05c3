"""Shows what this interpreter is made of, and how fast it is beside its reference.

    python demo.py            the demonstration
    python demo.py --times    only how fast each workload is on this interpreter, as JSON
"""

import json
import platform
import re
import statistics
import subprocess
import sys
import time
from pathlib import Path

BUILD = Path(sys.executable).parent.parent
EVALUATOR = """ceval.o ceval_gil.o specialize.o instrumentation.o legacy_tracing.o index_pool.o
               optimizer.o optimizer_analysis.o optimizer_symbols.o jit.o""".split()
ROUNDS = 12
SECONDS = 0.08  # of processor time for each workload, in each round, on each interpreter


def calls():
    def fib(n):
        return n if n < 2 else fib(n - 1) + fib(n - 2)
    fib(25)


def loops():
    total = 0.0
    for i in range(300_000):
        total += i * 0.5 if i % 3 else -1.0


class Point:
    def __init__(self, x, y):
        self.x, self.y = x, y

    def moved(self, d):
        return Point(self.x + d, self.y - d)


def objects():
    p = Point(0, 0)
    for i in range(60_000):
        p = p.moved(i)


def generators():
    def evens(n):
        for i in range(n):
            if not i & 1:
                yield i
    sum(x * x for x in evens(200_000))


def containers():
    words = {}
    for i in range(60_000):
        key = f"k{i % 997}"
        words[key] = words.get(key, 0) + 1
    sorted(words.items(), key=lambda item: (-item[1], item[0]))


WORKLOADS = (calls, loops, objects, generators, containers)


def best_time(workload):
    """Processor seconds of the fastest of many runs: time in which the machine runs other programs does not count."""
    workload()
    best, end = float("inf"), time.process_time() + SECONDS
    while (start := time.process_time()) < end:
        workload()
        best = min(best, time.process_time() - start)
    return best


def measure(*interpreters):
    """For each interpreter, the time of each workload, from ROUNDS processes of each in turn.

    It is the lower quartile of their best times, not the least: a virtual machine that has to wait for its host now and
    then counts too little for a run.
    """
    rounds = {interpreter: [] for interpreter in interpreters}
    for turn in range(ROUNDS):
        for interpreter in interpreters if turn % 2 else reversed(interpreters):
            command = [interpreter, "-I", __file__, "--times"]
            rounds[interpreter].append(json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout))
    return [{workload.__name__: statistics.quantiles([times[workload.__name__] for times in found], n=4)[0]
             for workload in WORKLOADS} for found in rounds.values()]


def host_members(link_map):
    """The objects of the host's archive that were linked."""
    return set(re.findall(r"/link/\w+\.a\(([\w.-]+\.o)\)", link_map.read_text(errors="replace")))


def main():
    if sys.argv[1:] == ["--times"]:
        print(json.dumps({workload.__name__: best_time(workload) for workload in WORKLOADS}))
        return
    members = host_members(BUILD / f"{Path(sys.executable).name}.map")
    known = host_members(BUILD / "python3.14-ref.map")
    rust = [name for name in EVALUATOR if name in known and name not in members]
    still_c = [name for name in EVALUATOR if name in members]

    print("version    ", sys.version.replace("\n", " "))
    print("interpreter", sys.executable)
    print("host       ", f"{platform.platform()}, {len(members)} objects of the host's archive")
    print("evaluator  ", "reval (Rust)" if "ceval.o" in rust else "C")
    print("in Rust    ", " ".join(rust) or "-")
    print("still in C ", " ".join(still_c) or "-")

    print(f"\nmeasuring for about {len(WORKLOADS) * 2 * ROUNDS * SECONDS * 1.3:.0f} seconds of processor time", flush=True)
    reval, reference = measure(sys.executable, str(BUILD / "bin" / "python3.14-ref"))
    print(f"{'workload':12}{'reval':>10}{'reference':>12}{'speed':>9}")
    for name in reval:
        print(f"{name:12}{reval[name] * 1000:7.2f} ms{reference[name] * 1000:9.2f} ms"
              f"{reference[name] / reval[name]:8.2f}x")
    print(f"Processor time: of each of {ROUNDS} processes of either interpreter, in turn, the best of many runs, and of\n"
          "these the lower quartile. `make bench` measures more.")


if __name__ == "__main__":
    main()
