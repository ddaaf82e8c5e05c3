"""Cases for src/attach/types.rs."""

import ctypes
import types
from ctypes import POINTER, PYFUNCTYPE, byref, c_int, c_uint32, c_void_p, py_object, pythonapi

from harness import FAULTS, HAS_COMPILER, Twin, both, outcome, same, same_calls, taken

assign_version = PYFUNCTYPE(c_int, py_object)(("PyUnstable_Type_AssignVersionTag", pythonapi))


def classes():
    class Base:
        inherited = 1

    class Slots(Base):
        __slots__ = ("slot",)

    class Meta(type):
        pass

    return [object, int, str, dict, type, types.ModuleType, types.GeneratorType, Base, Slots, Meta("Made", (Base,), {})]


def without_versions():
    """A class that has used up its versions."""
    cls = type("Used", (), {"name": 0})
    for number in range(1100):
        cls.name = number
        cls().name
        assign_version(cls)
    return cls


def test_lookups():
    lookup = both("_PyType_LookupRefAndVersion", c_void_p, py_object, py_object, POINTER(c_uint32))

    def result(function, cls, name):
        version = c_uint32(77)
        found = taken(function(cls, name, byref(version)))
        return found, version.value

    wanted = ["inherited", "slot", "__init__", "__getattr__", "absent", "append", "x" * 100, "x" * 101, "__class__"]
    for functions in (lookup, lookup[::-1]):
        # Fresh classes get their versions here.
        for cls in [*classes(), without_versions()]:
            for name in wanted:
                same(f"{cls}.{name}", *[result(function, cls, name) for function in functions])
            same("no place for the version", *[taken(function(cls, "__init__", None)) for function in functions])
        # A change takes the version away.
        cls = type("Changed", (), {"a": 1})
        for value in range(5):
            cls.a = value
            same("a changed class", *[result(function, cls, "a") for function in functions])
        # A lookup that fails has no version: it may succeed another time.
        failing = type("Failing", (), {})
        unusual = type("Unusual", (failing,), {Twin("hidden", lambda: 1 / 0): 1})
        same("a lookup that fails", *[outcome(result, function, unusual, "hidden") for function in functions])


def test_validation():
    callback = ctypes.CFUNCTYPE(c_int, c_void_p)
    validate = both("_PyType_Validate", c_int, py_object, callback, POINTER(c_uint32))
    for functions in (validate, validate[::-1]):
        for cls in [*classes(), without_versions()]:
            for answer in (0, 1, -1, 7):
                results = []
                for function in functions:
                    version = c_uint32(77)
                    results.append((function(cls, callback(lambda _: answer), byref(version)), version.value))
                same(f"validating {cls} with {answer}", *results)


def test_caches():
    init = both("_PyType_CacheInitForSpecialization", c_int, py_object, c_void_p, c_uint32)
    getitem = both("_PyType_CacheGetItemForSpecialization", c_int, py_object, c_void_p, c_uint32)
    version_of = both("_PyFunction_GetVersionForCurrentState", c_uint32, py_object)
    version_of_class = both("_PyType_LookupRefAndVersion", c_void_p, py_object, py_object, POINTER(c_uint32))[0]

    def function(*arguments):
        return arguments

    def changed():
        pass

    changed.__defaults__ = (1,)
    for candidate in (function, changed, test_caches, lambda: 0):
        same_calls(version_of, candidate)
    for name, functions in (("__init__", init), ("__getitem__", getitem)):
        for cached in (function, changed, None):
            for off in (0, 1, None):
                results = []
                for call in functions:
                    cls = type("Cached", (), {name: function})
                    version = c_uint32()
                    version_of_class(cls, name, byref(version))
                    before = ctypes.string_at(id(cls), type.__basicsize__)
                    number = 0 if off is None else version.value + off
                    status = call(cls, id(cached) if cached else None, number)
                    after = ctypes.string_at(id(cls), type.__basicsize__)
                    # Everything but the count of references, which is first.
                    changes = [(at, after[at]) for at in range(8, len(after)) if before[at] != after[at]]
                    results.append((status, changes))
                same(f"caching {cached} as {name}", *results)
                if cached is function and off == 0 and not results[0][1]:
                    FAULTS.append(f"caching {name} changed nothing")


def test_lookups_by_version():
    if not HAS_COMPILER:
        return
    [version_of_class, _] = both("_PyType_LookupRefAndVersion", c_void_p, py_object, py_object, POINTER(c_uint32))
    [version_of_function, _] = both("_PyFunction_GetVersionForCurrentState", c_uint32, py_object)
    types_ = both("_PyType_LookupByVersion", c_void_p, c_uint32)
    functions = both("_PyFunction_LookupByVersion", c_void_p, c_uint32, POINTER(c_void_p))

    def found(function, version):
        code = c_void_p()
        return function(version, byref(code)), code.value

    cls, function, version = type("Known", (), {"name": 0}), lambda: 0, c_uint32()
    version_of_class(cls, "name", byref(version))
    for known in (version.value, version_of_function(function)):
        for number in (known, 0, 1, 2, known + 4096, 2**32 - 1):
            same_calls(types_, number)
            same(f"the function {number}", *[found(lookup, number) for lookup in functions])
    if types_[1](version.value) != id(cls):
        FAULTS.append("the class is not found")
    if found(functions[1], version_of_function(function)) != (id(function), id(function.__code__)):
        FAULTS.append("the function is not found")
    # The code is known as long as it lives.
    number, code = version_of_function(function), function.__code__
    del function
    same("a function that is gone", *[found(lookup, number) for lookup in functions])
    del code
    same("code that is gone", *[found(lookup, number) for lookup in functions])
