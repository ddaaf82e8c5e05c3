"""Functions and classes of a program."""

from source import Class, Function, Parameter
from statements import Statements


class Definitions(Statements):
    # Functions.

    def parameters(self):
        """Parameters in the order of a signature: positional-only, any, keyword-only."""
        dice, found = self.dice, []
        counts = dice.pick([(0, 1, 0), (0, 2, 0), (0, 3, 0), (1, 1, 0), (1, 1, 1), (0, 1, 2), (2, 0, 0), (0, 2, 0),
                            (0, 0, 0)])
        default = False
        for how, count in zip(("only", "any", "keyword"), counts):
            if how == "keyword":
                default = False
            for number in range(count):
                default = (default and how != "keyword") or dice.chance(0.3)
                kind = dice.pick(["int", "int", "num", "str", "list", "float", "dict",
                                  "obj" if self.classes else "int"])
                name = f"kw{number}" if how == "keyword" else self.name("p")
                found.append(Parameter(name, kind, how, default))
        return found

    def signature(self, parameters, rest, keywords):
        parts, before = [], None
        for p in parameters:
            if before == "only" and p.how != "only":
                parts.append("/")
            if p.how == "keyword" and before != "keyword":
                parts.append("*rest" if rest else "*")
            parts.append(p.name + (f"={self.leaf(p.kind)}" if p.default else ""))
            before = p.how
        if before == "only":
            parts.append("/")
        if rest and before != "keyword":
            parts.append("*rest")
        if keywords:
            parts.append("**kwargs")
        return ", ".join(parts)

    def function(self, flavour="plain"):
        dice = self.dice
        name = self.name({"plain": "f", "generator": "g", "coroutine": "c", "async generator": "ag"}[flavour])
        parameters, rest, keywords = self.parameters(), dice.chance(0.2), dice.chance(0.15)
        result = dice.pick(["int", "int", "int", "num", "float", "str", "list", "dict", "tuple", "bool"])
        signature = self.signature(parameters, rest, keywords)
        self.line(f"{'async ' if flavour in ('coroutine', 'async generator') else ''}def {name}({signature}):")
        before, self.spent = self.spent, 0
        self.indentation += 1
        with self.function_scope(flavour, result) as scope:
            for p in parameters:
                scope.bind(p.name, p.kind)
            if rest:
                scope.bind("rest", "tuple")
            if keywords:
                scope.bind("kwargs", "dict")
            if dice.chance(0.25):
                chosen = dice.pick(["G0", "G1", "G2"])
                self.line(f"global {chosen}")
                scope.declared.add(chosen)
                scope.bind(chosen, "int")
            if dice.chance(0.4):
                self.line(f"fv = {self.expr('int', 1)}")
                scope.bind("fv", "int")
            self.body(dice.upto(2, 7))
            if flavour in ("generator", "async generator"):
                self.line(f"yield {self.expr('int')}")
            if flavour != "async generator":
                self.line(f"return {self.expr(result)}")
        self.indentation -= 1
        cost, self.spent = max(2, self.spent), before
        self.functions.append(Function(name, parameters, rest, keywords, result, cost, flavour))
        return self.functions[-1]

    # Classes. Their methods are small: they are called from everywhere. A feature gets what instances can do already,
    # and adds to that.

    def klass(self):
        dice = self.dice
        name = self.name("C")
        bases = [c for c in self.classes if not c.slots]
        base = dice.pick(bases) if bases and dice.chance(0.45) else None
        slots = base is None and dice.chance(0.2)
        can = set(base.can) if base else set()
        metaclass = dice.pick(["", "", "", ", metaclass=Meta"]) if base is None else ""
        self.line(f"class {name}({base.name if base else 'object'}{metaclass}):")
        self.indentation += 1
        with self.function_scope("class"):
            if slots:
                weak = dice.chance(0.5)
                self.line(f"__slots__ = ('_x', 'y', 'z'{", '__weakref__'" if weak else ''})")
                self.line("__match_args__ = ('x', 'y')")
                can |= {"match", "weak"} if weak else {"match"}
            else:
                can.add("weak")
            self.construction(can, base, slots)
            for feature in dice.some(self.features(), 1, 7):
                feature(can, base, slots)
            self.method("m", base, always=base is None)
        self.indentation -= 1
        self.classes.append(Class(name, can, slots, base.name if base else None, 4))

    @staticmethod
    def field(slots):
        return "_x" if slots else "x"

    def construction(self, can, base, slots):
        dice = self.dice
        if base and dice.chance(0.4):
            return
        if dice.chance(0.12):
            self.line("def __new__(cls, *args):")
            self.line(f"    made = {'super()' if base else 'object'}.__new__(cls)")
            self.line("    return made")
        self.line(f"def __init__(self, n={dice.upto(0, 3)}):")
        if base:
            self.line("    " + dice.pick(["super().__init__(n)", f"{base.name}.__init__(self, n)",
                                          "super(__class__, self).__init__(n + 1)"]))
        else:
            self.line(f"    self.{self.field(slots)} = n")
            self.line("    self.y = <| n + 1 || 3 || n || 0 |>")
        if not slots and dice.chance(0.4):
            self.line("    self.<| a || b || extra1 |> = <| n || self.x || (n, 1) || [n] |>")
        if slots:
            self.prop("x", can, "_x")
        can.add("x")

    def method(self, name, base, always=False):
        if not always and self.dice.chance(0.5):
            return
        arithmetic = self.dice.pick(["self.x + n", "self.y - n", "n * 2 + self.x", "(self.x ^ n) & 255", "n"])
        self.line(f"def {name}(self, n=1):")
        self.indentation += 1
        if self.dice.chance(0.3):
            self.line(self.dice.pick(["self.y = n", "self.x = self.x + 1", "if n == 5: raise ValueError(n)",
                                      "for i in range(3): n += i", "self.y += 1", "show('m', n)"]))
        if base and self.dice.chance(0.5):
            self.line("return super().m(n) + 1")
        else:
            self.line(f"return {arithmetic}")
        self.indentation -= 1

    def prop(self, name, can, where="y"):
        self.line("@property")
        self.line(f"def {name}(self): return self.{where}")
        self.line(f"@{name}.setter")
        self.line(f"def {name}(self, value): self.{where} = value<|  || + 1 |>")
        if name == "p":
            can.add("prop")

    def features(self):
        return [self.operators, self.comparing, self.items, self.calling, self.iterating, self.attribute_hooks,
                self.contexts,
                self.lengths, self.class_methods, self.computed, self.descriptors, self.finalizers,
                self.keyword_methods,
                self.class_attributes, self.representation, self.reading_hook]

    def operators(self, can, base, slots):
        o = "getattr(other, 'x', other)"
        value = self.dice.pick(["{c}(self.x {op} {o})", "self.x {op} {o}", "(self.x {op} {o}) % 1009"])
        for name, op in ("add", "+"), ("sub", "-"):
            self.line(f"def __{name}__(self, other): return " + value.format(c="type(self)", op=op, o=o))
            self.line(f"def __r{name}__(self, other): return other {op} self.x")
        self.line(self.dice.pick(["def __iadd__(self, other): self.y = 1; return self",
                                  "def __mul__(self, n): return self", "def __mul__(self, n): return NotImplemented",
                                  "__radd__ = __add__"]))
        self.line("def __neg__(self): return -self.x")
        self.line("def __abs__(self): return abs(self.x)")
        self.line("def __mod__(self, n): return self.x % n")
        can.add("ops")

    def comparing(self, can, base, slots):
        self.line("def __eq__(self, other): return getattr(other, 'x', other) == self.x")
        self.line(self.dice.pick(["def __hash__(self): return 7", "__hash__ = None",
                                  "def __hash__(self): return hash(self.x)"]))
        less = "<| self.x < getattr(other, 'x', other) || self.x || NotImplemented |>"
        self.line(f"def __lt__(self, other): return {less}")
        can.add("eq")

    def items(self, can, base, slots):
        self.line("def __getitem__(self, key):")
        self.line("    if isinstance(key, slice): return [self.x, self.y]")
        self.line("    if key <| > 4 || == 7 || is None |>: raise IndexError(key)")
        self.line("    return <| key + 1 || self.x || key ^ self.y |>")
        self.line("def __setitem__(self, key, value): self.y = value")
        self.line("def __delitem__(self, key): self.y = 0")
        can |= {"item", "slice"}

    def calling(self, can, base, slots):
        self.line("def __call__(self, n=2, *rest): return <| n + 1 || self.x || n + self.y + len(rest) |>")
        can.add("call")

    def iterating(self, can, base, slots):
        if self.dice.chance(0.5):
            self.line("def __iter__(self):")
            self.line(f"    for i in range({self.dice.upto(1, 5)}):")
            self.line("        yield <| i || self.y || i + 1 |>")
        else:
            left = "y" if slots else "left"
            self.line(f"def __iter__(self): self.{left} = 4; return self")
            self.line("def __next__(self):")
            self.line(f"    self.{left} -= 1")
            self.line(f"    if self.{left} < 0: raise StopIteration")
            self.line(f"    return self.{left}")
        can.add("iter")

    def attribute_hooks(self, can, base, slots):
        self.line("def __getattr__(self, name):")
        self.line("    if name == 'missing': return 42")
        self.line("    raise AttributeError(name)")
        can.add("getattr")
        if self.dice.chance(0.3):
            self.line("def __setattr__(self, name, value): object.__setattr__(self, name, value)")

    def reading_hook(self, can, base, slots):
        if self.dice.chance(0.5):
            self.line("def __getattribute__(self, name):")
            if self.dice.chance(0.5):
                self.line("    if name == 'p': return 5")
            self.line("    return object.__getattribute__(self, name)")

    def contexts(self, can, base, slots):
        self.line("def __enter__(self): return <| self || self.x |>")
        self.line("def __exit__(self, *about): <| return False || return True || show(about[1]) || self.y = 5 |>")
        can.add("with")

    def lengths(self, can, base, slots):
        self.line("def __len__(self): return <| 3 || self.y & 7 || 0 |>")
        can.add("len")
        if self.dice.chance(0.5):
            self.line("def __bool__(self): return <| self.x > 2 || True || False |>")
            can.add("bool")
        if self.dice.chance(0.5):
            self.line("def __contains__(self, n): return n == self.x")
            can.add("contains")

    def class_methods(self, can, base, slots):
        self.line("@classmethod")
        self.line("def cm(cls, n=1): return <| n + 1 || cls(n).x || len(cls.__name__) + n |>")
        self.line("@staticmethod")
        self.line("def sm(n): return n - 1")
        can |= {"cls", "static"}

    def computed(self, can, base, slots):
        self.prop("p", can)

    def descriptors(self, can, base, slots):
        if not slots:
            self.line(f"d = <| Data || NonData |>({self.dice.upto(0, 9)})")
            self.line("def own(self, n=0): return self.d + n")
            can.add("own")

    def finalizers(self, can, base, slots):
        if self.dice.chance(0.5):
            self.line("def __del__(self): <| show(7, self.y) || pass || raise KeyError(1) || deleted.append(1) |>")

    def keyword_methods(self, can, base, slots):
        self.line("def kw(self, a, /, b=2, *, c=3, **more): return <| a + b + c || b - c || a + len(more) |>")
        can.add("kw")

    def class_attributes(self, can, base, slots):
        self.body(self.dice.upto(1, 3))
        self.line(f"shared = {self.expr('int', 1)}")
        if not slots:
            self.line("__match_args__ = <| ('x', 'y') || ('y', 'x') |>")
            can.add("match")

    def representation(self, can, base, slots):
        self.line("def __repr__(self): return f'<{self.x}>'")
        self.line("def __index__(self): return self.x & 7")
