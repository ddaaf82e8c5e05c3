"""Says where the time of a program goes, line by line, and why code is not machine code:

    python -m reval explain script.py

The program runs in a process of its own, started as without this: `hook/sitecustomize.py` begins to take samples there
before it runs, and the report is made when it has ended.
"""

import json
import os
import sys

HELP = """\
usage: python -m reval explain [OPTION]... PROGRAM [ARGUMENT]...

Runs a program with the JIT, and says afterwards on stderr, line by line, how much of the time was spent there and in
what: machine code, traces that are not compiled, bytecode, C code. And why: what ends a trace, what leaves it.

PROGRAM is as python takes it: script.py, -m module, -c 'code'.

  --html FILE    write the report as a web page, in one file
  --json FILE    write what it is made of, for other programs
  --all          show the standard library, too
  --top N        show the N functions that cost most (default: all with at least 1 % of the time)
  --help         this text
"""

#: Begins the message of an error.
NAME = "reval explain"


def main(arguments):
    settings, program = parse(arguments)
    if program is None:
        print(HELP, end="")
        return
    check_program(program)
    for name in "html", "json":
        if settings[name] is not None:
            settings[name] = check_output(settings[name])
    start(settings, program)


def fail(message):
    """Ends this process with one line."""
    sys.stderr.write(f"{NAME}: {message}\n")
    sys.exit(2)


def parse(arguments):
    """The settings, and the program with its arguments; None for it if help is wanted."""
    settings = {"html": None, "json": None, "all": False, "top": None}
    rest = list(arguments)
    while rest and rest[0].startswith("--"):
        option, has_value, value = rest.pop(0).partition("=")
        name = option.removeprefix("--")
        if option == "--":
            break
        if name == "help":
            return settings, None
        if name == "all" and not has_value:
            settings["all"] = True
        elif name in ("html", "json", "top"):
            if not has_value:
                value = rest.pop(0) if rest else fail(f"{option} needs a value")
            settings[name] = value
        else:
            fail(f"unknown option {option}: --help lists them")
    if rest[:1] == ["-h"]:
        return settings, None
    if settings["top"] is not None:
        if not settings["top"].isdecimal() or int(settings["top"]) == 0:
            fail(f"--top {settings['top']}: that is no number of functions")
        settings["top"] = int(settings["top"])
    return settings, rest


def check_program(program):
    if not program:
        fail("no program: python -m reval explain [OPTION]... script.py, -m module, or -c 'code'")
    first = program[0]
    if first[:2] in ("-m", "-c"):
        if len(first) == 2 and len(program) == 1:
            fail(f"{first} needs {'a module' if first == '-m' else 'code'}")
    elif first.startswith("-") and first != "-":
        fail(f"{first} is no program: options of Python belong before -m reval")
    elif first != "-" and not os.path.exists(first):
        fail(f"there is no file {first}")


def check_output(path):
    """The absolute path: the program may change the current folder."""
    path = os.path.abspath(path)
    if os.path.isdir(path) or not os.path.isdir(os.path.dirname(path)):
        fail(f"{path} cannot be written")
    return path


def start(settings, program):
    from reval.__main__ import options
    from reval.explain import native

    if sys.flags.ignore_environment or sys.flags.no_site:
        fail("with -E, -I or -S, Python does not look at what this sets in the environment")
    environment = os.environ
    try:
        # It says here, in one line, why it cannot run.
        environment |= native.find().prepare()
    except Exception as error:
        fail(error)
    hook = os.path.join(os.path.dirname(os.path.abspath(__file__)), "hook")
    settings["path"] = environment.get("PYTHONPATH")
    environment["PYTHONPATH"] = hook + (os.pathsep + settings["path"] if settings["path"] else "")
    environment["REVAL_EXPLAIN"] = json.dumps(settings)
    before = options(sys.argv[1:])
    sys.stdout.flush()
    os.execv(sys.executable, [sys.executable, *before, *program])
