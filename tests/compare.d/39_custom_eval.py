# PEP 523: another frame evaluator installed by an extension sees the frames and can hand them back.
import _testinternalcapi
import sys


def f(x): return g(x) + 1
def g(x): return sum(i for i in range(x))


class C:
    def __init__(self, v): self.v = v
    @property
    def p(self): return self.v
    def __getitem__(self, k): return k


def gen(n):
    for i in range(n):
        yield i


async def co(): return 5


def work():
    c = C(1)
    out = [f(3), c.p, c[2], list(gen(2)), (lambda: 4)(), [h() for h in (lambda: 1, lambda: 2)]]
    try:
        co().send(None)
    except StopIteration as e:
        out.append(e.value)
    try:
        C()
    except TypeError as e:
        out.append(str(e))
    try:
        fails()
    except ZeroDivisionError as e:
        out.append(e.__traceback__.tb_next.tb_lineno)
    return out


def fails(): return 1 / 0


for warm in (0, 30):
    for _ in range(warm):
        work()
    seen = []
    _testinternalcapi.set_eval_frame_record(seen)
    r = work()
    _testinternalcapi.set_eval_frame_default()
    print(r, seen)
    r = work()
    print(r, len(seen))


def switches():
    "The evaluator changes while frames of the old one are running."
    seen = []
    f(2)
    _testinternalcapi.set_eval_frame_record(seen)
    f(2)
    _testinternalcapi.set_eval_frame_default()
    f(2)
    return seen


print([switches() for _ in range(3)])
seen = []
_testinternalcapi.set_eval_frame_record(seen)
events = []
sys.settrace(lambda frame, event, arg: events.append((event, frame.f_code.co_name)))
f(1)
sys.settrace(None)
_testinternalcapi.set_eval_frame_default()
print(seen, events)


def deep(n): return deep(n - 1) if n else sys._getframe().f_back.f_code.co_name


seen = []
_testinternalcapi.set_eval_frame_record(seen)
print(deep(20))
try:
    deep(10_000)
except RecursionError as e:
    print(str(e)[:40])
_testinternalcapi.set_eval_frame_default()
print(len(seen) > 900)
