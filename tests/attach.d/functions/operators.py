"""Cases for src/attach/operators.rs."""

import sys
from ctypes import py_object

from harness import both, increment, same, same_calls


class Power:
    def __pow__(self, other):
        return "pow", other

    def __ipow__(self, other):
        return "ipow", other

    def __rpow__(self, other):
        return "rpow", other


def test_operators():
    operands = [2, -3, 2.5, 1j, "text", None, Power(), True]
    for name in ("_PyNumber_PowerNoMod", "_PyNumber_InPlacePowerNoMod"):
        functions = both(name, py_object, py_object, py_object)
        for left in operands:
            for right in operands:
                same_calls(functions, left, right, what=name)
    build = both("_PyBuildSlice_ConsumeRefs", py_object, py_object, py_object)
    for start in (None, 5, [], "text"):
        for stop in (None, -1, {}):
            results = []
            for function in build:
                before = sys.getrefcount(start), sys.getrefcount(stop)
                increment(start), increment(stop)
                made = function(start, stop)
                del made
                results.append([sys.getrefcount(each) - count for each, count in zip((start, stop), before)])
                increment(start), increment(stop)
                results[-1].append(function(start, stop))
            same(f"slice {start} {stop}", *results)
