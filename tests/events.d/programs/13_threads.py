# modes: global trace profile
# Threads: each has its own stream. What one of them switches on or off for a code object, all of them see, at a time
# that is not the same twice: hence not the other modes.
import threading


def shared(n):
    total = 0
    for i in range(n):
        if i % 3 == 0:
            continue
        total += i
    return total


def generator(n):
    for i in range(n):
        try:
            yield shared(i)
        except KeyError:
            yield "thrown"


def fails(n):
    if n == 0:
        raise LookupError("bottom")
    fails(n - 1)


def work(number):
    out = []
    for step in range(4):
        out.append(sum(generator(step + number)))
        g = generator(3)
        next(g)
        out.append(g.throw(KeyError))
        try:
            fails(number)
        except LookupError as error:
            out.append(error)
        out.append([x * y for x in range(2) for y in range(number)])
    log(out)


threads = [threading.Thread(target=work, args=(i,), name=f"worker {i}") for i in range(3)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
work(9)
