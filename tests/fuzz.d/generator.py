"""Programs from numbers: `program(seed)` is always the same text for a seed."""

from templates import Templates

# What descriptors and classes of every program refer to.
HEAD = """
import signal
deleted = []
signal.signal(signal.SIGUSR1, lambda number, frame: show('signal', frame.f_code.co_name, frame.f_lineno))
class Meta(type):
    def __call__(cls, *args): return super().__call__(*args)
class Data:
    def __init__(self, n): self.n = n
    def __get__(self, o, kind=None): return self.n
    def __set__(self, o, value): self.n = value
class NonData:
    def __init__(self, n): self.n = n
    def __get__(self, o, kind=None): return self.n if o is not None else -1
"""


class Generator(Templates):
    def program(self):
        dice = self.dice
        self.lines_of(HEAD)
        for number in range(3):
            self.line(f"G{number} = {self.leaf('int')}")
            self.scope.bind(f"G{number}", "int")
            self.scope.fixed.add(f"G{number}")
        for _ in range(dice.upto(0, 4)):
            self.klass()
        for _ in range(dice.upto(1, 4)):
            self.function(dice.pick(["plain", "plain", "plain", "generator", "coroutine", "async generator"]))
        self.watched = dice.chance(0.3)
        parts = [self.calls] * dice.upto(1, 3) + [self.hot] * dice.upto(0, 3) + [self.module_code] * dice.upto(0, 1)
        dice.shuffle(parts)
        if dice.chance(0.15):
            self.line("gc.enable(); gc.set_threshold(1, 2, 2)" if self.calm() else "gc.collect()")
        for part in parts:
            if self.watched and dice.chance(0.6):
                self.watch()
            part()
        self.line("show(len(deleted))")
        return "\n".join(self.lines) + "\n"

    def calm(self):
        """Whether no code of the program runs when the collector does."""
        text = "\n".join(self.lines)
        return not any(word in text for word in ("__del__", "weakref", "finally", "with", "getrefcount"))

    def calls(self):
        dice = self.dice
        function = dice.pick(self.functions)
        times = dice.pick([1, 3, 20, 60])
        while times > 1 and function.cost * times > 8000:
            times //= 3
        self.spent += function.cost * times
        variable = self.name("lv")
        with self.block(f"for {variable} in range({times}):", times, loops=1):
            self.scope.bind(variable, "int")
            call = self.call(function, 1)
            self.line({"plain": f"attempt(lambda: {call})",
                       "generator": f"attempt(lambda: {dice.pick(['list', 'sum', 'tuple'])}({call}))",
                       "coroutine": f"run({call})",
                       "async generator": f"run(collect({call}))"}[function.flavour])
            if dice.chance(0.2):
                self.mutate()

    def module_code(self):
        self.line("try:")
        self.indentation += 1
        before = {kind: list(names) for kind, names in self.scope.names.items()}
        self.body(self.dice.upto(2, 6))
        self.scope.names = before
        self.indentation -= 1
        self.line("except Exception as error:")
        self.line("    show(error)")

    def watch(self):
        self.line(self.dice.pick(list(self.watching())))


def program(seed):
    return f"# seed {seed}\n" + Generator(seed).program()
