"""Cases for src/attach/errors.rs."""

import gc
import sys
from ctypes import c_char_p, c_void_p, py_object

from harness import THREAD, both, outcome, same, same_calls


class Refusing(Exception):
    def __init__(self, *arguments):
        raise LookupError("not made")


class NoException(Exception):
    def __new__(cls, *arguments):
        return 5


def test_errors():
    set_object = both("_PyErr_SetObject", None, c_void_p, py_object, c_void_p)
    instance = ValueError("made")
    values = [None, "text", (1, 2), instance, KeyError("other"), 0]
    for exception in (ValueError, Exception, KeyError, OSError, Refusing, NoException, int):
        for value in values:
            for handled in (False, True):
                def call(function):
                    if handled:
                        try:
                            raise RuntimeError("handled")
                        except RuntimeError:
                            function(THREAD, exception, id(value))
                    function(THREAD, exception, id(value))
                instance.__context__ = None
                results = []
                for function in set_object:
                    results.append(outcome(call, function))
                    instance.__context__ = None
                same(f"{exception} {value!r}", *results)
        same(f"{exception} without a value", *[outcome(function, THREAD, exception, None) for function in set_object])

    import_error = both("_PyErr_SetImportErrorWithNameFrom", c_void_p, py_object, c_void_p, c_void_p, c_void_p)
    for arguments in (("message", None, None, None), ("message", "name", "path", "from"), (5, "name", None, "from")):
        pointers = [arguments[0], *[None if value is None else id(value) for value in arguments[1:]]]

        def call(function):
            try:
                function(*pointers)
            except ImportError as error:
                return type(error), error.msg, error.name, error.path, error.name_from, error.args
        same(f"ImportError {arguments}", *[outcome(call, function) for function in import_error])

    topmost = both("_PyErr_GetTopmostException", c_void_p, c_void_p)
    same_calls(topmost, THREAD)
    try:
        raise ValueError
    except ValueError:
        same_calls(topmost, THREAD)

        def generator():
            yield from [[function(THREAD) for function in topmost]]
        same("in a generator", *next(generator()))

        def handling():
            try:
                raise KeyError
            except KeyError:
                yield [function(THREAD) for function in topmost]
        same("in a generator that handles one", *next(handling()))

    group = both("_PyExc_CreateExceptionGroup", py_object, c_char_p, py_object)
    for exceptions in ((ValueError(1),), (KeyboardInterrupt(), ValueError()), (), (1,), 5, [ValueError(1)]):
        def call(function):
            made = function("tëxt".encode(), exceptions)
            return type(made), made.message, made.exceptions
        same(f"a group of {exceptions}", *[outcome(call, function) for function in group])


def test_tracebacks():
    entry = both("_PyTraceBack_FromFrame", py_object, c_void_p, py_object)
    frame = sys._getframe()
    following = entry[0](None, frame)
    for next_entry in (None, following):
        results = []
        for function in entry:
            before = sys.getrefcount(frame), sys.getrefcount(next_entry)
            made = function(next_entry and id(next_entry), frame)
            counts = sys.getrefcount(frame), sys.getrefcount(next_entry)
            results.append((type(made), made.tb_frame, made.tb_next, made.tb_lineno, gc.is_tracked(made),
                            [after - count for after, count in zip(counts, before)]))
            del made
        same("a traceback", *results)
    generator = (lambda: (yield))()
    next(generator)
    same("of a generator", *[(lambda made: (made.tb_lasti, made.tb_lineno))(function(None, generator.gi_frame))
                             for function in entry])
