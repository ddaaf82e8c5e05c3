# status: 1
# f-strings and t-strings: conversions, formats, nesting, debugging form, objects and failures.
import string.templatelib as tl


class Fmt:
    def __format__(self, spec): return f"<{spec}>"
    def __repr__(self): return "repr"
    def __str__(self): return "str"


class Bad:
    def __format__(self, spec): return 5
    def __repr__(self): return 6
    def __str__(self): raise ValueError("no str")


class StrSub(str):
    def __format__(self, spec): return "formatted sub"


a, b, s, o = 5, 2.5, "text", Fmt()
width, prec = 10, 3
print(f"", f"plain", f"{a}", f"{a}{b}", f"<{a!r}|{s!r}|{s!s}|{'é'!a}>", f"{o}{o!r}{o!s}{o!a}{o:spec}{o!r:>8}")
print(f"{a:5}|{b:.3f}|{b:{width}.{prec}}|{s:^{width}}|{a:{'>'}{width}}|{a:#x}|{a:{'x'}}")
print(f"{a=}|{a = }|{b=:.2f}|{s=!s}|{o=}|{a + b = :>8}|{{literal}}|{'nested ' + f'{a} {f'{b}'}'}")
print(f"{s[1:3]} {(lambda: 1)()}")
print(f"{a}" "joined" f"{b}", f"{'a' 'b'}", rf"\n{a}", f"\N{BULLET}{a}\t{b}", f'''multi
{a
 + 1}
line''')
print(f"{StrSub('x')}", f"{StrSub('x'):}", f"{StrSub('x'):s}", f"{s}", type(f"{StrSub('x')!s}").__name__, f"{None} {True} {...} {1j} {b'x'}")
print(f"{10 ** 20:,}", f"{-3:+d}", f"{1e10:g}", f"{True:d}", f"{255:b}", f"{'x':*<5}", f"{a:%}")
n = 0


def count():
    global n
    n += 1
    return n


print(f"{count()}{count():{count()}}{count()!r}")
bad = ["f'{Bad()}'", "f'{Bad()!r}'", "f'{Bad()!s}'", "f'{Bad()!a}'", "f'{a:s}'", "f'{s:d}'", "f'{[]:5}'", "f'{None:5}'", "f'{undefined}'", "f'{1 / 0}'", "f'{a:{1 / 0}}'",
       "f'{a:{b}}'", "f'{b:10000000000000000000d}'", "f'{a!x}'", "f'{}'", "f'{a'", "f'}'", "f'{a:{b:{s:{o}}}}'", "t'{1 / 0}'", "t'{undefined:spec}'", "t'{a:{1 / 0}}'",
       "t'{Bad()!r}'", "t'x' + 'y'", "'x' + t'y'", "t'{a}' 'b'", "f'{a}' + t'{b}'", "t'{a}' + 5"]
for text in bad:
    try:
        print(text, "=", eval(text))
    except Exception as e:
        print(text, "->", type(e).__name__, e)


def show(t):
    print(t.strings, t.values, [(i.value, i.expression, i.conversion, i.format_spec) for i in t.interpolations])
    print([type(part).__name__ for part in t])


for t in (t"", t"plain", t"{a}", t"{a}{b}", t"<{a!r}|{s!s:>5}|{o!a}>", t"{a:{width}.{prec}}", t"{a=}", t"{a + b = :>8}", t"{'nested'}{t'inner {a}'}", t"a" t"b{a}" t"c",
          t"{a}" + t"{b}", rt"\n{a}", t"{{}}{a}", t"{ a  }", t"{f'{a}'}", t"{(lambda: a)()}", t"{a!r:{s!r}}"):
    show(t)
print(type(t"") is tl.Template, tl.Interpolation(1, "x", "r", "f").conversion, isinstance(t"{a}".interpolations[0], tl.Interpolation))


def loop(n):
    out = []
    for i in range(n):
        out.append(f"{i}:{i * 2!r:>3}{s}{i / 2:.1f}" + f"{i}")
        if i % 10 == 0:
            show(t"{i}-{i!r:x}")
    return hash(tuple(out)), out[-1]


print(loop(60)[1])
print("%s %r %a %5d %.2f %%" % (s, s, "é", a, b), "{} {a!r:>6}".format(1, a="k"), "%(x)s" % {"x": 1}, "%s" % s, "%s%s" % (a, b))
for text in ("'%s' % ()", "'%d' % 'x'", "'%s' % (1, 2)", "'%(a)s' % 5", "'%q' % 1"):
    try:
        print(eval(text))
    except Exception as e:
        print(text, type(e).__name__, e)
f"{Bad()!s}"
