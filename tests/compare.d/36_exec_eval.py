# Code run from strings and code objects: eval, exec, compile, closures, replaced code, locals().
import ast
import sys
import types

x = "module"
print(eval("x"), eval("x", {"x": 1}), eval("x", {"x": 1}, {"x": 2}), eval(" x + '!'"), eval(compile("x * 2", "f", "eval")))
exec("y = x; print(y)")
exec("def made(a): return a, x\nprint(made(1))", {"x": "dict"})
for text in ("eval('1 +')", "eval('x = 1')", "exec('return 1')", "exec('yield 1')", "exec('break')", "eval(5)", "exec(5)", "eval('a', 5)", "exec('a', {}, 5)", "eval('\\x00')",
             "compile('a', 'f', 'nope')", "exec('nonlocal x')", "exec('await y')", "eval('(yield)')", "exec(b'print(1)')", "eval(bytearray(b'2 + 2'))", "exec('a\\n  b')",
             "eval(compile('a = 1', 'f', 'exec'))", "compile('1', 'f', 'single')", "exec('assert False', {})", "exec('x: int = 1; print(__annotations__)', {})"):
    try:
        r = eval(text)
        print(text, r if not isinstance(r, types.CodeType) else r.co_name)
    except BaseException as e:
        print(text, "->", type(e).__name__, e)
exec(compile("1 + 1\n", "f", "single"))
exec(compile("None", "f", "single"))
sys.displayhook = lambda v: print("displayed", v)
exec(compile("'shown'", "f", "single"))
del sys.displayhook
try:
    exec(compile("1", "f", "single"))
except RuntimeError as e:
    print(e)
sys.displayhook = sys.__displayhook__


def outer():
    a, b = 1, 2

    def inner():
        nonlocal a
        a += b
        return a
    return inner


inner = outer()
cells = inner.__closure__
exec(inner.__code__, closure=cells)
print([c.cell_contents for c in cells], inner())
for kwargs in ({}, {"closure": ()}, {"closure": cells[:1]}, {"closure": list(cells)}, {"closure": (1, 2)}):
    try:
        exec(inner.__code__, **kwargs)
    except Exception as e:
        print(type(e).__name__, e)
try:
    exec("1", closure=cells)
except TypeError as e:
    print(e)
try:
    eval(inner.__code__)
except TypeError as e:
    print(e)


def locals_():
    a = 1
    l = locals()
    b = 2
    l["a"] = "changed"
    exec("a = 'exec'; c = 3")
    exec("d = 4", None, l)
    return a, sorted(l), sorted(locals()), eval("a + b")


print(locals_())
f = types.FunctionType(compile("lambda q: q + z", "f", "eval").co_consts[0], {"z": 10}, "named", (5,))
print(f(), f(1), f.__name__)
try:
    types.FunctionType(inner.__code__, {})
except TypeError as e:
    print(e)
print(types.FunctionType(inner.__code__, {}, None, None, (types.CellType(5), types.CellType(6)))())


def swap(): return "first"
def other(a=1): return "second", a


for i in range(50):
    if i == 25:
        swap.__code__ = other.__code__
        swap.__defaults__ = ("default",)
    r = swap()
print(r)
try:
    swap.__code__ = inner.__code__
except ValueError as e:
    print(e)
code = other.__code__.replace(co_consts=tuple("replaced" if c == "second" else c for c in other.__code__.co_consts), co_name="renamed")
other.__code__ = code
print(other(), code.co_name)


def with_docs():
    "doc"
    return with_docs.__doc__


print(with_docs(), eval(compile(ast.parse("[i for i in range(3)]", mode="eval"), "f", "eval")))
tree = ast.parse("a = 1\nb = [a, a + 1]\nprint(b)")
exec(compile(tree, "tree", "exec"))
exec("async def co():\n    return await other_co()\nasync def other_co(): return 5\ntry: co().send(None)\nexcept StopIteration as e: print(e.value)")
flags = ast.PyCF_ALLOW_TOP_LEVEL_AWAIT
code = compile("r = await aw()\nprint(r)", "f", "exec", flags)


async def aw(): return "awaited at top level"


try:
    eval(code).send(None)
except StopIteration:
    pass
print(code.co_flags & 0x80)
for optimize in (0, 1, 2):
    scope = {}
    exec(compile("def f():\n    'doc'\n    assert 0, 'a'\n    return __debug__\ntry: r = f()\nexcept AssertionError as e: r = 'assert ' + str(e)\nd = f.__doc__", "f", "exec", optimize=optimize), scope)
    print(optimize, scope["r"], scope["d"])
sys.audit("test.event", 1)
hooked = []
sys.addaudithook(lambda name, args: hooked.append(name) if name in ("exec", "compile") else None)
eval("1")
exec("2")
print(hooked)
print(list(map(eval, ["1", "x", "(lambda: x)()"])), [eval("x") for _ in range(2)])


def nested():
    free = "free"
    return [eval("free", globals(), locals()) for _ in (free,)], (lambda: eval("free") if free else 0)()


print(nested())
print(eval("__import__('sys')._getframe().f_code.co_name"), eval("[(lambda: i)() for i in range(2)]"), eval("locals() is globals()"))
