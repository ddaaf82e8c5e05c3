"""Operations: what a loop does with each of its operands a, b and c. It leaves its result in r."""

import operands
from operands import callables, everything, indices, numbers, objects, sequences, texts

BINARY = "+", "-", "*", "/", "//", "%", "**", "@", "<<", ">>", "&", "|", "^"
COMPARISONS = "<", "<=", "==", "!=", ">", ">="

# What takes long, or much memory.
SEQUENCES = str, bytes, bytearray, list, tuple
MANY = 1000


def is_harmless(operator, a, b):
    def is_large(value, limit):
        return isinstance(value, (int, float)) and not -limit <= value <= limit
    if operator == "*":
        return not (isinstance(a, SEQUENCES) and is_large(b, MANY) or isinstance(b, SEQUENCES) and is_large(a, MANY))
    if operator == "<<":
        return not is_large(b, 80) or not isinstance(b, int) or b < 0
    if operator == "**":
        return not (isinstance(a, int) and isinstance(b, int) and is_large(b, 80))
    if operator == "%":
        return not isinstance(a, (str, bytes, bytearray))
    return True


class Operation:
    """`lines` use a, b and c, which come from these domains: functions that return new values by kind."""

    def __init__(self, name, lines, *domains, is_harmless=None, warm=None):
        self.name, self.lines, self.domains = name, lines, domains
        self.is_harmless, self.warm = is_harmless or (lambda *values: True), warm

    def text(self):
        """A function of a list of tuples of operands. The places of exceptions are those of its lines."""
        names = "abc"[:len(self.domains)]
        lines = [f"def operation(operands, results):", f"    for {', '.join(names)}, in operands:", "        try:",
                 *("            " + line for line in self.lines),
                 "        except Exception as error:",
                 "            r = type(error).__name__, str(error), error.__traceback__.tb_lineno, error.__traceback__.tb_lasti",
                 "        results.append(r)"]
        return "\n".join(lines) + "\n"


def values():
    return numbers() | texts() | operands.nothing() | {kind: items for kind, items in sequences().items()
                                                        if kind in ("list", "tuple", "set", "dict", "bytes", "list subclass")}


def small():
    """Attributes and items are set to these."""
    return {"int": [4, 2**40], "float": [1.5], "str": ["new"], "None": [None], "bool": [True]}


def counts():
    return {"int": [0, 1, 4, -3, 2**62], "bool": [True], "float": [2.0], "str": ["a"], "int subclass": [operands.Int(3)]}


def arguments():
    return {"int": [1, 2**40], "str": ["ab"], "list": [[3, 1, 2]], "tuple": [(2, 1)], "float": [0.5], "None": [None], "type": [int]}


def iterables():
    return everything() | {"generator function": [operands.generator]}


def operations():
    for operator in BINARY:
        def harmless(a, b, operator=operator):
            return is_harmless(operator, a, b)
        yield Operation(f"a {operator} b", [f"r = (a", f"     {operator} b)"], values, values, is_harmless=harmless)
        yield Operation(f"a {operator}= b", ["r = a", f"r {operator}= b"], values, values, is_harmless=harmless)
    for operator in ("+", "-", "*", "/", "//", "%", ">>", "&"):
        for constant in ("2", "-3", "0.5"):
            yield Operation(f"a {operator} {constant}", [f"r = a {operator} {constant}"], values)
            yield Operation(f"{constant} {operator} a", [f"r = ({constant}) {operator} a"], values)
        # The result is used at once, as a number without an object.
        yield Operation(f"(a {operator} b) - a", [f"r = (a {operator} b) - a"], numbers, numbers)
        yield Operation(f"(a {operator} b) * (b + a)", [f"r = (a {operator} b)", "r = r * (b + a), r"], numbers, numbers)
    for operator in COMPARISONS:
        yield Operation(f"a {operator} b", [f"r = a {operator} b"], values, values)
        yield Operation(f"if a {operator} b", [f"if a {operator} b:", "    r = 1", "else:", "    r = 2"], values, values)
        yield Operation(f"a {operator} 2", [f"r = a {operator} 2"], values)
        yield Operation(f"a + a {operator} b", [f"r = a + a {operator} b"], numbers, numbers)
    for operator in ("is", "is not", "in", "not in", "and", "or"):
        yield Operation(f"a {operator} b", [f"r = a {operator} b"], values, everything)
    for operator in ("-", "+", "~", "not "):
        yield Operation(f"{operator}a", [f"r = {operator}a"], everything)
        yield Operation(f"{operator}(a + a)", [f"r = {operator}(a + a)"], values)
    yield Operation("if a", ["if a:", "    r = 1", "else:", "    r = 2"], everything)
    yield Operation("if a + a", ["if a + a:", "    r = 1", "else:", "    r = 2"], everything)
    yield Operation("a is None", ["r = 1 if a is None else 2"], everything)
    yield Operation("a is not None", ["r = 1 if a is not None else 2"], everything)

    # Items.
    yield Operation("a[b]", ["r = a[b]"], everything, indices)
    yield Operation("a[b + 1]", ["r = a[b + 1]"], everything, indices)
    yield Operation("a[1]", ["r = a[1]"], everything)
    yield Operation("a[-1]", ["r = a[-1]"], everything)
    yield Operation("a['x']", ["r = a['x']"], everything)
    yield Operation("a[1:2]", ["r = a[1:2]"], everything)
    yield Operation("a[b:c:2]", ["r = a[b:c:2]"], sequences, counts, counts)
    yield Operation("a[1:b]", ["r = a[1:b]"], everything, indices)
    yield Operation("a[b:c]", ["r = a[b:c]"], sequences, counts, indices)
    yield Operation("a[b] = c", ["a[b] = c", "r = a"], sequences, indices, small)
    yield Operation("a[b] = a[b]", ["a[b] = a[b]", "r = a"], sequences, indices)
    yield Operation("a[b] += c", ["a[b] += c", "r = a"], sequences, indices, small)
    yield Operation("a[b] = c * 2", ["a[b] = c * 2", "r = a"], sequences, indices, small)
    yield Operation("a[0:b] = c", ["a[0:b] = c", "r = a"], sequences, counts, arguments)
    yield Operation("del a[b]", ["del a[b]", "r = a"], sequences, indices)

    # Attributes.
    for name in ("x", "y", "shared", "double", "method", "extra"):
        yield Operation(f"a.{name}", [f"r = a.{name}"], objects)
        yield Operation(f"a.{name} = b", [f"a.{name} = b", f"r = a.{name}"], objects, small)
        yield Operation(f"a.{name} += b", [f"a.{name} += b", f"r = a.{name}"], objects, small)
    yield Operation("del a.x", ["a.x = b", "del a.x", "r = a"], objects, small)
    yield Operation("in a dictionary", ["x = operands.OPEN", "x.value = a", "r = x.value", "x.value = b", "r = r, x.value, x.x39"], small, small)
    yield Operation("a.x * b", ["r = a.x * b"], objects, small)
    yield Operation("a.x = b * 2.5", ["a.x = b * 2.5", "r = a.x"], objects, small)
    for name in ("method", "of_class", "static", "shared", "nothing"):
        yield Operation(f"a.{name}()", [f"r = a.{name}()"], objects)
        yield Operation(f"a.{name}(b)", [f"r = a.{name}(b)"], objects, small)
        yield Operation(f"a.{name}(value=b)", [f"r = a.{name}(value=b)"], objects, small)

    # Calls.
    yield Operation("a()", ["r = a()"], callables)
    yield Operation("a(b)", ["r = a(b)"], callables, arguments)
    yield Operation("type a(b)", ["r = a(b)"], operands.types_of_one, arguments)
    yield Operation("a(b, c)", ["r = a(b, c)"], callables, arguments, arguments)
    yield Operation("a(b, b=c)", ["r = a(b, b=c)"], callables, arguments, small)
    yield Operation("a(b, sep=c)", ["r = a(b, sep=c)"], callables, arguments, small)
    yield Operation("a(*b)", ["r = a(*b)"], callables, arguments)
    yield Operation("a(*b, **c)", ["r = a(*b, **{'c': c})"], callables, arguments, small)
    yield Operation("a(b) twice", ["r = a(b), a(b)"], callables, arguments)
    for name, argument in (("upper", ""), ("append", "b"), ("count", "b"), ("index", "b"), ("get", "b"), ("split", "b"), ("pop", ""),
                           ("insert", "0, b"), ("extend", "b"), ("keys", ""), ("startswith", "b"), ("bit_length", "")):
        yield Operation(f"a.{name}({argument})", [f"r = a.{name}({argument}), a"], everything, small)
    for call in ("len(a)", "isinstance(a, int)", "isinstance(a, (str, list))", "str(a)", "tuple(a)", "type(a)", "list(a)", "int(a)", "float(a)",
                 "bool(a)", "abs(a)", "hash(a)", "repr(a)", "iter(a)", "reversed(a)", "enumerate(a)", "max(a)", "sorted(a)", "sum(a)",
                 "callable(a)", "ord(a)"):
        def harmless(a, call=call):
            # Some results depend on addresses, and some take long.
            has_address = (a is None or a != a or type(a).__hash__ is object.__hash__ if call == "hash(a)" else
                           call in ("str(a)", "repr(a)") and "0x" in repr(a))
            return not (has_address or isinstance(a, range))
        yield Operation(call, [f"r = {call}"], everything, is_harmless=harmless)
    yield Operation("len(a) + b", ["r = len(a) + b"], everything, numbers)

    # Loops and unpacking.
    for loop in ("for x in a", "for x in range(a)", "for x in range(1, a)", "for x in range(1, a, 2)", "for i, x in enumerate(a)",
                 "for x, i in zip(a, a)", "for x in reversed(a)", "for x in a()"):
        def harmless(a):
            return not (isinstance(a, (int, float)) and abs(a) > MANY and a > 0)
        yield Operation(loop, ["r = []", f"{loop}:", "    r.append(x)", "    if len(r) > 50:", "        break"], iterables,
                        is_harmless=harmless)
    yield Operation("total of a", ["r = 0", "for x in a:", "    r += x"], everything)
    yield Operation("x, y = a", ["x, y = a", "r = y, x"], everything)
    yield Operation("x, y, z, w = a", ["x, y, z, w = a", "r = w, z, y, x"], everything)
    yield Operation("x, *y = a", ["x, *y = a", "r = y, x"], everything)
    yield Operation("x, y = a, b", ["z = a, (b, a)", "x, y = z", "r = x is z[0], z[1][0], len(y), y or 1, z is None, z, y"], everything,
                    small)
    yield Operation("x, y = a + b, b", ["z = a + b, b", "x, y = z", "r = x, z[1] is y, z[0]"], values, values)
    yield Operation("for x, y in a.items()", ["r = []", "for x, y in a.items():", "    r.append(y)", "    r.append(x)"], everything)
    yield Operation("[x for x in a]", ["r = [x for x in a]"], everything)
    yield Operation("{x: 1 for x in a}", ["r = {x: 1 for x in a}"], everything)
    yield Operation("{a: b}", ["r = {a: b, 'b': a}"], everything, small)
    yield Operation("{**a}", ["r = {**a, 'b': b}"], everything, small)
    yield Operation("cells that change", ["x = a", "def inner():", "    nonlocal x", "    x = b, x", "    return x", "r = inner(), x"], everything,
                    small)
    yield Operation("sum(x for x in a)", ["r = sum(x for x in a)"], everything)
    yield Operation("','.join(x for x in a)", ["r = ','.join(x for x in a)"], everything)
    yield Operation("sorted(x for x in a)", ["r = sorted(x for x in a)"], everything)
    yield Operation("set(x for x in a)", ["r = set(x for x in a) == set(a), list(x for x in a)"], everything)
    yield Operation("[*a, b]", ["r = [*a, b]"], everything, small)
    yield Operation("(a, b)", ["r = a, [b, a], {b}"], everything, small)
    yield Operation("f'{a}{b!r}'", ["r = f'{a}{b!r:>6}'"], values, small)
    yield Operation("match a", ["match a:", "    case [x, y, *z]:", "        r = x, y, z", "    case {'a': x}:", "        r = x",
                                "    case int() | None:", "        r = 1", "    case str(x):", "        r = x", "    case _:", "        r = 2"],
                    everything)
    yield Operation("raise a", ["raise a(b) if callable(a) else ValueError(b)"], callables, small)
    yield Operation("all of a", ["r = all(x for x in a), any(x for x in a)"], everything)
    yield Operation("tuple of a", ["r = tuple(x for x in a)"], everything)
    yield Operation("assert a", ["assert a", "r = 1"], everything)
    yield Operation("constants", ["x = 2", "y = 2.5", "r = x + 3, y * 2.0, x is None, not x, x < 3, a"], small)
    yield Operation("global x", ["global total", "total = a", "r = total"], everything)
    yield Operation("cells", ["x = a", "def inner():", "    return x, b", "r = inner()"], everything, small)
    for name in ("delegating", "deeply"):
        yield Operation(f"for x in {name}(a, b)", ["r = []", f"for x in operands.{name}(a, b):", "    r.append(x)"], everything, small)
    for name in ("passed_on", "passed_on_twice"):
        yield Operation(f"for x in {name}(a)", ["r = 0", f"for x, y in operands.{name}(a):", "    r += x"], small)
    yield Operation("steps", ["r = operands.steps(a)[-1]"], small)
    yield Operation("await often", ["r = operands.awaited_often(a)"], small)
    yield Operation("module attributes", ["r = operands.FLOATS, operands.shown, operands.module, a"], small)
    yield Operation("await", ["r = operands.awaited(a)"], everything)
    yield Operation("with a", ["with a as x:", "    r = x"], everything)
    yield Operation("x = a; del x", ["x = a", "del x", "r = x"], everything)
