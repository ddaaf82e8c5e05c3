"""Starts Python again, with REVAL=1: `python -m reval ARGUMENTS` is `REVAL=1 python ARGUMENTS`."""

import os
import site
import subprocess
import sys
from pathlib import Path

import reval

HELP = """\
usage: python -m reval [ARGUMENT]...

Starts Python with these arguments, options included, on reval:

  python -m reval script.py
  python -m reval -m module
  python -m reval -c 'code'

Child processes run on reval, too. The same without this program: REVAL=1 python ...
Says on stderr, unless REVAL=quiet, why a process cannot run on reval, and then runs it on Python's own evaluator.

  python -m reval --help       this text
  python -m reval --status     what this Python can do
"""


def main():
    arguments = sys.argv[1:]
    if arguments in (["--help"], ["-h"]):
        print(HELP, end="")
    elif arguments == ["--status"]:
        for name, value in reval.status().items():
            print(f"{name}: {value}")
    else:
        start(arguments)


def start(arguments):
    try:
        reval.enable()
    except Exception as error:
        sys.exit(f"reval: {error}")
    folder = Path(reval.__file__).parent.parent
    folders = [Path(path) for path in [*site.getsitepackages(), site.getusersitepackages()]]
    if folder not in folders or not (folder / "reval.pth").exists():
        sys.exit(f"reval: {folder} is no folder for packages of this Python, so REVAL=1 has no effect; "
                 "call reval.enable() in the program")
    if os.environ.get("REVAL", "0") in ("", "0"):
        os.environ["REVAL"] = "1"
    sys.stdout.flush()
    options = subprocess._args_from_interpreter_flags()
    os.execv(sys.executable, [sys.executable, *options, *arguments])


main()
