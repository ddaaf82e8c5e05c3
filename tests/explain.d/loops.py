"""Loops that are in different things. The comments name the lines for tests/explain."""

import re
import sys


def hot(count):
    total = 0
    for i in range(count):
        total = (total + i * 3) & 0xFFFF  # hot
    return total


def matches(count):
    pattern, found = re.compile("(a+b)+$"), 0
    for _ in range(count):
        if pattern.match("aaab" * 40):  # C function
            found += 1
    return found


def changes(count):
    values, lengths = [1, 2.5, "x", (1,)], 0
    for i in range(count):
        lengths += values[i % 4] is None
        twice = values[i % 4] * 2  # type
        lengths += twice is None
    return lengths


def both(count):
    state, ones = 1, 0
    for _ in range(count):
        state = (state * 1103515245 + 12345) & 0x3FFFFFFF
        if state >> 20 & 1:  # branch
            ones += 1
        if state >> 21 & 1:
            ones += 2
        if state >> 22 & 1:
            ones += 4
    return ones


def raises(count):
    failed = 0
    for _ in range(count):
        try:
            int("x")  # exception
        except ValueError:
            failed += 1
    return failed


def main(hot_count, count):
    print(hot(hot_count), matches(count), changes(count), both(count), raises(count), sys.argv[3:])


main(int(sys.argv[1]), int(sys.argv[2]))
