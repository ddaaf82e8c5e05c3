"""Functions that call themselves. They get a trace, although most of their calls may be short, and get one again when what it
relies on has changed."""

import _opcode
import sys
from opcode import opmap

RESUME = opmap["RESUME"]
CALLS = 30_000


# --- they get traces ----------------------------------------------------------------------------

def executors(function):
    """The executors in the bytecode of a function."""
    for offset in range(0, len(function.__code__.co_code), 2):
        try:
            yield offset, _opcode.get_executor(function.__code__, offset)
        except ValueError:  # there is none
            pass


def warm(rounds):
    for number in range(rounds):
        pass


def has_long_traces():
    """Whether traces may go on behind a return: the host's own machine code cannot do that."""
    warm(CALLS)
    for _, executor in executors(warm):
        try:
            executor.get_jit_code()
        except RuntimeError:
            return True
        return False
    if sys._jit.is_enabled():
        print("a loop has no executor")
    return False


LONG_TRACES = has_long_traces()


def check_executor(function):
    """Prints if the function has no executor where it begins, and should have one."""
    starts = [offset for offset, _ in executors(function) if function.__code__.co_code[offset] == RESUME]
    if LONG_TRACES and not starts:
        print(f"{function.__name__} has no executor")


def fibonacci(n):
    return n if n < 2 else fibonacci(n - 1) + fibonacci(n - 2)


def takeuchi(x, y, z):
    if y >= x:
        return z
    return takeuchi(takeuchi(x - 1, y, z), takeuchi(y - 1, z, x), takeuchi(z - 1, x, y))


def hanoi(n, a, b, c):
    if n:
        hanoi(n - 1, a, c, b)
        hanoi(n - 1, c, b, a)


def depth(tree):
    if not tree:
        return 0
    return 1 + max([depth(branch) for branch in tree])


def count(tree):
    number = 1
    for branch in tree:
        number += count(branch)
    return number


def trees(height):
    return tuple(trees(level) for level in range(height))


TREE = trees(9)
print([fibonacci(n) for n in range(20)], takeuchi(12, 8, 4), hanoi(9, 1, 2, 3), depth(TREE), count(TREE))


def work():
    for number in range(4):
        print(fibonacci(18 + number % 2), takeuchi(14, 9, number), hanoi(11, 1, 2, 3), depth(TREE), count(TREE))
    # What has not run for a while loses its executor.
    for function, arguments in (fibonacci, (18,)), (takeuchi, (14, 9, 3)), (hanoi, (11, 1, 2, 3)):
        print(function.__name__, function(*arguments))
        check_executor(function)


work()


# --- and again ----------------------------------------------------------------------------------

def step(n):
    return 1


def descend(n):
    return 0 if n <= 0 else step(n) + descend(n - 1)


def wander(n):
    return descend(n % 9)


for version in range(4):
    # The trace relies on the global. After some changes, the dictionary is not watched any more.
    exec(f"def step(n): return {version} + n", globals())
    print(version, sum(wander(n) for n in range(CALLS // 10)))
    check_executor(descend)


# --- what is below it ---------------------------------------------------------------------------

def visible(n):
    """At the end of the recursion: what its frames have."""
    if n == 0:
        frame, found = sys._getframe(1), []
        while frame.f_code.co_name == "visible":
            found.append((frame.f_locals["n"], frame.f_lineno - frame.f_code.co_firstlineno))
            frame = frame.f_back
        return found
    return visible(n - 1) if n % 3 else (visible(n - 1) + [n])


def failing(n, trace):
    if n == 0:
        raise ValueError("down here")
    try:
        return failing(n - 1, trace) + 1
    except ValueError:
        trace.append(n)
        if n % 4 == 0:
            return 0
        raise
    finally:
        trace.append(-n)


def replaced(n):
    if n == 20:
        globals()["replaced"] = lambda n: -n
    return n + replaced(n - 1) if n else 0


def changing_itself(n):
    if n == 20:
        changing_itself.__code__ = other.__code__
    return n + changing_itself(n - 1) if n > 0 else 0


def other(n):
    return 100 - n


def deleting(n):
    global deleting
    if n == 0:
        del deleting
        return 0
    return 1 + deleting(n - 1)


for number in range(300):
    shown = visible(number % 40)
print(shown)
for number in range(300):
    trace = []
    try:
        result = failing(number % 30 + 1, trace)
    except ValueError as error:
        result = str(error)
print(result, trace)
function, code = replaced, changing_itself.__code__
print([function(number % 19) for number in range(300)][-3:], function(25), replaced(3))
print([changing_itself(number % 19) for number in range(300)][-3:], changing_itself(25), changing_itself(3))
changing_itself.__code__ = code
print(changing_itself(10))
function = deleting
for number in range(300):
    deleting = function
    result = deleting(number % 30)
print(result, "deleting" in globals())


# --- numbers of all sizes -----------------------------------------------------------------------

def doubled(n, value):
    return value if n == 0 else doubled(n - 1, value + value)


def smaller(n):
    return n if n < -300 else smaller(n - 1) + (n is -5) + (n is 256)


for number in range(200):
    values = [doubled(number % 80, value) for value in (1, -1, 1.5, 2**28, -(2**29), True)]
    values.append(doubled(number % 10, "a" * (number % 5)))
print(values)
print([smaller(number) for number in range(250, 262)])


# --- limits and tools ---------------------------------------------------------------------------

def endless(n):
    global deepest
    deepest = n
    return endless(n + 1) + 1


limit = sys.getrecursionlimit()
for number in range(40):
    sys.setrecursionlimit(200 + number % 3)
    try:
        endless(0)
    except RecursionError as error:
        message = str(error)
print(deepest, message)
sys.setrecursionlimit(limit)

events = []


def watched(n):
    if n == 5 and watching:
        sys.setprofile(lambda frame, event, argument: events.append((event, frame.f_code.co_name, frame.f_locals.get("n"))))
    return 1 if n == 0 else watched(n - 1) + watched(n - 2 if n > 1 else 0) * 0


watching = False
for number in range(60):
    result = watched(number % 12)
watching = True
watched(7)
sys.setprofile(None)
print(result, len(events), events[:12], events[-12:])


# --- generators and coroutines ------------------------------------------------------------------

def leaves(tree):
    if not tree:
        yield 1
    for branch in tree:
        yield from leaves(branch)


async def later(n):
    if n <= 1:
        return n
    return await later(n - 1) + await later(n - 2)


def run(coroutine):
    try:
        coroutine.send(None)
    except StopIteration as stop:
        return stop.value


print([sum(leaves(trees(number))) for number in range(8)], [run(later(number % 13)) for number in range(100)][-13:])
