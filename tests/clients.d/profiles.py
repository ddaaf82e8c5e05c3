"""cProfile, profile and trace: how often what was called by whom; for how long is not compared."""

import cProfile
import io
import os
import profile
import pstats
import sys
import trace

import subject


def name(function):
    file, line, what = function
    return f"{os.path.basename(file)}:{line}:{what.partition(' at 0x')[0]}"


def statistics(made):
    for function, (primitive, calls, _, _, callers) in sorted(pstats.Stats(made).stats.items(), key=str):
        if "threading" not in function[0] and "lock" not in function[2]:
            print(name(function), primitive, calls, sorted((name(c), n if isinstance(n, int) else n[:2])
                                                           for c, n in callers.items()))


for make in (cProfile.Profile, lambda: cProfile.Profile(builtins=False), lambda: cProfile.Profile(subcalls=False),
             profile.Profile):
    made = make()
    # profile does not cope with what is thrown into a generator.
    made.runcall(subject.main if make is not profile.Profile else subject.plain)
    statistics(made)
    if hasattr(made, "enable"):
        with cProfile.Profile() as another:
            subject.branches(4)
            [*subject.delegates(2)]
        statistics(another)
out = io.StringIO()
for options in dict(count=1, trace=0), dict(count=0, trace=1), dict(countfuncs=1, count=0, trace=0), dict(countcallers=1):
    tracer = trace.Trace(**options, ignoremods=["threading"])
    print(tracer.runfunc(subject.main))
    found = tracer.results()
    for what in found.counts, found.calledfuncs, found.callers:
        for key, value in sorted(what.items(), key=str):
            print([os.path.basename(str(k)) if isinstance(k, str) else k for k in (key if isinstance(key, tuple) else [key])],
                  value)
print(sys.getprofile(), sys.gettrace())
