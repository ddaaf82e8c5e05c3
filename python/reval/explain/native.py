"""The part of the library that takes samples, in a Python that has it in one form or the other."""

import sys

import reval


class Attached:
    """The module `_reval`, in a Python that nothing was replaced in."""

    def __init__(self, core):
        self.start, self.stop = core.explain_start, core.explain_stop

    def prepare(self):
        """What the environment of the program needs. Raises an exception if nothing can be explained."""
        reval.enable(jit=True)
        self.start()
        self.stop()
        return {"REVAL": "jit"}


class Linked:
    """The functions of `reval.h`, in a Python that has the library in the place of its own evaluator."""

    def __init__(self, api, py_object):
        self.start, self.stop = api.reval_explain_start, api.reval_explain_stop
        self.stop.restype = py_object

    def prepare(self):
        self.start()
        self.stop()
        # Where it is off unless it is asked for.
        return {} if sys._jit.is_enabled() else {"PYTHON_JIT": "1"}


def find():
    """Raises ImportError, which says why there is none."""
    try:
        return Attached(reval._core())
    except ImportError as error:
        refusal = error
    try:
        import ctypes
    except ImportError:
        raise refusal from None
    if not hasattr(ctypes.pythonapi, "reval_build"):
        raise refusal
    if not hasattr(ctypes.pythonapi, "reval_explain_start"):
        raise ImportError("this Python is linked with another version of reval")
    return Linked(ctypes.pythonapi, ctypes.py_object)
