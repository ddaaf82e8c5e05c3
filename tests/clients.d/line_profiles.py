"""line_profiler: how often each line of the subject was run; for how long is not compared."""

import sys

import subject
from line_profiler import LineProfiler

profiler = LineProfiler()
for value in [*vars(subject).values(), *vars(subject.Shape).values()]:
    function = getattr(value, "fget", None) or getattr(value, "__wrapped__", value)
    if hasattr(function, "__code__"):
        profiler.add_function(function)
profiler.runcall(subject.main)


@profiler
def decorated(n):
    for i in range(n):
        yield i if i % 2 else -i


print(list(decorated(4)))
with profiler:
    subject.branches(7)
for (file, line, name), timings in sorted(profiler.get_stats().timings.items()):
    print(name, line, [(number, hits) for number, hits, _ in timings])
print(sys.gettrace(), sys.monitoring._all_events())
