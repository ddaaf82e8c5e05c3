"""In the process of the program: takes samples while it runs, and reports when it has ended."""

# All else is imported when the program has ended.
import atexit
import os
import time

from reval.explain import native


def begin(settings):
    """Before the program runs. The program's own functions for its end run before the report."""
    library = native.find()
    if isinstance(library, native.Attached):
        import reval

        reval.enable(jit=True)
    atexit.register(_end, settings, library, os.getpid(), time.process_time(), time.monotonic())
    library.start()


def _end(settings, library, process, cpu, wall):
    if os.getpid() != process:
        # A child of the program.
        return
    found = library.stop()
    cpu, wall = time.process_time() - cpu, time.monotonic() - wall
    try:
        from reval.explain import report

        report.show(settings, found, cpu, wall)
    except Exception as error:
        import sys

        if sys.__stderr__ is not None and not sys.__stderr__.closed:
            sys.__stderr__.write(f"reval explain: no report: {type(error).__name__}: {error}\n")
