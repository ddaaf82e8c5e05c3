"""Measures functions of one of pyperformance's benchmark files in the interpreter that runs it.

    python worker.py OUTPUT run_benchmark.py [options of the benchmark]
        writes how to measure each function of the file: {function: {"loops": n, "wall": bool}}
    python worker.py --only FUNCTION --plan PLAN --budget SECONDS [--warm-up SECONDS] OUTPUT run_benchmark.py [options ...]
        measures one of them as PLAN says and writes {"seconds": [per loop, ...], "resident": bytes, "code": bytes}

One function in one process, so that none runs on caches and specialized bytecode that another one left behind.
"""

import argparse
import asyncio
import functools
import json
import os
import platform
import runpy
import statistics
import sys
import time
import types

ENOUGH = 0.05  # seconds for one value
MOST_VALUES = 10
OFTEN = 0.001  # seconds between two looks at a clock
UNDISTURBED = 0.95  # the share of the time in which the process ran


class Timer:
    """Measures a benchmark's function `time_func(loops)`, which returns the seconds that its loops took.

    The function reads a clock itself. The clock it finds is that of this process's processor time, so that what else
    the machine does is not counted. But to read that clock is a system call. A function that reads it every few
    microseconds, to leave something out, would measure the call as well, and ratios would look closer to 1. Such a
    function gets the clock on the wall, which is read ten times faster. It is called for one loop at a time, and loops in
    which the process had to wait for a processor do not count.
    """

    def __init__(self, time_func, install, cpu=time.process_time, wall=time.perf_counter):
        self.time_func, self.install, self.cpu, self.wall = time_func, install, cpu, wall
        self.reads_wall = False

    def plan(self):
        """How to measure this function, found out once for all interpreters."""
        self.warm_up()
        self.choose_clock()
        return {"loops": self.enough_loops(), "wall": self.reads_wall}

    def warm_up(self):
        """The first call imports modules and fills caches: it may take a thousand times longer than the next."""
        self.install(self.cpu)
        self.time_func(1)

    def choose_clock(self):
        reads = 0

        def counting():
            nonlocal reads
            reads += 1
            return self.cpu()
        self.install(counting)
        self.time_func(1)
        for_one = reads
        seconds = self.time_func(3)
        # Those that are not there for each loop are at the start and at the end of the function, or of parts of it.
        in_loops = reads - 2 * for_one
        self.reads_wall = in_loops > 0 and seconds / in_loops < OFTEN

    def seconds(self, loops):
        """Processor time for so many loops."""
        if not self.reads_wall:
            self.install(self.cpu)
            return self.time_func(loops)
        self.install(self.wall)
        undisturbed, disturbed = [], []
        for _ in range(loops):
            cpu, wall = self.cpu(), self.wall()
            measured = self.time_func(1)
            wall, cpu = self.wall() - wall, self.cpu() - cpu
            # If all had to wait: as much of what they measured as they ran of the whole loop.
            if cpu > UNDISTURBED * wall:
                undisturbed.append(measured)
            else:
                disturbed.append(measured * cpu / wall)
        return statistics.fmean(undisturbed or disturbed) * loops

    def enough_loops(self):
        """How many loops take long enough. Two calls have to agree, since one may be slow by chance."""
        loops = 1
        while min(self.seconds(loops), self.seconds(loops)) < ENOUGH:
            loops *= 2
        return loops

    def values(self, loops, budget, warm_up=0.0):
        """Seconds per loop, again and again, for about `budget` seconds, after about `warm_up` seconds."""
        self.warm_up()
        while warm_up > 0:
            warm_up -= self.seconds(loops)
        values, spent = [], 0
        while not values or (spent < budget and len(values) < MOST_VALUES):
            value = self.seconds(loops)
            values.append(value / loops)
            spent += value
        return values


class Runner:
    """What the benchmark files use of pyperf.Runner. pyperf's own spreads a measurement over many processes, which
    is what `run` does here, in turn with other interpreters."""

    def __init__(self, measure, add_cmdline_args=None, **kwargs):
        self.measure, self.metadata, self.args, self.argparser = measure, {}, None, argparse.ArgumentParser()

    def parse_args(self):
        self.args = self.argparser.parse_args()
        return self.args

    def bench_time_func(self, name, time_func, *args, inner_loops=None):
        if self.args is None:
            self.parse_args()
        self.measure(name, lambda loops: time_func(loops, *args))

    def bench_func(self, name, func, *args, inner_loops=None):
        def time_func(loops):
            repeat = range(loops)
            start = time.perf_counter()
            for _ in repeat:
                func(*args)
            return time.perf_counter() - start
        self.bench_time_func(name, time_func)

    def bench_async_func(self, name, func, *args, loop_factory=None, inner_loops=None):
        async def main(loops):
            start = time.perf_counter()
            for _ in range(loops):
                await func(*args)
            return time.perf_counter() - start
        self.bench_time_func(name, lambda loops: asyncio.run(main(loops), loop_factory=loop_factory))


def install_clock(clock):
    """The clock that benchmark files find from now on; one of them reads time's, not pyperf's."""
    time.perf_counter = pyperf.perf_counter = clock


def run_file(command, measure):
    """Runs a benchmark file that calls measure(name, time_func) for each of its functions."""
    pyperf.Runner = functools.partial(Runner, measure)
    pyperf.python_implementation = lambda: platform.python_implementation().lower()
    sys.modules["pyperf"] = pyperf
    install_clock(time.process_time)  # for files that read it before they measure
    sys.argv[:] = command
    sys.path[0] = os.path.dirname(command[0])
    runpy.run_path(command[0], run_name="__main__")


pyperf = types.ModuleType("pyperf")


def most_resident():
    """The most memory that this process has had at a time, in bytes. What getrusage() says counts the parent's, too."""
    with open("/proc/self/status") as status:
        return next(int(line.split()[1]) for line in status if line.startswith("VmHWM:")) * 1024


def code_made():
    """Memory with machine code that the process has made, in bytes: executable, and of no file."""
    size, is_code = 0, False
    with open("/proc/self/smaps") as maps:
        for line in maps:
            first, *rest = line.split()
            if not first.endswith(":"):
                # address, permissions, offset, device, inode, name
                is_code = "x" in rest[0] and rest[3:] == ["0"]
            elif is_code and first == "Rss:":
                size += int(rest[0]) * 1024
    return size


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--only")
    parser.add_argument("--plan", type=json.loads)
    parser.add_argument("--budget", type=float)
    parser.add_argument("--warm-up", type=float, default=0)
    parser.add_argument("output")
    parser.add_argument("command", nargs=argparse.REMAINDER)
    args = parser.parse_args()
    results = {}

    def plan(name, time_func):
        results[name] = Timer(time_func, install_clock).plan()

    def measure(name, time_func):
        if name == args.only:
            timer = Timer(time_func, install_clock)
            timer.reads_wall = args.plan["wall"]
            seconds = timer.values(args.plan["loops"], args.budget, args.warm_up)
            results[name] = {"seconds": seconds, "resident": most_resident(), "code": code_made()}

    run_file(args.command, measure if args.only else plan)
    with open(args.output, "w") as file:
        json.dump(results[args.only] if args.only else results, file)


if __name__ == "__main__":
    main()
