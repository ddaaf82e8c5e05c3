# Code that runs where nobody called it: __del__, weak references, generators that are collected.
import gc
import sys
import weakref


class Dies:
    def __init__(self, name, fail=False): self.name, self.fail = name, fail

    def __del__(self):
        log("dies", self.name)
        if self.fail:
            raise ValueError(self.name)


class Counts:
    def __eq__(self, other):
        log("compared")
        return True

    def __hash__(self): return 1

    def __bool__(self):
        log("asked")
        return False

    def __len__(self): return 3

    def __getattribute__(self, name): return object.__getattribute__(self, name)

    def __set_name__(self, owner, name): log("named", name)

    def __format__(self, spec): return spec

    def __index__(self): return 2


def cycle():
    a, b = Dies("a"), Dies("b")
    a.other, b.other = b, a


def local():
    value = Dies("local")
    value = Dies("second")
    return 5


def generator():
    try:
        yield Dies("yielded")
    finally:
        log("generator ends")


def called_back(reference): log("weak")


def overwritten():
    items = [Dies(i) for i in range(3)]
    items[1] = None
    del items[0]
    items.clear()


sys.unraisablehook = lambda details: log("unraisable", details.exc_value)
log(local())
Dies("at once")
Dies("failing", True)
cycle()
gc.collect()
g = generator()
next(g)
del g
d = Dies("watched")
reference = weakref.ref(d, called_back)
weakref.finalize(d, log, "finalize")
del d
overwritten()


class Holder:
    attribute = Counts()


counts = Counts()
log({counts: 1, Counts(): 2}, [5] == [counts], "yes" if counts else "no", f"{counts:abc}", [1, 2, 3][counts])
log(counts in [1, 2], bool(counts), [*range(10)][:counts])
try:
    raise KeyError(Dies("in an exception"))
except KeyError:
    pass
log("end")
