"""Calls the functions of src/attach and those of the host that they stand for, with the same arguments.

    python3.14-ref hidden.py src/attach CORE

The reference interpreter is linked from the host's objects, so it has the functions that other hosts hide; `nm` says
where. CORE is the extension module, built without optimization, so that it has all of its functions. Some cases leave
objects in a state that the collector must not see: it is off, and the process ends without cleaning up.
"""

import ctypes
import gc
import importlib.machinery
import importlib.util
import os
import random
import re
import subprocess
import sys
import types
from ctypes import POINTER, PYFUNCTYPE, byref, c_char_p, c_int, c_size_t, c_ssize_t, c_uint32, c_void_p, py_object, pythonapi
from pathlib import Path

SOURCES = Path(sys.argv[1]).resolve()
CORE = Path(sys.argv[2]).resolve()
RANDOM = random.Random(1)
NULL_REFERENCE = 1


# --- finding both --------------------------------------------------------------------------------------------------


def symbols(file):
    """The address of each symbol that the file defines."""
    lines = subprocess.run(["nm", "--defined-only", file], check=True, capture_output=True, text=True).stdout
    return {name: int(address, 16) for address, _, name in map(str.split, lines.splitlines())}


def load():
    """Imports the module, and returns where it was loaded."""
    loader = importlib.machinery.ExtensionFileLoader("_reval", str(CORE))
    importlib.util.module_from_spec(importlib.util.spec_from_loader("_reval", loader))
    maps = Path("/proc/self/maps").read_text().splitlines()
    return min(int(line.split("-")[0], 16) for line in maps if line.endswith(str(CORE)))


BASE = load()
HOST = symbols(os.readlink("/proc/self/exe"))
OWN = {name: BASE + address for name, address in symbols(CORE).items()}
ADDRESSES = [("the host's", HOST), ("reval's", OWN)]

DEFINED = set()
for source in SOURCES.glob("*.rs"):
    DEFINED |= set(re.findall(r"^unsafe extern \"C\" fn (_Py\w+)|^static (_Py\w+)", source.read_text(), re.M))
DEFINED = {function or static for function, static in DEFINED}
assert len(DEFINED) > 25, DEFINED
TESTED = set()


def both(name, result, *parameters):
    """The host's function and the library's."""
    TESTED.add(name)
    return [PYFUNCTYPE(result, *parameters)(addresses[name]) for _, addresses in ADDRESSES]


# --- comparing -----------------------------------------------------------------------------------------------------

FAULTS = []
CASES = 0


def outcome(call, *arguments):
    try:
        return "returns", call(*arguments)
    except BaseException as error:
        context = error.__context__
        return "raises", type(error), str(error), error.args, vars(error), type(context), str(context)


def same(what, *outcomes):
    global CASES
    CASES += 1
    host, own = outcomes
    if host != own:
        FAULTS.append(f"{what}: the host's {host!r:.300}, reval's {own!r:.300}")


def same_calls(functions, *arguments, what=""):
    same(f"{what}{arguments!r:.200}", *[outcome(function, *arguments) for function in functions])


THREAD = PYFUNCTYPE(c_void_p)(("PyThreadState_Get", pythonapi))()
INTERPRETER = PYFUNCTYPE(c_void_p)(("PyInterpreterState_Get", pythonapi))()
increment = PYFUNCTYPE(None, py_object)(("Py_IncRef", pythonapi))


def word(address):
    return c_size_t.from_address(address).value


def taken(address):
    """The object of a new reference."""
    return None if not address else ctypes.cast(address, py_object).value


# --- dictionaries --------------------------------------------------------------------------------------------------

MA_KEYS = 32
assert dict.__basicsize__ == 48


def keys_of(dictionary):
    return word(id(dictionary) + MA_KEYS)


class Name(str):
    """A string that is not exactly one."""


class Twin:
    """Equals a string, and has its hash."""

    def __init__(self, name, action=lambda: None):
        self.name, self.action = name, action

    def __hash__(self):
        return hash(self.name)

    def __eq__(self, other):
        self.action()
        return other == self.name


def names(count):
    return [f"name{number}" for number in range(count)]


def dictionaries():
    yield {}
    for count in (1, 5, 6, 100, 200, 300, 30_000, 90_000):
        yield dict.fromkeys(names(count))
        deleted = dict.fromkeys(names(count))
        for name in RANDOM.sample(names(count), count // 2):
            del deleted[name]
        yield deleted
        yield dict.fromkeys([*names(count), 1, None, Name("other")])
    for _ in range(300):
        table = {}
        for _ in range(RANDOM.randrange(60)):
            name = f"name{RANDOM.randrange(40)}"
            if RANDOM.random() < 0.6:
                table[name] = None
            else:
                table.pop(name, None)
        yield table
    yield {Twin("name1"): 1, "name2": 2}
    yield {1: 1, Name("name1"): 1}


def test_dictionaries():
    lookup = both("_PyDictKeys_StringLookup", c_ssize_t, c_void_p, py_object)
    index = both("_PyDict_LookupIndex", c_ssize_t, py_object, py_object)
    versioned = both("_PyDictKeys_StringLookupAndVersion", c_ssize_t, c_void_p, py_object, POINTER(c_uint32))
    version = both("_PyDict_GetKeysVersionForCurrentState", c_uint32, c_void_p, py_object)
    for table in dictionaries():
        wanted = [*table][:15] + [*table][-15:] + names(10) + ["", "\u1234", Name("name1"), 1]
        for name in wanted:
            # A string with the same text, but another object.
            for name in {id(name): name, 0: "".join([name])}.values() if type(name) is str else [name]:
                same_calls(lookup, keys_of(table), name)
                if type(name) is str:
                    same_calls(index, table, name)

    # Versions are counted, by whichever function.
    for first, second in (version, version[::-1]):
        one, two = {"a": 1}, {"a": 1}
        number = first(INTERPRETER, one)
        same("the version stays", number, second(INTERPRETER, one))
        same("the next version", number + 1, second(INTERPRETER, two))
    for first, second in (versioned, versioned[::-1]):
        for table, name in (({"a": 1}, "a"), ({"a": 1}, "b"), ({1: 1}, "a"), ({"a": 1}, 1)):
            results = []
            for function in (first, second):
                number = c_uint32(77)
                results.append((function(keys_of(table), name, byref(number)), number.value))
            same(f"index and version of {name!r}", *results)

    # A comparison that changes the table, or fails.
    for action in ("clear", "grow", "fail", "nothing"):
        results = []
        for function in index:
            table = {}

            def change():
                if action == "clear":
                    table.clear()
                elif action == "grow" and len(table) < 50:
                    table.update(dict.fromkeys(names(50)))
                elif action == "fail":
                    raise KeyError("comparison")

            table[Twin("name1", change)] = 1
            table["name2"] = 2
            results.append((outcome(function, table, "name1"), len(table)))
        same(f"a comparison that does: {action}", *results)


def test_shared_keys():
    lookup = both("_PyDictKeys_StringLookupSplit", c_ssize_t, c_void_p, py_object)
    for count in (0, 1, 5, 20, 29):
        cls = type("Shared", (), {})
        # The class keeps the table that its instances share.
        for _ in range(3):
            instance = cls()
            for name in names(count):
                setattr(instance, name, 1)
        keys = keys_of(instance.__dict__)
        for name in [*names(40), "", "\u1234"]:
            same_calls(lookup, keys, name, what=f"{count} shared keys ")
            same_calls(lookup, keys, "".join([name]), what=f"{count} shared keys ")


# --- types and functions -------------------------------------------------------------------------------------------


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


assign_version = PYFUNCTYPE(c_int, py_object)(("PyUnstable_Type_AssignVersionTag", pythonapi))


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


# --- frames --------------------------------------------------------------------------------------------------------


def test_data_stack():
    push = both("_PyThreadState_PushFrame", c_void_p, c_void_p, c_size_t)
    pop = PYFUNCTYPE(None, c_void_p, c_void_p)(("_PyThreadState_PopFrame", pythonapi))

    def result(function, size):
        """Where the frame is, and the header of its chunk if it is the first there."""
        frame = function(THREAD, size)
        ctypes.memset(frame, 0, size * 8)
        start = frame - 24
        chunk = (word(start), word(start + 8)) if start % 4096 == 0 else frame
        pop(THREAD, frame)
        return chunk

    sizes = [1, 10, 100, 1000, 3000, 5000, 20_000, 100_000]
    for size in sizes:
        same(f"{size} words", *[result(function, size) for function in push])

    # Chunks on top of each other.
    def results(function):
        frames = [function(THREAD, size) for size in sizes]
        headers = [word(frame - 16) if (frame - 24) % 4096 == 0 else 0 for frame in frames]
        tops = [word(frame - 8) for frame, header in zip(frames, headers) if header]
        for frame in reversed(frames):
            pop(THREAD, frame)
        return headers, tops

    same("many frames", *[results(function) for function in push])

    # In a thread of its own, which has no chunk yet when its first frame is pushed by reval.
    def deep(depth):
        return depth and 1 + deep(depth - 1)

    import threading
    threads = [threading.Thread(target=deep, args=(300,)) for _ in range(3)]
    for thread in threads:
        thread.start()
        thread.join()


def frame_in(generator):
    """The address of the generator's frame. It begins with a reference to the code."""
    code = id(generator.gi_code)
    for address in range(id(generator) + 16, id(generator) + 400, 8):
        if word(address) & ~1 == code:
            return address
    raise LookupError


LOG = []


class Noted:
    def __init__(self, name):
        self.name = name

    def __del__(self):
        LOG.append(self.name)


def counting(argument):
    first, second = Noted("first"), Noted("second")
    for item in [Noted("on the stack"), 2]:
        cell = [lambda: second]
        yield first, argument, cell, item


def unstarted(argument):
    yield argument


def facts(frame):
    return (frame.f_code, frame.f_lineno, frame.f_lasti, frame.f_back, frame.f_trace, frame.f_trace_lines,
            frame.f_trace_opcodes, sorted(frame.f_locals), frame.f_globals is globals(), frame.f_builtins)


def test_frame_objects():
    make = both("_PyFrame_MakeAndSetFrameObject", c_void_p, c_void_p)
    results = []
    for function in make:
        generators = counting(1), unstarted(2)
        next(generators[0])
        made = [function(frame_in(generator)) for generator in generators]
        same("the generator's frame object", made, [id(generator.gi_frame) for generator in generators])
        results.append([(facts(generator.gi_frame), sys.getrefcount(generator.gi_frame)) for generator in generators])
        same("what it tracks", True, all(gc.is_tracked(generator.gi_frame) is False for generator in generators))
    same("frame objects", *results)


def test_clearing():
    clear = both("_PyFrame_ClearExceptCode", None, c_void_p)
    for start in (False, True):
        for observed in (False, True):
            results = []
            for function in clear:
                argument = Noted("argument")
                LOG.clear()
                generator = counting(argument) if start else unstarted(argument)
                if start:
                    next(generator)
                increment(generator)  # It must never be freed.
                frame = generator.gi_frame if observed else None
                code = generator.gi_code
                before = sys.getrefcount(argument), sys.getrefcount(code)
                function(frame_in(generator))
                counts = sys.getrefcount(argument), sys.getrefcount(code)
                result = [[count - earlier for count, earlier in zip(counts, before)], LOG[:]]
                if frame:
                    result += [facts(frame), gc.is_tracked(frame), frame.f_locals["argument"] is argument]
                    result.append([type(value) for value in frame.f_locals.values()])
                    del frame
                    result += [sys.getrefcount(argument) - before[0], sys.getrefcount(code) - before[1], LOG[:]]
                results.append(result)
            same(f"clearing, started: {start}, observed: {observed}", *results)

    # The caller becomes f_back, and a set exception stays.
    results = []
    for function in clear:
        def caller():
            return inner()

        def inner():
            generator = counting(1)
            next(generator)
            increment(generator)
            frame = generator.gi_frame
            # As if it were running. What `word` finds is its own frame, and below it this one.
            address = frame_in(generator)
            c_void_p.from_address(address + 8).value = word(word(THREAD_FRAME) + 8)
            function(address)
            return frame.f_back and frame.f_back.f_code.co_name
        results.append(caller())
    same("f_back", *results)


def thread_frame():
    """The address of the thread's pointer to its current frame: that of `word` while it reads."""
    for address in range(THREAD, THREAD + 400, 8):
        frame = word(address)
        if frame % 8 == 0 and is_mapped(frame) and word(frame) & ~1 == id(word.__code__):
            return address
    raise LookupError


def is_mapped(address):
    for line in MAPS:
        start, end = (int(part, 16) for part in line.split(" ")[0].split("-"))
        if start <= address < end - 8 and line.split(" ")[1].startswith("rw"):
            return True
    return False


MAPS = Path("/proc/self/maps").read_text().splitlines()
THREAD_FRAME = thread_frame()


# --- exceptions ----------------------------------------------------------------------------------------------------


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
    generator = counting(1)
    next(generator)
    same("of a generator", *[(lambda made: (made.tb_lasti, made.tb_lineno))(function(None, generator.gi_frame))
                             for function in entry])


# --- imports -------------------------------------------------------------------------------------------------------


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
        for file in ("x.py", "x/__init__.py", "x/y/__init__.py", "__init__.py", "x", "/x.py", "\u1234.py", "x\udc80.py"):
            path = f"{folder}/{file}"
            for path in (path, path[1:], Name(path), path + "/"):
                same(f"{path!r} shadows", *[outcome(function, id(path)) for function in shadowing])
                if outcome(shadowing[0], id(path)) == ("returns", 1):
                    SHADOWING.append(path)


SHADOWING = []


# --- calls ---------------------------------------------------------------------------------------------------------


def test_unpacking():
    unpack = both("_PyStack_UnpackDict", c_void_p, c_void_p, c_void_p, c_ssize_t, py_object, POINTER(c_void_p))
    free = both("_PyStack_UnpackDict_FreeNoDecRef", None, c_void_p, py_object)

    def call(pair, arguments, keywords):
        function, free = pair
        array = (c_void_p * (len(arguments) + 1))(*map(id, arguments))
        kwnames = c_void_p()
        objects = [*arguments, *keywords, *keywords.values()]
        before = [sys.getrefcount(each) for each in objects]
        try:
            values = function(THREAD, array, len(arguments), keywords, byref(kwnames))
        except TypeError as error:
            return str(error), [sys.getrefcount(each) for each in objects] == before
        names = taken(kwnames.value)
        found = [taken(word(values + 8 * index)) for index in range(len(arguments) + len(keywords))]
        c_size_t.from_address(values - 8).value = 0
        grown = [after - count for after, count in zip([sys.getrefcount(each) for each in objects], before)]
        free(values, names)
        return names, found, grown

    objects = [object(), [], "text", 5]
    for arguments in ([], objects):
        for keywords in ({}, {"a": objects}, {"b": object(), "a": []}, {Name("n"): objects}, {1: objects},
                         {"a": [], None: objects}):
            same(f"unpacking {arguments} {keywords}", *[call(pair, arguments, keywords) for pair in zip(unpack, free)])


class Attributes:
    constant = [1]

    def method(self):
        pass

    @property
    def computed(self):
        return self.constant

    @property
    def failing(self):
        raise KeyError("failing")

    @staticmethod
    def static():
        pass

    @classmethod
    def of_class(cls):
        pass


class Hooked(Attributes):
    def __getattr__(self, name):
        return name


class Fixed:
    __slots__ = ("slot",)

    def method(self):
        pass


def test_methods():
    find = both("_PyObject_GetMethodStackRef", c_int, c_void_p, POINTER(c_size_t), py_object, POINTER(c_size_t))
    instance = Attributes()
    instance.own, instance.static = [2], "shadows"
    in_dict = Attributes()
    in_dict.__dict__["method"] = "shadows"
    in_dict.__dict__[5] = 1
    objects = [instance, in_dict, Hooked(), Fixed(), Attributes, [], 5, "text", os, None, len]
    wanted = ["method", "constant", "computed", "failing", "static", "of_class", "own", "absent", "slot", "append",
              "__class__", "__init__", "path"]

    def call(function, each, name):
        increment(each)
        this, method = c_size_t(id(each)), c_size_t(NULL_REFERENCE)
        before = sys.getrefcount(each)
        try:
            status = function(THREAD, byref(this), name, byref(method))
        except Exception as error:
            status = type(error), str(error)
        found = None if method.value == NULL_REFERENCE else taken(method.value & ~1)
        left = sys.getrefcount(each) - before
        description = (type(found), getattr(found, "__name__", None), found if type(found) in (list, str) else None)
        # What is freed with the method that is bound to it was counted, too.
        bound = getattr(found, "__self__", None) is each
        return status, description, this.value == NULL_REFERENCE, left - bound

    for each in objects:
        for name in wanted:
            same(f"{each!r:.50}.{name}", *[call(function, each, name) for function in find])


# --- operators, code, suggestions ----------------------------------------------------------------------------------


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


def test_code():
    ranges = both("_PyCode_InitAddressRange", c_int, py_object, c_void_p)
    for code in (test_code.__code__, (lambda: 0).__code__, compile("", "", "exec"), compile("\n" * 1000 + "x", "", "eval")):
        results = []
        for function in ranges:
            memory = ctypes.create_string_buffer(40)
            results.append((function(code, memory), memory.raw[:12], memory.raw[16:20], memory.raw[24:40]))
        same(f"{code}", *results)
    for table in ("_PyOpcode_Caches", "_PyOpcode_Deopt"):
        TESTED.add(table)
        same(table, *[ctypes.string_at(addresses[table], 256) for _, addresses in ADDRESSES])


def test_suggestions():
    suggest = both("_Py_CalculateSuggestions", c_void_p, py_object, py_object)

    def misspelt(name):
        letters = [*name]
        for _ in range(RANDOM.randrange(4)):
            at = RANDOM.randrange(len(letters) + 1)
            match RANDOM.randrange(4):
                case 0:
                    letters.insert(at, RANDOM.choice("abcxyzAé_"))
                case 1:
                    letters[at:at + 1] = []
                case 2:
                    letters[at:at + 1] = RANDOM.choice("abcxyzAé_")
                case 3:
                    letters[at:at + 1] = "".join(letters[at:at + 1]).swapcase()
        return "".join(letters)

    known = [*dir(os), *dir(str), *"aé_", "x" * 39, "x" * 41 + "y", "x" * 60, ""]
    for _ in range(3000):
        candidates = RANDOM.sample(known, RANDOM.randrange(1, 40))
        name = misspelt(RANDOM.choice(candidates))
        same(f"{name!r} of {candidates}", *[taken(function(candidates, name)) for function in suggest])
    for count in (749, 750, 800):
        same(f"{count} candidates", *[taken(function(names(count), "nam5")) for function in suggest])
    same_calls(suggest, ["abc"], "ab\udc80")
    same_calls(suggest, ["ab\udc80", "abc"], "abd")
    same_calls(suggest, [], "abd")


def main():
    gc.disable()
    for name, test in [*globals().items()]:
        if name.startswith("test_"):
            test()
    for name in sorted(DEFINED ^ TESTED):
        FAULTS.append(f"{name} is {'not tested' if name in DEFINED else 'not in src/attach'}")
    print(*FAULTS[:20], sep="\n", end="\n" if FAULTS else "")
    shadowing = f", {len(SHADOWING)} paths that may shadow others"
    print(f"{len(TESTED)} functions and tables, {CASES} cases{shadowing}, {len(FAULTS)} differences", flush=True)
    os._exit(1 if FAULTS else 0)


main()
