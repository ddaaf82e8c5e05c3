# except*: groups that are split, matched in parts, raised again, nested.


def split(error):
    out = []
    try:
        raise error
    except* KeyError as group:
        out.append(("key", group.exceptions))
    except* (ValueError, TypeError) as group:
        out.append(("value or type", group.exceptions))
    else:
        out.append("else")
    finally:
        out.append("finally")
    return out


def raises_in_handler(error):
    try:
        raise error
    except* KeyError:
        raise LookupError("new")
    except* ValueError:
        raise


def nested(error):
    try:
        try:
            raise error
        except* OSError as group:
            log("os", len(group.exceptions))
    except ExceptionGroup as rest:
        log("rest", rest)
        try:
            raise rest
        except* Exception as all_of_them:
            log("all", len(all_of_them.exceptions))


def in_loop():
    for i in range(3):
        try:
            if i:
                raise ExceptionGroup("g", [KeyError(i), IndexError(i)])
        except* LookupError as group:
            log(i, len(group.exceptions))


groups = [
    ExceptionGroup("one", [KeyError(1)]),
    ExceptionGroup("two", [KeyError(1), ValueError(2)]),
    ExceptionGroup("deep", [ExceptionGroup("inner", [TypeError(1), KeyError(2)]), ValueError(3)]),
    ExceptionGroup("rest", [KeyError(1), OSError(2)]),
    KeyError("plain"),
    OSError("plain, not matched"),
]
for error in groups:
    for function in split, raises_in_handler, nested:
        try:
            log(function(error))
        except Exception as found:
            log("raised", found)
in_loop()
try:
    try:
        raise ValueError
    except* 5:
        pass
except TypeError as error:
    log(error)
try:
    try:
        raise ExceptionGroup("g", [ValueError(1)])
    except* ExceptionGroup:
        pass
except TypeError as error:
    log(error)
