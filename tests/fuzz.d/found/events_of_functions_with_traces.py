import signal

class Meta(type):
    pass
G0 = 9
G1 = 0
7

class C0:

    def __init__(self, n):
        pass

def g0(p0, /, p1):
    0
    yield 0

def f1(p4, /, *rest):
    gv1 = g0({}, *(p4,))
    attempt(list, gv1)
monitor(0, ['PY_YIELD', 'PY_RESUME', 'EXCEPTION_HANDLED'], 2)
for lv16 in range(3):
    attempt(lambda: list(g0({'a': G0}, C0(-1))))
sys.monitoring.restart_events()
f1(0)
