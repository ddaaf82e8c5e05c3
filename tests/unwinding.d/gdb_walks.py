"""Run by gdb, stopped in os.getppid(): the walk from there, then from each of the next instructions.

Prints one line for each kind of walk: its number of evaluators and whether it ends in Py_BytesMain.
"""

import collections
import os

import gdb


def walk():
    """(number of evaluators, whether Py_BytesMain was met) from where the program is."""
    evaluators, frame = 0, gdb.newest_frame()
    while frame:
        # A C compiler puts parts of a function elsewhere, and names them so.
        name = (frame.name() or "").partition(".")[0]
        evaluators += name == "_PyEval_EvalFrameDefault" and frame.type() == gdb.NORMAL_FRAME
        if name == "Py_BytesMain":
            return evaluators, True
        frame = frame.older()
    return evaluators, False


walks = collections.Counter([walk()])
for _ in range(int(os.environ["STEPS"])):
    gdb.execute("stepi", to_string=True)
    walks[walk()] += 1
for (evaluators, whole), times in sorted(walks.items()):
    print(f"walks: {evaluators} {'whole' if whole else 'lost'} {times}")
