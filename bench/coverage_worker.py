"""Samples where the evaluator spends its time in one of pyperformance's benchmark files.

    python coverage_worker.py OUTPUT run_benchmark.py [options of the benchmark]
        writes how often to run each function of the file: {function: loops for one second}
    python coverage_worker.py --plan PLAN --sampler FOLDER OUTPUT run_benchmark.py [options of the benchmark]
        runs each function as often as PLAN says, once to warm up and once under samples, and writes
        {"functions": {function: {"seconds": [processor time, ...], "samples": n, "in_evaluator": n}},
         "attempts": {outcome: n} or null}
"""

import argparse
import array
import json
import random
import sys
import time

import worker


def loops_in_a_second(time_func):
    timer = worker.Timer(time_func, worker.install_clock)
    timer.warm_up()
    loops = timer.enough_loops()
    return loops / timer.seconds(loops)


def sampled(command, plan, folder):
    sys.path.insert(0, folder)
    import sampler
    functions, evaluator = {}, array.array("Q", plan["evaluator"])

    def measure(name, time_func):
        loops, times = plan["functions"][name]
        worker.install_clock(time.perf_counter)
        random.seed(0)  # the same work in each process
        time_func(loops * times)
        sampler.start(evaluator)
        seconds = [processor_time(time_func, loops) for _ in range(times)]
        samples, in_evaluator = sampler.stop()
        functions[name] = {"seconds": seconds, "samples": samples, "in_evaluator": in_evaluator}
    worker.run_file(command, measure)
    return {"functions": functions, "attempts": sampler.attempts()}


def processor_time(time_func, loops):
    start = time.process_time()
    time_func(loops)
    return time.process_time() - start


def planned(command):
    plan = {}

    def measure(name, time_func):
        plan[name] = loops_in_a_second(time_func)
    worker.run_file(command, measure)
    return plan


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--plan", help="a file: {'functions': {function: [loops, times]}, 'evaluator': [address, ...]}")
    parser.add_argument("--sampler", help="the folder of the extension module")
    parser.add_argument("output")
    parser.add_argument("command", nargs=argparse.REMAINDER)
    args = parser.parse_args()
    if args.plan:
        with open(args.plan) as file:
            plan = json.load(file)
        result = sampled(args.command, plan, args.sampler)
    else:
        result = planned(args.command)
    with open(args.output, "w") as file:
        json.dump(result, file)


if __name__ == "__main__":
    main()
