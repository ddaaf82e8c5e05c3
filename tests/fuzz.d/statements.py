"""Statements of function bodies and modules."""

from expressions import COMPARISONS, KEYS, KINDS, Expressions

ERRORS = ["ValueError", "KeyError", "TypeError", "ZeroDivisionError", "IndexError", "AttributeError", "LookupError",
          "ArithmeticError", "Exception", "RuntimeError", "StopIteration", "NameError"]
RAISED = ["ValueError", "KeyError", "RuntimeError", "StopIteration", "IndexError", "TypeError"]
BUILTINS = ["len", "abs", "max", "min", "sum", "sorted", "ord", "isinstance", "range"]


class Statements(Expressions):
    DEEPEST = 4  # block in a function

    def body(self, count):
        for _ in range(count):
            self.statement()

    def statement(self):
        scope = self.scope
        self.spent += scope.times
        simple = [(10, self.assign), (4, self.change), (3, self.unpack), (4, self.show), (2, self.store),
                  (1.2, self.delete), (1.2, self.call_statement), (0.5, self.raise_or_return), (0.5, self.assertion),
                  (0.6, self.frames), (0.4, self.collect), (0.5, self.weak), (0.6, self.references),
                  (0.5, self.template), (0.5, self.evaluate), (1.2, self.mutate), (0.4, self.imports),
                  (1.2, self.set_attribute)]
        blocks = [(5, self.condition), (5, self.loop), (2, self.while_loop), (4, self.trying), (2, self.with_block),
                  (1.5, self.match), (0.8, self.groups), (1.2, self.closure), (1.2, self.drive)]
        if scope.loops:
            simple.append((1.5, self.jump))
        if scope.flavour in ("generator", "async generator"):
            simple.append((6, self.yielding))
        if scope.flavour in ("coroutine", "async generator"):
            simple.append((6, self.awaiting))
            blocks.append((3, self.async_block))
        if scope.flavour == "class":
            simple = [(10, self.assign), (2, self.show)]
        roomy = scope.depth < self.DEEPEST and scope.times < 800 and self.spent < 40_000
        self.dice.weighted(simple + blocks if roomy and scope.flavour != "class" else simple)()

    # Simple statements.

    def assign(self):
        dice = self.dice
        kind = dice.weighted([(6, "int"), (2, "float"), (3, "num"), (3, "str"), (1, "bool"), (3, "list"), (1, "tuple"),
                              (1, "set"), (2, "dict"), (2, "obj" if self.classes else "int"), (0.5, "any")])
        known = self.scope.assignable(kind)
        target = dice.pick(known) if known and dice.chance(0.6) else self.name(kind[0] + "v")
        value = self.expr(kind)
        if kind in ("int", "num") and self.scope.times > 1:
            value = f"({value}) % <| 1000003 || 997 || (1 << 62) |>"
        annotation = f": {kind}" if target not in known and dice.chance(0.04) else ""
        self.line(f"{target}{annotation} = {value}")
        self.scope.bind(target, kind)

    def change(self):
        dice = self.dice
        kind = dice.pick(["int", "int", "float", "str", "list", "set", "num"])
        known = self.scope.assignable(kind)
        if not known:
            return self.assign()
        name = dice.pick(known)
        if kind == "int":
            operator = dice.pick(["+=", "-=", "^=", "|=", "&=", "//=", "%="])
            self.line(f"{name} {operator} {self.expr('int')}" + (" | 1" if operator in ("//=", "%=") else ""))
        elif kind in ("float", "num"):
            self.line(f"{name} <| += || -= |> {self.expr(kind)}")
        elif kind == "str":
            self.line(f"{name} += {self.expr('str', 1)}")
            self.line(f"{name} = {name}[-20:]")
        elif kind == "list":
            self.line(dice.pick([f"{name}.append({self.expr('int')})", f"{name} += {self.expr('tuple', 1)}",
                                 f"{name}.extend({self.expr('list', 1)}[:3])", f"{name}.sort()", f"{name}.reverse()",
                                 f"{name}[:] = {name}[:6]"]))
            if self.scope.times > 1:
                self.line(f"del {name}[10:]")
        else:
            self.line(dice.pick([f"{name}.add({self.expr('int')})", f"{name}.discard({self.expr('int')})",
                                 f"{name} &= {self.expr('set')}"]))
        return None

    def unpack(self):
        dice = self.dice
        names = [self.name("iv") for _ in range(3)]
        a, b, c = names
        e = self.expr
        form = dice.upto(0, 6)
        if form == 0:
            self.line(f"{a}, {b}, {c} = {e('int')}, {e('int')}, {e('int')}")
        elif form == 1:
            self.line(f"{a}, *{c} = {e('tuple')}")
            self.line(f"{b} = len({c})")
        elif form == 2:
            self.line(f"({a}, {b}), {c} = ({e('int')}, {e('int')}), {e('int')}")
        elif form == 3:
            self.line(f"{a}, {b} = {c}, {a} = [{e('int')}, {e('int')}]")
        elif form == 4:
            self.line(f"[{a}, {b}, {c}] = {e('list')}[:3] if {e('bool')} else {e('int')}, {e('int')}, 3"
                      if dice.chance(0.2) else f"[{a}, {b}, {c}] = [*{e('list')}, 1, 2, 3][:3]")
        elif form == 5:
            known = self.scope.assignable("int")
            if len(known) < 2:
                return self.assign()
            a, b = dice.some(known, 2, 2)
            self.line(f"{a}, {b} = {b}, {a}")
            return None
        else:
            self.line(f"{a}, {b}, {c} = <| range(3) || (1, 2, 3) || 'abc'.encode() |>")
        for name in names:
            # In some forms, a name is a list.
            if not (form == 1 and name == c):
                self.scope.bind(name, "int")
        return None

    def show(self):
        kinds = self.dice.some([*KINDS, "any", "obj" if self.classes else "int"], 1, 2)
        self.line(f"show({', '.join(self.expr(kind) for kind in kinds)})")

    def store(self):
        dice = self.dice
        kind = dice.pick(["list", "dict"])
        known = self.scope.of(kind)
        if not known:
            return self.assign()
        name = dice.pick(known)
        if kind == "dict":
            key = dice.pick([dice.pick(KEYS), "'a'", f"{self.expr('str', 0)}[:2]"])
            self.line(dice.pick([f"{name}[{key}] = {self.expr('int')}", f"{name}[{key}] = {name}.get({key}, 0) + 1",
                                 f"{name}.pop({key}, None)", f"{name}[{key}] += 1",
                                 f"{name}.setdefault({key}, {self.expr('int')})"]))
        else:
            self.line(dice.pick([f"{name}[{self.expr('int', 1)} % (len({name}) or 1)] = {self.expr('int')}",
                                 f"{name}[{dice.upto(-2, 3)}] = {self.expr('int')}",
                                 f"{name}[0:1] = {self.expr('tuple')}", f"{name}.insert(0, {self.expr('int')})",
                                 f"{name}.pop()", f"del {name}[-1:]"]))
            if self.scope.times > 1:
                self.line(f"del {name}[12:]")
        return None

    def delete(self):
        if self.scope.loops:
            return self.store()
        known = [name for kind in KINDS for name in self.scope.assignable(kind)]
        if len(known) > 3:
            name = self.dice.pick(known)
            self.line(f"del {name}")
            self.scope.unbind(name)
            if self.dice.chance(0.15):
                self.line(f"attempt(lambda: {name})")
        return None

    def call_statement(self):
        found = [f for f in self.functions if f.flavour == "plain" and self.affordable(f.cost)]
        if not found:
            return self.show()
        function = self.dice.pick(found)
        self.spent += function.cost * self.scope.times
        arguments = ", ".join(self.arguments(function))
        self.line(self.dice.pick([f"attempt({', '.join(filter(None, [function.name, arguments]))})",
                                  f"{function.name}({arguments})"]))
        return None

    def raise_or_return(self):
        dice, scope = self.dice, self.scope
        if scope.flavour in ("module", "class") or (scope.cleanup and dice.chance(0.9)):
            return self.show()
        with self.block(f"if {self.expr('int')} % {dice.upto(2, 9)} == {dice.upto(0, 1)}:"):
            if dice.chance(0.5) and not scope.cleanup:
                self.line("return" if scope.flavour == "async generator" else f"return {self.expr(scope.result)}")
            else:
                self.raising()
        return None

    def raising(self):
        dice = self.dice
        error = f"{dice.pick(RAISED)}({self.expr(dice.pick(['int', 'str']), 1)})"
        self.line(dice.pick([f"raise {error}", f"raise {error}", f"raise {error} from <| None || KeyError(1) |>",
                             f"raise {dice.pick(RAISED)}", f"raise ExceptionGroup('g', [{error}, TypeError(2)])",
                             "raise 5", "1 // 0", "[][3]", "{}['x']", "None.nothing", "undefined_name"]))

    def assertion(self):
        self.line(f"assert {self.expr('bool')} or {self.expr('int')} % 5, {self.expr('str')}")

    def frames(self):
        dice = self.dice
        if self.scope.flavour == "module":
            self.line("show(sys._getframe().f_lineno, sys._getframe().f_lasti)")
            self.line("show(<| len(globals()) > 3 || 'G0' in locals() |>)")
            return
        known = self.scope.assignable("int")
        forms = ["show(sys._getframe().f_lineno, sys._getframe().f_lasti)", "show(sorted(locals()))",
                 "show([(k, v) for k, v in sys._getframe().f_locals.items() if type(v) in (int, float, str)])",
                 "show(sys._getframe(1).f_code.co_name, sys._getframe(1).f_lineno)",
                 "show(sys._getframe().f_code.co_name, sys._getframe().f_back.f_lasti)"]
        if known:
            name = dice.pick(known)
            forms += [f"sys._getframe().f_locals['{name}'] = {self.expr('int', 1)}",
                      f"sys._getframe().f_locals['{name}'] += 1", f"show(sys._getframe().f_locals.get('{name}'))",
                      f"locals()['{name}'] = 12345"]
        self.line(dice.pick(forms))

    def collect(self):
        self.line(self.dice.pick(["gc.collect()", "gc.collect(0)", "gc.collect(1)", "sys._clear_internal_caches()"]))

    def weak(self):
        if not any("weak" in c.can for c in self.classes) or self.scope.flavour == "module" and self.scope.loops:
            return self.references()
        cls = self.dice.pick([c for c in self.classes if "weak" in c.can])
        o, w = self.name("ov"), self.name("wv")
        self.line(f"{o} = {cls.name}({self.expr('int', 1)})")
        self.line(f"{w} = weakref.ref({o}, gone('{o}'))")
        self.scope.bind(o, "obj")
        if self.dice.chance(0.6):
            self.line(self.dice.pick([f"show({w}() is {o})",
                                      f"{o}.loop = {o}" if not cls.slots else f"show({w} is None)", f"{o} = None",
                                      f"show({o}.x)"]))
            self.line(f"del {o}")
            self.scope.unbind(o)
            if self.dice.chance(0.5):
                self.line("gc.collect()")
            self.line(f"show({w}())")
        return None

    def references(self):
        known = [name for kind in ("list", "dict", "obj", "set") for name in self.scope.of(kind)]
        if not known:
            return self.collect()
        name = self.dice.pick(known)
        self.line(f"show(sys.getrefcount({name}))")
        return None

    def template(self):
        number, text = self.leaf("int"), self.expr("str", 1)
        self.line(f'show(t"<|  || a |>{{{number}}}-{{({text})<|  || !r || :>5 || :{{3}} |>}}")')

    def evaluate(self):
        text = self.expr("int", 1)
        self.line(self.dice.pick([f"show(eval({text!r}))", f"exec('show(' + {text!r} + ')')",
                                  f"show(eval('lambda n: n + 1')({text}))"]))

    def mutate(self):
        """Changes something that specialized code depends on."""
        dice, scope = self.dice, self.scope
        forms = []
        simple = [c for c in self.classes if "x" not in c.can or not c.slots]
        if simple:
            cls = dice.pick(simple).name
            forms += [f"{cls}.shared = {self.expr('int', 1)}", f"{cls}.y = {self.expr('int', 1)}",
                      f"{cls}.m = lambda self, n=1: n + {dice.upto(1, 9)}", f"{cls}.own = {cls}.m",
                      f"{cls}.extra{dice.upto(0, 3)} = {self.expr('int', 1)}",
                      f"{cls}.m = (lambda m: lambda self, n: m(self, n) + 1)({cls}.m)"]
            known = scope.of("obj")
            if known:
                name, other = dice.pick(known), dice.pick(self.classes).name
                forms += [f"attempt(setattr, {name}, '__class__', {other})", f"attempt(delattr, {name}, 'x')",
                          f"attempt(setattr, {name}, 'm', lambda n: n * 2)",
                          f"attempt(getattr({name}, '__dict__', {{}}).update, x=7)",
                          f"attempt(getattr({name}, '__dict__', {{}}).clear)",
                          f"attempt(setattr, {name}, '__dict__', {{'x': 1, 'y': 2}})"]
        plain = [f for f in self.functions if f.flavour == "plain" and not f.name.startswith("h")]
        if len(plain) > 1:
            one, other = dice.some(plain, 2, 2)
            forms += [f"{one.name}.__defaults__ = <| None || (1,) || (1, 2) || (3, 2, 1) |>",
                      f"{one.name}.__kwdefaults__ = <| None || {{'k': 3}} || {{'kw0': 1, 'kw1': 2}} |>",
                      f"attempt(setattr, {one.name}, '__code__', {other.name}.__code__)"]
        if self.affordable(5):
            built, number = dice.pick(BUILTINS), dice.upto(0, 9)
            forms += [f"builtins.{built} = (lambda real: lambda *a, **k: real(*a, **k))(builtins.{built})"
                      if scope.times == 1 else f"{built}(())" if built in ("len", "sum", "sorted") else "pass",
                      f"builtins.G{number} = {dice.upto(0, 9)}", f"globals()['G{number % 3}'] = {self.expr('int', 1)}",
                      f"globals()['N{number}'] = {dice.upto(0, 9)}", f"globals().pop('N{number}', None)"]
        if not forms:
            return self.assign()
        # In a loop it happens once or seldom, so that the loop has specialized before.
        if scope.loops and dice.chance(0.8):
            counter = self.name("cv")
            self.line(f"{counter} = globals().get('{counter}', 0)")
            self.line(f"globals()['{counter}'] = {counter} + 1")
            with self.block(f"if {counter} == {dice.upto(0, 60)}:"):
                self.line(dice.pick(forms))
        else:
            self.line(dice.pick(forms))
        return None

    def imports(self):
        self.line(self.dice.pick(["import math as mm; show(mm.floor(2.5))",
                                  "from math import floor, ceil; show(floor(1.5), ceil(1.5))",
                                  "import os.path; show(os.path.basename('a/b'))", "from math import nothing_such"
                                  if self.dice.chance(0.2) else "import math"]))

    def set_attribute(self):
        known = self.visible("obj")
        if not known:
            return self.assign()
        o = self.dice.pick(known)
        self.line(self.dice.pick([f"{o}.x = {self.expr('int')}", f"{o}.x += 1", f"{o}.y = {self.expr('int')}",
                                  f"{o}.x, {o}.y = {o}.y, {o}.x", f"attempt(setattr, {o}, 'z', {self.expr('int')})",
                                  f"show({o}, {o}.x)"]))
        return None

    def jump(self):
        self.line(f"if {self.expr('int')} % {self.dice.upto(3, 20)} == 0: <| break || continue || continue |>")

    def yielding(self):
        dice = self.dice
        if self.scope.flavour == "async generator" or dice.chance(0.6):
            target = self.name("av") + " = " if dice.chance(0.3) else ""
            self.line(f"{target}yield {self.expr('int')}")
            return
        found = [f for f in self.functions if f.flavour == "generator" and self.affordable(f.cost)]
        source = self.call(dice.pick(found), 0) if found and dice.chance(0.7) else self.expr("list")
        target = self.name("av")
        self.line(f"{target} = yield from {source}")

    def awaiting(self):
        dice = self.dice
        found = [f for f in self.functions if f.flavour == "coroutine" and self.affordable(f.cost)]
        target = self.name("av")
        source = self.call(dice.pick(found), 0) if found and dice.chance(0.5) else f"pause({self.expr('int', 1)})"
        self.line(f"{target} = await {source}")

    # Blocks.

    def condition(self):
        size = lambda: self.dice.upto(1, 3)
        with self.block(f"if {self.expr('bool')}:"):
            self.body(size())
        if self.dice.chance(0.3):
            with self.block(f"elif {self.expr('bool')}:"):
                self.body(size())
        if self.dice.chance(0.5):
            with self.block("else:"):
                self.body(size())

    def iterable(self):
        """(names, text, number of items)"""
        dice, e = self.dice, self.expr
        name, second = self.name("lv"), self.name("lv")
        times = self.scope.times
        hot = dice.pick([20, 40, 70, 120] if times <= 3 else [3, 8, 20] if times < 100 else [3])
        forms = [([name], f"range({hot})", hot)] * 4
        forms += [([name], e("list"), 5), ([name], f"range({dice.upto(0, 3)}, {hot}, {dice.upto(1, 3)})", hot),
                  ([name, second], f"enumerate({e('list')})", 5),
                  ([name, second], f"zip({e('list')}, {e('tuple')})", 4),
                  ([name, second], "[(1, 2), (3, 4), (5, 6)]", 3), ([name], f"[*range({hot})]", hot),
                  ([name], f"({e('int')}, {e('int')}, {e('int')})", 3), ([name], f"reversed({e('list')})", 5),
                  ([name], f"{e('dict')}.values()", 3), ([name], f"map(abs, {e('list')})", 5),
                  ([name], f"({self.comprehension(self.int_element, 1)})", 5)]
        found = [f for f in self.functions if f.flavour == "generator" and self.affordable(f.cost)]
        if found:
            forms += [([name], self.call(dice.pick(found), 1), 10)] * 3
        o = self.instance("iter")
        if o:
            forms += [([name], o, 5)] * 2
        return dice.pick(forms)

    def loop(self):
        names, source, times = self.iterable()
        dice, scope = self.dice, self.scope
        header = f"for {', '.join(names)} in {source}:"
        with self.block(header, times, loops=scope.loops + 1):
            for name in names:
                scope.bind(name, "int")
            self.body(dice.upto(1, 5))
        if dice.chance(0.12):
            with self.block("else:"):
                self.body(1)
        if dice.chance(0.3) and scope.of("int"):
            self.line(f"show({', '.join(self.dice.some(scope.of('int'), 1, 3))})")

    def while_loop(self):
        dice, scope = self.dice, self.scope
        counter = self.name("kv")
        times = dice.pick([5, 20, 50]) if scope.times < 20 else 3
        self.line(f"{counter} = 0")
        scope.bind(counter, "int")
        scope.fixed.add(counter)
        condition = f"{counter} < {times}"
        with self.block(f"while {dice.pick([condition, condition, f'{condition} and {self.expr('bool')}', 'True'])}:",
                        times, loops=scope.loops + 1):
            self.line(f"{counter} += 1")
            self.line(f"if {counter} > {times}: break")
            self.body(dice.upto(1, 4))

    def trying(self):
        dice, scope = self.dice, self.scope
        with self.block("try:"):
            self.body(dice.upto(1, 3))
            if dice.chance(0.35):
                if dice.chance(0.5):
                    with self.block(f"if {self.expr('int')} % {dice.upto(2, 5)} == 0:"):
                        self.raising()
                else:
                    self.raising()
        form = dice.upto(0, 3)
        if form < 3:
            for error in dict.fromkeys([*dice.some(ERRORS, 0, 1), "Exception"]):
                name = self.name("xv")
                with self.block(f"except {dice.pick([error, f'({error}, OSError)'])} as {name}:"):
                    self.line(f"show({name})")
                    self.body(dice.upto(0, 2))
                    if dice.chance(0.15):
                        self.line(dice.pick([f"show(sys.exception() is {name})",
                                             f"{name}.__traceback__.tb_frame.clear()", f"{name}.add_note('n')",
                                             f"show({name}.__traceback__.tb_frame.f_lineno)",
                                             f"{name}.__traceback__ = None",
                                             f"show(sys.exc_info()[2] is {name}.__traceback__)"]))
                    if dice.chance(0.06):
                        self.line(dice.pick(["raise", f"raise RuntimeError(3) from {name}", f"del {name}",
                                             f"raise {name}"]))
            if dice.chance(0.25):
                with self.block("else:"):
                    self.body(dice.upto(1, 2))
        if form >= 2:
            may_return = not scope.cleanup
            with self.block("finally:", cleanup=True, loops=0):
                self.body(dice.upto(1, 2))
                if may_return and dice.chance(0.06) and scope.flavour in ("plain", "generator"):
                    self.line(f"return {self.expr(scope.result)}")

    def with_block(self):
        dice = self.dice
        suppressed = dice.pick(["", "", ", ValueError", ", Exception"])
        manager = f"Manager('{self.name('w')}'{suppressed})"
        o = self.instance("with")
        if o and dice.chance(0.5):
            manager = o
        if dice.chance(0.3):
            manager += f", Manager('{self.name('w')}')"
        name = self.name("iv")
        with self.block(f"with {dice.pick([manager, f'Manager({self.expr("str", 0)}) as {name}'])}:"):
            self.body(dice.upto(1, 3))
            if dice.chance(0.25):
                with self.block(f"if {self.expr('bool')}:"):
                    self.raising()

    def match(self):
        dice = self.dice
        subject = self.expr(dice.pick(["any", "int", "tuple", "dict", "list", "str", "obj" if self.classes else "int"]))
        with self.block(f"match {subject}:"):
            patterns = [f"{dice.upto(-3, 9)} | {dice.upto(10, 20)}", "int(0 | 1)", "str(pa)", "[pa]", "[pa, pb]",
                        "(pa, *pb)", "[_, pa, *_]", "{'a': pa}", "{'a': int(pa), **pb}", "{'k': 1 | 2 as pa}", "None",
                        "True", "float() as pa", "list() | tuple() as pa", "'a' | 'abc'",
                        f"int(pa) if pa {dice.pick(COMPARISONS)} {dice.upto(0, 50)}", "{}", "[[pa, *_], *pb]", "3.5"]
            for cls in self.classes:
                patterns += [f"{cls.name}(x=pa)",
                             f"{cls.name}(x=int(pa), y=pb)"] + ([f"{cls.name}(pa, _)"] if "match" in cls.can else [])
            for pattern in dice.some(patterns, 1, 5):
                with self.block(f"case {pattern}:"):
                    self.line(f"show({', '.join([repr(pattern), *[n for n in ('pa', 'pb') if n in pattern]])})")
                    self.body(dice.upto(0, 1))
            with self.block("case _:"):
                self.body(1)

    def groups(self):
        dice = self.dice
        with self.block("try:"):
            self.body(1)
            members = ", ".join(f"{dice.pick(RAISED)}({n})" for n in range(dice.upto(1, 4)))
            nested = f", ExceptionGroup('inner', [ValueError(8), {dice.pick(RAISED)}(9)])" if dice.chance(0.4) else ""
            self.line(f"raise {dice.pick([f'ExceptionGroup("outer", [{members}{nested}])', 'KeyError(4)'])}")
        for error in [*dice.some(RAISED, 1, 2), "Exception"]:
            name = self.name("xv")
            with self.block(f"except* {error} as {name}:", cleanup=True, loops=0):
                self.line(f"show({name})")
                self.body(dice.upto(0, 1))

    def closure(self):
        dice, scope = self.dice, self.scope
        if scope.flavour == "class":
            return self.assign()
        name = self.name("h")
        known = [n for n in scope.assignable("int") if n not in scope.declared and n not in "nk"]
        cells = dice.some(known, 0, 2) if scope.flavour != "module" else []
        inner = self.scope
        self.line(f"def {name}(n, k={self.leaf('int')}):")
        self.indentation += 1
        with self.function_scope("plain") as scope:
            scope.times = inner.times * 2
            scope.depth = 2
            for parameter in "nk":
                scope.bind(parameter, "int")
            if cells:
                self.line(f"nonlocal {', '.join(cells)}")
                self.line(f"{cells[0]} = ({cells[0]} + n) % 1009")
            self.body(dice.upto(0, 2))
            self.line(f"return {self.expr('int')}")
        self.indentation -= 1
        times = dice.pick([2, 20]) if inner.times < 30 else 1
        # A name of its own, so that the call does not need the function again.
        if dice.chance(0.5):
            self.line(f"attempt({name}, {self.expr('int', 1)})")
        else:
            variable = self.name("lv")
            self.line(f"for {variable} in range({times}): show({name}({variable}<|  || , 3 || , k=4 |>))")
        return None

    def drive(self):
        """Drives a generator by hand."""
        dice = self.dice
        found = [f for f in self.functions if f.flavour == "generator" and self.affordable(f.cost)]
        if not found:
            return self.loop()
        name = self.name("gv")
        asynchronous = [f for f in self.functions if f.flavour == "async generator" and self.affordable(f.cost)]
        if asynchronous and dice.chance(0.3):
            self.line(f"{name} = {self.call(dice.pick(asynchronous), 0)}")
            for _ in range(dice.upto(1, 4)):
                self.line(dice.pick([f"run({name}.asend(<| None || None || 5 |>))",
                                     f"run({name}.athrow(ValueError(1)))",
                                     f"run({name}.aclose())", f"run(anext({name}))", f"run(anext({name}, 'end'))"]))
            return None
        self.line(f"{name} = {self.call(dice.pick(found), 0)}")
        for _ in range(dice.upto(1, 4)):
            self.line(dice.pick([f"attempt(next, {name}, None)", f"attempt({name}.send, <| None || None || 5 |>)",
                                 f"attempt({name}.throw, <| ValueError(1) || StopIteration(2) || GeneratorExit |>)",
                                 f"attempt({name}.close)", f"show(next({name}, 'end'))",
                                 f"show({name}.gi_frame is None, {name}.gi_running)",
                                 f"for {self.name('lv')} in {name}: break", f"attempt(sum, {name})",
                                 f"attempt(list, {name})", f"show({name}.gi_yieldfrom, {name}.gi_suspended)"]))
        if dice.chance(0.3):
            self.line(f"del {name}")
        return None

    def async_block(self):
        dice = self.dice
        found = [f for f in self.functions if f.flavour == "async generator" and self.affordable(f.cost)]
        if found and dice.chance(0.6):
            variable = self.name("lv")
            if dice.chance(0.3):
                self.line(f"show([{variable} async for {variable} in {self.call(dice.pick(found), 0)}])")
                return
            header = f"async for {variable} in {self.call(dice.pick(found), 0)}:"
            with self.block(header, 5, loops=self.scope.loops + 1):
                self.scope.bind(variable, "int")
                self.body(dice.upto(1, 2))
            return
        with self.block(f"async with AsyncManager('{self.name('w')}'<|  || , ValueError |>):"):
            self.body(dice.upto(1, 3))
