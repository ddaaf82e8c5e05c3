"""Python imports this when it starts, if `python -m reval explain` has put its folder in front of PYTHONPATH.

Begins to explain the program. Then it looks for the module that Python would have found without this one.
"""

import os
import sys


def _remove_traces():
    """What this program sets in the environment is for this process, not for the program's children."""
    import json

    settings = json.loads(os.environ.pop("REVAL_EXPLAIN"))
    if settings["path"] is None:
        del os.environ["PYTHONPATH"]
    else:
        os.environ["PYTHONPATH"] = settings["path"]
    folder = os.path.dirname(os.path.abspath(__file__))
    sys.path[:] = [path for path in sys.path if path != folder]
    sys.path_importer_cache.pop(folder, None)
    return settings, folder


def _begin(settings, folder):
    package = os.path.dirname(os.path.dirname(os.path.dirname(folder)))
    sys.path.insert(0, package)
    try:
        from reval.explain import run
    finally:
        sys.path.remove(package)
    run.begin(settings)


if "REVAL_EXPLAIN" in os.environ:
    _settings, _folder = _remove_traces()
    _begin(_settings, _folder)
    del sys.modules[__name__]
    # If there is none, this raises what Python expects then.
    __import__("sitecustomize")
