# status: 1
# Code so long that arguments and jumps need EXTENDED_ARG, wide stacks, deep nesting, many of everything.
N = 700
names = [f"v{i}" for i in range(N)]


def run(source, *a):
    scope = {"__name__": "long"}
    exec(source, scope)
    return scope["f"](*a)


body = "\n".join(f"    {n} = {i}" for i, n in enumerate(names))
print(run(f"def f():\n{body}\n    return v0 + v{N - 1}, len(locals())"))
print(sum(run(f"def f({', '.join(names)}): return ({', '.join(names)})", *range(N))))
print(sum(run(f"def f({', '.join(n + '=' + n[1:] for n in names)}): return ({', '.join(names)})")))
print(len(run(f"def f(**kw): return kw\nf = lambda g=f: g({', '.join(n + '=1' for n in names)})")))
print(len(run(f"def f(): return [{', '.join(repr(n) for n in names)}]")), len(run(f"def f(): return {{{', '.join(f'{n!r}: {n[1:]}' for n in names)}}}")))
print(sum(run(f"def f(): return [{', '.join(f'(lambda: {i})()' for i in range(N))}]")))
print(run(f"def f(n):\n    for i in range(n):\n        x = i\n{chr(10).join(f'        if x == {i} + 1000: return {i}' for i in range(N))}\n    return x", 5))
print(run(f"def f(n):\n    while n:\n        n -= 1\n{chr(10).join(f'        if n == {i}: y = {i}; continue' for i in range(N))}\n    return y", N))
print(run(f"def f(x):\n    try:\n{chr(10).join(f'        x += {i}' for i in range(N))}\n        x / 0\n    except ZeroDivisionError:\n        return x", 1))
print(run(f"def f():\n{body}\n    def g(): return {' + '.join(names)}\n    return g()"))
print(run("def f(o):\n" + "\n".join(f"    o.{n} = {i}" for i, n in enumerate(names)) + "\n    return " + " + ".join(f"o.{n}" for n in names), type("O", (), {})()))
print(run("\n".join(f"{n} = {i}" for i, n in enumerate(names)) + f"\ndef f(): return {' + '.join(names)}"))
print(len(run("def f(): return f'" + "".join(f"{{{i}}}" for i in range(N)) + "'")))
print(run(f"def f(): return {' + '.join(f'{i}.5' for i in range(N))}"))
print(run("def f(x):\n    match x:\n" + "\n".join(f"        case {i}: return 'case {i}'" for i in range(N)), N - 1))
print(run("def f(x):\n    " + ", ".join(names) + " = x\n    return v5 + v600", range(N)))
print(run("def f(x):\n    " + ", ".join(names[:200]) + ", *rest, " + ", ".join(names[200:]) + " = x\n    return v5 + v600, len(rest)", range(N + 10)))
print(run("class C:\n" + "\n".join(f"    {n} = {i}" for i, n in enumerate(names)) + "\nf = lambda: sum(v for k, v in vars(C).items() if k[0] == 'v')"))
print(run("def f(): return " + "(" * 80 + "1" + ",)" * 80) != ())
print(run("def f(): return " + "[" * 80 + "1" + "]" * 80)[0] != 1)
print(run("def f(n):\n" + "".join("    " * (i + 1) + f"for i{i} in (n,):\n" for i in range(18)) + "    " * 19 + "r = i17\n    return r", 9))
print(run("def f():\n" + "".join("    " * (i + 1) + "try:\n" for i in range(9)) + "    " * 10 + "1 / 0\n" + "".join("    " * i + f"except KeyError: pass\n" + "    " * i + "finally: done.append(1)\n" for i in range(9, 0, -1)) + "done = []\ng = f\ndef f():\n    try: g()\n    except ZeroDivisionError: return len(done)"))
print(run("def f():\n    def gen():\n" + "\n".join(f"        yield {i}" for i in range(N)) + "\n    return sum(gen())"))
print(run("def f(): return " + " if 0 else ".join(map(str, range(N // 7)))), run("def f(x): return " + " and ".join(["x"] * N), 3), run("def f(x): return " + " < ".join(f"(x + {i})" for i in range(N)), 3))
print(run("def f(*a): return len(a)\ng = f\nf = lambda: g(" + ", ".join("*(1, 2)" if i % 3 else "0" for i in range(N)) + ")"))
print(run("async def c(): return 1\nasync def m():\n    x = 0\n" + "\n".join("    x += await c()" for _ in range(N)) + "\n    return x\ndef f():\n    try: m().send(None)\n    except StopIteration as e: return e.value"))
source = "def f(n):\n    total = 0\n    for i in range(n):\n" + "\n".join(f"        total += i * {i} % 7" for i in range(N)) + "\n    return total"
print([run(source, n) for n in (1, 50)])
import sys
events = []
scope = {}
exec(source, scope)
sys.settrace(lambda frame, event, arg: (events.append(frame.f_lineno), sys.gettrace())[1])
scope["f"](1)
sys.settrace(None)
print(len(events), sum(events))
mon = sys.monitoring
mon.use_tool_id(3, "long")
count = [0, 0]
mon.register_callback(3, mon.events.INSTRUCTION, lambda code, offset: count.__setitem__(0, count[0] + 1))
mon.register_callback(3, mon.events.LINE, lambda code, line: count.__setitem__(1, count[1] + line))
mon.set_local_events(3, scope["f"].__code__, mon.events.INSTRUCTION | mon.events.LINE)
print(scope["f"](2))
mon.set_local_events(3, scope["f"].__code__, 0)
mon.free_tool_id(3)
print(count, scope["f"](2))
big = "x = 0\n" + "\n".join(f"if x == {i}: x += 1" for i in range(5000)) + "\n"
scope = {}
exec(big, scope)
print(scope["x"])
run("def f(x):\n" + "\n" * 3000 + "    try:\n" + "\n".join(f"        x.attr{i} = {i}" for i in range(300)) + "\n    finally:\n" + "\n" * 500 + "        x = None / 1", type("O", (), {})())
