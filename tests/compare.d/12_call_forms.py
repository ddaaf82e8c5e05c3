# Each kind of callee in a loop that is long enough for its call to be specialized, then another kind.
class New:
    pass


class Init:
    def __init__(self, x, y=2):
        self.v = x, y


class InitKw:
    def __init__(self, *, x=5):
        self.x = x


class Caller:
    def __call__(self, *args, **kw):
        return "called", args, kw

    def meth(self, x):
        return "meth", x

    def opt(self, x, y=9):
        return "opt", x, y

    def kw(self, x, *, k=1):
        return "kw", x, k

    @staticmethod
    def static(x):
        return "static", x

    @classmethod
    def cls(cls, x):
        return "cls", cls.__name__, x


class SubInt(int):
    pass


def plain(x): return "plain", x
def default(x, y=3): return "default", x, y
def star(*a): return "star", a
def kwonly(x=None, *, k=4): return "kwonly", x, k
def gen(x): yield x
async def coro(x): return x


caller = Caller()
lst, dct = [3, 1, 2], {"a": 1}
callees = dict(plain=plain, default=default, star=star, kwonly=kwonly, lam=lambda x: x, type=type, str=str, tuple=tuple, list=list,
               int=int, float=float, SubInt=SubInt, len=len, abs=abs, repr=repr, Init=Init, caller=caller, meth=caller.meth, opt=caller.opt,
               kw=caller.kw, static=caller.static, cls=caller.cls, unbound=lambda x: Caller.meth(caller, x), append=[].append,
               join="-".join, get=dct.get, index="abcd".index, sorted=sorted, max=max, isinstance=lambda x: isinstance(x, str),
               gen=lambda x: list(gen(x)), getattr=lambda x: getattr(x, "upper")(), partial=__import__("functools").partial(default, "p"))
for first, callee in callees.items():
    for second, other in list(callees.items())[::3]:
        scope = {}
        exec("def call(f, x):\n    return f(x)", scope)
        call = scope["call"]
        out = []
        for f in [callee] * 25 + [other] + [callee] + [other] * 25:
            for arg in ("ab", "12"):
                try:
                    r = call(f, arg)
                    if isinstance(r, Init):
                        r = r.v
                except Exception as e:
                    r = f"{type(e).__name__} {e}"
                out.append(repr(r) if r is not None else None)
        print(first, second, hash(tuple(out)), out[0], out[-1])


def specialized(n):
    "One call of each shape a site."
    out = []
    for i in range(n):
        r = [type(i), str(i), tuple("ab"), len(lst), isinstance(i, int), isinstance(i, (str, int)), abs(-i), lst.copy(), lst.count(1),
             dct.get("a"), dct.get("q", i), dct.setdefault("a"), "x".upper(), "a,b".split(","), "a,b".split(sep=",", maxsplit=0), sorted(lst),
             sorted(lst, reverse=True), max(1, i), max(lst, default=3), int("7"), int("7", base=8), divmod(i, 3), pow(i, 2), min(lst, key=lambda v: -v),
             plain(i), default(i), default(i, 1), default(y=1, x=i), star(i, i), star(), kwonly(k=i), kwonly(i), kwonly(i, k=2),
             caller(i), caller(i, k=1), caller.meth(i), caller.meth(x=i), caller.opt(i), caller.opt(i, 0), caller.kw(i, k=2),
             caller.static(i), caller.cls(i), Caller.static(i), Caller.meth(caller, i), Init(i).v, Init(i, 7).v, Init(x=i).v,
             InitKw(x=i).x, InitKw().x, New().__class__.__name__, list(gen(i)), coro(i).close(), SubInt(i) + 1, plain(*[i]),
             plain(*(i,)), plain(**{"x": i}), star(*lst, *lst), caller(*lst, **dct), len(*[lst]), (lambda: i)(), print.__name__]
        tmp = []
        tmp.append(i)
        tmp.append(tmp)
        r.append(len(tmp))
        r.append(list.append(tmp, 1))
        out.append(r)
    return out


rows = specialized(40)
for row in rows[::13]:
    print(row)


def reentrant(n):
    lst = []
    for i in range(n):
        lst.append(i) if i % 7 else lst.extend((i, i))
        lst.pop()
    return lst


print(reentrant(60))
# A method that changes under a specialized call.
for i in range(60):
    if i == 40:
        Caller.meth = lambda self, x: ("patched", x)
    if i == 50:
        caller.meth = lambda x: ("instance", x)
    r = caller.meth(i)
    if i in (0, 39, 40, 41, 49, 50, 59):
        print(r)
for i in range(60):
    if i == 40:
        Init.__init__ = lambda self, a, b=0: setattr(self, "v", ("new init", a, b))
    if i == 50:
        Init.__new__ = lambda cls, *a: plain
    r = Init(i)
    if i in (0, 39, 40, 49, 50, 59):
        print(getattr(r, "v", r is plain))
for i in range(60):
    if i == 30:
        plain.__code__ = default.__code__
        plain.__defaults__ = ("moved",)
    r = plain(i)
print(r)
for i in range(60):
    if i == 30:
        len = star
    r = len(lst)
print(r)
