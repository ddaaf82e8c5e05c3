# Calls of every form, into Python and into C, that return and that raise.
import functools
import operator


def plain(a, b=2, *args, c=3, **kw): return a, b, args, c, kw


class Base:
    def __init__(self, v=0): self.v = v

    def method(self, *args): return self.v, args

    @classmethod
    def make(cls, *args): return cls(*args)

    @staticmethod
    def static(x): return x

    @property
    def prop(self): return self.v

    def __call__(self, x): return x + self.v

    def __getitem__(self, i): return i

    def __add__(self, other): return self.v + other

    def __eq__(self, other): return NotImplemented

    __hash__ = None


class Derived(Base):
    def __init__(self, v=1):
        super().__init__(v)
        self.w = super().method(1, *[2], **{})

    def method(self, *args): return super(Derived, self).method(*args)

    @property
    def prop(self): return super().prop + 1

    def __missing(self): return super().nothing()

    def ask(self): return self.__missing()


class Meta(type):
    def __call__(cls, *args): return super().__call__(*args)


class Made(metaclass=Meta):
    def __new__(cls, *args): return super().__new__(cls)


def decorated(*words):
    def decorate(function):
        @functools.wraps(function)
        def wrapper(*args, **kw): return function(*args, **kw), words
        return wrapper
    return decorate


@decorated("a", "b")
@functools.lru_cache(maxsize=2)
def twice(x): return x * 2


log(plain(1), plain(1, 2, 3, c=4, d=5), plain(*[1, 2], *(3,), **{"c": 6}, e=7))
base, derived = Base(5), Derived(6)
log(base.method(1), Base.method(base, 2), derived.method(3), derived.w, derived.prop, Base.make(4).v, Base.static(1))
log(base(1), base[2], base + 3, base == 4, base != 4, twice(1), twice(x=2), Made(1, 2).__class__)
log(len("abc"), abs(-1), "a,b".split(","), [1].append(2), {}.get("x"), max(1, 2, key=lambda x: -x), min([3, 1]))
log(int("12"), str(5), type(5), tuple([1]), list("ab"), dict(a=1), isinstance(1, int), sorted("ba", reverse=True))
log(list(map(plain, [1, 2])), list(filter(None, [0, 1])), functools.reduce(operator.add, [1, 2, 3]))
log(functools.partial(plain, 1, c=2)(3), operator.methodcaller("method", 7)(base), operator.itemgetter(1)("ab"))
log(getattr(derived, "v"), hasattr(derived, "z"), setattr(derived, "z", 1), vars(derived)["z"], f"{base.v!r:>3}")
log(str.join("-", "ab"), "{}{}".format(1, 2), "%s" % derived.v, b"x".hex(), object().__class__, (lambda *a: a)(1, 2))
for wrong in (lambda: plain(), lambda: plain(1, a=2), lambda: len(5), lambda: int("x"), lambda: [].pop(),
              lambda: {}["k"], lambda: derived.ask(), lambda: None(), lambda: "".join([1]), lambda: base.method(**{1: 2}),
              lambda: next(iter(())), lambda: getattr(base, "none"), lambda: plain(*5), lambda: Base(1, 2, 3),
              lambda: operator.truediv(1, 0), lambda: max(()), lambda: hash(base), lambda: twice([])):
    try:
        wrong()
    except (TypeError, ValueError, LookupError, AttributeError, StopIteration, ZeroDivisionError) as error:
        log(error)
with functools.singledispatch(lambda x: x) and open(__import__("os").devnull) as file:
    log(file.read())
