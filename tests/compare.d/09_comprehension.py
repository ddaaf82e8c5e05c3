# options: -I -S
print([i * i for i in range(6) if i % 2], {i % 3 for i in range(9)}, {k: v for k, v in zip("abc", range(3))})
print([[j for j in range(i)] for i in range(4)], [(i, j) for i in range(3) for j in range(i) if i + j != 2])
print([x for x, in [(1,), (2,)]], [*(y for y in "ab")], [lambda: q for q in range(2)][0]())


def f(n):
    i = "kept"
    out = [i for i in range(n)]
    return i, out, [[i + j for j in out] for i in out if i]


print(f(3))


class C:
    items = [1, 2]
    doubled = [i * 2 for i in items]
    pairs = [(i, j) for i in items for j in (1, 2)]


print(C.doubled, C.pairs, hasattr(C, "i"))
for bad in ("[1/0 for _ in [1]]", "[i for i in 5]", "{[]: 1 for _ in [1]}", "{[] for _ in [1]}", "[undefined for _ in [1]]",
            "[i for i in [1] if i.x]", "[a for a, b in [(1,)]]"):
    try:
        print(eval(bad))
    except Exception as e:
        print(bad, type(e).__name__, e)


def shadow():
    try:
        [x for x in [1, 2, 3] if 1 // (x - 2)]
    except ZeroDivisionError:
        pass
    try:
        return x
    except NameError as e:
        return str(e)


print(shadow())


def cells():
    fs = [lambda: (a, b) for a in range(2) for b in range(2)]
    return [f() for f in fs], [(z := a) for a in range(3)], z


print(cells())
print(sum(x for x in range(10) if x % 2), all(x < 5 for x in range(5)), any(x > 5 for x in range(5)), max((x for x in "hello")))
print([i for i in [j for j in range(3)]], {**{k: 1 for k in "xy"}}, tuple(c for c in "abc"))
print((lambda: [locals() for a in [1]])()[0])
