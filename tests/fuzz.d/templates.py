"""Hot code: shapes that specialize, are traced, and then meet what they were not specialized for."""

from definitions import Definitions

EVENTS = ["LINE", "INSTRUCTION", "CALL", "PY_START", "PY_RETURN", "PY_YIELD", "PY_RESUME", "PY_UNWIND", "PY_THROW",
          "RAISE", "RERAISE", "EXCEPTION_HANDLED", "JUMP", "BRANCH_LEFT", "BRANCH_RIGHT", "STOP_ITERATION"]
LOCAL = ["LINE", "INSTRUCTION", "CALL", "PY_START", "PY_RETURN", "PY_YIELD", "PY_RESUME", "JUMP", "BRANCH_LEFT",
         "BRANCH_RIGHT", "STOP_ITERATION"]


class Templates(Definitions):
    def hot(self):
        self.dice.pick([self.changing_types, self.polymorphic_site, self.nested_loops, self.generator_pipeline,
                        self.construction_loop, self.recursion, self.raising_loop, self.globals_in_loop,
                        self.code_in_loop, self.attribute_loop, self.closure_loop, self.string_loop, self.async_loop,
                        self.swap_class, self.frame_loop, self.cut_generator, self.unpack_loop, self.callback_loop,
                        self.bound_loop, self.slice_loop, self.local_class, self.hint_loop, self.wide, self.thread])()

    def count(self):
        return self.dice.pick([18, 30, 70, 150, 400])

    def at(self, count):
        """Where something happens in a loop: seldom before it is hot."""
        return self.dice.upto(0, count) if self.dice.chance(0.3) else self.dice.upto(count // 2, count)

    def spend(self, count):
        self.spent += count * 6

    def hot_function(self, text):
        """`def NAME(n):` with this body, and calls of it."""
        name = self.name("hot")
        self.line(f"def {name}(n):")
        self.indentation += 1
        for line in self.chosen(text).strip("\n").split("\n"):
            self.line(line)
            if line.startswith("for i in range(") and self.dice.chance(0.3):
                self.line(f"    if i == {self.dice.upto(1, 100)}: {self.disturbance(name)}")
        self.indentation -= 1
        self.line(f"attempt({name}, {self.count()})")
        if self.dice.chance(0.5):
            self.line(f"attempt({name}, {self.dice.upto(0, 40)})")

    def disturbance(self, name):
        """What may happen in the middle of a loop of this function."""
        dice = self.dice
        forms = ["gc.collect()", "sys._clear_internal_caches()", "signal.raise_signal(signal.SIGUSR1)",
                 "sys._getframe().f_locals", "show(sys._getframe().f_lasti)", "sys._getframe().f_locals['i'] = 5.5",
                 f"globals()['G{dice.upto(0, 2)}'] = 1", "builtins.newer = 1", f"{name}.__defaults__ = (1,)",
                 f"{name}.__code__ = {name}.__code__.replace(co_name='other')", "in_thread(gc.collect)",
                 "show(sys.exception())", "sys.setswitchinterval(1e-5)"]
        if self.watched:
            forms += [*self.watching(), *self.watching(),
                      f"local_events({dice.upto(0, 5)}, {name}, {dice.some(LOCAL, 1, 4)}, {dice.upto(0, 3)})"]
        return dice.pick(forms)

    def watching(self):
        """Statements that begin, change or end the watching of code."""
        dice, tool = self.dice, self.dice.upto(0, 5)
        disable = dice.pick([0, 0, 1, 2, 5, 20])
        until = dice.pick([10**6, 10**6, 30, 300])
        yield f"trace(lines={dice.chance(0.8)}, opcodes={dice.chance(0.3)}, until={until})"
        yield "profile()"
        yield f"monitor({tool}, {dice.some(EVENTS, 1, 6)}, {disable})"
        yield f"monitor({dice.upto(0, 5)}, {dice.some(EVENTS, 0, 3)}, {disable})"
        if self.functions:
            yield f"local_events({tool}, {dice.pick(self.functions).name}, {dice.some(LOCAL, 1, 5)}, {disable})"
            yield f"local_events({tool}, {dice.pick(self.functions).name}, {dice.some(LOCAL, 0, 2)}, {disable})"
        yield dice.pick(["sys.monitoring.restart_events()", f"monitor_off({tool})", "sys.settrace(None)",
                         "sys.setprofile(None)"])

    def value(self):
        return self.dice.pick(["1", "1.5", "'s'", "1 << 40", "True", "None", "[1]", "(1,)", "10 ** 30", "2 ** 30 - 1",
                               "-1", self.leaf("obj"), "1j"])

    def changing_types(self):
        count = self.count()
        self.spend(count)
        op = self.dice.pick(["+", "-", "*", "<", "==", "%", "//", "&", "/", ">", "in", "is"])
        self.hot_function(f"""
a, b, total = {self.value()}, {self.value()}, 0
for i in range({count}):
    try:
        r = a {op} b
        total += 1 if r else 2
        if i <| % || // |> 10 == 1: show(r)
    except Exception as e:
        total += 100
        if i % 20 == 0: show(e)
    if i == {self.at(count)}: a = {self.value()}
    if i == {self.at(count)}: b = {self.value()}
    if i == {self.at(count)}: a, b = b, a
return total, a, b""")

    def polymorphic_site(self):
        if len(self.classes) < 2:
            return self.changing_types()
        count = self.count()
        self.spend(count * 2)
        objects = ", ".join(self.leaf("obj") for _ in range(self.dice.upto(2, 5)))
        use = self.dice.pick(["o.x", "o.m(i)", "o.y", "o.m(n=i)", "o.m()", "hasattr(o, 'z')", "o.x + o.y", "len(o)",
                              "o[i % 3]", "o(i)", "o + i", "o < i", "o == 3", "bool(o)", "[*o][:2]", "o.p", "o.missing",
                              "type(o).__name__", "o.own()", "o.cm(i)"])
        self.hot_function(f"""
objects, seen = [{objects}], []
first = {self.at(count)}
for i in range({count}):
    o = objects[<| i % len(objects) || 0 if i < first else -1 || i // 20 % len(objects) |>]
    try:
        seen.append({use})
    except Exception as e:
        seen.append(type(e).__name__)
return seen[::7], sys.getrefcount(objects[0])""")
        return None

    def nested_loops(self):
        a, b = self.dice.pick([(20, 20), (5, 60), (60, 5), (18, 3)])
        self.spend(a * b)
        with_name = self.name("t")
        inner = self.dice.pick(["range(b)", "range(i)", "row", "range(i % 4)", "enumerate(row)"])
        self.hot_function(f"""
{with_name} = 0
row = [*range({b})]
b = {b}
for i in range({a}):
    for j in {inner}:
        k = j if type(j) is int else j[0]
        {with_name} = ({with_name} * 3 + i ^ k) % 10007
        if {with_name} % {self.dice.upto(5, 40)} == 3: <| break || continue || row[k % len(row)] += 1 || b += 1 |>
    else:
        {with_name} += 1
    if i == {self.at(a)}: row = <| tuple(row) || row[:2] || [1.5, *row] || range(3) || row |>
return {with_name}, i""")

    def generator_pipeline(self):
        count = self.count()
        self.spend(count * 3)
        number = self.name("")
        self.lines_of(f"""
def source{number}(n):
    for i in range(n):
        got = yield i
        if got: yield got
        if i == {self.at(count)}: <| return 5 || raise ValueError(i) || yield "s" || yield 1.5 || pass |>
def middle{number}(n):
    try:
        result = yield from source{number}(n)
        yield result
    finally:
        show('closed')
""")
        use = self.dice.pick(["sum(v for v in g if v is not None)", "[v for v in g]", "max(g)", "dict.fromkeys(g)",
                              "len([*zip(g, g)])", "any(v == 'x' for v in g)", "sorted(g)"])
        self.hot_function(f"""
g = middle{number}(n)
for v in g:
    if v == {self.at(count)}: <| break || attempt(g.send, 7) || show(g.gi_frame.f_lineno) ||
        attempt(g.throw, KeyError(1)) || attempt(g.close) || gc.collect() |>
return {use}""")

    def construction_loop(self):
        if not self.classes:
            return self.changing_types()
        count = self.count()
        cls = self.dice.pick(self.classes).name
        self.spend(count * 2)
        change = self.dice.pick([f"{cls}.__init__ = lambda self, n=0: None", f"{cls}.y = 5", f"{cls}.fresh = i",
                                 "gc.collect()", f"{cls}.__init__.__defaults__ = (9,)",
                                 f"{cls}.__init__.__code__ = (lambda self, n: 5).__code__",
                                 f"{cls}.__new__ = lambda cls, *a: object.__new__(cls)",
                                 f"{cls}.x = property(lambda self: 3)", "pass", "pass"])
        self.hot_function(f"""
kept, total = [], 0
for i in range({count}):
    o = {cls}(i)
    try:
        total += o.x + o.y
        o.y = i
        if i % 9 == 0: kept.append(o)
    except Exception as e:
        if i % 10 == 0: show(e)
    if i == {self.at(count)}:
        {change}
return total, len(kept), kept[:2]""")
        return None

    def recursion(self):
        name = self.name("rec")
        self.spend(300)
        self.lines_of(self.dice.pick([f"""
def {name}(n, a=0):
    if n <= 0: return a
    return {name}(n - 1, a + n) <|  || + 1 || * 1.5 || % 1009 |>
attempt({name}, 30)
attempt({name}, <| 40 || 1000 || 2.5 |>)
""", f"""
def {name}(n):
    return n if n < 2 else {name}(n - 1) + {name}(n - 2)
attempt({name}, {self.dice.upto(5, 11)})
attempt({name}, 7.5)
""", f"""
def {name}(n):
    try:
        return {name}(n + 1)
    except RecursionError:
        return n
    finally:
        if n % 50 == 0: show(n)
attempt({name}, 0)
""", f"""
def {name}(n):
    if n: yield from {name}(n - 1)
    yield n
attempt(lambda: list({name}(20)))
attempt(lambda: sum({name}(30)))
"""]))

    def raising_loop(self):
        count = self.count()
        self.spend(count * 3)
        self.hot_function(f"""
caught, log = 0, []
def thrower(k):
    if k % {self.dice.upto(2, 30)} == 1: raise <| ValueError || KeyError || StopIteration |>(k)
    return k
for i in range({count}):
    try:
        try:
            caught += thrower(i)
        <| except ValueError as e || except (KeyError, ValueError) || except Exception as e || except LookupError |>:
            caught += 1000
            <| pass || continue || raise || raise TypeError(i) || log.append(i) |>
        finally:
            caught += 1
            <| pass || pass || log.append(-i) |>
    except Exception as e:
        log.append((i, type(e).__name__, e.__traceback__.tb_lineno, e.__context__ is not None))
        if i > {self.at(count)}: <| break || raise || return caught || pass || show(e) |>
return caught, log[:50]""")

    def globals_in_loop(self):
        count = self.count()
        self.spend(count)
        name = self.name("GL")
        change = self.dice.pick([f"globals()['{name}'] = {self.value()}", f"del globals()['{name}']",
                                 f"builtins.{name} = 3", f"globals().update({name}=2.5)", "builtins.abs = lambda v: -1",
                                 "globals()['abs'] = lambda v: 5", "globals()['len'] = lambda v: 1"])
        self.line(f"{name} = 1")
        self.hot_function(f"""
total = 0
for i in range({count}):
    try:
        total += {name} + abs(-i) + len('abc')
    except Exception as e:
        total -= 1
        if i % 30 == 0: show(e)
    if i == {self.at(count)}: {change}
return total""")
        self.line("globals().pop('abs', None); globals().pop('len', None)")

    def code_in_loop(self):
        count = self.count()
        self.spend(count * 2)
        number = self.name("")
        self.lines_of(f"""
def one{number}(a, b=1, *, k=0): return a + b + k
def two{number}(a, b=2, *, k=5): return [a, b, k]
def three{number}(*args, **kw): return len(args)
""")
        change = self.dice.pick([f"one{number}.__code__ = two{number}.__code__",
                                 f"one{number}.__code__ = three{number}.__code__", f"one{number}.__defaults__ = None",
                                 f"one{number}.__defaults__ = (1.5,)", f"one{number}.__kwdefaults__ = {{'k': 'k'}}",
                                 f"one{number}.__kwdefaults__ = None", f"one = two{number}", "one = max", "one = print",
                                 "one = lambda a, b=3, k=2: (a, b)"])
        use = self.dice.pick(["one(i)", "one(i, 2)", "one(i, k=3)", "one(i, b=2)", "one(*(i, 3))", "one(**{'a': i})",
                              "one(a=i)"])
        self.hot_function(f"""
seen, one = [], one{number}
for i in range({count}):
    try:
        seen.append({use})
    except Exception as e:
        seen.append(type(e).__name__)
    if i == {self.at(count)}:
        {change}
return seen[::5]""")

    def attribute_loop(self):
        """An attribute that is read or called while its value changes, in the object or in the class."""
        if not self.classes:
            return self.globals_in_loop()
        count = self.count()
        cls = self.dice.pick(self.classes).name
        self.spend(count)
        name = self.dice.pick(["x", "y", "m", "m", "m", "d", "p", "shared", "own", "missing"])
        changes = [f"o.{name} = <| 5 || lambda n=0: 'own' |>", f"vars(o)['{name}'] = <| 'dict' || lambda n=0: 'own' |>",
                   f"{cls}.{name} = <| 100 || property(lambda s: 9) || Data(3) || NonData(4) || lambda self, n=0: n |>",
                   f"del <| o || {cls} |>.{name}", "o.__dict__ = {'x': 1, 'y': 2}", f"o = {cls}(50)", "o.w = 1",
                   "vars(o).update({str(k): k for k in range(40)})", f"{cls}.__getattr__ = lambda s, n: 77",
                   f"{cls}.__getattribute__ = lambda s, n: 3", f"{cls}(1).{name} = lambda n=0: 'other'"]
        use = f"o.{name}" + self.dice.pick(["()", "(1)"] if name in ("m", "own") else ["", "", " + 1"])
        self.hot_function(f"""
o, seen = {cls}(3), []
for i in range({count}):
    try:
        <| pass || pass || o.y = i || o.x = i || o.z = i |>
        seen.append({use})
    except Exception as e:
        seen.append(str(e)[:30])
    if i == {self.at(count)}:
        try: {self.dice.pick(changes)}
        except Exception as e: show(e)
    if i == {self.at(count)}:
        try: {self.dice.pick(changes)}
        except Exception as e: show(e)
return seen[::6], len(seen)""")
        return None

    def closure_loop(self):
        count = self.count()
        self.spend(count * 2)
        self.hot_function(f"""
total, functions = 0, []
def add(k):
    nonlocal total
    total += k
    return total
for i in range({count}):
    add(<| i || i * 0.5 || i if i < 50 else 1.5 || 1 << (i % 70) |>)
    if i % 10 == 0: functions.append(lambda a=i: (a, i, total))
    if i == {self.at(count)}: <| total = 0.5 || add.__defaults__ = (1,) || del functions[:2] ||
        show(add.__closure__[0].cell_contents) || add.__closure__[0].cell_contents = 7 |>
return total, [f() for f in functions[:5]]""")

    def string_loop(self):
        count = self.count()
        self.spend(count)
        self.hot_function(f"""
s, d, parts = <| '' || 'é' || b''.decode() |>, {{}}, []
for i in range({count}):
    s += <| 'a' || chr(97 + i % 26) || str(i) || '日' if i > 50 else 'b' |>
    c = s[<| -1 || 0 || i % len(s) || i |>] if i % 17 else 'z'
    d[c] = d.get(c, 0) + 1
    t = f"{{c}}{{i:<|  || 03 || x |>}}"
    parts.append(t)
    if c == <| 'a' || '9' || 'b' |>: parts.pop()
    if i == {self.at(count)}: s = <| '' || s * 2 || 'long' * 30 || s[::-1] |>
return s[-40:], d, ''.join(parts)[-30:]""")

    def async_loop(self):
        count = self.count()
        self.spend(count * 6)
        number = self.name("")
        self.lines_of(f"""
async def work{number}(n):
    total = 0
    for i in range(n):
        total += await <| step || pause |>(i)
        if i == {self.at(count)}: <| raise ValueError(i) || return total || pass |>
    return total
async def step(i):
    <| return i || return await pause(i) || return i if i % 3 else await pause(i) |>
async def numbers{number}(n):
    try:
        for i in range(n):
            yield i
            if i % 10 == 0: await pause(i)
    finally:
        show('async closed')
async def main{number}():
    seen = []
    async for v in numbers{number}({count}):
        seen.append(v)
        if v == {self.at(count)}: break
    async with AsyncManager('am', ValueError):
        seen.append(await work{number}({count % 100}))
    return seen[-5:]
run(main{number}())
show(gather(main{number}(), work{number}(10)))
""")

    def swap_class(self):
        if len(self.classes) < 2:
            return self.attribute_loop()
        a, b = (c.name for c in self.dice.some(self.classes, 2, 2))
        count = self.count()
        self.spend(count)
        self.hot_function(f"""
o, seen = {a}(1), []
for i in range({count}):
    if i % {self.dice.upto(20, 90)} == 19:
        try: o.__class__ = {b} if type(o) is {a} else {a}
        except TypeError as e: seen.append('no')
    try: seen.append((o.m(i), o.x, type(o) is {a}))
    except Exception as e: seen.append(type(e).__name__)
return seen[::9]""")
        return None

    def frame_loop(self):
        count = self.count()
        self.spend(count * 2)
        self.hot_function(f"""
a, b, total = 1, 2, 0
frame = sys._getframe()
def peek(depth=1):
    f = sys._getframe(depth)
    return f.f_lineno - f.f_code.co_firstlineno, f.f_lasti, len(f.f_locals)
for i in range({count}):
    total += a + b
    if i % {self.dice.upto(7, 30)} == 5: show(peek())
    if i == {self.at(count)}: frame.f_locals['a'] = {self.value()}
    if i == {self.at(count)}: show(frame.f_locals['total'], frame.f_locals['i'])
    if i == {self.at(count)}: <| frame.f_locals['total'] = 5 || frame.f_locals['new'] = 1 || del frame ||
        show(sys.getrefcount(frame)) || frame.f_locals['i'] = 3 || frame.f_locals['b'] = 0.5 |>
return total, a, b""")

    def cut_generator(self):
        """Generators that are left half-way, with cleanup that shows itself."""
        count = self.count()
        self.spend(count * 3)
        number = self.name("")
        self.lines_of(f"""
def cut{number}(n):
    try:
        for i in range(n):
            try:
                yield i
            <| except GeneratorExit || except ValueError || finally |>:
                <| show("cleanup", i) || deleted.append(i) || show(i) |>
                <| pass || pass || yield -1 |>
    except BaseException as e:
        show(e)
        <| raise || pass || return 5 || yield 99 |>
""")
        self.hot_function(f"""
total = 0
for i in range({min(count, 70)}):
    for v in cut{number}(5):
        total += v
        if v == {self.dice.upto(0, 4)}: break
    if i == {self.at(min(count, 70))}:
        g = cut{number}(3)
        next(g)
        <| attempt(g.throw, ValueError(1)) || attempt(g.close) || del g || g = None ||
            attempt(g.throw, GeneratorExit()) |>
return total""")

    def unpack_loop(self):
        count = self.count()
        self.spend(count)
        self.hot_function(f"""
pairs, total = [(k, k + 1) for k in range(10)], 0
for i in range({count}):
    try:
        a, <| b || *b || (b) |> = pairs[i % len(pairs)]
        total += a
        a, b = b, a
        x, y, z = <| (i, a, 2) || [i, i, a] || 'abc' || range(3) || pairs[:3] |>
        total += 1 if x == y else 2
    except Exception as e:
        total -= 1
        if i % 20 == 0: show(e)
    if i == {self.at(count)}: pairs[3] = <| [1, 2] || (1, 2, 3) || 'ab' || (1.5, 2) || 5 || {{1: 2, 3: 4}} |>
    if i == {self.at(count)}: pairs = <| [[1, 2]] || tuple(pairs) || [(1,)] || pairs[::-1] |>
return total, a, b""")

    def callback_loop(self):
        """C functions that call back."""
        count = self.count()
        self.spend(count * 3)
        self.hot_function(f"""
calls = 0
def key(v):
    nonlocal calls
    calls += 1
    <| pass || gc.collect() if calls == 40 else 0 || if calls == 77: raise ValueError(v) ||
        show(v) if calls % 50 == 0 else 0 |>
    return <| -v || v % 7 || str(v) || (v % 3, v) |>
data = [(k * 37) % 101 for k in range({min(count, 150)})]
result = []
for use in (lambda: sorted(data, key=key), lambda: list(map(key, data)), lambda: max(data, key=key)):
    try: result.append(use())
    except ValueError as e: result.append(e)
return calls, result[0]""")

    def bound_loop(self):
        """Methods that are called as values."""
        if not self.classes:
            return self.unpack_loop()
        count = self.count()
        self.spend(count * 2)
        cls = self.dice.pick(self.classes).name
        use = self.dice.pick(["call(i)", "call()", "call(n=i)", "call(*(i,))", "call(**{'n': i})",
                              "[*map(call, (i,))][0]"])
        self.hot_function(f"""
o, seen = {cls}(2), []
call = <| o.m || o.m || {cls}.m.__get__(o) || types.MethodType({cls}.m, o) || type(o) || o.__class__ || o.__init__ |>
for i in range({count}):
    try:
        seen.append({use})
    except Exception as e:
        seen.append(type(e).__name__)
    if i == {self.at(count)}: call = <| o.m || {cls}(5).m || abs || lambda n=1: n || str || [].append ||
        o.__repr__ || (lambda: 5) |>
return seen[::6]""")
        return None

    def slice_loop(self):
        count = self.count()
        self.spend(count)
        self.hot_function(f"""
s, seen = <| [*range(20)] || "abcdefghij" || (1, 2, 3, 4) || bytearray(10) || range(12) |>, []
a, b = 0, 3
for i in range({count}):
    try:
        a, b = i % 5, <| -1 || i % 7 || None || len(s) || 3 |>
        seen.append(len(s[a:b]))
        <| s[a:b] = s[a:b] || s[a:b] = (i, i) || del s[a:b] || s[a] = s[b] || seen.append(s[a]) || s[-1] = 7 ||
            s[a:b:2] |>
    except Exception as e:
        seen.append(type(e).__name__)
    if i == {self.at(count)}: s = <| [5, 6, 7] || "xyz" || (1,) || {{0: 1}} || memoryview(b"abc") |>
    if len(s) > 40: s = s[:10]
return seen[::4], len(s)""")

    def local_class(self):
        """Class bodies that read names of functions, generic and decorated ones."""
        count = min(self.count(), 40)
        self.spend(count * 10)
        self.hot_function(f"""
seen = []
def note(what):
    seen.append(type(what).__name__)
    return what
for i in range({count}):
    @note
    class Local:
        here = i
        if i % 3: n = n + 1
        def get(self): return __class__.here + n
        <| both = [here + k for k in range(2)] || own: int = 5 || pass || locals()["made"] = i |>
    class Generic<|  || [T] || [*Ts] |>(Local):
        def get(self<|  || : int |>): return super().get() + 1
    type Alias = list[Local]
    @note
    def generic[T](a: T, b: T = i) -> T: return a, b
    seen.append((Generic().get(), generic(1), getattr(Local, 'made', 0)))
return seen[::5]""")

    def hint_loop(self):
        """Objects whose attributes are in a dict of their own."""
        if not self.classes:
            return self.slice_loop()
        count = self.count()
        self.spend(count)
        cls = self.dice.pick(self.classes).name
        self.hot_function(f"""
o, seen = {cls}(2), 0
try:
    <| vars(o).update({{f"k{{k}}": k for k in range(40)}}) || o.__dict__ = {{"x": 1, "y": 5, "z": 3}} || vars(o) ||
        o.__dict__[5] = 6 |>
except Exception as e: show(e)
for i in range({count}):
    try:
        o.y = o.x + i
        seen += o.y
        <| o.z = i || del o.y || pass || vars(o).pop("x", None) || o.x = i |>
    except Exception as e:
        seen += 1
        if i % 30 == 0: show(e)
    if i == {self.at(count)}: <| o = {cls}(3) || vars(o).clear() || o.__dict__ = {{"y": 1}} || {cls}.y = 3 || pass |>
return seen, o""")
        return None

    def wide(self):
        """A function with so many variables, constants and jumps that arguments need more than a byte."""
        count = self.count()
        self.spend(count * 3)
        many = self.dice.upto(250, 300)
        last = many - 1
        body = "\n".join(f"    if i == {n * 7}: w{n} = w{(n * 3) % many} + {1000 + n}" for n in range(60))
        self.hot_function(f"""
{', '.join(f'w{n}' for n in range(many))} = range({many})
total = 0
for i in range({count}):
    w{last} = i
    total += w{last} + w{self.dice.upto(0, last)}
{body}
    w{last - 1} += <| 1 || 0.5 || len('abc') || i |>
    if total > {self.dice.upto(1000, 9000)}: <| break || continue || total = 0 || raise ValueError(total) |>
    w{last - 2} = [w{last - 1}, w{last}]
return total, w{last}, w{last - 1}, w{last - 2}""")

    def thread(self):
        """Functions of the program in another thread, which ends before this one goes on."""
        function = self.dice.pick(self.functions)
        if not self.affordable(function.cost):
            return self.recursion()
        call = self.call(function, 1)
        drive = {"plain": call, "generator": f"list({call})", "coroutine": f"run({call})",
                 "async generator": f"run(collect({call}))"}
        self.line(f"attempt(in_thread, lambda: {drive[function.flavour]})")
        if function.flavour == "generator":
            generator = self.name("gv")
            self.line(f"{generator} = attempt(lambda: {call})")
            self.line(f"attempt(in_thread, lambda: [next({generator}, None) for _ in range(3)])")
            self.line(f"attempt(next, {generator}, None)")
        return None
