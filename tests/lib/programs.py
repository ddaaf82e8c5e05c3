"""The programs of tests/compare.d, which several tests run, and settings for them."""

from .build import TESTS

PROGRAMS = TESTS / "compare.d"
# Seconds for one program.
TIMEOUT = 120

# What makes every loop and every side exit a trace at once.
HOT = {f"PYTHON_JIT_{counter}_INITIAL_{part}": "1"
       for counter in ("JUMP_BACKWARD", "SIDE_EXIT") for part in ("VALUE", "BACKOFF")}


def header(program):
    """What the lines at the top of a program say: options, environment, exit status."""
    found = {"options": "", "environment": "", "status": "0"}
    with program.open() as file:
        for line in file:
            key, colon, value = line.removeprefix("# ").partition(":")
            if not line.startswith("# ") or key not in found:
                return found
            found[key] = value.strip()
