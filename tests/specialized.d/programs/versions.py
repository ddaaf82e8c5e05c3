"""Versions that have run out: of one class, of keys within sixteen bits."""

from forms import function, use


# A class that was changed too often gets no version any more.
class Worn:
    value = 1

    def __init__(self):
        self.own = 1

    def method(self):
        return 1

    def __getitem__(self, key):
        return key


TEMPLATES = ("return o.value", "return o.own", "return o.method()", "o.own = 1", "return o[0]", "return not o", "return C()",
             "return C.value")
before = [function("worn_before", "o, C", template) for template in TEMPLATES]
for called in before:
    use(called, Worn(), Worn)
for i in range(1100):
    Worn.value = i
    Worn().value
for called in before:
    use(called, Worn(), Worn, times=60)
for template in TEMPLATES:
    use(function("worn", "o, C", template), Worn(), Worn, times=8)

# More kinds of keys than a global's cache has room for
def reads():
    return len, here


for i in range(33_000):
    namespace = {"here": i, "reads": reads, "__builtins__": {"len": len}}
    # Each has keys of its own, and a version once it is specialized.
    called = type(reads)(reads.__code__.replace(co_name="reads"), namespace)
    called()
    called()
namespace = {"here": 1}
use(function("keys_run_out", "", "return here, len", namespace=namespace), times=8)
use(function("attributes_of_module", "m", "return m.here"), __import__("math"), times=8)
