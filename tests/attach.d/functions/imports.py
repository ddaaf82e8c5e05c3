"""Cases for src/attach/imports.rs."""

import importlib
import os
import sys
import types
from ctypes import POINTER, byref, c_int, c_void_p, py_object

from harness import INTERPRETER, Name, both, outcome, same, same_calls, taken


class Raising:
    @property
    def has_location(self):
        raise OSError("no")

    _initializing = has_location


class NotABool:
    def __bool__(self):
        raise TypeError("neither")


def test_imports():
    default = both("_PyImport_IsDefaultImportFunc", c_int, c_void_p, py_object)
    for function in (__import__, print, importlib.import_module):
        same_calls(default, INTERPRETER, function)

    spec = types.SimpleNamespace
    specs = [None, 5, os.__spec__, sys.__spec__, Raising(), spec(), spec(has_location=False, origin="x"),
             spec(has_location=True), spec(has_location=1, origin="here"), spec(has_location=True, origin=5),
             spec(has_location=True, origin=Name("name")), spec(has_location=NotABool(), origin="x"),
             spec(_initializing=True), spec(_initializing=[]), spec(_initializing=NotABool())]
    origin = both("_PyModuleSpec_GetFileOrigin", c_int, py_object, POINTER(c_void_p))

    def found(function, spec):
        place = c_void_p()
        status = function(spec, byref(place))
        return status, taken(place.value)

    for spec in specs:
        same(f"the file of {spec}", *[outcome(found, function, spec) for function in origin])
    initializing = both("_PyModuleSpec_IsInitializing", c_int, c_void_p)
    for spec in specs:
        same(f"{spec} is initializing", *[outcome(function, id(spec)) for function in initializing])
    same_calls(initializing, None)

    shadowing = both("_PyModule_IsPossiblyShadowing", c_int, c_void_p)
    same_calls(shadowing, None)
    for folder in (os.path.dirname(os.path.abspath(sys.argv[0])), os.getcwd(), sys.path[0], "/", "", "/usr/lib"):
        for file in ("x.py", "x/__init__.py", "x/y/__init__.py", "__init__.py", "x", "/x.py", "\u1234.py",
                     "x\udc80.py"):
            path = f"{folder}/{file}"
            for path in (path, path[1:], Name(path), path + "/"):
                same(f"{path!r} shadows", *[outcome(function, id(path)) for function in shadowing])
                if outcome(shadowing[0], id(path)) == ("returns", 1):
                    SHADOWING.append(path)


SHADOWING = []
