"""Changes what traces rely on, while they exist and while they run."""

import builtins
import os
import sys
import types

ROUNDS = 3000


def executors(function):
    """The number of executors in a function's bytecode."""
    if not sys._jit.is_enabled():
        return None
    import _opcode
    found = 0
    for offset in range(0, len(function.__code__.co_code), 2):
        try:
            found += _opcode.get_executor(function.__code__, offset) is not None
        except ValueError:
            pass
    return found


def case(function, *changes, has_trace=True):
    """Runs a loop; then, for each change, the loop while the change is made half-way, and once more."""
    results = [function(lambda i: None)]
    if executors(function) == 0 and has_trace:
        print(function.__name__, "has no executor")
    for change in changes:
        results.append(function(lambda i: i == ROUNDS // 2 and change()))
        results.append(function(lambda i: None))
    print(function.__name__, *results)


# --- namespaces

value = 1


def global_variable(at):
    total = 0
    for i in range(ROUNDS):
        at(i)
        total += value
    return total


def change_global():
    global value
    value += 1


case(global_variable, *[change_global] * 8)


def shadowed_builtin(at):
    total = 0
    for i in range(ROUNDS):
        at(i)
        total += len("abc")
    return total


case(shadowed_builtin, lambda: globals().update(len=lambda text: 100), lambda: globals().pop("len"))
real_len = len
case(shadowed_builtin, lambda: setattr(builtins, "len", lambda text: 7), lambda: setattr(builtins, "len", real_len))

module = types.ModuleType("module")
module.attribute = 1


def attribute_of_module(at):
    total = 0
    for i in range(ROUNDS):
        at(i)
        total += module.attribute
    return total


case(attribute_of_module, lambda: setattr(module, "attribute", 2), lambda: setattr(module, "other", 3),
     lambda: setattr(module, "attribute", 2.5))

# The same code, so the same executors and versions of functions, with other globals.
code = compile(f"""
def f(at):
    total = 0
    for i in range({ROUNDS}):
        at(i)
        total += here()
    return total
def here():
    return place
""", "shared", "exec")
first, second = {"place": 1}, {"other": 0, "place": 2}
exec(code, first)
exec(code, second)
# No trace is made as long as the bytecode is specialized for the globals of the other function.
for namespace in first, second, first:
    case(namespace["f"], lambda: namespace.update(place=namespace["place"] + 10), has_trace=False)

# The same code in a copy of the globals, whose keys have the same version.
exec(f"""
def direct(at):
    total = 0
    for i in range({ROUNDS}):
        at(i)
        total += place
    return total
""", first)
direct = first["direct"]
case(direct)
copy = first.copy()
copy["place"] = 1000
case(types.FunctionType(direct.__code__, copy))
case(direct)

# Another function of the same code, whose globals are such a copy.
exec(code, first)
other = dict(first)
exec(code, other)
other["place"] += 1000
for namespace in first, other, first, other:
    case(namespace["f"])

# Other builtins beside the same globals.
exec(f"""
def builtin(at):
    total = 0
    for i in range({ROUNDS}):
        at(i)
        total += len("one")
    return total
""", first)
builtin = first["builtin"]
case(builtin)
first["__builtins__"] = {"range": range, "len": lambda text: 1000}
case(types.FunctionType(builtin.__code__, first))
case(builtin)


# --- types

class Point:
    kind = 1

    def __init__(self, x):
        self.x = x

    def method(self):
        return self.x


class Other(Point):
    kind = 5

    def method(self):
        return -self.x


class Slotted:
    __slots__ = ()

    def method(self):
        return 1


class OtherSlotted:
    __slots__ = ()

    def method(self):
        return 2


point, slotted = Point(3), Slotted()


def method_of_constant(at):
    total = 0
    for i in range(ROUNDS):
        at(i)
        total += point.method()
    return total


original = Point.method
case(method_of_constant, lambda: setattr(Point, "method", lambda self: 50), lambda: setattr(Point, "method", original),
     lambda: setattr(point, "__class__", Other), lambda: setattr(point, "__class__", Point),
     lambda: setattr(point, "method", lambda: 9), lambda: delattr(point, "method"))


def method_of_slotted_constant(at):
    total = 0
    for i in range(ROUNDS):
        at(i)
        total += slotted.method()
    return total


case(method_of_slotted_constant, lambda: setattr(slotted, "__class__", OtherSlotted),
     lambda: setattr(slotted, "__class__", Slotted))


def attribute_of_class(at):
    total = 0
    for i in range(ROUNDS):
        at(i)
        total += Point.kind
    return total


case(attribute_of_class, lambda: setattr(Point, "kind", 2), lambda: setattr(Point, "kind", 2.5),
     lambda: setattr(Point, "kind", 1))


def attribute_through_instance(at):
    total = 0
    local = Other(1)
    for i in range(ROUNDS):
        at(i)
        total += local.kind + local.x
    return total


case(attribute_through_instance, lambda: delattr(Other, "kind"), lambda: setattr(Point, "kind", 7),
     lambda: setattr(Other, "kind", 8))


def is_instance(at):
    total = 0
    local = Other(1)
    for i in range(ROUNDS):
        at(i)
        local.x = 1
        if isinstance(local, Other):
            total += 1
        if isinstance(local, Point):
            total += 10
    return total


class OtherPoint(Point):
    pass


case(is_instance, lambda: setattr(Other, "__bases__", (OtherPoint,)), lambda: setattr(Other, "__bases__", (Point,)))


# --- functions

def callee(a, b=2):
    return a + b


def defaults(at):
    total = 0
    for i in range(ROUNDS):
        at(i)
        total += callee(1)
    return total


def set_code(a, b):
    return a * b


case(defaults, lambda: setattr(callee, "__defaults__", (5,)), lambda: setattr(callee, "__code__", set_code.__code__))


def exact(at):
    total = 0
    for i in range(ROUNDS):
        at(i)
        total += callee(3, b=4) + callee(3, 4)
    return total


case(exact, lambda: setattr(callee, "__code__", (lambda a, b: a - b).__code__))


def objects(at):
    total = 0
    for i in range(ROUNDS):
        at(i)
        total += Point(i & 1).x
    return total


def other_init(self, x):
    self.x = x + 100


case(objects, lambda: setattr(Point.__init__, "__code__", other_init.__code__),
     lambda: setattr(Point, "__init__", other_init))


# --- what is known of values

def truths(at):
    total = 0
    for i in range(ROUNDS):
        at(i)
        flag = i % 7
        if not flag:
            total += flag + 1
        text = "" if flag else "x"
        if text:
            total += len(text) * 1000
        pair = (flag, text)
        a, b = pair
        if a == 3 and not b:
            total += len(pair)
        del a
        a = not (not flag)
        total += a
    return total


case(truths)


def closures(at):
    total = 0

    def add(n, step=1):
        nonlocal total
        captured = n

        def inner():
            return captured + step
        total += inner()
    for i in range(ROUNDS):
        at(i)
        add(i)
        add(i, step=3)
    return total


case(closures)


def deep(n, k=1):
    return n if n < 2 else deep(n - 1) + shallow(n)


def shallow(n):
    return n + deeper(n, n)


def deeper(n, m):
    return n * m


def many_frames(at):
    total = 0
    for i in range(ROUNDS // 3):
        at(i)
        total += deep(i % 300) + shallow(i)
    return total


# The second round meets other types than the first, so a trace of it is put off for longer than this.
case(many_frames, has_trace=os.environ.get("PYTHON_JIT_JUMP_BACKWARD_INITIAL_VALUE") != "1")


def calls(function, count):
    return [function(number) for number in range(count)][-1]


def ended_code(at):
    """The functions that a loop has called are gone, and their code with them, when the loop becomes hot."""
    results = []
    for i in range(60):
        at(i * ROUNDS // 60)
        namespace = {}
        exec(f"def work(value): return (value, {i}.5, 'text {i}') if value else 'other {i}'", namespace)
        results.append(calls(namespace["work"], 24))
        del namespace
        results.append([f"{i} {number}" for number in range(50)])
    return results


case(ended_code, has_trace=False)
