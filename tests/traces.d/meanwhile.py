# environment: PYTHON_JIT_SIDE_EXIT_INITIAL_VALUE=2 PYTHON_JIT_SIDE_EXIT_INITIAL_BACKOFF=1
"""What a program does while one round of its loop is recorded, and at some other times.

Each change is made in each loop, in rounds around the one from which a trace is recorded. Every time the code is new.
What is printed is the same without tier 2.
"""

import _interpreters
import _opcode
import builtins
import gc
import os
import signal
import sys
import threading
import types
import zlib

# The loops become hot after 1, 3 or 16 rounds, and the side exits of their traces soon after.
MOMENTS = 0, 1, 2, 3, 4, 5, 15, 16, 17, 18, 19, 22, 25
FEW_MOMENTS = 2, 4, 16, 17
ROUNDS = 50
THRESHOLD = "PYTHON_JIT_JUMP_BACKWARD_INITIAL_VALUE"
# After so many rounds the change is undone.
LATER = 7

SOURCE = '''
value = 1
signals = 0


class Point:
    kind = 3

    def __init__(self, x):
        self.x = x

    def method(self):
        return self.x * 2

    @property
    def double(self):
        return self.x * 2


class Other:
    kind = 4

    def __init__(self):
        self.y, self.x = 1, 2

    def method(self):
        return -self.x

    double = 5


point = Point(1)


def helper(a, b=2):
    return a + b + value


def work():
    return helper(1) + point.x + point.method() + point.double + Point.kind + len("abc") + Point(3).x


def plain(actions):
    total = 0
    for act in actions:
        total += work()
        act()
        total += work()
    return total


def catching(actions):
    total = 0
    for act in actions:
        try:
            total += work()
            act()
            total += work()
        except (ArithmeticError, LookupError, RuntimeError) as error:
            total += 1000
    return total


def call(act):
    result = helper(2)
    act()
    return result + helper(b=3, a=1)


def called(actions):
    total = 0
    for act in actions:
        arguments = act,
        total += call(*arguments) + work()
    return total


def results(actions):
    for act in actions:
        try:
            result = work()
            act()
            yield result + work()
        except LookupError:
            yield 1000


def inside(actions):
    global generator
    total = 0
    generator = results(actions)
    for result in generator:
        total += result
    return total


def counting(rounds):
    for i in range(rounds):
        try:
            yield i
        except LookupError:
            yield 1000


def delegating(rounds):
    yield from counting(rounds)


def outside(actions):
    global generator
    total = 0
    generator = delegating(len(actions))
    for i in generator:
        actions[i]()
        total += work() + i
    return total


async def later(act):
    act()
    return work()


async def coroutine(actions):
    total = 0
    for act in actions:
        total += await later(act)
    return total


def awaited(actions):
    try:
        coroutine(actions).send(None)
    except StopIteration as stop:
        return stop.value


def last(actions):
    total = 0
    for act in actions:
        total += work()
        act()
    return total
'''
LOOPS = "plain", "catching", "called", "inside", "outside", "awaited", "last"


def nothing():
    pass


class World(types.SimpleNamespace):
    """A module with the loops, anew; and what has been seen in it."""

    def __init__(self, loop):
        self.names = {"__name__": "world"}
        exec(compile(SOURCE, "world", "exec"), self.names)
        super().__init__(**self.names)
        self.loop, self.log = loop, []
        self.is_child = self.has_jumped = False

    def __setattr__(self, name, value):
        super().__setattr__(name, value)
        self.names[name] = value

    def frame(self):
        """The frame of the loop."""
        frame = sys._getframe(1)
        while frame.f_code.co_filename != "world" or frame.f_code.co_name not in (*LOOPS, "coroutine", "results"):
            frame = frame.f_back
        return frame

    def codes(self):
        """The code of all functions."""
        members = [*self.names.values(), *vars(self.Point).values()]
        return [member.__code__ for member in members if isinstance(member, types.FunctionType)]


def outcome(world, loop, actions):
    try:
        return loop(actions)
    except Exception as error:
        return f"{type(error).__name__}({error})"


def act(change, world):
    return lambda: change(world)


def case(change, undo=None, loops=LOOPS, moments=MOMENTS):
    """Makes the change, and undoes it some rounds later."""
    for name in loops:
        found = {}
        for moment in moments:
            world = World(name)
            actions = [nothing] * ROUNDS
            actions[moment] = act(change, world)
            if undo is not None:
                actions[moment + LATER] = act(undo, world)
            loop = world.names.pop(name)
            delattr(world, name)
            result = outcome(world, loop, actions)
            if world.is_child:
                os._exit(zlib.crc32(repr(result).encode()) & 127)
            if undo is not None:
                undo(world)
            if world.log:
                result = f"{result} {len(world.log)} {zlib.crc32(repr(world.log).encode())}"
            found.setdefault(str(result), []).append(moment)
        print(change.__name__, name)
        for result, moments_of in found.items():
            print("   ", *moments_of, "->", result)


def has_executor(code):
    for offset in range(0, len(code.co_code), 2):
        try:
            if _opcode.get_executor(code, offset):
                return True
        except ValueError:  # no instruction begins there
            pass
    return False


def check_moments():
    """The round in which a trace of the loop is recorded must be one of those that are tried."""
    for name in LOOPS:
        for rounds in range(1, ROUNDS):
            world = World(name)
            getattr(world, name)([nothing] * rounds)
            if any(map(has_executor, world.codes())):
                break
        if rounds - 1 not in MOMENTS:
            print(f"{name}: there is an executor after {rounds} rounds")


if sys._jit.is_enabled() and int(os.environ[THRESHOLD]) < ROUNDS:
    check_moments()


# --- exceptions ---------------------------------------------------------------------------------

def raises(world):
    raise LookupError("raised")


def raises_another(world):
    raise ValueError("another")


def raises_and_catches(world):
    try:
        [].pop()
    except IndexError:
        world.value = 2


def raises_in_c(world):
    {}["missing"]


def handles_signal(world):
    def handler(number, frame):
        world.value += 1
    signal.signal(signal.SIGUSR1, handler)
    signal.raise_signal(signal.SIGUSR1)


def handles_signal_by_raising(world):
    def handler(number, frame):
        raise LookupError("signal")
    signal.signal(signal.SIGUSR1, handler)
    signal.raise_signal(signal.SIGUSR1)


def signals_from_thread(world):
    def handler(number, frame):
        world.value += 1
    signal.signal(signal.SIGUSR1, handler)
    before = world.value
    thread = threading.Thread(target=signal.raise_signal, args=(signal.SIGUSR1,))
    thread.start()
    thread.join()
    while world.value == before:
        pass


def recurses(world):
    def deeper():
        return deeper() + 1
    try:
        deeper()
    except RecursionError:
        world.value += 1


def recurses_through_c(world):
    def deeper(_):
        return max([1], key=deeper)
    try:
        deeper(None)
    except RecursionError:
        world.value += 1


for change in (raises, raises_another, raises_and_catches, raises_in_c, handles_signal, handles_signal_by_raising,
               signals_from_thread):
    case(change)
for change in recurses, recurses_through_c:
    case(change, moments=FEW_MOMENTS)


# --- what the trace relies on -------------------------------------------------------------------

def changes_global(world):
    world.value += 10


def deletes_global(world):
    del world.names["value"]


def shadows_builtin(world):
    world.len = lambda text: 50


def unshadows_builtin(world):
    world.names.pop("len", None)


length = len


def replaces_builtin(world):
    builtins.len = lambda text: 50


def restores_builtin(world):
    builtins.len = length


def changes_class(world):
    world.Point.method = lambda self: 50
    world.Point.kind = 7


def changes_init(world):
    world.Point.__init__ = lambda self, x: setattr(self, "x", 10 * x)


def changes_property(world):
    world.Point.double = property(lambda self: 50)


def changes_class_of_instance(world):
    world.point.__class__ = world.Other


def replaces_instance(world):
    world.point = world.Other()


def shadows_method(world):
    world.point.method = lambda: 50


def changes_dict_of_instance(world):
    world.point.__dict__ = {"x": 5, "y": 6}


def changes_code(world):
    world.helper.__code__ = (lambda a, b=2: a * b).__code__
    world.work.__code__ = (lambda: 5).__code__


def changes_code_of_method(world):
    world.Point.method.__code__ = (lambda self: 50).__code__
    world.Point.__init__.__code__ = (lambda self, x: setattr(self, "x", 7)).__code__


def changes_defaults(world):
    world.helper.__defaults__ = 20,


def removes_functions(world):
    world.work = lambda: 5
    world.call = lambda act: 5
    world.helper = lambda *args, **kwargs: 5
    world.later = None
    gc.collect()
    # What may come to the same addresses.
    world.keep = [types.FunctionType(nothing.__code__.replace(co_name=str(i)), {}) for i in range(20)]
    for function in world.keep:
        function()


def clears_caches(world):
    sys._clear_internal_caches()


def collects(world):
    gc.collect()


for change, undo in (
    (changes_global, None), (deletes_global, None), (shadows_builtin, unshadows_builtin),
    (replaces_builtin, restores_builtin), (changes_class, None), (changes_init, None), (changes_property, None),
    (changes_class_of_instance, None), (replaces_instance, None), (shadows_method, None),
    (changes_dict_of_instance, None), (changes_code, None), (changes_code_of_method, None), (changes_defaults, None),
    (removes_functions, None), (clears_caches, None), (collects, None),
):
    case(change, undo)


# --- code that comes and goes -------------------------------------------------------------------

def runs_temporary_code(world):
    """The function dies when it has been called, and another one comes to its address."""
    template = nothing.__code__
    for i in range(5):
        temporary = types.FunctionType(template.replace(co_consts=(i,), co_name=f"f{i}"), {})
        world.value += temporary() is None
        del temporary


def executes_temporary_loops(world):
    for i in range(3):
        exec(f"for i in range({40 + i}): x = i, {i}", names := {})
        world.value += names["x"][0]


def runs_nested_loops(world):
    for i in range(60):
        for j in range(3):
            world.point.x += j


def runs_another_loop(world):
    other = World(world.loop)
    world.value += outcome(other, other.names[world.loop], [nothing] * 60)


def runs_in_thread(world):
    """Another thread has the same code."""
    loop = types.FunctionType(world.frame().f_code, world.names)
    found = []

    def run():
        found.append(outcome(world, loop, [nothing] * ROUNDS))
    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    world.log += found


for change in runs_temporary_code, executes_temporary_loops, runs_nested_loops, runs_another_loop:
    case(change)
case(runs_in_thread, loops=("plain", "catching", "called"))


# --- frames and generators ----------------------------------------------------------------------

def writes_local(world):
    world.frame().f_locals["total"] = 10_000


def writes_iterator(world):
    """The loop goes on with other actions."""
    world.frame().f_locals["actions"] = [nothing]


def keeps_frames(world):
    frame = sys._getframe()
    while frame is not None:
        world.log.append((frame.f_code.co_name, frame.f_lasti >= 0, sorted(frame.f_locals)[:3]))
        frame = frame.f_back
    world.frame_kept = sys._getframe(1)


def of_generator(function):
    def change(world):
        try:
            world.log.append(repr(function(world.names["generator"])))
        except (ValueError, LookupError, StopIteration) as error:
            world.log.append(f"{type(error).__name__} {error}")
    change.__name__ = function.__name__
    return change


def close(generator):
    return generator.close()


def throw(generator):
    return generator.throw(LookupError("thrown"))


def throw_another(generator):
    return generator.throw(ValueError("thrown"))


def exhaust(generator):
    return sum(generator)


def advance(generator):
    return next(generator)


def advance_in_loop(generator):
    for first in generator:
        return first


for change in writes_local, writes_iterator, keeps_frames:
    case(change, loops=("plain", "catching", "called", "last"))
for function in close, throw, throw_another, exhaust, advance, advance_in_loop:
    case(of_generator(function), loops=("inside", "outside"))


# --- tools --------------------------------------------------------------------------------------

def describe(frame):
    return frame.f_code.co_name, frame.f_lineno


def tracer(world):
    def trace(frame, event, argument):
        if frame.f_code.co_filename == "world":
            world.log.append((event, *describe(frame)))
            return trace
    return trace


def traces_frames(world):
    trace = tracer(world)
    frame = world.frame()
    frame.f_trace, frame.f_trace_opcodes = trace, True
    sys.settrace(trace)


def traces_calls(world):
    sys.settrace(tracer(world))


def stops_tracing(world):
    sys.settrace(None)


def traces_all_threads(world):
    thread = threading.Thread(target=threading.settrace_all_threads, args=(tracer(world),))
    thread.start()
    thread.join()


def stops_tracing_all_threads(world):
    threading.settrace_all_threads(None)
    threading.settrace(None)


def profiles(world):
    sys.setprofile(tracer(world))


def stops_profiling(world):
    sys.setprofile(None)


def jumps(world):
    """The first line of the loop runs twice in this round."""
    if world.has_jumped:
        return
    world.has_jumped = True
    frame = world.frame()
    first = frame.f_code.co_firstlineno + (4 if world.loop == "catching" else 3)

    def trace(frame, event, argument):
        if event == "line":
            world.log.append(describe(frame))
            frame.f_lineno = first
            frame.f_trace = None
            sys.settrace(None)
        return trace
    frame.f_trace = trace
    sys.settrace(lambda *event: None)


monitoring = sys.monitoring
TOOL = 4
EVENTS = {name: value for name, value in vars(monitoring.events).items() if name.isupper() and value}
NOT_LOCAL = {"RAISE", "RERAISE", "EXCEPTION_HANDLED", "PY_UNWIND", "PY_THROW", "C_RAISE", "C_RETURN", "BRANCH"}
LOCAL = [name for name in EVENTS if name not in NOT_LOCAL]


def use_tool(world, names, disables=False):
    def callback(name):
        def note(code, where, *rest):
            if code.co_filename == "world":
                world.log.append((name, code.co_name, where))
            return monitoring.DISABLE if disables else None
        return note
    if monitoring.get_tool(TOOL) is None:
        monitoring.use_tool_id(TOOL, "meanwhile")
    for name in names:
        monitoring.register_callback(TOOL, EVENTS[name], callback(name))
    return sum(EVENTS[name] for name in names)


def monitors(world):
    monitoring.set_events(TOOL, use_tool(world, EVENTS.keys() - {"BRANCH"}))


def monitors_calls(world):
    monitoring.set_events(TOOL, use_tool(world, ["CALL", "C_RETURN", "C_RAISE"]))


def monitors_starts(world):
    monitoring.set_events(TOOL, use_tool(world, ["PY_START", "PY_RESUME", "PY_YIELD"]))


def monitors_once(world):
    monitoring.set_events(TOOL, use_tool(world, LOCAL, disables=True))


def monitors_code(world):
    """Local events."""
    mask = use_tool(world, LOCAL)
    for code in {world.frame().f_code, *world.codes()}:
        monitoring.set_local_events(TOOL, code, mask)


def monitors_lines_of_loop(world):
    monitoring.set_local_events(TOOL, world.frame().f_code, use_tool(world, ["LINE"]))


def monitors_jumps_of_loop(world):
    monitoring.set_local_events(TOOL, world.frame().f_code, use_tool(world, ["JUMP", "BRANCH_LEFT", "BRANCH_RIGHT"]))


def monitors_for_a_moment(world):
    monitors(world)
    stops_monitoring(world)


def stops_monitoring(world):
    if monitoring.get_tool(TOOL) is not None:
        monitoring.free_tool_id(TOOL)


for change, undo in (
    (traces_frames, stops_tracing), (traces_calls, stops_tracing), (traces_all_threads, stops_tracing_all_threads),
    (profiles, stops_profiling), (monitors, stops_monitoring), (monitors_calls, stops_monitoring),
    (monitors_starts, stops_monitoring), (monitors_once, stops_monitoring), (monitors_code, stops_monitoring),
    (monitors_lines_of_loop, stops_monitoring), (monitors_jumps_of_loop, stops_monitoring),
    (monitors_for_a_moment, stops_monitoring),
):
    case(change, undo)
case(jumps, loops=("plain", "catching", "called", "last"))


# --- processes and interpreters -----------------------------------------------------------------

def forks(world):
    """Both processes go on with the loop."""
    child = os.fork()
    world.is_child = child == 0
    if child:
        world.log.append(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))


def ends_in_child(world):
    child = os.fork()
    if not child:
        os._exit(3)
    world.log.append(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))


def runs_interpreter(world):
    interpreter = _interpreters.create()
    _interpreters.exec(interpreter, "for i in range(100): x = i, [i]")
    _interpreters.destroy(interpreter)


case(forks, moments=FEW_MOMENTS)
case(ends_in_child, moments=FEW_MOMENTS, loops=("plain", "inside"))
case(runs_interpreter, moments=FEW_MOMENTS, loops=("plain", "called", "inside"))
