# status: 1
# super() in its specialized and general forms, where it may not be used, and when it is not super.
class A:
    attr = "A.attr"

    def __repr__(self): return type(self).__name__ + "()"

    def m(self, *a, **kw): return "A.m", a, kw

    @classmethod
    def c(cls): return "A.c", cls.__name__

    @staticmethod
    def s(): return "A.s"

    @property
    def p(self): return "A.p"

    def __getitem__(self, k): return "A.item", k

    def __init__(self): self.inited = "A"


class B(A):
    def __init__(self):
        super().__init__()
        self.inited += "B"

    def m(self, *a, **kw): return "B.m", super().m(*a, **kw)
    def two(self): return super(B, self).m(1)
    def attribute(self): return super().attr, super(B, self).attr
    def bound(self): return super().m
    @classmethod
    def c(cls): return "B.c", super().c(), super(B, cls).c()
    def s(self): return super().s()
    @property
    def p(self): return "B.p", super().p
    def item(self, k): return super().__getitem__(k)
    def missing(self): return super().nothing
    def missing_call(self): return super().nothing()
    def store(self): super().x = 1
    def delete(self): del super().attr
    def klass(self): return super().__class__ is super, super().__thisclass__.__name__, type(super().__self__).__name__, super().__self_class__.__name__
    def nested(self): return (lambda: super(B, self).m())(), [super(B, self).m() for _ in range(1)]
    def comp(self): return [super().m(i) for i in range(2)]
    def gen(self): return list(super().m(i) for i in range(2))
    def inner(self):
        def f(): return super().m()
        return f()
    def inner_arg(self):
        def f(me): return super().m(me)
        return f(self)
    def rebinds(self):
        self = 5
        return super().m()
    def deletes(self):
        del self
        return super().m()
    def cell(self):
        def f(): return self
        return super().m(), f() is self
    def kw(self): return super().m(1, k=2), super().m(*[1, 2], **{"z": 3})
    def no_args(): return super().m()
    def star(*args): return super().m()
    def kwonly(*, self): return super().m()


class C(B):
    def m(self, *a, **kw): return "C.m", super().m(*a, **kw)
    def inited_(self): return self.inited


class D(A):
    def m(self, *a, **kw): return "D.m", super().m(*a, **kw)


class E(C, D): pass


class Getattr(B):
    def __getattribute__(self, name): return "getattribute " + name
    def via_super(self): return super().attr


class Slot(A):
    __slots__ = ()
    def m(self): return super().m


for n in range(30):
    for obj in (B(), C(), E()):
        out = []
        for name in ("m", "two", "attribute", "c", "s", "item", "klass", "nested", "comp", "gen", "inner", "inner_arg", "rebinds", "deletes", "cell", "kw",
                     "missing", "missing_call", "store", "delete", "star"):
            try:
                out.append(getattr(obj, name)(*(1,) * (name == "item")))
            except Exception as e:
                out.append((name, type(e).__name__, str(e)))
        out += [obj.p, obj.bound()(9), obj.inited]
    if n % 29 == 0:
        print(*out, sep="\n")
for call in ("B.no_args()", "B.star()", "B.kwonly(self=1)", "B.m(5)", "B.two(5)", "super()", "super(5)", "super(A, 5)", "super(A, B).m", "super(B, A())", "super(int, 5).real",
             "super(A).attr", "super(A, A()).__init__()", "Getattr().m", "object.__getattribute__(Getattr(), 'via_super')()", "Slot().m()()"):
    try:
        r = eval(call)
        print(call, r if "0x" not in repr(r) else type(r).__name__)
    except Exception as e:
        print(call, "->", type(e).__name__, e)


class Fake:
    def super_is_local(self):
        super = lambda *a: "my super %d" % len(a)
        return super(), super(1, 2)


print(Fake().super_is_local())
super_builtin = super


class super(super_builtin):
    def __init__(self, *a): super_builtin.__init__(self, *a)


class F(A):
    def m(self):
        try:
            return super().m()
        except Exception as e:
            return type(e).__name__, str(e)
    def two(self): return super(F, self).m()


print([F().m() for _ in range(20)][-1], [F().two() for _ in range(20)][-1])
super = lambda *a: ("not super", len(a))


class G(A):
    def m(self): return super()
    def two(self): return super(G, self)
    def attr2(self): return super().count


print(G().m(), G().two(), [G().attr2()(0) for _ in range(5)])
del super


class Changing(A):
    def m(self): return super().m()


c = Changing()
for i in range(90):
    if i == 30: A.m = lambda self: "patched"
    if i == 50: Changing.__bases__ = (D,)
    if i == 70: c.__class__ = type("Other", (Changing,), {})
    r = c.m()
    if i in (0, 29, 30, 49, 50, 69, 70, 89):
        print(i, r)
try:
    def outside(self): return super().x
    outside(1)
except RuntimeError as e:
    print(e)


class EmptyCell:
    def early(self): return super().x
    try:
        early(1)
    except RuntimeError as e:
        print(e)


class NotInstance:
    def m(self): return super().x


NotInstance.m(5)
