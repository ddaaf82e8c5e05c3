# sys.setprofile: all its events for a corpus of functions, C calls included.
import sys

from lib.corpus import FUNCTIONS

OWN = {sys.setprofile}
for warm in (0, 20):
    for f in FUNCTIONS:
        for _ in range(warm):
            try:
                f()
            except Exception:
                pass
        events = []

        def profile(frame, event, arg):
            name = getattr(arg, "__name__", type(arg).__name__) if event.startswith("c_") else type(arg).__name__
            if arg not in OWN if event.startswith("c_") else True:
                events.append((event, frame.f_code.co_name, frame.f_lineno, name))

        sys.setprofile(profile)
        try:
            f()
        except Exception:
            pass
        sys.setprofile(None)
        print(f.__name__, len(events), hash(tuple(events)))
        if not warm:
            print(*events, sep="\n")


def plain(): return len([1, 2])


def raising(frame, event, arg):
    if event == "c_call" and arg is len:
        raise KeyError("from the profiler")


sys.setprofile(raising)
try:
    plain()
except KeyError as e:
    print(e, sys.getprofile())
sys.setprofile(None)
both = []
sys.setprofile(lambda f, e, a: both.append(("profile", e, f.f_code.co_name)))
sys.settrace(lambda f, e, a: both.append(("trace", e, f.f_code.co_name)))
plain()
sys.settrace(None)
sys.setprofile(None)
print(both)
for kind in ("call", "return", "c_call", "c_return"):
    def stop(frame, event, arg):
        seen.append(event)
        if event == kind:
            sys.setprofile(None)
    seen = []
    sys.setprofile(stop)
    plain()
    plain()
    sys.setprofile(None)
    print(kind, seen)
