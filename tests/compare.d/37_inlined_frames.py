# status: 1
# Calls that the evaluator makes without C recursion: __init__, properties, __getitem__, __getattribute__, for and send
# over generators; errors and strange results inside of them.
import sys


def names(n=4):
    f, out = sys._getframe(1), []
    while f and len(out) < n:
        out.append(f.f_code.co_name)
        f = f.f_back
    return out


class A:
    mode = "plain"

    def __init__(self, v):
        self.v = v
        if self.mode == "return":
            return 5
        if self.mode == "raise":
            raise ValueError("in __init__")
        if self.mode == "stack":
            self.v = names()
        if self.mode == "yield":
            A.__init__ = generator_init

    @property
    def prop(self):
        if self.mode == "raise":
            raise KeyError("in prop")
        if self.mode == "attribute":
            raise AttributeError("in prop")
        return names() if self.mode == "stack" else self.v

    def __getitem__(self, k):
        if self.mode == "raise":
            raise IndexError("in getitem", k)
        return names() if self.mode == "stack" else (k, self.v)

    def __len__(self): return 1 if self.mode != "raise" else 1 / 0


def generator_init(self, v): yield v


class G:
    mode = "plain"

    def __getattribute__(self, name):
        mode = object.__getattribute__(self, "mode")
        if mode == "raise":
            raise OSError("in getattribute", name)
        if mode == "attribute":
            raise AttributeError(name)
        return names() if mode == "stack" else name


class GA(G):
    def __getattr__(self, name): return "fallback", name


class Meta(type):
    def __call__(cls, *a): return "meta call", cls.__name__, a


class WithMeta(metaclass=Meta):
    def __init__(self, v): self.v = v


class NewOnly:
    def __new__(cls, v): return "from new", v


class NewAndInit:
    def __new__(cls, v): return super().__new__(cls) if v else "other"
    def __init__(self, v): self.v = "init ran"


class InitKw:
    def __init__(self, v, *, k=1): self.v = v, k


class InitStar:
    def __init__(self, *a): self.v = a


class InitCells:
    def __init__(self, v):
        def f(): return v
        self.v = f()


class InitBuiltin(list): pass
class InitSlot:
    __slots__ = "v"
    def __init__(self, v): self.v = v
class Derived(A):
    def __repr__(self): return "Derived()"
    def __init__(self, v): super().__init__(v)
class ManyLocals:
    def __init__(self, v):
        a = b = c = d = e = f = g = h = i = j = k = l = m = n = o = p = q = r = s = v
        self.v = [a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p, q, r, s][-1]


def make(cls, v): return cls(v)
def prop(o): return o.prop
def item(o, k): return o[k]
def attribute(o): return o.anything


def attempt(f, *a):
    try:
        r = f(*a)
        return getattr(r, "v", r) if not isinstance(r, G) else "G"
    except Exception as e:
        tb, lines = e.__traceback__, []
        while tb:
            lines.append((tb.tb_frame.f_code.co_name, tb.tb_lineno))
            tb = tb.tb_next
        return type(e).__name__, e.args, lines


for cls in (A, WithMeta, NewOnly, NewAndInit, InitKw, InitStar, InitCells, InitSlot, Derived, ManyLocals, int, object, type, InitBuiltin):
    scope = {"attempt": attempt}
    exec("def make(cls, v): return cls(v)", scope)
    for _ in range(30):
        r = attempt(scope["make"], cls, "ab" if cls is InitBuiltin else 7)
    print(cls.__name__, r, attempt(scope["make"], cls, 0) if cls is not type else "", attempt(scope["make"], A, 1))
for mode in ("plain", "raise", "stack", "attribute", "return", "plain", "yield", "plain"):
    a, g, ga = A.__new__(A), G(), GA()
    a.v = "v"
    A.mode = G.mode = mode
    for _ in range(30):
        r = attempt(make, A, 1), attempt(prop, a), attempt(item, a, "k"), attempt(attribute, g), attempt(attribute, ga), attempt(bool, a), attempt(make, Derived, 2)
    print(mode, *r, sep="\n    ")
    A.mode = G.mode = "plain"


def gen(n, fail=None):
    for i in range(n):
        yield names(3) if fail == "stack" else i
    if fail == "raise":
        raise ArithmeticError("in gen")
    return "value"


def consume(g): return [x for x in g]
def consume_for(g):
    out = []
    for x in g:
        out.append(x)
        if x == 2:
            break
    return out
def delegate(g): return (yield from g)
def drain(g): return list(delegate(g))


for fail in (None, "raise", "stack"):
    for _ in range(30):
        r = [attempt(f, gen(4, fail)) for f in (consume, consume_for, drain)]
    print(fail, *r, sep="\n    ")
started = gen(5)
next(started)
print(consume(started), consume(started), attempt(consume, gen(0)))


def itself():
    yield 1
    for x in me:
        yield x


me = itself()
print(attempt(consume, me))


class Binary:
    def __init__(self, v): self.v = v
    def __add__(self, o): return names(2) if o == "stack" else self.v + o
    def __eq__(self, o): return self.v == o
    def __hash__(self): return hash(self.v)
    def __bool__(self): return self.v > 0
    def __contains__(self, o): return o == self.v
    def __call__(self, x): return names(2) if x == "stack" else x
    def __iter__(self): return iter([self.v])
    def __enter__(self): return names(2)
    def __exit__(self, *a): return False


def operators(b):
    with b as entered:
        pass
    return b + 1, b + "stack", b == 1, b in b, 1 in b, not b, b(1), b("stack"), [*b], entered, {b: 1}[1]


for _ in range(30):
    r = operators(Binary(1))
print(r)


def depth(n):
    "Inlined calls between calls that go through C."
    return n if n <= 0 else max(depth(n - 1), 0) + sorted([depth(n - 1)], key=lambda v: v)[0] if n < 4 else depth(n - 1)


print(depth(10))
A.mode = "return"
A(1)
