"""Traces that become hot slowly, and are mostly calls in C, get no machine code: the program runs their bytecode again. What becomes
hot fast stays.

What is printed is the same without tier 2.
"""

import _opcode
import os

#: More runs than until a trace is hot, and fewer than until the next attempt.
RUNS = 3000

# With other thresholds, a program waits for its code, or nothing becomes hot.
HAS_COMPILER = (os.environ.get("REVAL_COMPILER") == "cranelift" and os.environ.get("PYTHON_JIT") == "1"
                and not any(name.startswith(("PYTHON_JIT_", "PYTHON_UOPS")) for name in os.environ))


def executors(function):
    """The number of executors in the bytecode of a function."""
    count = 0
    for offset in range(0, len(function.__code__.co_code), 2):
        try:
            _opcode.get_executor(function.__code__, offset)
            count += 1
        except ValueError:  # there is none
            pass
    return count


def seldom(text):
    """Each round takes a while, in C."""
    found = 0
    for number in range(RUNS):
        found += len(sorted(text, key=None)) + number
    return found


def often(text):
    """The same calls, which take no time."""
    found = 0
    for number in range(RUNS):
        found += len(sorted(text, key=None)) + number
    return found


def check(function, text, wanted):
    print(function.__name__, function(text))
    if HAS_COMPILER and executors(function) != wanted:
        print(f"{function.__name__}: {executors(function)} executors")


# What stores a global takes the traces that rely on the others.
check(seldom, "sixteen " * 1250, 0)
check(often, "two", 1)
