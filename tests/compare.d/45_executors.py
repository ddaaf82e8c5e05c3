# With a JIT: executors that are invalidated, detached and freed while they run, in loops with several paths.
import _testinternalcapi
import gc
import sys
import threading

LOOPS = 6000

SOURCE = """
def paths(loops, when, disturb):
    total = 0
    for i in range(loops):
        if i % 3 == 0:
            total += i
        elif i % 5 == 0:
            total -= 1
        else:
            total += len(str(i))
        if i == when:
            disturb()
    return total
"""


def fresh():
    "The function anew, with bytecode that has never run."
    namespace = {}
    exec(SOURCE, namespace)
    return namespace["paths"]


def nothing():
    pass


EXPECTED = fresh()(LOOPS, -1, nothing)


def check(name, disturb, runs=(10, 4500, LOOPS - 1)):
    "Whether the result stays the same if the loop is disturbed early, late, or at its end."
    results = [fresh()(LOOPS, when, disturb) == EXPECTED for when in runs]
    print(name, *results)


def watch():
    sys.monitoring.use_tool_id(3, "executors")
    sys.monitoring.set_events(3, sys.monitoring.events.PY_START)
    sys.monitoring.set_events(3, 0)
    sys.monitoring.free_tool_id(3)


def invalidate_caller():
    if hasattr(_testinternalcapi, "invalidate_executors"):
        _testinternalcapi.invalidate_executors(sys._getframe(1).f_code)


def replace_local():
    sys._getframe(1).f_locals["total"] += 0


def nested():
    sys._clear_internal_caches()
    fresh()(LOOPS, LOOPS // 2, sys._clear_internal_caches)


check("all", sys._clear_internal_caches)
check("all and the collector", lambda: (sys._clear_internal_caches(), gc.collect()))
check("tools", watch)
check("code", invalidate_caller)
check("a local", replace_local)
check("nested", nested)

# Functions and their executors come and go.
FEW = fresh()(400, -1, nothing)
for _ in range(150):
    assert fresh()(400, -1, nothing) == FEW
gc.collect()
print("many functions")


# C code that a loop calls runs Python code, several times in one instruction. Meanwhile the executor loses what
# refers to it, and others are freed.
def key(item):
    global calls
    calls += 1
    if calls % 701 == 0:
        sys._clear_internal_caches()
    if calls % 211 == 0:
        fresh()(40, -1, nothing)
    return -item


def sorting(loops):
    total = 0
    for i in range(loops):
        if i % 2:
            total += 1
        else:
            total += sorted(range(5), key=key)[0]
    return total


calls = 0
print("sorting", sorting(4000), calls)


def working(number):
    disturbances = [nothing, sys._clear_internal_caches, gc.collect]
    for turn in range(6):
        disturb = disturbances[(number + turn) % 3]
        results.append(fresh()(LOOPS, turn * 900, disturb) == EXPECTED)


results = []
threads = [threading.Thread(target=working, args=(number,)) for number in range(4)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
print("threads", len(results), all(results))


# A loop that never ends keeps its executor until the interpreter does.
def endless():
    total = 0
    while True:
        total += 1
        if total % 5000 == 0:
            yield total


generator = endless()
print("generator", next(generator), next(generator))
