"""Measures functions of benchmark files on all interpreters in turn, and compares their times."""

import json
import math
import statistics
import sys
import tempfile
import time
from itertools import chain
from pathlib import Path

import common
import suite
from common import BENCH, INTERPRETERS, WORK, Failed

# What the columns compare: the second one's time is divided by the first one's.
COLUMNS = {"reference": ("reval", "reference"), "distribution": ("reval", "distribution"),
           "attached": ("attached", "distribution")} | {name: (name, "distribution") for name in common.JITS}


def columns_of(names):
    """Those for which all is measured if these interpreters are."""
    return {column: pair for column, pair in COLUMNS.items() if set(pair) <= set(names)}


def columns(times):
    """Those of what was measured, of any function."""
    return columns_of(set(chain(*times.values())))


NEXT = "python3.15-jit"  # has some of the library in C
WIDTH = 16  # of a column, in characters


def geometric_mean(values):
    return math.exp(math.fsum(map(math.log, values)) / len(values))


def spread(ratios):
    """How far the ratios of single rounds are from each other: half of what the middle half of them covers."""
    if len(ratios) < 2:
        return math.nan  # not known
    lower, _, upper = statistics.quantiles(ratios, n=4, method="inclusive")
    return (upper - lower) / 2


def work(interpreter, command, seed, *options, script="worker.py", **settings):
    """What a script that runs in the interpreter finds for a benchmark file."""
    with tempfile.NamedTemporaryFile(dir=WORK, suffix=".json") as output:
        common.run(interpreter, BENCH / script, *options, output.name, *command, PYTHONHASHSEED=str(seed), **settings)
        return json.loads(Path(output.name).read_text())


def session(commands, rounds, budget, names=tuple(INTERPRETERS), warm_up=0):
    """(times: function -> interpreter -> for each round [seconds, ...], the same of memory: for each round (most resident,
    code), in bytes; failures: name -> reason). What makes machine code has `warm_up` seconds for that in each process.
    """
    times, memory, failures = {}, {}, {}
    try:
        plans = find_plans(commands, failures)
        for turn in range(rounds):
            start = time.monotonic()
            one_round(common.in_turn(turn, names), turn, plans, (budget, warm_up), times, memory, failures)
            common.progress("")
            print(f"bench: round {turn + 1} of {rounds} took {time.monotonic() - start:.0f} s", file=sys.stderr, flush=True)
    except KeyboardInterrupt:
        common.progress("")
        failures["the rest"] = "was interrupted"
    return *({function: found for function, found in kind.items() if function not in failures}
             for kind in (times, memory)), failures


def find_plans(commands, failures):
    """function -> (command, how to measure it). The reference finds it out for all interpreters and rounds."""
    plans = {}
    print("bench: finding out how often to loop", file=sys.stderr, flush=True)
    for number, (name, command) in enumerate(commands.items(), 1):
        common.progress(f"{number}/{len(commands)} {name}")
        try:
            for function, plan in work("reference", command, 0).items():
                plans[function] = command, json.dumps(plan)
        except Failed as failure:
            failures[name] = str(failure)
    return plans


def one_round(names, turn, plans, seconds, times, memory, failures):
    budget, warm_up = seconds
    for number, (function, (command, plan)) in enumerate(plans.items(), 1):
        common.progress(f"round {turn + 1}, {number}/{len(plans)} {function}")
        if function in failures:
            continue
        options = "--only", function, "--plan", plan, "--budget", budget
        try:
            # Other hashes in each round, so that no figure depends on the luck of one.
            found = {name: work(name, command, turn, *options, "--warm-up", warm_up if name in common.JITS else 0)
                     for name in names if not (name == NEXT and function in suite.IN_C_NEXT)}
        except Failed as failure:
            failures[function] = str(failure)
            continue
        for name, values in found.items():
            times.setdefault(function, {}).setdefault(name, []).append(values["seconds"])
            memory.setdefault(function, {}).setdefault(name, []).append((values["resident"], values["code"]))


def lower_quartile(values):
    return statistics.quantiles(values, n=4, method="inclusive")[0] if len(values) > 1 else values[0]


def time_of(rounds):
    """The time of a function from the values of all rounds: the lower quartile of the rounds' best values.

    The best of all would be an outlier at times: a virtual machine that has to wait for its host counts too little
    processor time now and then. The median would count rounds in which other programs took the caches.
    """
    return lower_quartile([min(values) for values in rounds])


def median_of(rounds):
    """What a harness finds that drops nothing."""
    return statistics.median(chain(*rounds))


def ratios(times, summary=time_of):
    """function -> column -> time of the other / time of reval."""
    return {function: {column: summary(found[other]) / summary(found[own])
                       for column, (own, other) in columns_of(found).items()} for function, found in times.items()}


def spreads(times):
    """function -> column -> how far the ratios of single rounds are from each other."""
    return {function: {column: spread([min(a) / min(b) for a, b in zip(found[other], found[own])])
                       for column, (own, other) in columns_of(found).items()} for function, found in times.items()}


def mean(ratios, column, functions):
    """The mean of a column over those of the functions that have it."""
    found = [ratios[name][column] for name in functions if column in ratios[name]]
    return geometric_mean(found) if found else math.nan


def heading(width, shown):
    """Prints the first lines of a table with these columns."""
    if "attached" in shown:
        print("attached: the distribution's interpreter with the extension module, against the same without it")
    for name in shown:
        if name in common.JITS:
            print(f"{name}: with machine code, against the distribution's")
    print(f"{'reval against':{width}}" + "".join(f"{column:>{WIDTH}}" for column in shown))


def table(times, in_c=()):
    """Prints the ratios; in_c: functions that say little about an evaluator."""
    speeds, doubts, medians, shown = ratios(times), spreads(times), ratios(times, median_of), columns(times)
    evaluated = [name for name in speeds if name not in in_c]
    width = max(*map(len, speeds), 40) + 2
    heading(width, shown)
    for name in sorted(speeds):
        label = name if name in evaluated else f"{name} *"
        cells = (f"{speeds[name][column]:{WIDTH - 6}.2f} ±{doubts[name][column]:4.2f}" if column in speeds[name]
                 else f"{'-':>{WIDTH - 6}}      " for column in shown)
        print(f"{label:{width}}" + "".join(cells).replace("± nan", "     "))
    groups = {f"geometric mean of {len(evaluated)}": evaluated}
    if len(evaluated) < len(speeds):
        groups[f"geometric mean of {len(speeds)}, with those in C"] = list(speeds)
    for label, chosen in groups.items():
        for what, found in ((label, speeds), ("  by medians", medians)):
            if chosen:
                means = (mean(found, column, chosen) for column in shown)
                print(f"{what:{width}}" + "".join(f"{mean:{WIDTH - 5}.3f}     " for mean in means).rstrip())
    if len(evaluated) < len(speeds):
        print("* less than a quarter of the time in the evaluator")
    for column, (own, _) in shown.items():
        where = column if own == column else f"against the {column}"
        compared = [name for name in evaluated or speeds if column in speeds[name]]
        ranked = sorted(compared, key=lambda name: speeds[name][column])
        for what, names in (("best", ranked[:-6:-1]), ("worst", ranked[:5])):
            listed = ", ".join(f"{name} {speeds[name][column]:.2f}" for name in names)
            print(f"{what} {where}: {listed}")


def most_memory(memory):
    """function -> interpreter -> (most resident, code) in bytes, of all rounds."""
    return {function: {name: [max(kind) for kind in zip(*rounds)] for name, rounds in found.items()}
            for function, found in memory.items()}


def memory_table(memory):
    """Prints the most memory of each function on each interpreter, and how much machine code it has."""
    most = most_memory(memory)
    names = sorted(set(chain(*most.values())), key=[*INTERPRETERS, *common.JITS].index)
    width = max(*map(len, most), 40) + 2
    print("memory: the most that is resident, in MB, and machine code, in kB")
    print(f"{'':{width}}" + "".join(f"{name:>{WIDTH}}" for name in names))
    for function, found in sorted(most.items()):
        cells = ("-" if name not in found else
                 f"{found[name][0] / 1e6:.1f}" + (f" {found[name][1] / 1e3:5.0f}" if name in common.JITS else "")
                 for name in names)
        print(f"{function:{width}}" + "".join(f"{cell:>{WIDTH}}" for cell in cells))
    means = (statistics.fmean(found[name][0] for found in most.values() if name in found) / 1e6 for name in names)
    print(f"{'mean':{width}}" + "".join(f"{mean:>{WIDTH}.1f}" for mean in means))
