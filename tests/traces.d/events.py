"""Tools whose events begin and end while traces exist: the events, and where they come from."""

import sys

TOOL = 2
events = sys.monitoring.events
log = []


def numbers(n):
    for number in range(n):
        yield number


def work(n):
    total = 0
    for i in range(n):
        for number in numbers(i % 4):
            total += number
    return total


def first_of_generator(code, source, target):
    """The traces that are made later run through the generator, and end in front of an event of its caller."""
    log.append((code.co_name, source, target))
    return sys.monitoring.DISABLE if code is numbers.__code__ else None


sys.monitoring.use_tool_id(TOOL, "test")
for event in events.BRANCH_RIGHT, events.BRANCH_LEFT, events.JUMP:
    sys.monitoring.register_callback(TOOL, event, first_of_generator)
    for _ in range(3):
        work(600)
        sys.monitoring.set_events(TOOL, event)
        work(600)
        sys.monitoring.set_events(TOOL, 0)
        sys.monitoring.restart_events()
    print(len(log), *sorted(set(log)))
    log.clear()


def late(n):
    total = 0
    for i in range(n):
        if i > 40:
            for number in numbers(1):
                total += number
    return total


# The loop over the generator is specialized, and so reports its ends, in the same round as without traces.
sys.monitoring.register_callback(TOOL, events.STOP_ITERATION, lambda code, offset, exception: log.append(offset))
sys.monitoring.set_local_events(TOOL, late.__code__, events.STOP_ITERATION)
for n in 43, 44, 45, 200:
    print(late(n), len(log))
    log.clear()
