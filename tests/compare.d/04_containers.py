# options: -I -S
l = [1, 2, 3]
t = (1, *l, 2)
s = {1, *l, 9}
d = {"a": 1, **{"b": 2}, "c": 3}
print(l, t, sorted(s), d, [*t, *l], (*l,), {**d, "a": 0}, [], (), {}, set())
print([1, 2, 3, 4, 5, 6, 7], {"p", }, (1, 2, 3), frozenset({1}))
l[0] = 10
l[-1] += 5
d["z"] = 26
del d["a"], l[1]
print(l, d, t[1:3], t[::-1], t[:-1:2], "hello"[1:4])
l[1:1] = [7, 8, 9]
l[::2] = [0] * len(l[::2])
print(l)
del l[1:3]
print(l)
grid = [[0] * 3 for _ in range(2)]
grid[1][2] = 5
grid[1][2] -= 2
print(grid)


class Sub:
    def __getitem__(self, k):
        return k

    def __setitem__(self, k, v):
        print("set", k, v)

    def __delitem__(self, k):
        print("del", k)


o = Sub()
print(o[1], o[1:2], o[1:2, ::3, ...], o[()])
o[1:2] = 3
o[1, 2] = 4
o[::2] += 5 if False else (slice(None),) and type("S", (), {"__radd__": lambda self, other: "sum"})()
del o[5], o[1:2]
for bad in ("l[10]", "l['a']", "d['missing']", "t['a']", "1[0]", "None[0]", "l[1:2:0]", "'abc'[9]"):
    try:
        eval(bad)
    except Exception as e:
        print(bad, type(e).__name__, e)
for bad in ("t[0] = 1", "del t[0]", "l[9] = 1", "del l[9]", "del d['q']", "x = {[]: 1}", "x = {**1}", "x = [*1]",
            "x = {[]}", "x = (*1,)", "x = {*1}", "1[0] = 2", "del 1 .x", "x = {**{}, **[]}"):
    try:
        exec(bad)
    except Exception as e:
        print(bad, type(e).__name__, e)
