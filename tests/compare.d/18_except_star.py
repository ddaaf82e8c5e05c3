# status: 1
# except*: splitting, rest, naked exceptions, reraising, nesting, and what is not allowed.
def show(e, depth=0):
    pad = "  " * depth
    print(pad + type(e).__name__, e.args[0] if e.args else "", "notes" if hasattr(e, "__notes__") else "",
          "cause", repr(e.__cause__), "context", type(e.__context__).__name__)
    for sub in getattr(e, "exceptions", ()):
        show(sub, depth + 1)


def handle(exc):
    try:
        try:
            raise exc
        except* ValueError as eg:
            print("values", type(eg).__name__, [str(e) for e in eg.exceptions])
        except* (KeyError, IndexError) as eg:
            print("lookups", len(eg.exceptions))
            raise TypeError("raised in handler")
        except* OSError:
            raise
        else:
            print("else")
        finally:
            print("finally")
    except BaseException as e:
        show(e)


EG, BEG = ExceptionGroup, BaseExceptionGroup
cases = [lambda: EG("all values", [ValueError(1), ValueError(2)]), lambda: EG("mix", [ValueError(1), KeyError(2), OSError(3), ArithmeticError(4)]),
         lambda: EG("nest", [ValueError(1), EG("in", [ValueError(2), TypeError(3), EG("deep", [IndexError(4)])])]), lambda: ValueError("naked"),
         lambda: OSError("naked os"), lambda: ArithmeticError("unhandled"), lambda: KeyError("naked key"), lambda: BEG("base", [KeyboardInterrupt(), ValueError(5)]),
         lambda: EG("os", [OSError(1), EG("os2", [OSError(2), ValueError(3)])])]
for make in cases:
    print("--", repr(make()))
    handle(make())


def nothing():
    try:
        pass
    except* ValueError:
        print("never")
    else:
        return "else"


print(nothing())


def control(n):
    for i in range(n):
        try:
            if i % 2:
                raise EG("loop", [ValueError(i)])
        except* ValueError as eg:
            x = eg.exceptions[0].args[0]
        else:
            x = None
        try:
            eg
        except NameError as e:
            print(i, x, e)


control(4)


class MyGroup(EG):
    def derive(self, excs):
        return MyGroup(self.message + " derived", excs)


class Sub(ValueError): pass


try:
    try:
        e = MyGroup("mine", [Sub(1), TypeError(2), KeyError(3)])
        e.add_note("a note")
        raise e from LookupError("the cause")
    except* ValueError as eg:
        print(type(eg).__name__, eg.message, eg.__notes__, repr(eg.__cause__))
        raise eg.exceptions[0]
    except* TypeError as eg:
        try:
            raise
        except* TypeError as again:
            print(again is eg, again.exceptions)
            raise RuntimeError("new") from None
except BaseException as e:
    show(e)

for source in ("except* ExceptionGroup: pass", "except* (ValueError, BaseExceptionGroup): pass", "except* 5: pass", "except* (): pass", "except* (5, ValueError): pass",
               "except* undefined: pass", "except* [ValueError]: pass", "except* Sub as e: print(e.exceptions)"):
    for exc in ("ValueError('v')", "EG('g', [Sub('s'), KeyError('k')])"):
        try:
            exec(f"try:\n    raise {exc}\n{source}")
        except BaseException as e:
            print(source, exc)
            show(e, 2)


class Liar(EG):
    def split(self, kind): return "not a tuple"


class Liar2(EG):
    def split(self, kind): return (None,)


class Liar3(EG):
    def split(self, kind): return (EG("m", [ValueError()]), None, "extra")


for liar in (Liar, Liar2, Liar3):
    try:
        try:
            raise liar("l", [ValueError(1), KeyError(2)])
        except* ValueError as e:
            print("matched", e)
    except BaseException as e:
        show(e)


def reraise_both():
    try:
        raise EG("top", [ValueError(1), TypeError(2), KeyError(3)])
    except* ValueError:
        raise
    except* TypeError as e:
        raise e
    except* KeyError:
        1 / 0


try:
    reraise_both()
except EG as e:
    show(e)
reraise_both()
