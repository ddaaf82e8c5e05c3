"""What is found, in words."""

import ast
import builtins
import dis
import types

#: The kinds of time: in the report, in one word for a line.
KINDS = {
    "compiled": ("machine code", "compiled"),
    "compiled_c": ("C code that machine code calls", "C"),
    "trace": ("traces, not compiled", "trace"),
    "bytecode": ("bytecode", "bytecode"),
    "c": ("C code that bytecode or traces call", "C"),
    "collector": ("garbage collection", "collector"),
    "making": ("making traces and machine code", "making"),
}

#: Why a trace is left.
REASONS = {
    "branch": "a branch went the other way",
    "loop": "a loop began or ended",
    "type": "the type of a value changed",
    "callee": "another function was called",
    "caller": "another caller",
    "value": "an unusual value: a large int, an index out of range",
    "changed": "something that the trace relies on changed",
    "end": "the trace ends here",
    "attribute": "an object had other attributes",
    "exception": "an exception",
}

#: What these outcomes say is no reason for being slow: the trace goes on elsewhere, or another attempt follows.
GOOD_OUTCOMES = {
    "a loop",
    "a function up to its return",
    "none: only another executor",
    "tried again soon: a branch went the less likely way, or the loop ended",
    "up to another executor",
    "up to the end of the loop",
}

UNSTABLE = "tried again later: types change"
UNTRANSLATABLE = "an instruction that has no form in traces"


def of_attempt(outcome, detail):
    """What became of an attempt to make a trace, for the line where it ended. None if it says nothing."""
    if outcome in GOOD_OUTCOMES:
        return None
    if outcome == UNSTABLE and detail:
        return f"types change here: {of_instruction(detail)}"
    if outcome.endswith(UNTRANSLATABLE):
        return f"no form in traces: {of_instruction(detail)}"
    for before, shown in ("up to ", "ends here: "), ("none: only ", "too short, ends here: "), ("none: ", "no trace: "):
        if outcome.startswith(before):
            return shown + outcome.removeprefix(before)
    return outcome


def of_origins(lines, line):
    """Where the traces began that end at a line, for the text about them."""
    others = sorted(set(lines) - {line})
    if not others:
        return ""
    if len(others) == 1:
        return f" (the trace from line {others[0]})"
    shown = ", ".join(map(str, others[:4])) + (", …" if len(others) > 4 else "")
    return f" (traces from lines {shown})"


def of_instruction(detail):
    """`FOR_ITER_LIST (list_iterator)` is `FOR_ITER_LIST over list_iterator`."""
    name, _, met = (detail or "an instruction").partition(" (")
    met = met.removesuffix(")")
    if not met:
        return name
    return f"{name} {'over' if name.startswith(('FOR_ITER', 'GET_ITER')) else 'of'} {met}"


#: The micro-op with which the interpreter begins a trace, if machine code leaves at once.
ENTRY = "make_warm"


def of_exit(reasons, detail, count):
    """Why a trace was left so many times."""
    if reasons == ("ended",):
        return f"machine code stops here, {times(count)}: the end of an object of `{detail}` may run other code"
    if reasons == ("interpreted",) and detail == ENTRY:
        return f"machine code cannot be entered here, {times(count)}: a variable holds a large int, or a number that is shared"
    if reasons == ("interpreted",):
        return f"machine code stops here, {times(count)}: a large int, or an unusual type (at the micro-op {detail})"
    # "the trace ends here" is only the reason if there is no other.
    known = [REASONS[reason] for reason in reasons if reason != "end"] or [REASONS["end"]]
    return f"left {times(count)}: {' or '.join(known)}"


def times(count):
    return f"{count:_} times".replace("_", " ")


#: What C code does for instructions that are no calls.
OPERATIONS = {
    "BINARY_OP": "an operator, in C code",
    "COMPARE_OP": "a comparison, in C code",
    "CONTAINS_OP": "`in`, in C code",
    "UNARY_NEGATIVE": "an operator, in C code",
    "FOR_ITER": "the next value of an iterator, in C code",
    "GET_ITER": "`iter`, in C code",
    "LOAD_ATTR": "looks an attribute up, in C code",
    "STORE_ATTR": "stores an attribute, in C code",
    "STORE_SUBSCR": "stores an item, in C code",
    "BINARY_SLICE": "a slice, in C code",
    "BUILD_STRING": "an f-string, in C code",
    "FORMAT_SIMPLE": "an f-string, in C code",
    "FORMAT_WITH_SPEC": "an f-string, in C code",
    "BUILD_LIST": "makes a list, in C code",
    "BUILD_TUPLE": "makes a tuple, in C code",
    "BUILD_MAP": "makes a dict, in C code",
    "BUILD_SET": "makes a set, in C code",
    "LIST_APPEND": "appends to a list, in C code",
    "MAP_ADD": "adds to a dict, in C code",
    "SET_ADD": "adds to a set, in C code",
    "MAKE_FUNCTION": "makes a function, in C code",
    "IMPORT_NAME": "an import",
    "UNPACK_SEQUENCE": "unpacks a value, in C code",
    "TO_BOOL": "the truth of a value, in C code",
    "STORE_FAST": "the end of an object, in C code",
    "POP_TOP": "the end of an object, in C code",
}


#: How specialized calls of Python functions begin.
OF_PYTHON = "CALL_PY", "CALL_BOUND_METHOD", "CALL_KW_PY", "CALL_KW_BOUND_METHOD", "CALL_ALLOC_AND_ENTER_INIT"
#: Calls of anything.
OF_ANYTHING = "CALL", "CALL_KW", "CALL_FUNCTION_EX"


def is_c_builtin(name):
    return name is not None and not isinstance(getattr(builtins, name, is_c_builtin), types.FunctionType)


class Instructions:
    """The instructions of a code object, and its source."""

    def __init__(self, code, source):
        self.source = source
        self.positions = list(code.co_positions())
        #: By the offset of each unit, also of EXTENDED_ARG: the specialized name, the generic one, the offset.
        self.found = {}
        for instruction in dis.get_instructions(code, adaptive=True):
            for offset in range(instruction.start_offset, instruction.offset + 2, 2):
                self.found[offset // 2] = instruction.opname, instruction.baseopname, instruction.offset // 2

    def describe(self, offset):
        """What C code does for the instruction at this offset, in units. None if that is not known."""
        if offset not in self.found:
            return None
        name, generic, offset = self.found[offset]
        if generic not in OF_ANYTHING:
            return OPERATIONS.get(generic)
        if name.startswith(OF_PYTHON):
            return None
        called = self.called(offset)
        is_known = name not in OF_ANYTHING or is_c_builtin(called)
        callee = f"`{called}`" if called else "something"
        return f"calls {callee}, {'a C function' if is_known else 'in C code'}"

    def called(self, offset):
        """The expression that is called there."""
        first, last, begin, end = self.positions[offset]
        if None in (first, last, begin, end) or last > len(self.source):
            return None
        lines = [line.encode() for line in self.source[first - 1:last]]
        lines[-1] = lines[-1][:end]
        lines[0] = lines[0][begin:]
        try:
            node = ast.parse(b"(" + b"".join(lines) + b")", mode="eval").body
        except (SyntaxError, ValueError):
            return None
        while isinstance(node, ast.Await):
            node = node.value
        if not isinstance(node, ast.Call):
            return None
        text = ast.unparse(node.func)
        return text if len(text) <= 40 else None
