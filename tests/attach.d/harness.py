"""Both forms of a function: the host's and that of src/attach. And what the cases in functions/ share."""

import ctypes
import importlib.machinery
import importlib.util
import os
import random
import re
import subprocess
import sys
from ctypes import PYFUNCTYPE, c_size_t, c_void_p, py_object, pythonapi
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
    """Loads the module. Returns its address, and a function that starts the module."""
    loader = importlib.machinery.ExtensionFileLoader("_reval", str(CORE))
    module = importlib.util.module_from_spec(importlib.util.spec_from_loader("_reval", loader))
    maps = Path("/proc/self/maps").read_text().splitlines()
    base = min(int(line.split("-")[0], 16) for line in maps if line.endswith(str(CORE)))
    return base, lambda: loader.exec_module(module)


BASE, start = load()
HOST = symbols(os.readlink("/proc/self/exe"))
OWN = {name: BASE + address for name, address in symbols(CORE).items()}
ADDRESSES = [("the host's", HOST), ("reval's", OWN)]

DEFINED = set()
for source in SOURCES.glob("*.rs"):
    DEFINED |= set(re.findall(r"^unsafe extern \"C\" fn (_Py\w+)|^static (_Py\w+)", source.read_text(), re.M))
DEFINED = {function or static for function, static in DEFINED}
assert len(DEFINED) > 25, DEFINED
# Some are only in cores that have a compiler.
HAS_COMPILER = "_PyUOpExecutor_Type" in OWN
DEFINED = DEFINED if HAS_COMPILER else DEFINED & OWN.keys()
TESTED = set()


def both(name, result, *parameters):
    """The host's function and the library's."""
    TESTED.add(name)
    return [PYFUNCTYPE(result, *parameters)(addresses[name]) for _, addresses in ADDRESSES]


# --- comparing -----------------------------------------------------------------------------------------------------

FAULTS = []
CASES = []


def outcome(call, *arguments):
    try:
        return "returns", call(*arguments)
    except BaseException as error:
        context = error.__context__
        return "raises", type(error), str(error), error.args, vars(error), type(context), str(context)


def same(what, *outcomes):
    CASES.append(what)
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


# --- what cases are made of ----------------------------------------------------------------------------------------


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
