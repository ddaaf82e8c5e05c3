"""What is tested: the folder of a build, its two interpreters, the settings of its host."""

import os
from functools import cache
from pathlib import Path

TESTS = Path(__file__).resolve().parent.parent
ROOT = TESTS.parent
BUILD = Path(os.environ.get("REVAL_BUILD", ROOT / "build")).resolve()
REVAL = os.path.abspath(os.environ.get("REVAL_PYTHON", BUILD / "bin/python3.14"))
REFERENCE = os.path.abspath(os.environ.get("REVAL_REFERENCE", BUILD / "bin/python3.14-ref"))


@cache
def host():
    """host.env as a dictionary; host/fetch describes its keys."""
    return dict(line.split("=", 1) for line in (BUILD / "host.env").read_text().splitlines())


def host_is_packaged():
    return host()["REVAL_HOST_SYSROOT"] != ""


def host_is_debug():
    return host()["REVAL_HOST_DEBUG"] == "1"


def host_is_free_threaded():
    return host()["REVAL_HOST_GIL_DISABLED"] == "1"
