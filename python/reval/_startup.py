"""Called by reval.pth when Python starts and REVAL is set. Never keeps Python from starting."""

import os
import sys


_started = False


def start():
    global _started
    # Python reads the .pth files of a virtual environment twice. -E and -I ask for a Python that no variable changes.
    if _started or sys.flags.ignore_environment:
        return
    _started = True
    try:
        import reval

        # The host switches its JIT on after this, so the core cannot see it yet.
        if sys._jit.is_available() and os.environ.get("PYTHON_JIT", "")[:1] not in ("", "0"):
            raise RuntimeError("the host's JIT is on: start Python with PYTHON_JIT=0")
        reval.enable()
    except Exception as error:
        if os.environ.get("REVAL") != "quiet" and _is_main_interpreter():
            print(f"reval: {error}", file=sys.stderr)


def _is_main_interpreter():
    import _interpreters

    return _interpreters.get_current()[0] == _interpreters.get_main()[0]
