"""Runs one part of the corpus and writes down what its bytecode has become. Run by tests/specialized.

    collect.py OUT test.test_x     a CPython test module, through unittest
    collect.py OUT program.py      a program

Code objects are collected without disturbing them: an audit hook keeps those that are executed (module bodies,
and through their constants everything defined in them), and what was made otherwise is found at the end behind the
functions that are alive.
"""

import sys

executed = []


def on_audit(event, args):
    if event == "exec" and not ended:
        executed.append(args[0])


ended = []
sys.addaudithook(on_audit)

import _opcode  # noqa: E402
import gc  # noqa: E402
import opcode  # noqa: E402
import pickle  # noqa: E402
import types  # noqa: E402


def run_program(path):
    with open(path) as file:
        code = compile(file.read(), path, "exec")
    namespace = {"__name__": "__main__", "__file__": path}
    exec(code, namespace)
    return namespace, None


def refuse(*args, **kwargs):
    raise unittest.SkipTest("what threads and processes do is not the same twice")


def run_tests(name):
    global unittest
    import _posixsubprocess
    import os
    import random
    import threading
    import unittest
    from test import support
    support.use_resources = []
    random.seed(3)
    threading._start_joinable_thread = refuse
    _posixsubprocess.fork_exec = os.fork = os.posix_spawn = refuse
    # As subprocess has it already, if somebody imported it.
    sys.modules.pop("subprocess", None)
    suite = unittest.defaultTestLoader.loadTestsFromName(name)
    result = unittest.TestResult()
    suite.run(result)
    return suite, {"run": result.testsRun, "skipped": len(result.skipped),
                   "failed": sorted(test.id() for test, _ in result.failures + result.errors)}


def bytecodes():
    """[(file, qualified name, first line), what was compiled, what it has become], in the order of discovery."""
    roots = executed + [f.__code__ for f in gc.get_objects() if type(f) is types.FunctionType]
    found, waiting = {}, roots[::-1]
    while waiting:
        code = waiting.pop()
        if id(code) not in found:
            found[id(code)] = code
            waiting.extend(const for const in reversed(code.co_consts) if type(const) is types.CodeType)
    return [((code.co_filename, code.co_qualname, code.co_firstlineno), code.co_code, code._co_code_adaptive)
            for code in found.values() if code.co_filename != __file__]


def main():
    out, part = sys.argv[1:]
    sys.argv[1:] = []
    alive, outcome = (run_program if part.endswith(".py") else run_tests)(part)
    ended.append(alive)
    codes = bytecodes()
    with open(out, "wb") as file:
        pickle.dump({"outcome": outcome, "codes": codes}, file, protocol=4)


main()
