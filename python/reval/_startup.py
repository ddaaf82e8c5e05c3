"""Called by reval.pth when Python starts and REVAL is set. Never keeps Python from starting."""

import os
import sys

from reval import enable

_started = False


def start():
    global _started
    # Python reads the .pth files of a virtual environment twice.
    if _started:
        return
    _started = True
    try:
        # The host switches its JIT on after this, so the core cannot see it yet.
        if sys._jit.is_available() and os.environ.get("PYTHON_JIT", "")[:1] not in ("", "0"):
            raise RuntimeError("the host's JIT is on: start Python with PYTHON_JIT=0")
        enable(jit=os.environ.get("REVAL") == "jit" and _is_main_interpreter())
    except Exception as error:
        if os.environ.get("REVAL") != "quiet" and _is_main_interpreter():
            _say(f"reval: {error}\n")


def _is_main_interpreter():
    import _interpreters

    return _interpreters.get_current()[0] == _interpreters.get_main()[0]


def _say(line):
    """To standard error, which may be closed, full or another file. Python would try again what it has in its buffer."""
    if sys.stderr is None:
        return
    try:
        os.write(2, line.encode(errors="backslashreplace"))
    except OSError:
        pass
