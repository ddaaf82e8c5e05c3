"""IPython: cells, magics, completion, tracebacks, inspection, asynchronous cells."""

import re

from IPython.core.interactiveshell import InteractiveShell
from IPython.utils.capture import capture_output

CELLS = [
    "import math\nsquares = [n * n for n in range(10)]\nsquares",
    "_[3] + Out[1][2]",
    "def fails(n):\n    return 1 / (n - 2)\n[fails(n) for n in range(4)]",
    "import asyncio\nawait asyncio.sleep(0, 'slept')",
    "%timeit -n 1 -r 1 -q sum(squares)",
    "%%capture held\nprint('held')",
    "held.stdout",
    "!!echo from a shell",
    "math.hypot?",
    "for n in range(3):\n    yield n",
    "%xmode Context\n{}['key']",
    "class Point:\n    def _repr_pretty_(self, printer, cycle): printer.text('a point')\nPoint()",
]


def main():
    shell = InteractiveShell.instance(colors="nocolor", history_load_length=0)
    shell.history_manager.enabled = False
    for cell in CELLS:
        with capture_output() as said:
            result = shell.run_cell(cell, store_history=True)
        text = re.sub(r"\x1b\[[0-9;]*m|0x[0-9a-f]+|\S*/(?=\w+\.so)|<ipython-input-\S+>", "", said.stdout)
        print(result.success, text.strip(), sep="\n")
    shell.Completer.use_jedi = False
    print(shell.complete("squ")[1], [name for name in shell.complete("squares.")[1] if "append" in name])


main()
