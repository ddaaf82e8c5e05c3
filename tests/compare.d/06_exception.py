# options: -I -S
# status: 1
def f(n):
    try:
        if n == 0:
            raise ValueError("zero")
        if n == 1:
            raise KeyError
        if n == 2:
            return "returned"
        if n == 3:
            1 / 0
    except ValueError as e:
        return "value", e.args
    except (KeyError, IndexError):
        return "key"
    else:
        return "else"
    finally:
        print("finally", n)


for n in range(5):
    try:
        print(f(n))
    except ZeroDivisionError as e:
        print("outer", e, e.__traceback__.tb_next.tb_lineno)


def override():
    for i in range(3):
        try:
            raise ValueError(i)
        finally:
            if i < 2:
                continue
            return "swallowed"


try:
    print(eval("override()"))
except Exception as e:
    print(e)


def nested():
    try:
        try:
            raise KeyError("a")
        except KeyError as e:
            raise TypeError("b") from e
    except TypeError as e:
        print(repr(e.__cause__), repr(e.__context__), e.__suppress_context__)
        try:
            raise
        except TypeError as again:
            print(again is e)
    try:
        e
    except NameError as err:
        print(type(err).__name__, err)


nested()
for bad in ("raise 1", "raise int", "raise ValueError from 1", "raise ValueError from None", "raise",
            "raise ValueError('x') from KeyError", "assert 0", "assert 1 > 2, 'why'", "assert []",
            "\ntry:\n  1/0\nexcept 5: pass", "\ntry:\n  1/0\nexcept (KeyError, 'x'): pass",
            "raise type('E', (Exception,), {'__new__': lambda c: 5})"):
    try:
        exec(bad)
    except BaseException as e:
        print(repr(bad), type(e).__name__, e, repr(e.__cause__), repr(e.__context__))


def deep(n):
    if n == 0:
        raise LookupError("deep down")
    deep(n - 1)


def late():
    try:
        deep(3)
    except LookupError:
        {}["again"]


late()
