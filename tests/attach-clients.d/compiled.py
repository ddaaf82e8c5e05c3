"""cffi with callbacks, and a Cython module that calls Python functions, generators and coroutines."""

import asyncio
import importlib
import subprocess
import sys
import sysconfig
import tempfile
from pathlib import Path

import cffi

CYTHON = '''
# cython: language_level=3
cdef class Counter:
    cdef public long total
    cdef object function
    def __init__(self, function):
        self.function = function
    def __call__(self, values):
        for value in values:
            self.total += self.function(value)
        return self.total
    def __iter__(self):
        while self.total > 0:
            self.total //= 3
            yield self.total

async def both(first, second):
    return await first, await second

def failing(function):
    try:
        return function()
    except KeyError as error:
        raise LookupError("from Cython") from error

cpdef list applied(function, list values):
    return [function(value, key=value) for value in values]
'''


def callbacks():
    ffi = cffi.FFI()
    ffi.cdef("void qsort(void *base, size_t count, size_t size, int (*compare)(const void *, const void *));")
    library = ffi.dlopen(None)
    numbers = ffi.new("int[]", [n * 37 % 101 for n in range(60)])

    @ffi.callback("int(const void *, const void *)")
    def compare(one, other):
        return ffi.cast("int *", one)[0] - ffi.cast("int *", other)[0]
    library.qsort(numbers, len(numbers), 4, compare)
    print(list(numbers)[:20])

    @ffi.callback("int(int)", onerror=lambda kind, error, trace: print("in a callback:", repr(error)), error=-1)
    def fails(number):
        return 10 // number
    print(fails(5), fails(0))


def compiled(folder):
    (folder / "inner.pyx").write_text(CYTHON)
    subprocess.run([sys.executable, "-m", "cython", "-3", "inner.pyx"], cwd=folder, check=True)
    config = sysconfig.get_config_vars()
    command = [*config["CC"].split()[:1], "-O1", "-w", "-shared", "-fPIC", f"-I{sysconfig.get_path('include')}",
               f"-I{sysconfig.get_path('platinclude')}", "inner.c", "-o", f"inner{config['EXT_SUFFIX']}"]
    subprocess.run(command, cwd=folder, check=True)
    sys.path.insert(0, str(folder))
    return importlib.import_module("inner")


async def later(value):
    await asyncio.sleep(0)
    return value


def main():
    callbacks()
    inner = compiled(Path(tempfile.mkdtemp()))
    counter = inner.Counter(lambda value: value * value)
    print(counter(range(50)), list(counter))
    print(inner.applied(lambda value, *, key: (value, key), [1, 2]))
    print(asyncio.run(inner.both(later(1), later("two"))))
    try:
        inner.failing(lambda: {}["missing"])
    except LookupError as error:
        print(repr(error), repr(error.__cause__))


main()
