"""Writes the code objects of some modules of the standard library as host/code.c reads them.

Per code object: a row of numbers (code units, first line, flags, stack size, locals, arguments, bytes of the
exception table), the bytecode as the compiler made it, the exception table, and the line of each code unit (-1 if it
has none). All numbers are 32 bits in the machine's order.

    python3.14 dump.py FILE
"""

import importlib.util
import sys
from array import array
from itertools import chain

MODULES = ("argparse", "asyncio.tasks", "bisect", "contextlib", "dataclasses", "difflib", "fractions", "heapq", "json.decoder",
           "queue", "statistics", "textwrap")
LARGEST = 600  # code units


def code_objects(code):
    yield code
    for constant in code.co_consts:
        if isinstance(constant, type(code)):
            yield from code_objects(constant)


def lines(code):
    found = array("i", [-1]) * (len(code.co_code) // 2)
    for start, end, line in code.co_lines():
        for unit in range(start // 2, end // 2):
            found[unit] = -1 if line is None else line
    return found


def main(path):
    modules = (importlib.util.find_spec(name).loader.get_code(name) for name in MODULES)
    with open(path, "wb") as file:
        for code in chain.from_iterable(map(code_objects, modules)):
            units = len(code.co_code) // 2
            if units > LARGEST:
                continue
            array("i", [units, code.co_firstlineno, code.co_flags, code.co_stacksize,
                        code.co_nlocals + len(code.co_cellvars) + len(code.co_freevars), code.co_argcount,
                        len(code.co_exceptiontable)]).tofile(file)
            file.write(code.co_code)
            file.write(code.co_exceptiontable)
            lines(code).tofile(file)


if __name__ == "__main__":
    main(*sys.argv[1:])
