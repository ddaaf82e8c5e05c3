# Subscripts, membership, truth and lengths of built-in containers, where instructions meet many kinds of keys and tables:
# what is looked up without the host must be what the host finds.
import gc
import sys


def get(c, k): return c[k]
def put(c, k, v): c[k] = v
def has(c, k): return k in c
def lacks(c, k): return k not in c
def truth(c): return "yes" if c else "no"
def length(c): return len(c)
def fetch(c, k): return c.get(k)
def fetch_or(c, k, d): return c.get(k, d)


def outcome(f, *args):
    try: return f(*args)
    except Exception as e: return f"{type(e).__name__}: {e}"


class Same:
    "Hashes as it is told, and counts comparisons."
    compared = 0
    def __init__(self, of): self.of = of
    def __hash__(self): return hash(self.of)
    def __eq__(self, other):
        Same.compared += 1
        return self.of == (other.of if isinstance(other, Same) else other)
    def __repr__(self): return f"Same({self.of!r})"


class Plain: pass
class Str(str): pass
class StrWithHash(str):
    def __hash__(self): return 7
    def __eq__(self, other): return str(self) == str(other)
class Int(int): pass
class Missing(dict):
    def __missing__(self, key): return "missing", key
class Angry:
    def __hash__(self): return hash("b")
    def __eq__(self, other): raise ValueError("never")


plain = [Plain() for _ in range(5)]
letters = "abcdefghij"


def again(text):
    "Another string with the same characters, and without a hash."
    return "".join(list(text))


KEYS = ["a", "b", "j", "absent", again("ab"), again("absent"), "", "é", again("éé"), "日本", "\U0001f600" * 2,
        0, 1, -1, -2, 2, 255, 256, 2**30 - 1, 2**30, -2**30, 2**31 + 1, 2**59, -2**59, 2**60 - 1, 2**60, 2**61 - 1, 2**61 - 2,
        -(2**61 - 1), 2**61, 2**64, 2**61 + 1, True, False, None, 1.0, -1.0, 0.5, 2.0**30, 1 + 0j, (), (1, "a"), int, str, Plain,
        plain[0], plain[4], Str("a"), Str("zz"), StrWithHash("a"), Int(1), Int(9), Same("a"), Same(1), Same(plain[0]), Angry(),
        len, b"a", frozenset(), [], {}, slice(1)]


def tables():
    yield "empty", {}
    yield "strings", {again(c): c for c in letters}
    yield "more strings", {f"key{i}": i for i in range(200)} | {"a": 1, "absentee": 2, "ab": 3, "éé": 4, "日本": 5}
    yield "many strings", {f"key{i}": i for i in range(70_000)} | {"b": 1}
    yield "ints", {i: -i for i in range(-5, 40)}
    yield "large ints", {2**i: i for i in range(0, 70)} | {-2**i: -i for i in range(0, 70)}
    yield "minus one", {-1: "minus one"}
    yield "minus two", {-2: "minus two"}
    yield "mixed", {"a": 1, 1: "a", None: 2, plain[0]: 3, int: 4, (1, "a"): 5, 2.0**30: 6, -1: 7, "日本": 8}
    yield "floats", {0.0: "zero", 1.0: "one", -1.0: "minus one", 2.0**30: "large", 2.0**59: "larger"}
    yield "same", {Same("a"): "s", Same(1): "i", Same(2**59): "large"}
    yield "subclasses", {Str("a"): 1, StrWithHash("b"): 2, Int(1): 3}
    yield "types", {int: 1, str: 2, Plain: 3, len: 4}
    yield "angry", {Angry(): 1, "a": 2}
    deleted = {f"key{i}": i for i in range(50)} | {"a": 1, "b": 2}
    for i in range(45): del deleted[f"key{i}"]
    del deleted["a"]
    yield "deleted", deleted
    gone = {i: i for i in range(50)}
    for i in range(0, 50, 2): del gone[i]
    yield "deleted ints", gone
    yield "missing", Missing(a=1)
    holder = Plain()
    holder.a, holder.b = "attribute a", "attribute b"
    yield "attributes", holder.__dict__
    yield "namespace", {**vars(sys.modules["gc"])} | {"a": 1}
    yield "read only", type("T", (), {"a": 1, "b": 2}).__dict__


for name, table in tables():
    for warm in range(3):
        seen = [(outcome(get, table, k), outcome(has, table, k), outcome(lacks, table, k), outcome(fetch, table, k),
                 outcome(fetch_or, table, k, "default")) for k in KEYS]
    print(name, truth(table), length(table))
    for key, these in zip(KEYS, seen):
        text = repr((key, these))
        print("   ", text if " at 0x" not in text else text.partition(" at 0x")[0])
print("comparisons", Same.compared)

# The same instruction, always the same kind of table: it has a form of its own.
def steady(f, table, keys):
    for _ in range(300):
        for key in keys: result = outcome(f, table, key)
    return [outcome(f, table, key) for key in KEYS]


for name, table in tables():
    def get(c, k): return c[k]
    def has(c, k): return k in c
    def put(c, k, v): c[k] = v
    keys = [k for k in table if not isinstance(k, Angry)][:20]
    first = repr(steady(get, table, keys)), repr(steady(has, table, keys))
    print(name, len(first[0]), len(first[1]), steady(has, table, keys).count(True))
    if name == "read only": continue
    for turn in range(100):
        for key in keys: put(table, key, turn)
    print([table[key] for key in keys], list(table)[:3] == keys[:3])
    for key in KEYS:
        problem = outcome(put, table, key, "new")
        if problem is not None and not isinstance(key, Angry): print(repr(key), problem)
    print(len(table), outcome(get, table, "a"), outcome(get, table, 1), outcome(get, table, again("日本")))


# What is replaced is released, and its destructor sees the new value; it may change the table meanwhile.
class Loud:
    def __init__(self, table, key, then=None): self.table, self.key, self.then = table, key, then
    def __del__(self):
        log.append((type(self.key).__name__, repr(self.table.get(self.key))[:8]))
        if self.then: self.then()


log = []
for key in ("a", 5, plain[0], int, None, 2**59):
    table = {"a": 0, key: 0, "z": 1}
    for turn in range(50):
        put(table, key, Loud(table, key))
    put(table, key, Loud(table, key, table.clear))
    put(table, key, "last")
    print(repr(key)[:8], len(log), set(log), len(table))
    log.clear()
    for turn in range(50):
        put(table, key, Loud(table, key, lambda: table.update({f"k{i}": i for i in range(100)})))
    put(table, key, "last")
    print(len(log), len(table), table[key])
    log.clear()

# Counts of references: values and keys.
value, key = [1, 2], again("the key")
table = {key: value, 12345678901: value}
before = sys.getrefcount(value), sys.getrefcount(key)
for _ in range(1000):
    get(table, key), get(table, again("the key")), get(table, 12345678901), has(table, key)
    put(table, key, value), put(table, again("the key"), value), put(table, 12345678901, value), fetch(table, key)
print([after - b for after, b in zip((sys.getrefcount(value), sys.getrefcount(key)), before)], next(iter(table)) is key)

# Sequences: positions from both ends, and what is no position.
SEQUENCES = [[], [1], list(range(10)), (), (1,), tuple("abc"), "", "a", "abcé", "日本語", "\x7f\x80", b"", b"a", bytes(range(256)),
             bytearray(b"abc"), range(5), memoryview(b"abc"), Str("abc"), type("L", (list,), {})([1, 2])]
PLACES = [0, 1, 2, -1, -2, -3, 3, 9, 10, -10, -11, 127, 128, 200, 255, 256, -256, -257, 2**30, -2**30, 2**62, 2**63, -2**64, True, False,
          None, 1.0, "a", Int(1), slice(1), slice(-2, None), slice(None, None, -1)]
for sequence in SEQUENCES:
    for warm in range(5):
        seen = [outcome(get, sequence, place) for place in PLACES]
    print(type(sequence).__name__, [repr(s).partition(" at 0x")[0] for s in seen])
item = [1]
for sequence in ([item, item], (item, item)):
    before = sys.getrefcount(item)
    for _ in range(1000): get(sequence, -1), get(sequence, 0), get(sequence, 1)
    print(sys.getrefcount(item) - before)

# Truth and length.
class Sized:
    def __init__(self, n): self.n = n
    def __len__(self): return self.n
class True_:
    def __bool__(self): return False
class NotSized: pass
class List(list):
    def __len__(self): return 5
class Set(set):
    def __bool__(self): return False
class Dict(dict):
    def __len__(self): return 0


CONTAINERS = SEQUENCES + [{}, {1: 2}, set(), {1}, frozenset(), frozenset([1]), {}.keys(), {1: 2}.items(), Sized(0), Sized(3), Sized(-1),
                          Sized(2**64), Sized("x"), True_(), NotSized(), List(), List([1]), Set([1]), Dict(a=1), None, 0, 1, 0.0,
                          iter([]), type, int, Plain, "x" * 1000, list(range(1000)), dict.fromkeys(range(1000)),
                          set(range(1000)), b"x" * 1000, tuple(range(1000))]
for warm in range(30):
    seen = [(outcome(truth, c), outcome(length, c)) for c in CONTAINERS]
for c, these in zip(CONTAINERS, seen):
    print(type(c).__name__, these)
shrinking = {i for i in range(300)}
lengths = []
while shrinking:
    shrinking.pop()
    lengths.append((truth(shrinking), length(shrinking)))
print(lengths[:2], lengths[-2:])
changing = {}
for i in range(300): put(changing, f"k{i}", i)
for i in range(0, 300, 2): del changing[f"k{i}"]
print(length(changing), truth(changing), length(changing.keys()))


# Globals and builtins while keys change, so that no cache of the instruction is good.
SOURCE = "def f(): return name\ndef g(): return len\n"
namespace = {"__builtins__": {"len": "builtin len", "name": "builtin name"}}
exec(SOURCE, namespace)
results = []
for i in range(300):
    namespace[f"other{i}"] = i
    if i % 50 == 10: namespace["name"] = i
    if i % 50 == 20: del namespace["name"]
    if i == 100: del namespace["__builtins__"]["name"]
    if i == 250: namespace["__builtins__"]["name"] = "new builtin"
    if i % 70 == 5: namespace["len"] = "global len"
    if i % 70 == 9: del namespace["len"]
    results.append((outcome(namespace["f"]), outcome(namespace["g"])))
print(results)
gc.collect()
