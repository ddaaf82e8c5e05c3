# status: 1
# Every message of argument binding, of calls of things that cannot be called, and of * and **.
def none(): pass
def one(a): pass
def two(a, b): pass
def three(a, b, c): pass
def opt(a, b=1): pass
def opt2(a, b, c=1, d=2): pass
def kwo(*, k): pass
def kwo2(a, *, j, k, l=3): pass
def kwd(a, b=1, *, k=2): pass
def pos(a, b, /): pass
def pos2(a, /, b, *, c): pass
def poskw(a, b=2, /, **kw): pass
def var(*args): pass
def varkw(**kw): pass
def long_name_of_parameter(parameter_one, parameter_two): pass


class Meth:
    def m(self, a): pass

    @classmethod
    def c(cls, a): pass

    @staticmethod
    def s(a): pass

    def __call__(self, a, *, k): pass


class Init:
    def __init__(self, a, b): pass


class NewInit:
    def __new__(cls, a): return super().__new__(cls)
    def __init__(self, b): pass


class NoInit: pass


class NotMapping:
    def keys(self):
        raise ValueError("from keys")


class AttrErr:
    def keys(self):
        return ["a"]


class LongKeys:
    def keys(self): return ["a", "b"]
    def __getitem__(self, k): return k


class Str(str): pass


m = Meth()
calls = """
none(1)
none(1, 2)
none(a=1)
none(*[1, 2])
none(**{"x": 1})
one()
one(1, 2)
one(1, 2, 3)
one(1, a=1)
one(b=1)
one(a=1, b=2)
one(A=1)
two()
two(1)
two(b=1)
two(1, 2, 3)
two(1, 2, b=3)
two(1, c=2)
three()
three(1)
three(1, 2)
three(b=1)
opt()
opt(1, 2, 3)
opt(b=1)
opt(1, 2, b=3)
opt(1, c=3)
opt2()
opt2(1, d=1)
opt2(1, 2, 3, 4, 5)
kwo()
kwo(1)
kwo(1, k=1)
kwo(1, 2, k=1)
kwo(k=1, j=2)
kwo2(1)
kwo2(1, j=1)
kwo2(j=1, k=1)
kwo2(1, 2, j=1, k=1)
kwo2(1, 2, 3)
kwd(1, 2, 3)
kwd(1, 2, 3, k=1)
kwd()
pos(1)
pos(1, 2, 3)
pos(a=1, b=2)
pos(1, b=2)
pos(1, 2, a=3)
pos2(1, 2)
pos2(a=1, b=2, c=3)
pos2(1, c=3)
poskw()
poskw(a=1)
poskw(1, 2, 3)
var(a=1)
varkw(1)
varkw(1, 2, a=3)
long_name_of_parameter(parameter_on=1, parameter_two=2)
m.m()
m.m(1, 2)
Meth.m()
Meth.m(m)
m.c()
m.c(1, 2)
m.s()
m()
m(1)
m(1, 2, k=1)
Init()
Init(1)
Init(1, 2, 3)
Init(1, 2, c=3)
NewInit()
NewInit(1, 2)
NewInit(a=1)
NewInit(b=1)
NoInit(1)
NoInit(a=1)
object(1)
int(1, 2, 3)
int(x=1)
len()
len(1)
len(1, 2)
len(obj=[])
len(*[1], **{"a": 1})
print(foo=1)
[].append()
[].append(1, 2)
[].append(x=1)
"".join(1)
"".join()
"".split(foo=1)
dict(1)
dict([1])
dict(a=1, **{"a": 2})
list(1)
str(1, 2)
isinstance(1)
isinstance(1, 2)
isinstance(1, 2, 3)
getattr(1)
sorted()
sorted([1], 1)
type()
type(1, 2)
type(1, 2, 3)
tuple(1, 2)
max()
max(1)
range()
range("a")
1()
None()
"abc"()
[]()
()()
m.missing()
one.__call__()
one(*1)
one(*None)
one(**1)
one(**None)
one(**[1])
one(1, *2)
one(*[1], *3)
one(**{"a": 1}, **{"a": 2})
one(a=1, **{"a": 2})
one(1, **{"a": 2})
one(**{1: 2})
one(**{"a": 1, 2: 3})
len(**{1: 2})
len(**{"a": 1}, **{"a": 2})
m.m(**{"a": 1}, **{"a": 2})
one(**NotMapping())
one(**AttrErr())
one(**LongKeys())
two(**LongKeys(), c=1)
two(*(i for i in (1,)))
two(*(1 / i for i in (1, 0)))
varkw(**{Str("a"): 1, "a": 2}, **{"b": 3})
varkw(**{"a": 1}, **{Str("a"): 2})
(lambda x: x)()
(lambda x, y=1, *, z: x)(1)
(lambda: 1)(1)
(lambda *, a, b, c, d: 1)()
(lambda a, b, c, d: 1)()
(lambda a, b, c, d, e=1: 1)(d=1)
""".strip().splitlines()
for call in calls:
    try:
        print(call, "=", eval(call))
    except Exception as e:
        print(call, "->", type(e).__name__, e)

# A wrong call at a place that was specialized for right ones.
for right, wrong in (("one", "two"), ("one", "none"), ("one", "kwo"), ("Init_", "Init"), ("len", "none"), ("str", "two"),
                     ("m.m", "Meth.m"), ("(lambda *a: a)", "two"), ("one", "1"), ("opt", "three")):
    Init_ = lambda *a: a
    scope = dict(globals())
    exec("def call(f, x):\n    return f(x)", scope)
    good, bad = eval(right), eval(wrong)
    for _ in range(30):
        scope["call"](good, "x")
    try:
        print(right, wrong, scope["call"](bad, "x"))
    except Exception as e:
        print(right, wrong, type(e).__name__, e)
one.__defaults__ = (1, 2, 3)
print(one())
print(one.__call__.__name__, (lambda: None).__call__())
opt.__code__ = none.__code__
opt()
opt(1)
