"""Makes a program smaller while two interpreters still differ in it."""

import ast
import time
from dataclasses import replace
from itertools import islice

import compare

BATCH = 16  # programs that are tried at a time
SECONDS = 2  # of processor time for one
BODIES = ("body", "orelse", "finalbody", "handlers", "cases")
LISTS = ("args", "keywords", "elts", "values", "decorator_list", "bases", "generators", "items", "targets", "names",
         "ops",
         "patterns", "type_params", "defaults", "kw_defaults", "kwonlyargs", "posonlyargs", "ifs")


def reduce(difference, python, reference, seconds):
    """The same kind of difference in a smaller program."""
    reducer = Reducer(difference, python, reference, time.monotonic() + seconds)
    while True:
        before = reducer.best.program
        reducer.delete_statements()
        reducer.edit(unwrappings)
        reducer.edit(expression_edits)
        if reducer.best.program == before or reducer.late():
            return reducer.best


class Reducer:
    def __init__(self, difference, python, reference, until):
        self.best = difference
        self.python = python
        self.reference = reference
        self.until = until

    def late(self):
        return time.monotonic() >= self.until

    def different(self, texts):
        """For each program, the difference, or None if there is none of this kind."""
        programs = {str(number): text for number, text in enumerate(texts)}
        expected = compare.run(self.reference, "off", programs, SECONDS)
        programs = {name: text for name, text in programs.items() if expected[name].end != compare.LATE}
        got = compare.run(self.python, self.best.mode, programs, SECONDS)
        found = {}
        for name, text in programs.items():
            if not compare.equal(expected[name], got[name], self.best.mode):
                candidate = replace(self.best, program=text, expected=expected[name], got=got[name])
                if candidate.kind == self.best.kind:
                    found[name] = candidate
        # A program that is different each time would look smaller and smaller.
        again = compare.run(self.reference, "off", {name: d.program for name, d in found.items()},
                            SECONDS) if found else {}
        return [found[name] if name in found and again[name] == expected[name] else None
                for name in map(str, range(len(texts)))]

    def delete_statements(self):
        """Outer statements first, halves of what is left, then smaller parts."""
        tree = ast.parse(self.best.program)
        removed, level = set(), [tree]
        while level:
            level = [statement for node in level for body in bodies(node) for statement in body]
            size = max(1, len(level) // 2)
            while size:
                at = 0
                while at < len(level) and not self.late():
                    parts = [level[start:start + size] for start in range(at, len(level), size)][:BATCH]
                    results = self.different([without(tree, removed.union(part)) for part in parts])
                    good = [part for part, result in zip(parts, results) if result]
                    if len(good) > 1:
                        [both] = self.different([without(tree, removed.union(*good))])
                        if both is None:
                            good = good[:1]
                            at += size * parts.index(good[0])
                        else:
                            results = [both]
                            at += size * len(parts)
                    else:
                        at += size * len(parts)
                    if good:
                        removed.update(*good)
                        self.best = next(result for result in results if result)
                        gone = {id(statement) for part in good for statement in part}
                        at -= sum(id(statement) in gone for statement in level[:at])
                        level = [statement for statement in level if id(statement) not in gone]
                size //= 2

    def edit(self, edits):
        """Applies single edits as long as one helps."""
        at = 0
        while not self.late():
            chosen = list(islice(variants(self.best.program, edits, at), BATCH))
            if not chosen:
                return
            results = self.different([text for _, text in chosen])
            for (number, _), result in zip(chosen, results):
                if result:
                    self.best, at = result, number
                    break
            else:
                at = chosen[-1][0] + 1


def bodies(node):
    return [body for name in BODIES if isinstance(body := getattr(node, name, None), list)]


def text_of(tree):
    try:
        return ast.unparse(ast.fix_missing_locations(tree)) + "\n"
    except Exception:
        # The tree is no program any more. Any text will do that is none, either.
        return "("


def without(tree, removed):
    """The program without these statements."""
    saved = []
    for node in ast.walk(tree):
        for name in BODIES:
            body = getattr(node, name, None)
            if isinstance(body, list) and any(statement in removed for statement in body):
                saved.append((node, name, body))
    for node, name, body in saved:
        rest = [statement for statement in body if statement not in removed]
        setattr(node, name, rest or ([ast.Pass()] if name == "body" and not isinstance(node, ast.Module) else []))
    text = text_of(tree)
    for node, name, body in saved:
        setattr(node, name, body)
    return text


def variants(text, edits, first):
    """(number, text) after each single edit from this number on. An edit changes the tree until the next one."""
    tree = ast.parse(text)
    for number, _ in enumerate(edits(tree)):
        if number >= first:
            smaller = text_of(tree)
            if len(smaller) < len(text):
                yield number, smaller


def unwrappings(tree):
    """A block's statements in the place of the block."""
    for node in ast.walk(tree):
        for name in BODIES[:3]:
            statements = getattr(node, name, None)
            if not isinstance(statements, list):
                continue
            for at, statement in enumerate(statements):
                inside = [statement, *getattr(statement, "handlers", ()), *getattr(statement, "cases", ())]
                for body in (body for inner in inside for body in bodies(inner)):
                    if body and isinstance(body[0], ast.stmt) and not isinstance(statement, ast.ClassDef):
                        setattr(node, name, statements[:at] + body + statements[at + 1:])
                        yield
            setattr(node, name, statements)


def expression_edits(tree):
    """Without an item of a list; a part of an expression in the place of the expression; a smaller constant."""
    for node in list(ast.walk(tree)):
        for name in LISTS:
            items = getattr(node, name, None)
            if not isinstance(items, list) or not items:
                continue
            partner = {"values": "keys", "ops": "comparators"}.get(name)
            other = getattr(node, partner, None) if partner else None
            for at in range(len(items)):
                setattr(node, name, items[:at] + items[at + 1:])
                if other:
                    setattr(node, partner, other[:at] + other[at + 1:])
                yield
            setattr(node, name, items)
            if other:
                setattr(node, partner, other)
        for name, value in ast.iter_fields(node):
            if isinstance(value, ast.expr):
                for smaller in smaller_expressions(value):
                    setattr(node, name, smaller)
                    yield
                setattr(node, name, value)
            elif isinstance(value, list):
                for at, item in enumerate(value):
                    if isinstance(item, ast.expr):
                        for smaller in smaller_expressions(item):
                            value[at] = smaller
                            yield
                        value[at] = item


def smaller_expressions(node):
    if isinstance(node, ast.Constant):
        if type(node.value) is int and node.value > 9:
            yield ast.Constant(node.value // 2)
        if type(node.value) is not int and node.value:
            yield ast.Constant(0)
        return
    yield ast.Constant(0)
    yield from (child for child in ast.iter_child_nodes(node) if isinstance(child, ast.expr))
