"""Where one trace leads through: calls, returns, generators, iterators and what else a loop does in one round.

Each function is a loop. What it computes is printed, and what is wrong with its trace: with tier 2 off there is none.
"""

import _opcode
import asyncio
import gc
import sys
from contextlib import nullcontext
from inspect import getsource
from opcode import opmap
from types import CodeType

ROUNDS = 2000
RESUME = opmap["RESUME"]

OWN = {"_GUARD_RETURNS_TO", "_GUARD_YIELDS_TO", "_GUARD_TOS_GENERATOR_AT", "_GUARD_NOS_GENERATOR_AT", "_PY_FRAME_EX",
       "_CALL_FUNCTION_EX_NON_PY", "_GUARD_EXHAUSTED_LIST", "_GUARD_EXHAUSTED_TUPLE", "_GUARD_EXHAUSTED_RANGE",
       "_FOR_ITER_EXHAUSTED", "_SEND_YIELDS", "_SEND_RETURNS", "_CREATE_OPERATOR_FRAMES", "_RETURN_OPERATOR",
       "_CREATE_STORE_SUBSCR_FRAMES", "_RETURN_STORE_SUBSCR", "_EXPAND_INSTANCE", "_GUARD_TOS_INNERMOST_AT",
       "_GUARD_NOS_INNERMOST_AT", "_FOR_ITER_INNERMOST", "_SEND_INNERMOST", "_GUARD_PASSES_TO", "_YIELD_TO_RECEIVER",
       "_GUARD_NOS_ARRAY"}


# --- what traces look like ----------------------------------------------------------------------

def code_of(what):
    return what if isinstance(what, CodeType) else what.__code__


def executors(code):
    """The executors of loops in the bytecode. Those of functions, which are called often enough, begin at a RESUME."""
    for offset in range(0, len(code.co_code), 2):
        if code.co_code[offset] == RESUME:
            continue
        try:
            executor = _opcode.get_executor(code, offset)
        except ValueError:  # no instruction begins there
            continue
        if executor is not None:
            yield executor


def names(executor):
    """The micro-ops up to the end of the trace, without the stubs of its exits."""
    found = []
    for name, *_ in executor:
        found.append(name)
        if name in ("_JUMP_TO_TOP", "_EXIT_TRACE"):
            break
    return found


def behind(executor):
    """The executors to which side exits lead, and so on."""
    found = []
    waiting = [executor]
    for executor in waiting:
        for other in gc.get_referents(executor):
            if other not in waiting:
                waiting.append(other)
                found.append(other)
    return found


def warm(rounds):
    for i in range(rounds):
        pass


def has_long_traces():
    """Whether there are traces, and they may contain the micro-ops that only reval has. The host's machine code cannot."""
    warm(ROUNDS)
    for executor in executors(warm.__code__):
        try:
            executor.get_jit_code()
        except RuntimeError:
            return True
        return False
    if sys._jit.is_enabled():
        print("a loop has no executor")
    return False


LONG_TRACES = has_long_traces()


def all_executors(places):
    return [executor for place in places for executor in executors(code_of(place))]


def complain(case, problem, *traces):
    print(f"{case}: {problem}")
    for trace in traces:
        print("   ", *trace)


def goes_around(case, loop, *wanted, others=(), frames=0):
    """The loop has one trace and nothing behind its side exits; it goes all the way round, executes these micro-ops in
    this order, and enters so many frames. No executor is in the code of the others."""
    if not LONG_TRACES:
        return
    found = all_executors([loop, *others])
    traces = [names(executor) for executor in found]
    if len(found) != 1 or not list(executors(code_of(loop))):
        complain(case, f"{len(found)} executors instead of one", *traces)
        return
    [trace] = traces
    rest = iter(trace)
    if trace[-1] != "_JUMP_TO_TOP":
        complain(case, "the trace does not go round", trace)
    if not all(name in rest for name in wanted):
        complain(case, f"the trace lacks {', '.join(wanted)} (in this order)", trace)
    if unwanted := OWN.intersection(trace) - set(wanted):
        complain(case, f"the trace has {', '.join(sorted(unwanted))}", trace)
    if trace.count("_PUSH_FRAME") != frames:
        complain(case, f"the trace enters {trace.count('_PUSH_FRAME')} frames instead of {frames}", trace)
    if more := behind(found[0]):
        complain(case, f"{len(more)} executors behind its exits", trace, *map(names, more))


def side_trace(case, places, *wanted):
    """A trace behind a side exit of an executor in these places executes these micro-ops in this order."""
    if not LONG_TRACES:
        return
    found = all_executors(places)
    traces = [names(other) for executor in found for other in behind(executor)]
    for trace in traces:
        rest = iter(trace)
        if all(name in rest for name in wanted):
            return
    complain(case, f"no side exit leads to {', '.join(wanted)} (in this order)", *map(names, found), *traces)


# --- generators and coroutines ------------------------------------------------------------------

def total(iterator):
    result = 0
    for value in iterator:
        result += value
    return result


def fresh(function):
    """The function anew, with code that has never run."""
    exec(getsource(function), globals(), namespace := {})
    return namespace[function.__name__]


def counting(stop):
    for i in range(stop):
        yield i


drive, numbers = fresh(total), fresh(counting)
print("the driver first", drive(numbers(ROUNDS)))
goes_around("the driver first", drive, "_GUARD_TOS_GENERATOR_AT", "_FOR_ITER_GEN_FRAME", "_PUSH_FRAME", "_YIELD_VALUE",
            others=[numbers], frames=1)

drive, numbers = fresh(total), fresh(counting)
print("no numbers", drive(counting(0)), drive(counting(0)), drive(counting(0)))
ahead = numbers(ROUNDS)
print("the generator first", next(ahead), drive(ahead))
goes_around("the generator first", numbers, "_GUARD_YIELDS_TO", "_YIELD_VALUE", "_GUARD_TOS_GENERATOR_AT",
            "_FOR_ITER_GEN_FRAME", "_PUSH_FRAME", others=[drive], frames=1)


def expression(rounds):
    result = 0
    for value in (i * 2 for i in range(rounds)):
        result += value
    return result


[inner] = [const for const in expression.__code__.co_consts if isinstance(const, CodeType)]
print("generator expression", expression(ROUNDS))
goes_around("generator expression", expression, "_GUARD_TOS_GENERATOR_AT", "_PUSH_FRAME", "_YIELD_VALUE",
            others=[inner], frames=1)


def stages(rounds):
    return (a + 1 for a in (b * 2 for b in (c for c in range(rounds))))


drive = fresh(total)
print("three generators", drive(stages(ROUNDS)))
goes_around("three generators", drive, *["_GUARD_TOS_GENERATOR_AT", "_FOR_ITER_GEN_FRAME", "_PUSH_FRAME"] * 3,
            *["_YIELD_VALUE"] * 3, frames=3)


def delegating(rounds):
    yield from counting(rounds)


def twice_delegating(rounds):
    yield from delegating(rounds)


drive = fresh(total)
# Each SEND is specialized.
sum(twice_delegating(9))
print("yield from", drive(twice_delegating(ROUNDS)))
found = [names(executor) for executor in all_executors([drive, delegating, twice_delegating, counting])]
wanted = {"_GUARD_TOS_INNERMOST_AT", "_FOR_ITER_INNERMOST", "_GUARD_PASSES_TO", "_YIELD_TO_RECEIVER"}
if LONG_TRACES and not any(wanted.issubset(trace) and trace[-1] == "_JUMP_TO_TOP" for trace in found):
    complain("yield from", "no trace goes round through all generators in one step", *found)


def delegating_to_c(rounds):
    yield from range(rounds)


drive = fresh(total)
print("yield from range", drive(delegating_to_c(ROUNDS)))
goes_around("yield from range", drive, "_GUARD_TOS_GENERATOR_AT", "_PUSH_FRAME", "_SEND_YIELDS", "_YIELD_VALUE",
            others=[delegating_to_c], frames=1)


def complete(coroutine):
    """Runs it; it must not wait for anything."""
    try:
        coroutine.send(None)
    except StopIteration as stop:
        return stop.value


async def double(value):
    return value * 2


async def quadruple(value):
    return await double(value) + await double(value)


async def awaiting(rounds):
    result = 0
    for i in range(rounds):
        result += await quadruple(i)
    return result


print("await", complete(awaiting(ROUNDS)))
goes_around("await", awaiting, *["_GUARD_NOS_GENERATOR_AT", "_SEND_GEN_FRAME", "_PUSH_FRAME"] * 3,
            others=[double, quadruple], frames=6)


class Ready:
    def __await__(self):
        return iter(())


async def awaiting_ready(rounds):
    ready = Ready()
    for i in range(rounds):
        await ready
    return i


print("await what is ready", complete(awaiting_ready(ROUNDS)))
goes_around("await what is ready", awaiting_ready, "_SEND_RETURNS")


async def numbers_later(rounds):
    for i in range(rounds):
        yield i


async def over_numbers(rounds):
    result = 0
    async for value in numbers_later(rounds):
        result += value
    return result


print("async for", asyncio.run(over_numbers(ROUNDS)))


# --- calls --------------------------------------------------------------------------------------

class Point:
    def __init__(self, x):
        self.x = x

    @property
    def double(self):
        return self.x * 2

    def __getitem__(self, index):
        return self.x + index

    def add(self, a, b=0, *, c=0):
        return self.x + a + b + c


class Spot(Point):
    def add(self, a, b=0, *, c=0):
        return super().add(a, b) + c


def instances(rounds):
    result = 0
    for i in range(rounds):
        result += Point(i).x
    return result


print("instances", instances(ROUNDS))
goes_around("instances", instances, "_CREATE_INIT_FRAME", "_PUSH_FRAME", "_RETURN_VALUE", "_EXIT_INIT_CHECK",
            "_RETURN_VALUE", frames=1)


def properties(rounds):
    result, point = 0, Point(1)
    for i in range(rounds):
        result += point.double
    return result


print("properties", properties(ROUNDS))
goes_around("properties", properties, "_LOAD_ATTR_PROPERTY_FRAME", "_PUSH_FRAME", "_RETURN_VALUE", frames=1)


def items(rounds):
    result, point = 0, Point(1)
    for i in range(rounds):
        result += point[i]
    return result


print("items", items(ROUNDS))
goes_around("items", items, "_BINARY_OP_SUBSCR_INIT_CALL", "_PUSH_FRAME", "_RETURN_VALUE", frames=1)


class Vector:
    def __init__(self, x):
        self.x = x

    def __add__(self, other):
        return Vector(self.x + other.x)

    def __mul__(self, factor):
        return NotImplemented if isinstance(factor, str) else self.x * factor

    def __rmul__(self, factor):
        return factor * self.x

    def __matmul__(self, other):
        return NotImplemented

    def __rmatmul__(self, other):
        return self.x

    def __setitem__(self, key, value):
        self.x = value + key

    def __call__(self, a, b=2):
        return self.x + a + b


class Accepts:
    def __rmatmul__(self, other):
        return other.x


def operators(rounds):
    result, step = Vector(0), Vector(1)
    for i in range(rounds):
        result += step + step
        result = result + Vector(2 * step)
    return result.x, step * 2.5


print("operators", operators(ROUNDS))
goes_around("operators", operators, *["_CREATE_OPERATOR_FRAMES", "_PUSH_FRAME", "_RETURN_OPERATOR"] * 4, frames=8)


def refused(rounds):
    result, step, other = 0, Vector(1), Accepts()
    for i in range(rounds):
        try:
            result += step @ other
            result += step @ step
        except TypeError as error:
            last = str(error)
    return result, last


print("refused operators", refused(ROUNDS))


def assigned_items(rounds):
    vector = Vector(0)
    for i in range(rounds):
        vector[i] = 3
    return vector.x


print("assigned items", assigned_items(ROUNDS))
goes_around("assigned items", assigned_items, "_GUARD_NOS_TYPE_VERSION", "_CREATE_STORE_SUBSCR_FRAMES", "_PUSH_FRAME",
            "_RETURN_STORE_SUBSCR", frames=1)


def called_instances(rounds):
    result, vector = 0, Vector(1)
    for i in range(rounds):
        result += vector(i) + vector(i, 3)
    return result


print("called instances", called_instances(ROUNDS))
goes_around("called instances", called_instances, *["_EXPAND_INSTANCE", "_PUSH_FRAME", "_RETURN_VALUE"] * 2, frames=2)


def methods(rounds):
    result, point = 0, Point(1)
    for i in range(rounds):
        result += point.add(i) + point.add(i, 2) + point.add(a=i, b=2) + point.add(i, c=3)
    return result


print("methods", methods(ROUNDS))
goes_around("methods", methods, "_PY_FRAME_GENERAL", "_PUSH_FRAME", "_PY_FRAME_GENERAL", "_PUSH_FRAME",
            *["_PY_FRAME_KW", "_PUSH_FRAME"] * 2, frames=4)


def super_methods(rounds):
    result, spot = 0, Spot(1)
    for i in range(rounds):
        result += spot.add(i, c=1)
    return result


print("super()", super_methods(ROUNDS))
goes_around("super()", super_methods, "_PY_FRAME_KW", "_PUSH_FRAME", "_PUSH_FRAME", "_RETURN_VALUE", "_RETURN_VALUE",
            others=[Spot.add, Point.add], frames=2)


def sum_of(a, b, c=1):
    return a + b + c


def unpacked_tuple(rounds):
    result, arguments = 0, (1, 2)
    for i in range(rounds):
        result += sum_of(*arguments)
    return result


print("f(*a)", unpacked_tuple(ROUNDS))
goes_around("f(*a)", unpacked_tuple, "_PY_FRAME_EX", "_PUSH_FRAME", "_RETURN_VALUE", frames=1)


def unpacked_list(rounds):
    result = 0
    for i in range(rounds):
        result += sum_of(*[i, 1], 2)
    return result


print("f(*list, x)", unpacked_list(ROUNDS))
goes_around("f(*list, x)", unpacked_list, "_PY_FRAME_EX", "_PUSH_FRAME", "_RETURN_VALUE", frames=1)


def unpacked_dict(rounds):
    result, keywords = 0, {"a": 1, "b": 2}
    for i in range(rounds):
        result += sum_of(**keywords)
    return result


print("f(**k)", unpacked_dict(ROUNDS))
goes_around("f(**k)", unpacked_dict, "_PY_FRAME_EX", "_PUSH_FRAME", "_RETURN_VALUE", frames=1)


def unpacked_for_c(rounds):
    result, arguments = 0, (1, 2)
    for i in range(rounds):
        result += max(*arguments)
    return result


print("max(*a)", unpacked_for_c(ROUNDS))
goes_around("max(*a)", unpacked_for_c, "_CALL_FUNCTION_EX_NON_PY")


def forwarding(*args, **kwargs):
    return sum_of(*args, **kwargs)


def through_wrapper(rounds):
    result = 0
    for i in range(rounds):
        result += forwarding(i, 2, c=3)
    return result


print("wrapper", through_wrapper(ROUNDS))
goes_around("wrapper", through_wrapper, "_PY_FRAME_KW", "_PUSH_FRAME", "_PY_FRAME_EX", "_PUSH_FRAME", "_RETURN_VALUE",
            "_RETURN_VALUE", others=[forwarding, sum_of], frames=2)


# --- statements and iterators ---------------------------------------------------------------------

def with_statement(rounds):
    result, manager = 0, nullcontext(3)
    for i in range(rounds):
        with manager as value:
            result += value
    return result


print("with", with_statement(ROUNDS))
goes_around("with", with_statement, *["_PUSH_FRAME", "_RETURN_VALUE"] * 2, frames=2)


def try_statement(rounds):
    result = 0
    for i in range(rounds):
        try:
            result += i
        except ValueError:
            result = None
        finally:
            result += 1
    return result


print("try", try_statement(ROUNDS))
goes_around("try", try_statement)


def last_of(values):
    count = 0
    for value in values:
        count += 1
    return count, value


for name, values, step in (
    ("list", list(range(ROUNDS)), "_ITER_NEXT_LIST_TIER_TWO"),
    ("tuple", tuple(range(ROUNDS)), "_ITER_NEXT_TUPLE"),
    ("range", range(ROUNDS), "_ITER_NEXT_RANGE"),
    ("dict", dict.fromkeys(range(ROUNDS)).items(), "_FOR_ITER_TIER_TWO"),
    ("set", set(range(ROUNDS)), "_FOR_ITER_TIER_TWO"),
    ("enumerate", enumerate(range(ROUNDS)), "_FOR_ITER_TIER_TWO"),
    ("zip", zip(range(ROUNDS), range(ROUNDS)), "_FOR_ITER_TIER_TWO"),
    ("map", map(abs, range(ROUNDS)), "_FOR_ITER_TIER_TWO"),
):
    loop = fresh(last_of)
    print(name, loop(values))
    goes_around(name, loop, step)


def first_of(values):
    for value in values:
        return value
    return 7


def repeat(rounds, function, values):
    result = 0
    for i in range(rounds):
        result += function(values)
    return result


for name, empty, step in (
    ("empty list", [], "_GUARD_EXHAUSTED_LIST"),
    ("empty tuple", (), "_GUARD_EXHAUSTED_TUPLE"),
    ("empty range", range(0), "_GUARD_EXHAUSTED_RANGE"),
    ("empty dict", {}, "_FOR_ITER_EXHAUSTED"),
):
    # The trace ends with the code that it runs through.
    loop, first = fresh(repeat), fresh(first_of)
    print(name, loop(ROUNDS, first, empty))
    goes_around(name, loop, "_PUSH_FRAME", step, "_RETURN_VALUE", frames=1)


# --- side exits ---------------------------------------------------------------------------------

class Other:
    def __init__(self):
        self.y, self.x = 1, 2

    def add(self, a):
        return a


def attributes(rounds, value):
    result = 0
    for i in range(rounds):
        result += value.x
    return result


def calls(rounds, value):
    result = 0
    for i in range(rounds):
        result += value.add(i)
    return result


def sums(rounds, value):
    for i in range(rounds):
        result = value + value
    return result


for polymorphic, first, second, step in (
    (attributes, Point(1), Other(), "_LOAD_ATTR_INSTANCE_VALUE"),
    (calls, Point(1), Other(), "_PUSH_FRAME"),
    (sums, 1, 2.5, "_BINARY_OP_ADD_FLOAT"),
    (sums, "a", 2.5, "_BINARY_OP_ADD_FLOAT"),
):
    polymorphic = fresh(polymorphic)
    name = f"{polymorphic.__name__} of two types"
    print(name, polymorphic(ROUNDS, first), polymorphic(ROUNDS, second), polymorphic(ROUNDS, first))
    side_trace(name, [polymorphic], step, "_JUMP_TO_TOP")


for name, values, step in (
    ("list", [1, 2, 3], "_GUARD_EXHAUSTED_LIST"),
    ("tuple", (1, 2, 3), "_GUARD_EXHAUSTED_TUPLE"),
    ("range", range(3), "_GUARD_EXHAUSTED_RANGE"),
    ("dict", {1: 1, 2: 2, 3: 3}, "_FOR_ITER_EXHAUSTED"),
):
    loop, inner = fresh(repeat), fresh(total)
    name = f"return behind the end of a {name}"
    print(name, loop(ROUNDS, inner, values))
    side_trace(name, [inner], "_GUARD_RETURNS_TO", "_RETURN_VALUE")


def nested(rounds):
    result = 0
    for i in range(rounds):
        for j in range(3):
            result += j
    return result


print("nested loops", nested(ROUNDS))
side_trace("nested loops", [nested], "_GUARD_NOT_EXHAUSTED_RANGE", "_EXIT_TRACE")


def factorial(n):
    return 1 if n < 2 else n * factorial(n - 1)


def recursive(rounds):
    result = 0
    for i in range(rounds):
        result += factorial(10)
    return result


print("recursion", recursive(ROUNDS))
if LONG_TRACES:
    if found := all_executors([recursive]):
        trace, wanted, frames = names(*found), "_EXIT_TRACE", 2
    else:
        # The function was the first to have an executor, and what follows its return goes through the loop.
        trace, wanted, frames = names(_opcode.get_executor(factorial.__code__, 0)), "_JUMP_TO_TOP", 1
    if trace[-2:] != ["_PUSH_FRAME", wanted] or trace.count("_PUSH_FRAME") != frames:
        complain("recursion", "the trace does not end where the function calls itself", trace)
