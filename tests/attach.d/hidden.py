"""Calls the functions of src/attach and those of the host that they stand for, with the same arguments.

    python3.14-ref hidden.py src/attach CORE

The reference interpreter is linked from the host's objects, so it has the functions that other hosts hide; `nm` says
where. CORE is the extension module, built without optimization, so that it has all of its functions. The cases are in
functions/, a file for each one of src/attach. Some leave objects in a state that the collector must not see: it is off,
and the process ends without cleaning up.
"""

import gc
import importlib
import os
import sys
from pathlib import Path

HERE = Path(sys._getframe().f_code.co_filename).parent
sys.path.append(str(HERE))
import harness  # noqa: E402


def main():
    gc.disable()
    files = sorted(file.stem for file in (HERE / "functions").glob("*.py"))
    for file in files:
        module = importlib.import_module(f"functions.{file}")
        for name, test in [*vars(module).items()]:
            if name.startswith("test_"):
                test()
    for name in sorted(harness.DEFINED ^ harness.TESTED):
        harness.FAULTS.append(f"{name} is {'not tested' if name in harness.DEFINED else 'not in src/attach'}")
    print(*harness.FAULTS[:20], sep="\n", end="\n" if harness.FAULTS else "")
    shadowing = len(importlib.import_module("functions.imports").SHADOWING)
    print(f"{len(harness.TESTED)} functions and tables, {len(harness.CASES)} cases, "
          f"{shadowing} paths that may shadow others, {len(harness.FAULTS)} differences", flush=True)
    os._exit(1 if harness.FAULTS else 0)


main()
