"""greenlet: switches in the middle of Python and C calls, exceptions, generators, deep stacks, threads."""

import gc
import sys
import threading
import weakref

import greenlet


def ping(name, rounds, other):
    total = 0
    for number in range(rounds):
        total += other.switch((name, number))[1]
    return name, total


def through_c():
    """Switches inside a key function of sorted, and inside a generator that sum() asks."""
    main = greenlet.getcurrent().parent

    def key(value):
        main.switch(value)
        return -value
    in_order = sorted([3, 1, 2], key=key)
    return in_order, sum(main.switch(n) or n for n in range(4))


def deep(count):
    if not count:
        return greenlet.getcurrent().parent.switch("deep")
    return deep(count - 1) + 1


class Noticed:
    pass


def main():
    first = greenlet.greenlet(ping)

    def pong(received):
        while True:
            received = first.switch((received[0], received[1] * 2))
    print(first.switch("a", 100, greenlet.greenlet(pong)))
    inner = greenlet.greenlet(through_c)
    values = [inner.switch()]
    while not inner.dead:
        values.append(inner.switch(None))
    print(values)
    down = [greenlet.greenlet(deep) for _ in range(20)]
    print([one.switch(200 + n) for n, one in enumerate(down)][:2], [one.switch(0) for one in down])

    thrower = greenlet.greenlet(lambda: greenlet.getcurrent().parent.switch("ready"))
    print(thrower.switch())
    try:
        thrower.throw(KeyError("thrown"))
    except KeyError as error:
        print(repr(error), [frame.tb_frame.f_code.co_name for frame in tracebacks(error)])

    noticed = Noticed()
    gone = weakref.ref(noticed)
    left = greenlet.greenlet(lambda thing: greenlet.getcurrent().parent.switch(thing is not None))
    print(left.switch(noticed), left.gr_frame.f_code.co_name)
    del noticed, left
    gc.collect()
    print(gone())

    events = []
    greenlet.settrace(lambda event, which: events.append(event))
    greenlet.greenlet(lambda: None).switch()
    greenlet.settrace(None)
    print(events)

    results = []
    threads = [threading.Thread(target=lambda: results.append(greenlet.greenlet(deep_sum).switch(300))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    print(results)
    calls = []
    sys.setprofile(lambda frame, event, arg: calls.append((event, frame.f_code.co_name)))
    greenlet.greenlet(lambda: greenlet.getcurrent().parent.switch()).switch()
    sys.setprofile(None)
    print([call for call in calls if call[0] in ("call", "return")])


def deep_sum(count):
    return count and count + greenlet.greenlet(deep_sum).switch(count - 1) if count % 50 == 0 else count + deep_sum(count - 1)


def tracebacks(error):
    trace = error.__traceback__
    while trace:
        yield trace
        trace = trace.tb_next


main()
