# options: -I -S
def nothing():
    pass


def one(a):
    return a


def defaults(a, b=2, *, c=3, d):
    return a, b, c, d


def var(*args, **kwargs):
    return args, kwargs


def positional_only(a, b=1, /, c=2, **rest):
    return a, b, c, rest


print(nothing(), one(1), one(a=2))
print(defaults(1, d=4), defaults(1, 5, d=6, c=7), defaults(a=0, d=1))
print(var(), var(1, 2), var(1, k=2), var(*[1, 2], *(3,), x=4, **{"y": 5}, **{"z": 6}))
print(positional_only(1), positional_only(1, 2, 3), positional_only(1, a=5, b=6, c=7))


def fib(n):
    return n if n < 2 else fib(n - 1) + fib(n - 2)


print([fib(n) for n in range(15)])

add = lambda x, y=10: x + y
print(add(1), add(1, 2), (lambda: 5)(), (lambda *a: a)(1, 2))


def even(n):
    return True if n == 0 else odd(n - 1)


def odd(n):
    return False if n == 0 else even(n - 1)


print(even(100), odd(7))


def mutable(x, acc=[]):
    acc.append(x)
    return acc


mutable(1)
print(mutable(2), mutable.__defaults__)


def order(x):
    print("evaluated", x)
    return x


print(var(order(1), order(2), *[order(3)], k=order(4), **{"z": order(5)}))
print(max(3, 1, key=lambda v: -v), sorted([3, 1, 2], reverse=True), list(map(one, [1, 2])))
one.__kwdefaults__ = None
defaults.__defaults__ = (10, 20)
print(defaults(d=0))
defaults.__kwdefaults__ = {"d": "D", "c": "C"}
print(defaults())
one.__code__ = nothing.__code__
print(one())
