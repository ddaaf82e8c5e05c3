"""Starts Python again, with REVAL=1: `python -m reval ARGUMENTS` is `REVAL=1 python ARGUMENTS`.

With --jit before them, it is `REVAL=jit python ARGUMENTS`.
"""

import os
import site
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

  python -m reval --jit script.py

also makes machine code of hot code, as REVAL=jit python ... does.
Says on stderr why reval cannot run, and does not start Python then.

  python -m reval explain script.py

runs a program with REVAL=jit, and says afterwards where its time went: `python -m reval explain --help`.

  python -m reval --help       this text
  python -m reval --version    of reval, and the Python that it is for
  python -m reval --status     what this Python can do
"""


def main(arguments):
    if arguments[:1] == ["explain"]:
        from reval import explain

        explain.main(arguments[1:])
    elif arguments in (["--help"], ["-h"]):
        print(HELP, end="")
    elif arguments == ["--version"]:
        status = reval.status()
        print(f"reval {status['version']} for {status['host']}" if status["version"] else f"reval: {status['refusal']}")
    elif arguments == ["--status"]:
        for name, value in reval.status().items():
            print(f"{name}: {value}")
    else:
        start(arguments)


def start(arguments):
    jit = arguments[:1] == ["--jit"]
    try:
        reval.enable(jit=jit)
    except Exception as error:
        sys.exit(f"reval: {error}")
    if sys.flags.ignore_environment or sys.flags.no_site:
        sys.exit("reval: with -E, -I or -S, Python does not look at REVAL: call reval.enable() in the program")
    folder = Path(reval.__file__).parent.parent
    folders = [Path(path) for path in [*site.getsitepackages(), site.getusersitepackages()]]
    if folder not in folders or not (folder / "reval.pth").exists():
        sys.exit(f"reval: {folder} is no folder for packages of this Python, so REVAL=1 has no effect; "
                 "call reval.enable() in the program")
    if jit:
        os.environ["REVAL"] = "jit"
    elif os.environ.get("REVAL", "0") in ("", "0"):
        os.environ["REVAL"] = "1"
    sys.stdout.flush()
    os.execv(sys.executable, [sys.executable, *options(arguments), *arguments[jit:]])


def options(arguments):
    """Those of Python that were before `-m reval`."""
    words = sys.orig_argv[1:len(sys.orig_argv) - len(arguments)]
    # -m reval, -mreval, -Bm reval, -Bmreval
    last = words.pop() if words[-1:] != ["reval"] else words.pop(-2) + words.pop()
    if not last.endswith("mreval"):
        sys.exit("reval: this is a program for `python -m reval`")
    flags = last.removesuffix("mreval")
    return [*words, flags] if flags != "-" else words


if __name__ == "__main__":
    main(sys.argv[1:])
