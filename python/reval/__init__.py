"""Runs Python code on reval, an evaluator for CPython 3.14 written in Rust.

    REVAL=1 python script.py        this process and its children, subinterpreters included
    python -m reval script.py       the same
    reval.enable()                  this interpreter, from now on

The package has a *core* for each release of CPython that it knows: an extension module that fits only that release.
"""

import importlib
import sys
from pathlib import Path
from types import ModuleType
from typing import TypedDict

__all__ = ["Status", "disable", "enable", "status"]


class Status(TypedDict):
    """What `status()` returns."""

    enabled: bool
    """Whether this interpreter's calls run on reval."""
    refusal: str | None
    """Why it cannot be enabled, if it cannot."""
    host: str | None
    """The CPython that the core was built for."""
    version: str | None
    """The version of reval."""
    tier2: str | None
    """Whether there is a second tier, and why not."""


def enable() -> None:
    """Run Python code that starts from now on, in this interpreter, on reval.

    Frames that are running stay where they are. Raises ImportError if there is no core for this Python, RuntimeError if
    another evaluator is in use; both say why.
    """
    _core().enable()


def disable() -> None:
    """Give this interpreter its own evaluator back, unless another one than reval is in use.

    Frames that are running on reval end there.
    """
    try:
        core = _core()
    except ImportError:
        return
    core.disable()


def status() -> Status:
    """What runs where. Raises nothing."""
    try:
        return _core().status()
    except ImportError as error:
        return Status(enabled=False, refusal=str(error), host=None, version=None, tier2=None)


def _core() -> ModuleType:
    """The core for this Python. Raises ImportError, which says why there is none."""
    folder = Path(__file__).parent / "cores"
    kind = _kind()
    if not (folder / kind).is_dir():
        known = sorted(core.name.replace("_", ".") for core in folder.glob("[0-9]*")) or ["none"]
        raise ImportError(f"there is no core for {sys.implementation.name} {kind.replace('_', '.')}, "
                          f"only for: {', '.join(known)}")
    return importlib.import_module(f"{__name__}.cores.{kind}._reval")


def _kind() -> str:
    """The name of the core that fits this Python: its version, `t` if it is free-threaded, `d` for a debug build."""
    version = sys.version_info
    release = {"alpha": "a", "beta": "b", "candidate": "rc", "final": ""}[version.releaselevel]
    serial = str(version.serial) if release else ""
    return f"{version.major}_{version.minor}_{version.micro}{release}{serial}{getattr(sys, 'abiflags', '')}"
