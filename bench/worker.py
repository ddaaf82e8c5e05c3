"""Runs one of pyperformance's benchmark files in this interpreter and writes its times as JSON.

    python worker.py OUTPUT BUDGET LOOPS run_benchmark.py [options of the benchmark]

BUDGET is the time in seconds to spend on each function of the file, LOOPS a JSON object that says how often each is
to be repeated for one value; for those that it does not name a number is chosen, so that a value takes long enough
to be measured.
"""

import argparse
import asyncio
import json
import os
import platform
import runpy
import sys
import time
import types

OUTPUT, BUDGET, LOOPS = sys.argv[1], float(sys.argv[2]), json.loads(sys.argv[3])
ENOUGH = 0.05  # seconds for one value
MOST_VALUES = 10

# The time of this process, not that of the clock on the wall: what else the machine does is not counted.
perf_counter = time.process_time

results = {}


class Runner:
    """What the benchmark files use of pyperf.Runner. pyperf's own spreads a measurement over many processes, which
    is what `run` does here, in turn with other interpreters."""

    def __init__(self, add_cmdline_args=None, **kwargs):
        self.metadata, self.args, self.argparser = {}, None, argparse.ArgumentParser()

    def parse_args(self):
        self.args = self.argparser.parse_args()
        return self.args

    def bench_time_func(self, name, time_func, *args, inner_loops=None):
        if self.args is None:
            self.parse_args()
        loops, value = LOOPS.get(name), 0
        if loops is None:
            loops = 1
            while (value := time_func(loops, *args)) < ENOUGH:
                loops *= 2
        values, spent = [], 0
        while not values or (spent < BUDGET and len(values) < MOST_VALUES):
            value = time_func(loops, *args)
            values.append(value)
            spent += value
        results[name] = {"loops": loops, "values": values}

    def bench_func(self, name, func, *args, inner_loops=None):
        def time_func(loops):
            repeat = range(loops)
            start = perf_counter()
            for _ in repeat:
                func(*args)
            return perf_counter() - start
        self.bench_time_func(name, time_func)

    def bench_async_func(self, name, func, *args, loop_factory=None, inner_loops=None):
        async def main(loops):
            start = perf_counter()
            for _ in range(loops):
                await func(*args)
            return perf_counter() - start
        self.bench_time_func(name, lambda loops: asyncio.run(main(loops), loop_factory=loop_factory))


pyperf = types.ModuleType("pyperf")
pyperf.Runner, pyperf.perf_counter = Runner, perf_counter
pyperf.python_implementation = lambda: platform.python_implementation().lower()
sys.modules["pyperf"] = pyperf

script = sys.argv[4]
sys.argv[:] = sys.argv[4:]
sys.path[0] = os.path.dirname(script)
runpy.run_path(script, run_name="__main__")
with open(OUTPUT, "w") as file:
    json.dump(results, file)
