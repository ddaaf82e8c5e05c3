# status: 1
# with: enter and exit, suppression, exceptions inside of them, leaving by every door, missing methods.
import sys


class CM:
    def __init__(self, name="cm", suppress=False, fail=None):
        self.name, self.suppress, self.fail = name, suppress, fail

    def __enter__(self):
        print("enter", self.name)
        if self.fail == "enter":
            raise KeyError("from enter")
        return self.name

    def __exit__(self, kind, value, tb):
        print("exit", self.name, kind and kind.__name__, value, tb and tb.tb_lineno, kind is None or type(value) is kind)
        if self.fail == "exit":
            raise OSError("from exit")
        return self.suppress


def by_return():
    with CM("a") as a, CM("b") as b:
        return a + b


def by_break():
    for i in range(3):
        with CM(i) as x:
            if i == 1:
                break
            continue
    return i


def by_error(**kw):
    with CM(**kw):
        raise ValueError("body")
    return "suppressed"


def nested():
    with CM("outer", suppress=True):
        with CM("inner"):
            {}["key"]
    with (CM("p1") as a, CM("p2", suppress=1) as b):
        raise TypeError
    return "done"


def in_generator():
    with CM("gen"):
        yield 1
        yield 2


def targets():
    d, l = {}, [0]
    with CM("t1") as d["k"], CM("t2") as l[0]:
        pass
    with CM("xy") as (a, b):
        return d, l, a, b


def run(f, *a, **kw):
    try:
        print(f.__name__, f(*a, **kw))
    except BaseException as e:
        print(f.__name__, "->", type(e).__name__, e, "context", repr(e.__context__))


run(by_return), run(by_break), run(by_error), run(by_error, suppress=True), run(by_error, fail="exit"), run(by_error, fail="enter")
run(nested), run(targets)
g = in_generator()
next(g)
g.close()
list(in_generator())
g = in_generator()
next(g)
run(g.throw, ValueError("thrown in"))


class NoExit:
    def __enter__(self): return 1


class NoEnter:
    def __exit__(self, *a): return True


class Neither: pass


class AsyncOnly:
    async def __aenter__(self): return self
    async def __aexit__(self, *a): return False


class InstanceMethods:
    def __init__(self):
        self.__enter__ = lambda: "instance"
        self.__exit__ = lambda *a: True


class BadBool:
    def __enter__(self): return self
    def __exit__(self, *a):
        class B:
            def __bool__(self): raise ArithmeticError("truth of exit")
        return B()


class FewArgs:
    def __enter__(self): return self
    def __exit__(self): return True


class Static:
    @staticmethod
    def __enter__(): return "static"

    @classmethod
    def __exit__(cls, *a): return a[0] is ZeroDivisionError


class Descriptor:
    class D:
        def __get__(self, obj, owner): print("get", obj is not None); return lambda *a: ("descr", len(a))
    __enter__ = __exit__ = D()


# A debug host's C evaluator asserts that __exit__ is a plain method when an exception leaves the block.
DEBUG = hasattr(sys, "gettotalrefcount")
for cls in (NoExit, NoEnter, Neither, AsyncOnly, InstanceMethods, BadBool, FewArgs, Static, Descriptor, int):
    for body in ("pass", "1 / 0") if not DEBUG or cls not in (Static, Descriptor) else ("pass",):
        try:
            exec(f"with cls() as v:\n    print('body', type(v).__name__)\n    {body}\nprint('after')")
        except Exception as e:
            print(cls.__name__, body, type(e).__name__, e)

    async def asynchronous():
        async with cls() as v:
            print("async body")

    try:
        asynchronous().send(None)
    except Exception as e:
        print(cls.__name__, "async", type(e).__name__, e)


def finally_and_with():
    try:
        with CM("f"):
            try:
                return "value"
            finally:
                print("inner finally")
    finally:
        print("outer finally")


run(finally_and_with)


class SuppressesZero:
    def __enter__(self): return 0
    def __exit__(self, kind, value, tb): return kind is ZeroDivisionError


def many(n):
    "Long enough to specialize what is inside."
    caught = 0
    for i in range(n):
        try:
            with SuppressesZero() as s:
                if i % 3 == 0:
                    1 / 0
                if i % 3 == 1:
                    raise KeyError(i)
        except KeyError as e:
            caught += e.args[0]
    return caught


print(many(90))
with CM("last"):
    raise SystemError("uncaught")
