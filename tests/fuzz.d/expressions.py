"""Expressions, by the kind of value that they give.

Kinds: int, float, num (int, float or an object with operators), str, bool, list, tuple, set, dict (str: int), obj (of
any class of the program), any. A container holds integers. Values stay small: products and shifts are reduced, and
sequences cut, because they are in loops.
"""

from source import Writer

EDGES = ["0", "1", "-1", "2", "3", "7", "10", "255", "256", "257", "-5", "-6", "1023", "(1 << 30) - 1", "1 << 30",
         "-(1 << 30)", "(1 << 60) - 1", "1 << 63", "-(1 << 63)", "10 ** 20", "2 ** 100 + 1", "77"]
FLOATS = ["0.0", "1.0", "-1.5", "0.1", "2.5", "1e10", "1e300", "-0.0", "3.25", "math.inf", "math.nan", "1e-320"]
STRINGS = ["''", "'a'", "'b'", "'abc'", "'x y'", "'é'", "'日本'", "'k'", "'key'", "'0123456789'"]
KEYS = ["'a'", "'b'", "'k'", "'key'", "'abc'"]
COMPARISONS = ["<", "<=", "==", "!=", ">", ">="]
FORMATS = {"int": ["", "", ":5", ":x", ":<4", "!r", "!s:>6"], "str": ["", "", "!r", "!a", ":>5", ":{3}"],
           "float": ["", ":.3f", "!r"], "bool": ["", "!s"]}
KINDS = ["int", "float", "num", "str", "bool", "list", "tuple", "set", "dict"]
NO_WALRUS = 9  # depth of blocks from which no := is written
BUDGET = 60_000  # statements that one program runs


class Expressions(Writer):
    DEPTH = 3

    def expr(self, kind, depth=None):
        if depth is None:
            depth = self.dice.upto(1, self.DEPTH)
        if self.dice.chance(0.004):
            return f"({self.leaf(self.dice.pick(KINDS))})"  # the wrong one
        if depth <= 0 or self.dice.chance(0.12):
            return self.leaf(kind)
        if self.dice.chance(0.07):
            return self.call_of(kind, depth - 1) or self.leaf(kind)
        if self.dice.chance(0.04):
            return f"({self.expr(kind, depth - 1)} if {self.expr('bool', depth - 1)} else {self.expr(kind, depth - 1)})"
        return getattr(self, kind + "_form")(depth - 1)

    def leaf(self, kind):
        dice = self.dice
        known = self.visible(kind)
        if known and dice.chance(0.75):
            return dice.pick(known)
        match kind:
            case "int":
                return dice.pick(EDGES) if dice.chance(0.25) else str(dice.upto(0, 20))
            case "float":
                return dice.pick(FLOATS)
            case "num":
                return self.leaf(dice.pick(["int", "float"]))
            case "str":
                return dice.pick(STRINGS)
            case "bool":
                return dice.pick(["True", "False"])
            case "list":
                return "[" + ", ".join(self.leaf("int") for _ in range(dice.upto(0, 4))) + "]"
            case "tuple":
                items = [self.leaf("int") for _ in range(dice.upto(1, 3))]
                return "(" + ", ".join(items) + ",)"
            case "set":
                return "{" + ", ".join(self.leaf("int") for _ in range(dice.upto(1, 3))) + "}"
            case "dict":
                return "{" + ", ".join(f"{dice.pick(KEYS)}: {self.leaf('int')}" for _ in range(dice.upto(0, 3))) + "}"
            case "obj":
                return f"{dice.pick(self.classes).name}({self.leaf('int')})" if self.classes else "None"
        return dice.pick(["None", "...", self.leaf(dice.pick(KINDS))])

    def visible(self, kind):
        """Names of values of a kind, here and around. A class body is not around its functions."""
        scope, names = self.scope, []
        while scope is not None:
            if scope is self.scope or scope.flavour != "class":
                names += scope.of(kind)
            scope = scope.outer
        return names

    # Calls.

    def affordable(self, cost):
        return cost * self.scope.times < 1500 and self.spent + cost * self.scope.times < BUDGET

    def call_of(self, kind, depth):
        """A call of a function that returns this kind, or None."""
        found = [f for f in self.functions
                 if f.flavour == "plain" and f.result == kind and self.affordable(f.cost)]
        return self.call(self.dice.pick(found), depth) if found else None

    def call(self, function, depth=1):
        self.spent += function.cost * self.scope.times
        return f"{function.name}({', '.join(self.arguments(function, depth))})"

    def arguments(self, function, depth=1):
        dice, positional, named, opened = self.dice, [], [], False
        for p in function.parameters:
            if p.default and dice.chance(0.4):
                # Parameters behind it need names, and those without names cannot be given.
                opened = True
                continue
            value = self.expr(p.kind, depth)
            if p.how == "keyword" or p.how == "any" and (opened or dice.chance(0.2)):
                opened = True
                named.append((p.name, value))
            elif not opened:
                positional.append(value)
        if function.rest and not opened and dice.chance(0.5):
            positional.append(dice.pick([f"*{self.expr('tuple', 0)}", f"*{self.expr('list', 0)}", self.expr("int", 0)]))
        if function.keywords and dice.chance(0.5):
            named.append((dice.pick(["z1", "z2"]), self.expr("int", 0)))
        if positional and dice.chance(0.1):
            at = dice.upto(0, len(positional) - 1)
            if not any(p.startswith("*") for p in positional):
                positional[at:] = ["*(" + ", ".join(positional[at:]) + ",)"]
        if named and dice.chance(0.15):
            named = [("**", "{" + ", ".join(f"'{name}': {value}" for name, value in named) + "}")]
        if dice.chance(0.015):  # a mistake
            dice.pick([lambda: positional.append("1"), lambda: named.append(("nope", "1")), positional.clear])()
        return positional + [f"**{value}" if name == "**" else f"{name}={value}" for name, value in named]

    def instance(self, ability=None):
        """An expression for an object of a class with this ability, mostly."""
        found = [c for c in self.classes if ability is None or ability in c.can]
        if not found:
            return None
        known = self.visible("obj")
        if known and (ability is None or len(found) == len(self.classes) or self.dice.chance(0.1)):
            return self.dice.pick(known)
        return f"{self.dice.pick(found).name}({self.expr('int', 0)})"

    def of_object(self, forms, fallback, depth):
        """One of the forms [(ability, text with {o}), ...] if there is a class with that ability."""
        ability, form = self.dice.pick(forms)
        o = self.instance(ability) if self.affordable(10) else None
        if o is None:
            return self.leaf(fallback)
        self.spent += 5 * self.scope.times
        return form.format(o=o, i=self.expr("int", min(depth, 1)), j=self.expr("int", 0))

    # Comprehensions and generator expressions: `each` writes "for name in iterable" with an element made by `make`.

    def comprehension(self, make, depth):
        dice = self.dice
        name = self.name("e")
        before, self.scope.depth = self.scope.depth, NO_WALRUS
        iterable = dice.pick([f"range({dice.upto(2, 6)})", self.expr("list", depth), self.expr("tuple", 0)])
        self.scope.depth = before
        with self.function_scope("plain") as scope:
            scope.times = scope.outer.times * 5
            scope.depth = NO_WALRUS
            scope.bind(name, "int")
            scope.fixed.add(name)
            condition = f" if {self.expr('bool', 1)}" if dice.chance(0.35) else ""
            second = ""
            if dice.chance(0.12):
                other = self.name("e")
                second = f" for {other} in range({name} % 3)"
                scope.bind(other, "int")
                scope.fixed.add(other)
            element = make(1)
        return f"{element} for {name} in {iterable}{condition}{second}"

    def int_element(self, depth):
        return self.expr("int", depth)

    # Forms of each kind.

    def int_form(self, d):
        dice, e = self.dice, lambda kind="int": self.expr(kind, d)
        form = dice.upto(0, 32)
        if form <= 5:
            return f"({e()} {dice.pick(['+', '-'])} {e()})"
        if form <= 8:
            return f"({e()} {dice.pick(['&', '|', '^'])} {e()})"
        if form <= 10:
            return f"({e()} * {e()}) % {dice.pick(['1000003', '97', '(1 << 61)', '256'])}"
        if form == 11:
            return f"({e()} {dice.pick(['//', '%'])} ({e()} | 1))"
        if form == 12:
            return f"(({e()} {dice.pick(['<<', '>>'])} ({e()} & 7)) % (1 << 70))"
        if form == 13:
            return f"({dice.pick(['-', '~', '+', ''])}{e()})"
        if form == 14:
            return f"len({e(dice.pick(['str', 'list', 'tuple', 'set', 'dict']))})"
        if form == 15:
            name = self.leaf("list")
            index = self.expr("int", 0)
            return f"({name}[{index} % len({name})] if {name} else {self.leaf('int')})"
        if form == 16:
            return f"{e('dict')}.get({dice.pick(KEYS)}, {self.leaf('int')})"
        if form == 17:
            return f"{dice.pick(['min', 'max'])}({e()}, {e()})"
        if form == 18:
            return f"{dice.pick(['sum', 'len'])}({e(dice.pick(['list', 'tuple', 'set']))})"
        if form == 19 and self.affordable(8):
            self.spent += 6 * self.scope.times
            return f"sum({self.comprehension(self.int_element, d)})"
        if form == 20 and self.scope.flavour != "class" and self.scope.depth < NO_WALRUS:
            known = self.scope.assignable("int")
            if known:
                return f"({dice.pick(known)} := {e()})"
        if form == 21:
            return f"({e()} {dice.pick(['and', 'or'])} {e()})"
        if form == 22:
            return f"(lambda n, k={self.leaf('int')}: n {dice.pick(['+', '-', '^'])} k)({e()})"
        if form == 23:
            return f"abs({e()})"
        if form == 24:
            return f"int({e('bool')})"
        if form == 25:
            return f"{e('tuple')}[{dice.pick(['0', '-1', '1'])}]" if dice.chance(0.3) else f"(*{e('tuple')}, 5)[0]"
        if form == 26:
            return f"({e()} & 1023) ** 2"
        if form == 27:
            return f"ord(({e('str')} + 'q')[0])"
        if form == 28:
            return f"{e('str')}.find({dice.pick(STRINGS)})"
        return self.of_object([(None, "{o}.x"), (None, "{o}.y"), (None, "{o}.m({i})"), ("item", "{o}[{i}]"),
                               ("call", "{o}({i})"), ("len", "len({o})"), ("kw", "{o}.kw({i}, b={j})"),
                               ("prop", "{o}.p"), ("cls", "{o}.cm({i})"), ("static", "{o}.sm({i})"),
                               ("getattr", "{o}.missing"), ("own", "{o}.own({i})")], "int",
                              d)

    def float_form(self, d):
        dice, e = self.dice, lambda kind="float": self.expr(kind, d)
        form = dice.upto(0, 9)
        if form <= 3:
            return f"({e()} {dice.pick(['+', '-', '*'])} {e()})"
        if form == 4:
            return f"({e()} / (abs({e()}) + 1.0))"
        if form == 5:
            return f"({e('int')} / ({e('int')} | 1))"
        if form == 6:
            return f"({e()} {dice.pick(['+', '-', '*'])} ({e('int')} & 0xffff))"
        if form == 7:
            return f"abs({e()}) ** 0.5"
        if form == 8:
            return f"(-{e()})"
        return f"({e()} {dice.pick(['//', '%'])} {dice.pick(['2.5', '3.0', '7'])})"

    def num_form(self, d):
        dice, e = self.dice, lambda kind="num": self.expr(kind, d)
        form = dice.upto(0, 8)
        if form <= 3:
            return f"({e()} {dice.pick(['+', '-'])} {e()})"
        if form == 4:
            return f"({e()} * {dice.pick(['2', '3', '0.5', '-1'])}) % 1000003"
        if form == 5:
            return e("int")
        if form == 6:
            return e("float")
        if form == 7:
            return self.of_object([("ops", "({o} + {i})"), ("ops", "({i} + {o})"), ("ops", "({o} - {j})"),
                                   ("ops", "(-{o})")],
                                  "num", d)
        return f"max({e()}, {self.leaf('int')})"

    def str_form(self, d):
        dice, e = self.dice, lambda kind="str": self.expr(kind, d)
        form = dice.upto(0, 11)
        if form <= 2:
            return f"({e()} + {e()})[:{dice.upto(3, 30)}]"
        if form == 3:
            return f"str({e('int')} % 1000003)"
        if form <= 5:
            return self.f_string(d)
        if form == 6:
            return f"{e()}[{dice.pick(['0', '1', '-2', ''])}:{dice.pick(['', '2', '-1', '5'])}]"
        if form == 7:
            return f"{e()}.{dice.pick(['upper()', 'strip()', 'lower()', 'title()', 'swapcase()'])}"
        if form == 8:
            return f"{e()}.replace({dice.pick(STRINGS[1:])}, {dice.pick(STRINGS)})[:30]"
        if form == 9:
            return f"'%s-%d' % ({e()}, {e('int')} % 1000)"
        if form == 10 and self.affordable(8):
            self.spent += 6 * self.scope.times
            return f"','.join({self.comprehension(lambda depth: f'str({self.expr('int', depth)} % 1000)', 0)})"
        return f"({e()} * ({e('int')} & 3))[:30]"

    def f_string(self, d):
        parts = []
        for _ in range(self.dice.upto(1, 3)):
            kind = self.dice.pick(list(FORMATS))
            text = self.expr(kind, min(d, 1)) + (" % 100003" if kind == "int" else "")
            parts.append(self.dice.pick(["", "-", "v="]) + "{(" + text + ")" + self.dice.pick(FORMATS[kind]) + "}")
        return f'f"{"".join(parts)}"[:40]'

    def bool_form(self, d):
        dice, e = self.dice, lambda kind: self.expr(kind, d)
        form = dice.upto(0, 13)
        if form <= 4:
            return f"({e('int')} {dice.pick(COMPARISONS)} {e('int')})"
        if form == 5:
            return f"({e('float')} {dice.pick(COMPARISONS)} {e(dice.pick(['float', 'int']))})"
        if form == 6:
            return f"({e('str')} {dice.pick(COMPARISONS)} {e('str')})"
        if form == 7:
            return f"({e('int')} {dice.pick(['in', 'not in'])} {e(dice.pick(['list', 'tuple', 'set']))})"
        if form == 8:
            return f"({dice.pick(KEYS)} in {e('dict')})"
        if form == 9:
            return f"(not {e(dice.pick(KINDS))})"
        if form == 10:
            return f"({e('bool')} {dice.pick(['and', 'or'])} {e('bool')})"
        if form == 11:
            return f"({e('int')} {dice.pick(['<', '<='])} {e('int')} {dice.pick(['<', '!='])} {e('int')})"
        if form == 12:
            return f"isinstance({e('any')}, {dice.pick(['int', 'str', '(list, tuple)', 'float', 'int | str'])})"
        return self.of_object([("eq", "({o} == {i})"), ("eq", "({o} < {j})"), ("bool", "bool({o})"),
                               ("contains", "({i} in {o})"), (None, "({o} is None)"), (None, "hasattr({o}, 'missing')"),
                               (None, "(not {o})")], "bool",
                              d)

    def list_form(self, d):
        dice, e = self.dice, lambda kind="list": self.expr(kind, d)
        form = dice.upto(0, 10)
        if form == 0:
            return f"[{e('int')}, {e('int')}, *{e(dice.pick(['list', 'tuple', 'set']))}][:15]"
        if form <= 3 and self.affordable(8):
            self.spent += 6 * self.scope.times
            return f"[{self.comprehension(self.int_element, d)}]"
        if form == 4:
            return f"({e()} + {e()})[:12]"
        if form == 5:
            return f"sorted({e(dice.pick(['list', 'set', 'tuple']))})"
        if form == 6:
            return f"list(range({dice.upto(0, 8)}))"
        if form == 7:
            return f"{e()}[{dice.pick(['1:', ':-1', '::2', '::-1', ':3'])}]"
        if form == 8 and self.affordable(6):
            return f"list(map(lambda n: n {dice.pick(['+', '^', '-'])} {self.leaf('int')}, {e()}))"
        if form == 9:
            found = [f for f in self.functions if f.flavour == "generator" and self.affordable(f.cost)]
            if found:
                return f"list({self.call(dice.pick(found), 0)})[:12]"
        if form == 10:
            return self.of_object([("iter", "list({o})[:6]"), ("iter", "[*{o}][:4]"), ("slice", "{o}[{i}:{j}]")],
                                  "list", d)
        return f"[*{e('tuple')}]"

    def tuple_form(self, d):
        dice, e = self.dice, self.expr
        form = dice.upto(0, 4)
        if form <= 1:
            return f"({e('int', d)}, {e('int', d)})"
        if form == 2:
            return f"tuple({e('list', d)})"
        if form == 3:
            return f"(*{e('list', d)}, {e('int', d)})[:8]"
        return f"divmod({e('int', d)}, {e('int', d)} | 1)"

    def set_form(self, d):
        form = self.dice.upto(0, 3)
        if form == 0:
            return f"set({self.expr('list', d)})"
        if form == 1:
            return f"({self.expr('set', d)} {self.dice.pick(['|', '&', '-', '^'])} {self.expr('set', d)})"
        if form == 2 and self.affordable(8):
            self.spent += 6 * self.scope.times
            return f"{{{self.comprehension(self.int_element, d)}}}"
        return f"{{{self.expr('int', d)}, *{self.expr('tuple', d)}}}"

    def dict_form(self, d):
        form = self.dice.upto(0, 4)
        if form == 0:
            return f"{{**{self.expr('dict', d)}, {self.dice.pick(KEYS)}: {self.expr('int', d)}}}"
        if form == 1:
            return f"({self.expr('dict', d)} | {self.expr('dict', d)})"
        if form == 2 and self.affordable(8):
            self.spent += 6 * self.scope.times
            pair = lambda depth: f"str({self.expr('int', 0)} % 9): {self.expr('int', depth)}"
            return f"{{{self.comprehension(pair, d)}}}"
        if form == 3:
            return f"dict({', '.join(f'{name}={self.expr('int', d)}' for name in self.dice.some(['a', 'b', 'k'], 1))})"
        return f"{{{self.dice.pick(KEYS)}: {self.expr('int', d)}, 'b': {self.expr('int', d)}}}"

    def obj_form(self, d):
        return f"{self.dice.pick(self.classes).name}({self.expr('int', d)})" if self.classes else "None"

    def any_form(self, d):
        kind = self.dice.pick([*KINDS, "obj"])
        return self.expr(kind, d)
