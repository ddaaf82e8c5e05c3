# Finalizers, weak references and the collector, at the moment when the reference runs them.
import gc
import sys
import weakref


class D:
    def __init__(self, name, action=None): self.name, self.action = name, action
    def __repr__(self): return f"D({self.name})"
    def __del__(self):
        print("del", self.name, sys._getframe(1).f_code.co_name if sys._getframe().f_back else None)
        if self.action:
            self.action()


def scopes():
    d = D("local")
    print("before end")


scopes()


def loop():
    for i in range(3):
        d = D(i)
    print("loop over")


loop()


def raises():
    d = D("kept by the traceback")
    raise ValueError


try:
    raises()
except ValueError as e:
    print("handler")
print("after handler")


def reraises():
    try:
        raises()
    finally:
        print("finally")


try:
    reraises()
except ValueError:
    pass


def action():
    print("  in action", len([1, 2]))
    try:
        1 / 0
    except ZeroDivisionError:
        print("  handled inside")


def during_exception():
    try:
        d = D("during", action)
        raise KeyError("goes on")
    finally:
        del d


try:
    during_exception()
except KeyError as e:
    print("caught", e, e.__context__)


def bad():
    raise RuntimeError("in a finalizer")


sys.unraisablehook = lambda u: print("hook", type(u.exc_value).__name__, u.exc_value, u.object, u.err_msg.split("<")[0], u.exc_traceback.tb_lineno)
D("hooked", bad)
sys.unraisablehook = sys.__unraisablehook__
saved = []


class Resurrect:
    def __del__(self): saved.append(self); print("resurrected")


r = Resurrect()
del r
print(len(saved))
saved.clear()
w = weakref.ref(D("weak"), lambda ref: print("callback", ref()))
print(w())
x = D("referenced")
w = weakref.ref(x, lambda ref: print("callback", ref()))
x = 5
proxy = weakref.proxy(y := D("proxied"))
print(proxy.name)
del y
try:
    proxy.name
except ReferenceError as e:
    print(e)


def generator():
    d = D("in generator")
    try:
        yield 1
    finally:
        print("generator finally")


g = generator()
next(g)
del g
print("generator gone")


class Cycle:
    def __init__(self, name): self.me, self.name = self, name
    def __del__(self): print("cycle", self.name)


Cycle("one")
print(gc.collect() > 0)
gc.set_threshold(50, 2, 2)
for i in range(100):
    c = Cycle(i) if i == 10 else [[]]
    c = [c]
gc.collect()
gc.set_threshold(700, 10, 10)
collected = []
gc.callbacks.append(lambda phase, info: collected.append(phase))
gc.collect()
gc.callbacks.clear()
print(collected)


def store_order():
    x = D("overwritten", lambda: print("  x is", "x" in sys._getframe(3).f_locals if sys._getframe(3).f_code.co_name == "store_order" else "?"))
    x = 1
    l = [D("item")]
    l[0] = 2
    d = {"k": D("value")}
    d["k"] = 3
    del d
    o = type("O", (), {})()
    o.a = D("attribute")
    o.a = 4
    o.b = D("deleted attribute")
    del o.b
    global G
    G = D("global")
    G = 5
    def f():
        nonlocal cell
        cell = 6
    cell = D("cell")
    f()
    a, b = D("a"), D("b")
    a, b = b, a
    print("swapped")
    a = b = None
    x = [D("comp") for _ in range(2)][0]
    print("comp done")
    print(D("arg").name, D("receiver").__class__.__name__)
    D("statement")
    D("left") == D("right")
    D("l") is D("r")
    not D("not")
    if D("if"): print("in if")
    while D("while"): break
    for _ in [D("iterated")]: break
    print("after for")
    with open(__file__) as h: pass
    f"{D('f')}"
    [D("dropped list")]
    (lambda: D("lambda"))()
    {"k": D("subscr")}["k"]
    return D("returned")


store_order()
print("popped")


def args(a, *b, **c):
    del a
    print("a gone")
    b = None
    print("b gone")
    c.clear()


args(D("pos"), D("star"), k=D("kw"))


class Slot:
    __slots__ = "s"
    def __init__(self, s): self.s = s


s = Slot(D("slot"))
s.s = D("slot 2")
del s.s
del s
at_exit = D("module level")
in_dict = {"k": D("in a dict")}
__import__("atexit").register(lambda: print("atexit"))
sys.modules["fake"] = D("in sys.modules")
