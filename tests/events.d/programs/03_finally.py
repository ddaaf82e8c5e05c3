# Exceptions in finally, in handlers and in context managers; what return, break and continue do there.


def raise_in_finally(n):
    try:
        try:
            if n:
                raise KeyError(n)
        finally:
            log("first")
            if n > 1:
                raise ValueError("in finally")
    except KeyError as error:
        return "key", error.args
    except ValueError as error:
        return "value", error.__context__


def return_in_finally():
    for i in range(3):
        try:
            if i == 1:
                raise KeyError(i)
        except KeyError:
            return "handler"
        finally:
            log("leaving", i)
    return "end"


def loops_with_finally():
    out = []
    for i in range(4):
        try:
            if i == 1:
                continue
            if i == 3:
                break
            out.append(i)
        finally:
            out.append("f")
    else:
        out.append("else")
    return out


def nested():
    try:
        try:
            try:
                1 / 0
            except ZeroDivisionError:
                raise
            finally:
                log("inner")
        except ZeroDivisionError as error:
            raise LookupError("again") from error
        finally:
            log("outer")
    except LookupError as error:
        try:
            raise error
        except LookupError:
            raise RuntimeError


class Manager:
    def __init__(self, swallow=False, fail=False): self.swallow, self.fail = swallow, fail

    def __enter__(self): return self

    def __exit__(self, *details):
        if self.fail:
            raise OSError("in exit")
        return self.swallow


def managers(swallow, fail, error):
    try:
        with Manager(), Manager(swallow) as b, Manager(False, fail):
            if error:
                raise error
            return "inside"
    except OSError as found:
        return "os", found.__context__
    finally:
        log("done")


def handler_deletes_name():
    try:
        raise KeyError
    except KeyError as e:
        pass
    try:
        return e
    except UnboundLocalError as error:
        return error


def unwinds(depth):
    try:
        if depth == 0:
            raise IndexError("deep")
        unwinds(depth - 1)
    finally:
        if depth == 2:
            log("half way")


def while_true():
    n = 0
    while True:
        try:
            n += 1
            if n > 3:
                return n
            raise KeyError
        except (KeyError, ValueError):
            continue
        finally:
            n += 1


def not_matching():
    try:
        try:
            raise KeyError
        except 5:
            pass
    except TypeError as error:
        return error


for n in range(3):
    log(raise_in_finally(n))
log(return_in_finally(), loops_with_finally(), handler_deletes_name(), while_true(), not_matching())
for function in nested, lambda: unwinds(4), lambda: managers(False, False, KeyError("out")):
    try:
        function()
    except Exception as error:
        log(error)
for swallow in False, True:
    for fail in False, True:
        for error in None, ValueError("v"):
            try:
                log(managers(swallow, fail, error))
            except ValueError as found:
                log("through", found)
assert not hasattr(log, "missing")
try:
    assert len("x") == 2, "message"
except AssertionError as error:
    log(error)
