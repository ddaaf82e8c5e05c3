"""With another evaluator installed, what would be inlined is not specialized."""

import _testinternalcapi
from forms import change, function, use


def called(a):
    return a


def generator():
    yield 1


class Owner:
    def __init__(self, a=1):
        self.a = a

    @property
    def calculated(self):
        return 1

    def method(self, a):
        return a

    def __getitem__(self, key):
        return key


class Getattribute:
    def __getattribute__(self, name):
        return 1


async def coroutine():
    return 1


TEMPLATES = ("return called(1)", "return called(a=1)", "return Owner().method(1)", "return Owner().method(a=1)", "return Owner()[1]",
             "return Owner(1)", "return Owner().calculated", "return Getattribute().x", "for i in generator(): pass",
             "return len('a')", "def inner(): yield from generator()\n    return list(inner())", "return list(generator())",
             "async def inner(): return await coroutine()\n    try: inner().send(None)\n    except StopIteration: pass")


def functions(prefix):
    return [function(f"{prefix}_{number}", "", template, namespace=dict(globals()))
            for number, template in enumerate(TEMPLATES)]


earlier = functions("specialized_before")
for f in earlier:
    use(f)
_testinternalcapi.set_eval_frame_record([])
for f in (*functions("with_another"), *earlier):
    use(f, times=70)
_testinternalcapi.set_eval_frame_default()
for f in earlier:
    use(f, times=70)
