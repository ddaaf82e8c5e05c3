"""What tests/unwinding and tests/clients look into: functions that call each other through bytecode and through C
(sort(), operators)."""

import os
import sys


def leaf(n):
    total = 0
    for i in range(n):
        total += i * 2
    return total


class Number:
    def __add__(self, other):
        return inner(other)


def inner(value):
    os.getppid()
    return value


def key(value):
    return leaf(50) + value


def by_c(n):
    return sorted([i % 7 for i in range(n)], key=key)


def mid(n):
    return leaf(n) + len(by_c(n // 10))


def outer(turns):
    # No clock is read: a profiler that counts time would mostly meet the system call, where others get the processor.
    for _ in range(turns):
        Number() + 1
        for _ in range(20):
            mid(400)


print(os.getpid(), flush=True)
outer(int(sys.argv[1]))
