"""What a program is made with: random choices, lines with indentation, and what is known where a line is written."""

import random
import re
from contextlib import contextmanager
from dataclasses import dataclass, field

CHOICE = re.compile(r"<\|(.*?)\|>", re.DOTALL)


class Dice(random.Random):
    def pick(self, items):
        return items[int(self.random() * len(items))]

    def chance(self, probability):
        return self.random() < probability

    def upto(self, first, last):
        "From first to last, both included."
        return first + int(self.random() * (last - first + 1))

    def weighted(self, pairs):
        "One of the values of [(weight, value), ...]."
        at = self.random() * sum(weight for weight, _ in pairs)
        for weight, value in pairs:
            at -= weight
            if at < 0:
                return value
        return pairs[-1][1]

    def some(self, items, least=0, most=None):
        "A sample in random order."
        count = self.upto(least, min(len(items), most if most is not None else len(items)))
        return self.sample(list(items), count)


@dataclass
class Parameter:
    name: str
    kind: str  # of values, as in expressions.py
    how: str  # "only" positional, "any", "keyword" only
    default: bool


@dataclass
class Function:
    """A function of the program, and what a call of it needs and gives."""

    name: str
    parameters: list
    rest: bool  # *args of integers
    keywords: bool  # **kwargs of integers
    result: str  # kind
    cost: int  # statements that a call runs, roughly
    flavour: str = "plain"  # or "generator", "coroutine", "async generator"


@dataclass
class Class:
    """A class of the program: every one has x, y, m(n); what else it has is in `can`."""

    name: str
    can: set
    slots: bool
    base: str | None
    cost: int


@dataclass
class Scope:
    """What is known in a function body at a place."""

    flavour: str  # "module", "plain", "generator", "coroutine", "async generator", "class"
    result: str = "int"
    names: dict = field(default_factory=dict)  # kind: names that are bound here
    times: int = 1  # how often this place runs, roughly
    loops: int = 0
    cleanup: bool = False  # in a finally or except* block: no return
    outer: "Scope | None" = None
    depth: int = 0  # of blocks
    declared: set = field(default_factory=set)  # names that the function declares as global or nonlocal
    fixed: set = field(default_factory=set)  # names that may not be assigned: counters of loops

    def bind(self, name, kind):
        for names in self.names.values():
            if name in names:
                names.remove(name)
        self.names.setdefault(kind, []).append(name)

    def unbind(self, name):
        for names in self.names.values():
            if name in names:
                names.remove(name)

    def of(self, kind):
        return self.names.get(kind, [])

    def assignable(self, kind):
        return [name for name in self.of(kind) if name not in self.fixed]


class Writer:
    """The lines of a program."""

    def __init__(self, seed):
        self.dice = Dice(seed)
        self.lines = []
        self.indentation = 0
        self.numbers = {}
        self.functions = []
        self.classes = []
        self.scope = Scope("module")
        self.spent = 0  # statements that the program runs, roughly

    def line(self, text):
        self.lines.append("    " * self.indentation + self.chosen(text))

    def lines_of(self, text):
        for line in self.chosen(text).strip("\n").split("\n"):
            self.line(line)

    def chosen(self, text):
        """The text with choices made: `<| this || that |>` stands for one of them."""
        if "<|" not in text:
            return text
        return CHOICE.sub(lambda match: self.dice.pick(match[1].split("||")).strip(), text)

    def name(self, prefix):
        number = self.numbers[prefix] = self.numbers.get(prefix, -1) + 1
        return f"{prefix}{number}"

    @contextmanager
    def block(self, header, times=1, **changes):
        """A block. Names that it binds are unknown after it."""
        scope = self.scope
        saved = {key: getattr(scope, key) for key in ("times", "depth", *changes)}
        names = {kind: list(names) for kind, names in scope.names.items()}
        self.line(header)
        scope.times *= times
        scope.depth += 1
        for key, value in changes.items():
            setattr(scope, key, value)
        self.indentation += 1
        before = len(self.lines)
        yield
        if len(self.lines) == before:
            self.line("pass")
        self.indentation -= 1
        for key, value in saved.items():
            setattr(scope, key, value)
        # What the block has deleted stays unknown.
        now = {name for bound in scope.names.values() for name in bound}
        scope.names = {kind: [name for name in bound if name in now] for kind, bound in names.items()}

    @contextmanager
    def function_scope(self, flavour, result="int"):
        outer, self.scope = self.scope, Scope(flavour, result, outer=self.scope)
        try:
            yield self.scope
        finally:
            self.scope = outer
