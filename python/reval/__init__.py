"""Runs Python code on reval, an evaluator for CPython 3.14 written in Rust.

    REVAL=1 python script.py        this process and its children, subinterpreters included
    REVAL=jit python script.py      the same, and hot code of the main interpreter becomes machine code
    python -m reval script.py       as with REVAL=1
    python -m reval --jit script.py as with REVAL=jit
    reval.enable()                  this interpreter, from now on

The package has a *core* for each release of CPython that it knows: an extension module that fits only that release.
"""

# Python imports this while it starts: what other modules it needs has been imported by then. Types are in __init__.pyi.
import os
import sys

__all__ = ["disable", "enable", "status"]


def enable(*, jit=False):
    """Run Python code that starts from now on, in this interpreter, on reval.

    With `jit`, hot code becomes machine code; without, none does from now on. Frames that are running stay where they are.
    Raises ImportError if there is no core for this Python, RuntimeError if another evaluator is in use; both say why. If
    only the JIT cannot be, that is a RuntimeError, too, but the rest is on.
    """
    core = _core()
    core.enable()
    if jit and not _host_expects_machine_code():
        raise RuntimeError(f"running without the JIT: {_NEEDS_JIT}")
    core.set_jit(jit)


def disable():
    """Give this interpreter its own evaluator back, unless another one than reval is in use.

    Frames that are running on reval end there.
    """
    try:
        core = _core()
    except ImportError:
        return
    core.disable()


def status():
    """What runs where, as a dictionary:

    - enabled: whether this interpreter's calls run on reval
    - refusal: why it cannot be enabled, if it cannot
    - version: of reval
    - host: the CPython that the core was built for
    - tier2: whether the JIT is on, and why it cannot be
    """
    try:
        return _core().status()
    except ImportError as error:
        return {"enabled": False, "refusal": str(error), "version": None, "host": None, "tier2": None}


_NEEDS_JIT = "it needs a CPython that was built with --enable-experimental-jit=yes-off"


def _host_expects_machine_code():
    """Whether the host has a JIT, which is off: its loop, too, meets traces of hot code, and calls their machine code."""
    # What sysconfig reads. It takes much longer itself.
    name = f"_sysconfigdata_{sys.abiflags}_{sys.platform}_{getattr(sys.implementation, '_multiarch', '')}"
    try:
        return "-D_Py_JIT" in __import__(name).build_time_vars["PY_CORE_CFLAGS"]
    except (ImportError, KeyError):
        return False


def _core():
    """The core for this Python. Raises ImportError, which says why there is none."""
    kind = _kind()
    name = f"{__name__}.cores.{kind}._reval"
    if name in sys.modules:
        return sys.modules[name]
    folder = os.path.join(os.path.dirname(__file__), "cores")
    known = sorted(os.listdir(folder)) if os.path.isdir(folder) else []
    if kind not in known:
        shown = ", ".join(map(_in_words, known)) or "none"
        raise ImportError(f"there is no core for {sys.implementation.name} {_in_words(kind)}, only for: {shown}")
    file = os.path.join(folder, kind, "_reval.so")
    try:
        whole = _is_whole(file)
    except OSError as error:
        raise ImportError(f"the core cannot be read: {error}") from None
    if not whole:
        raise ImportError(f"the core is damaged, install reval again: {file}")
    __import__(name)
    return sys.modules[name]


def _is_whole(file):
    """Whether this is a library, down to its end: the loader would end the process with SIGBUS if that is missing."""
    with open(file, "rb") as opened:
        header = opened.read(64)
        size = opened.seek(0, os.SEEK_END)

    def number(offset, length):
        return int.from_bytes(header[offset:offset + length], sys.byteorder)

    # It ends with the table of its sections: where that is, the size of an entry, how many there are.
    table, entry, entries = number(40, 8), number(58, 2), number(60, 2)
    return header.startswith(b"\x7fELF") and 64 <= table and table + entry * entries <= size


def _kind():
    """The name of the core that fits this Python: its version, `t` if it is free-threaded, `d` for a debug build."""
    version = sys.version_info
    release = {"alpha": "a", "beta": "b", "candidate": "rc", "final": ""}[version.releaselevel]
    serial = str(version.serial) if release else ""
    return f"{version.major}_{version.minor}_{version.micro}{release}{serial}{getattr(sys, 'abiflags', '')}"


def _in_words(kind):
    """For a message: `3.14.5`, `3.14.5 (free-threaded, debug)`."""
    version = kind.rstrip("td")
    flags = [word for flag, word in (("t", "free-threaded"), ("d", "debug")) if flag in kind[len(version):]]
    return version.replace("_", ".") + (f" ({', '.join(flags)})" if flags else "")
