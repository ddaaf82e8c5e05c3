"""Shows what this interpreter is made of, and how fast it is beside its reference."""

import platform
import re
import subprocess
import sys
from pathlib import Path

BUILD = Path(sys.executable).parent.parent
EVALUATOR = """ceval.o ceval_gil.o specialize.o instrumentation.o legacy_tracing.o index_pool.o
               optimizer.o optimizer_analysis.o optimizer_symbols.o jit.o""".split()

WORKLOADS = {
    "calls": """
def fib(n):
    return n if n < 2 else fib(n - 1) + fib(n - 2)
fib(24)
""",
    "loops": """
total = 0.0
for i in range(300_000):
    total += i * 0.5 if i % 3 else -1.0
""",
    "objects": """
class Point:
    def __init__(self, x, y):
        self.x, self.y = x, y
    def moved(self, d):
        return Point(self.x + d, self.y - d)
p = Point(0, 0)
for i in range(60_000):
    p = p.moved(i)
""",
    "generators": """
def evens(n):
    for i in range(n):
        if not i & 1:
            yield i
sum(x * x for x in evens(200_000))
""",
    "containers": """
words = {}
for i in range(80_000):
    key = f"k{i % 997}"
    words[key] = words.get(key, 0) + 1
sorted(words.items(), key=lambda item: (-item[1], item[0]))
""",
}

TIMER = """
import sys, time
code = compile("def work():\\n" + "\\n".join("    " + line for line in sys.argv[1].splitlines()), "work", "exec")
exec(code)
work()
start = time.perf_counter()
work()
print(time.perf_counter() - start)
"""


def host_members(link_map):
    """The objects of the host's archive that were linked."""
    return set(re.findall(r"/link/\w+\.a\(([\w.-]+\.o)\)", link_map.read_text(errors="replace")))


def seconds(interpreter, workload):
    command = [interpreter, "-I", "-c", TIMER, workload]
    return float(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


def main():
    reference = BUILD / "bin" / "python3.14-ref"
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

    print(f"\n{'workload':12}{'reval':>10}{'reference':>12}{'speed':>9}")
    for name, workload in WORKLOADS.items():
        # In alternation, so that a busy moment of the machine hits both.
        runs = [(seconds(sys.executable, workload), seconds(reference, workload)) for _ in range(3)]
        reval, ref = (min(times) for times in zip(*runs))
        print(f"{name:12}{reval * 1000:7.1f} ms{ref * 1000:9.1f} ms{ref / reval:8.2f}x", flush=True)


main()
