# options: -I -S
def counter(start):
    n = start

    def step(by=1):
        nonlocal n
        n += by
        return n

    def reset():
        nonlocal n
        del n

    return step, reset


step, reset = counter(5)
print(step(), step(10), step.__closure__[0].cell_contents)
reset()
for call in (step, lambda: undefined_name, lambda: step.__closure__[0].cell_contents):
    try:
        print(call())
    except Exception as e:
        print(type(e).__name__, e)


def unbound():
    print(x)
    x = 1


def unbound_del():
    x = 1
    del x
    del x


def unbound_free():
    def inner():
        return y
    print(inner())
    y = 2


def del_global():
    global nope
    del nope


def loop_var():
    for i in []:
        pass
    return i


for fn in (unbound, unbound_del, unbound_free, del_global, loop_var):
    try:
        fn()
    except NameError as e:
        print(type(e).__name__, e, e.name)

fs = [lambda: i for i in range(3)]
print([f() for f in fs])
fs = [lambda i=i: i for i in range(3)]
print([f() for f in fs])

x = "global"


class C:
    x = "class"
    seen = [x for _ in range(1)]
    def m(self):
        return x
    y = x
    del x
    z = x


print(C.seen, C().m(), C.y, C.z, hasattr(C, "x"))


def outer():
    v = "enclosing"

    class D:
        v = "local"
        u = v
        f = lambda self: v
    return D.u, D().f()


print(outer())


def g():
    global made
    made = 1
    return made + len(__name__)


print(g(), made)
print((lambda a: [(b := a + i) for i in range(3)] + [b])(10))
try:
    del made
    del made
except NameError as e:
    print(e)


def args_are_cells(a, *args, b=2, **kw):
    def inner():
        return a, args, b, kw
    a += 1
    return inner


print(args_are_cells(1, 2, 3, b=4, c=5)(), sorted(locals())[:3])


def many():
    a = b = c = d = 1
    def inner():
        nonlocal a, b
        a, b = b + 1, a + 5
        return lambda: (a, b, c, d)
    return inner()()


print(many())
