# Frame objects: chains, locals and their proxy, line numbers, clearing, frames that outlive their call.
import gc
import inspect
import sys
import types


def stack(limit=5):
    f, out = sys._getframe(1), []
    while f and len(out) < limit:
        out.append((f.f_code.co_name, f.f_lineno))
        f = f.f_back
    return out


def a(): return b()
def b(): return [stack() for _ in range(1)][0]
class K:
    def __init__(self): self.s = stack()
    @property
    def p(self): return stack()
    def __getitem__(self, k): return stack()
    body = stack()
def g():
    yield stack()
    yield stack()
async def co(): return stack()


print(a(), K().s, K().p, K()[0], K.body, (lambda: stack())(), sep="\n")
it = g()
print(next(it), (lambda: next(it))(), list(map(lambda x: stack(), [1])), sorted([1], key=lambda v: len(stack())), sep="\n")
try:
    co().send(None)
except StopIteration as e:
    print(e.value)


def local(x, *args, k=1, **kw):
    y = x
    f = sys._getframe()
    print(list(f.f_locals), type(f.f_locals).__name__, f.f_locals is f.f_locals, locals() is locals())
    l = f.f_locals
    l["x"] = "written"
    l["new"] = "extra"
    print(x, l["new"], "new" in locals(), len(l), list(l), "y" in l, l.get("zz"))
    del y
    print("y" in l, l.pop("new"), list(l.items())[0], l == dict(l), l | {"z": 1} != l)
    for text in ("l['nope']", "del l['x']", "l.pop('x')", "l.clear()", "l.update(5)", "l[5]", "l.popitem()", "hash(l)", "l.setdefault('k', 3)", "l.setdefault('made', 3)",
                 "l.update(k=9)", "type(l)()", "type(l)(f)['k']", "l.fromkeys", "l['__class__']"):
        try:
            print(text, eval(text) if not text.startswith("del") else exec(text))
        except Exception as e:
            print(text, "->", type(e).__name__, e)
    return k


print(local(1, 2, k=3, z=4))


def closure():
    free = "free"

    def inner():
        cell = free

        def innermost(): return cell
        l = sys._getframe().f_locals
        l["free"], l["cell"] = "free written", "cell written"
        return free, cell, innermost(), sorted(k for k in l)
    return inner(), free


print(closure())


def comprehension():
    x = "outer x"
    return [(x, sys._getframe().f_locals.get("x"), sorted(locals())) for x in (1,)], x


print(comprehension())


class Body:
    here = sys._getframe().f_locals
    here["added"] = "through the frame"
    print(added, here is locals(), sys._getframe().f_globals is globals())


exec("f = __import__('sys')._getframe(); print(f.f_locals is ns, f.f_code.co_name)", {"ns": None} | {}, ns := {"ns": 1})
print(sys._getframe().f_locals is globals(), sys._getframe().f_back)


def outlive():
    x, y = [1], "y"
    return sys._getframe()


f = outlive()
print(f.f_locals, f.f_back is sys._getframe(), f.f_lineno, f.f_code.co_name, f.f_builtins is __builtins__.__dict__)
f.f_locals["x"].append(2)
print(f.f_locals)
f.clear()
print(f.f_locals, f.f_lineno)


def running():
    try:
        sys._getframe().clear()
    except RuntimeError as e:
        return str(e)


print(running())


def keep(exc_only=False):
    big = ["kept"]
    try:
        raise ValueError
    except ValueError as e:
        return e


e = keep()
print(e.__traceback__.tb_frame.f_locals.keys(), e.__traceback__.tb_frame.f_back is sys._getframe())


def suspended():
    v = "suspended"
    yield 1
    yield v


it = suspended()
print(it.gi_frame.f_locals, it.gi_frame.f_lineno, it.gi_frame.f_back, it.gi_frame.f_lasti)
next(it)
print(it.gi_frame.f_locals, it.gi_frame.f_lineno, it.gi_frame.f_back, it.gi_frame.f_generator is it)
it.gi_frame.f_locals["v"] = "rewritten"
print(next(it))
frame = it.gi_frame
del it
print(frame.f_locals, frame.f_lineno)


def positions():
    f = sys._getframe()
    first = f.f_lasti; second = f.f_lasti
    return first, second, f.f_lineno - f.f_code.co_firstlineno, inspect.currentframe() is f, f.f_trace, f.f_trace_lines, f.f_trace_opcodes


print(positions())
for bad in (100, -1, "x"):
    try:
        sys._getframe(bad) if bad != -1 else print(sys._getframe(bad).f_code.co_name)
    except Exception as e:
        print(type(e).__name__, e)
for attr in ("f_back", "f_code", "f_lineno", "f_locals", "f_globals", "f_lasti", "f_generator"):
    try:
        setattr(sys._getframe(), attr, 5)
    except Exception as e:
        print(attr, type(e).__name__, e)


def cycle():
    f = sys._getframe()
    class Noisy:
        def __del__(self): print("collected")
    n = Noisy()


cycle()
gc.collect()


def eval_in_frame():
    hidden = "hidden"
    def look(): return sys._getframe(1).f_locals["hidden"], eval("hidden", sys._getframe(1).f_globals, sys._getframe(1).f_locals)
    return look()


print(eval_in_frame(), [sys._getframemodulename(i) for i in range(2)])
print(types.FrameType is type(f), sys._current_frames().keys() == {__import__("threading").get_ident()}, sys._current_exceptions().values())


def changed_in_callee():
    x = 1
    def poke(): sys._getframe(1).f_locals["x"] += 1
    for _ in range(40):
        poke()
    return x


print(changed_in_callee())


def unbound_then_bound():
    def poke(): sys._getframe(1).f_locals["late"] = "bound by another"
    poke()
    return late
    late = 0


print(unbound_then_bound())
