# status: 1
# Recursion: the depth where it ends, through every kind of frame, and that it can be recovered from.
import sys


def depth(f):
    try:
        return f(1)
    except RecursionError as e:
        return str(e)


def plain(n):
    try:
        return plain(n + 1)
    except RecursionError:
        return n


class Obj:
    def __init__(self, n=None):
        if n is not None:
            self.n = plain_init(n)
    def meth(self, n):
        try:
            return self.meth(n + 1)
        except RecursionError:
            return n
    def __call__(self, n):
        try:
            return self(n + 1)
        except RecursionError:
            return n
    @property
    def prop(self): return self.prop
    def __getitem__(self, k):
        try:
            return self[k + 1]
        except RecursionError:
            return k
    def __getattr__(self, name): return getattr(self, name + "x") if len(name) < 10 else self.other
    def __add__(self, n):
        try:
            return self + (n + 1)
        except RecursionError:
            return n
    def __eq__(self, other): return other == self
    def __repr__(self): return repr([self])
    def __iter__(self): yield from self
    def __bool__(self): return bool(self)
    def __contains__(self, x): return x in self
    def __enter__(self):
        with self: pass
    def __exit__(self, *a): pass


def plain_init(n):
    try:
        return Obj(n + 1).n
    except RecursionError:
        return n


def gen(n):
    try:
        yield from gen(n + 1)
    except RecursionError:
        yield n


async def coro(n):
    try:
        return await coro(n + 1)
    except RecursionError:
        return n


def kwargs(*, n):
    try:
        return kwargs(n=n + 1)
    except RecursionError:
        return n


def star(*a):
    try:
        return star(*a, 1)
    except RecursionError:
        return len(a)


def comp(n):
    try:
        return [comp(n + 1) for _ in [0]][0]
    except RecursionError:
        return n


def cell(n):
    def inner(): return n
    try:
        return cell(inner() + 1)
    except RecursionError:
        return n


def mutual(n):
    try:
        return lam(n)
    except RecursionError:
        return n


lam = lambda n: mutual(n + 1)


def run_coro(n):
    try:
        coro(n).send(None)
    except StopIteration as e:
        return e.value


for limit in (60, 200, 1000, 5000):
    sys.setrecursionlimit(limit)
    for f in (plain, Obj().meth, Obj(), lambda n: Obj(n).n, lambda n: kwargs(n=n), star, comp, cell, mutual, lambda n: Obj()[n],
              lambda n: plain(n) - plain(n)):
        print(limit, depth(f))
sys.setrecursionlimit(300)
for name, f in {"prop": lambda: Obj().prop, "getattr": lambda: Obj().q, "eq": lambda: Obj() == Obj(), "iter": lambda: list(Obj()), "bool": lambda: not Obj(),
                "contains": lambda: 1 in Obj(), "with": lambda: Obj().__enter__(), "gen": lambda: list(gen(1)) > [10], "coro": lambda: run_coro(1) > 10,
                "exec": lambda: exec("def r(): exec('r()', globals())\nr()", {}), "sorted": lambda: (k := lambda x: sorted([x, x], key=k))(1),
                "map": lambda: (k := lambda x: list(map(k, [x])))(1), "lambda": lambda: (k := lambda: k())(), "class": lambda: cls(),
                "import": lambda: (k := lambda *a: __builtins__.__import__ and k(*a))()}.items():
    def cls():
        class X:
            cls()
    try:
        print(name, f())
    except RecursionError as e:
        print(name, "RecursionError", str(e).split(" in ")[0].split(" while")[0])
    except Exception as e:
        print(name, type(e).__name__, e)


def in_handler(n):
    try:
        in_handler(n + 1)
    except RecursionError as e:
        try:
            raise ValueError("while handling")
        except ValueError as v:
            if n == 5:
                return print("context", type(v.__context__).__name__)
            raise e
    finally:
        n -= 1


in_handler(1)
for bad in (0, -1, "x", 2 ** 40):
    try:
        sys.setrecursionlimit(bad)
    except Exception as e:
        print(type(e).__name__, e)


def too_low(n):
    if n:
        return too_low(n - 1)
    try:
        sys.setrecursionlimit(5)
    except RecursionError as e:
        print(e)


too_low(20)
sys.setrecursionlimit(50_000)
print(plain(1) > 40_000, sum(map(lambda n: plain(n) > 0, range(3))))
sys.setrecursionlimit(150)


def forever(n): forever(n + 1)


forever(1)
