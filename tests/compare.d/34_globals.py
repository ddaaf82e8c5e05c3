# Names of modules and builtins: specialized lookups and everything that can change under them.
import builtins
import sys
import types

g = 0


def load(): return g
def load_len(): return len
def load_missing(): return missing_name
def store(v):
    global g
    g = v


def warm(f, n=40):
    for _ in range(n):
        try:
            r = f()
        except NameError as e:
            r = str(e)
    return r


print(warm(load), warm(load_len) is builtins.len, warm(load_missing))
store(5)
print(load())
globals()["g"] = "through globals()"
print(load())
del g
print(warm(load, 1))
g = 1
print(load())
for i in range(300):
    globals()[f"filler{i}"] = i  # the dict grows and moves
print(load(), load_len()("abc"))
for i in range(300):
    del globals()[f"filler{i}"]
len = "shadowed"
print(load_len())
del len
print(load_len() is builtins.len)
original = builtins.len
builtins.len = "builtin replaced"
print(load_len())
builtins.len = original
del builtins.len
print(warm(load_len, 1))
builtins.len = original
print(load_len() is original)
builtins.missing_name = "now a builtin"
print(load_missing())
del builtins.missing_name
print(warm(load_missing, 1))


class Globals(dict):
    def __missing__(self, k): return "missing " + k
    def __getitem__(self, k): return "getitem " + k


f = types.FunctionType(load.__code__, {"g": "other globals", "__builtins__": {}})
print(warm(f), f.__builtins__)
for scope in ({}, {"g": 1}, {"__builtins__": {"g": "from own builtins"}}, {"__builtins__": builtins}, Globals(), Globals(g=1)):
    try:
        f = types.FunctionType(load.__code__, scope)
        print(type(scope).__name__, f())
    except NameError as e:
        print(type(scope).__name__, e)
for scope in ({"__builtins__": {}}, {"__builtins__": {"x": "own x"}}, {"__builtins__": 5}, {"__builtins__": types.SimpleNamespace(x=1)}):
    try:
        exec("r = x", scope)
        print(scope["r"])
    except Exception as e:
        print(type(e).__name__, e)


class Builtins(dict):
    def __getitem__(self, k):
        if k == "x":
            return "from a mapping"
        raise KeyError(k)


scope = {"__builtins__": Builtins(), "range": range}
exec("def h(): return x\nfor _ in range(30): r = h()", scope)
print(scope["r"])
try:
    exec("nothing", scope)
except NameError as e:
    print(e)
try:
    exec("class C: pass", {"__builtins__": {}})
except NameError as e:
    print(e)


class Locals:
    def __init__(self): self.d = {}
    def __getitem__(self, k): print("get", k); return self.d[k]
    def __setitem__(self, k, v): print("set", k); self.d[k] = v
    def __delitem__(self, k): print("del", k); del self.d[k]


exec("a = 1\na += 1\nb = a\ndel a\ntry:\n  a\nexcept NameError as e: print(e)\ntry:\n  del a\nexcept NameError as e: print(e)\nlen", {}, Locals())
for bad in (5, [], None):
    try:
        exec("a = 1", {}, bad)
        print(bad)
    except TypeError as e:
        print(e)
module = types.ModuleType("m")
exec("x = 1\ndef f(): return x\ndef g(): return [f() for _ in range(30)][-1]", module.__dict__)
print(module.g())
module.x = 2
print(module.g())
module.f = lambda: "replaced"
print(module.g())


def attr(): return module.x


for i in range(60):
    if i == 20:
        module.x = 3
    if i == 30:
        module.__dict__["x"] = 4
    if i == 40:
        del module.x
    if i == 45:
        module.__getattr__ = lambda n: "getattr " + n
    if i == 50:
        module.x = 5
    try:
        r = attr()
    except AttributeError as e:
        r = str(e)
    if i % 10 in (0, 5, 9):
        print(i, r)
key = type("Key", (str,), {"__hash__": str.__hash__, "__eq__": lambda s, o: print("eq") or str.__eq__(s, o)})("odd")
globals()[key] = "odd value"
print(odd, (lambda: odd)())
del globals()[key]


def changing():
    out = []
    for i in range(100):
        if i == 50:
            globals()["abs"] = lambda v: "global abs"
        if i == 80:
            del globals()["abs"]
        out.append(abs(-i))
    return out[49:52], out[79:82]


print(changing(), changing())
global_in_class = "global"


def watched():
    global watched_value
    out = []
    for i in range(200):
        watched_value = i
        out.append(watched_value)
        if i == 100:
            del watched_value
            try:
                watched_value
            except NameError as e:
                out.append(str(e))
    return hash(tuple(map(str, out))), len(out)


print(watched()[1], sys.modules[__name__].watched_value)
__builtins__ = {}
print(load(), "functions keep the builtins that they were made with")
