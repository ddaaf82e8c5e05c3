"""Tries operations in loops that are warm with operands of one kind, and then get others: program.py PART PARTS [NAMES-FILE].

Prints what comes of it: values, exceptions and their places, and how many references the operands have gained. With a third
argument, the micro-ops of all traces go into that file.
"""

import gc
import sys

sys.path.insert(0, sys.path[0])
import operands  # noqa: E402
from operands import count, shown  # noqa: E402
from operations import operations  # noqa: E402

WARM = 80  # rounds until the loop is machine code, in both of its calls
FED = 24  # operands of other kinds
KEPT = 40  # functions whose traces are looked at together


def pick(kinds, number):
    """The value with this number, where each kind has as many numbers as it has values."""
    values = [value for items in kinds.values() for value in items]
    return values[number % len(values)]


def fed(operation, seed):
    """Operands of all kinds: other ones for each seed."""
    for step in range(FED):
        number = seed * FED + step
        # The factors have no common divisor with the numbers of values, as a rule: all combinations come.
        values = [pick(domain(), number * factor + seed) for domain, factor in zip(operation.domains, (1, 7, 13))]
        if operation.is_harmless(*values):
            yield tuple(values)


def warm(operation, kinds):
    """So many times operands of these kinds: some are the same objects, some are new ones."""
    first = [domain()[kind] for domain, kind in zip(operation.domains, kinds)]
    for turn in range(WARM):
        if turn % 8 == 0:
            first = [domain()[kind] for domain, kind in zip(operation.domains, kinds)]
        values = [items[turn // 16 % 2 % len(items)] for items in first]
        if operation.is_harmless(*values):
            yield tuple(values)


def attempt(operation, kinds, seed):
    namespace = {"operands": operands}
    exec(compile(operation.text(), "<operation>", "exec"), namespace)
    function = namespace["operation"]
    for given in (list(warm(operation, kinds)), list(fed(operation, seed)), list(warm(operation, kinds)) + list(fed(operation, seed + 1))):
        watched = [value for values in given for value in values]
        results = []
        before = [count(value) for value in watched]
        function(given, results)
        during = [count(value) for value in watched]
        lines = [shown(result) for result in results]
        del results
        after = [count(value) for value in watched]
        # Immortal objects, and those that operations keep elsewhere, tell nothing.
        gained = {index: (b - a, c - a) for index, (a, b, c) in enumerate(zip(before, during, after)) if a < 1 << 28 and (a, a) != (b, c)}
        print(operation.name, kinds, gained)
        for line in lines:
            print("   ", line)
    return function


def traces(names):
    """Adds the micro-ops of all traces."""
    for executor in gc.get_objects():
        if type(executor).__name__ == "uop_executor":
            names.update(entry[0] for entry in executor)


def kinds_of(operation):
    """Kinds to be warm with: each kind of the first operand with some of the others."""
    domains = [list(domain()) for domain in operation.domains]
    for index, kind in enumerate(domains[1] if len(domains) > 1 else ()):
        yield domains[0][index % len(domains[0])], kind, *(rest[index % len(rest)] for rest in domains[2:])
    for index, kind in enumerate(domains[0]):
        others = [[rest[(index + shift) % len(rest)] for rest in domains[1:]] for shift in range(2 if len(domains) > 1 else 1)]
        if len(domains) > 1 and kind in domains[1]:
            others.append([kind, *(rest[0] for rest in domains[2:])])
        for other in others:
            yield kind, *other


def main():
    part, parts, *files = sys.argv[1:]
    names, kept, seed = set(), [], 0
    gc.disable()
    for number, operation in enumerate(operations()):
        for kinds in kinds_of(operation):
            seed += 1
            if number % int(parts) != int(part):
                continue
            kept.append(attempt(operation, kinds, seed))
            if len(kept) == KEPT:
                if files:
                    traces(names)
                kept.clear()
    if files:
        traces(names)
        with open(files[0], "w") as file:
            file.write("\n".join(sorted(names)))
    print("functions", seed)


main()
