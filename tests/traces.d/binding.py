# environment: PYTHON_JIT_SIDE_EXIT_INITIAL_VALUE=1 PYTHON_JIT_SIDE_EXIT_INITIAL_BACKOFF=1
"""Calls whose arguments do not fit the parameters as they are: defaults and keywords. Calls of `__getitem__`."""

import gc
import sys
import weakref


class Value:
    def __init__(self, name):
        self.name = name

    def __repr__(self):
        return f"<{self.name}>"


def plain(a, b=2, c="c", *, d=4, e=None):
    return a, b, c, d, e


def all_required(a, b, *, c):
    return a, b, c


def positional_only(a, b=5, /, c=6):
    return a, b, c


def variable(a, *rest, b=3, **others):
    return a, rest, b, others


def make(default):
    def inner(x, y=default, z=(default,)):
        return x, y, z
    return inner


class Methods:
    default = Value("class")

    def method(self, a, b=default, *, c=7):
        return self.__class__.__name__, a, b, c

    @classmethod
    def of_class(cls, a, b=8):
        return cls.__name__, a, b

    @staticmethod
    def of_nothing(a, b=9):
        return a, b

    def __call__(self, a=1, b=2):
        return "called", a, b


CALLS = (
    "plain(1)", "plain(1, 3)", "plain(1, c=5)", "plain(a=1)", "plain(1, d=6)", "plain(1, e=7, d=8, b=9)", "plain(1, 2, 3, d=4, e=5)",
    "plain()", "plain(1, a=2)", "plain(1, x=2)", "plain(1, 2, 3, 4)", "plain(d=1)",
    "all_required(1, 2, c=3)", "all_required(1, c=3, b=2)", "all_required(1, 2)", "all_required(c=1, b=2, a=3)",
    "positional_only(1)", "positional_only(1, 2, c=3)", "positional_only(a=1)", "positional_only(1, b=2)",
    "variable(1)", "variable(1, 2, 3, b=4, x=5)",
    "object.method(1)", "object.method(1, c=2)", "object.method(b=1, a=2)", "object.method()", "object.of_class(1)",
    "object.of_class(b=1, a=2)", "object.of_nothing(1)", "object()", "object(b=3)", "object(1)", "bound(1)", "bound(1, c=3)", "bound(2, 3)",
    "inner(1)", "inner(1, z=2)", "inner(z=1, x=2)",
)


def calls():
    object = Methods()
    for call in CALLS:
        namespace = dict(globals(), object=object, bound=object.method, inner=make(Value("made")))
        exec(f"def work():\n    result = None\n    for _ in range(60):\n        result = {call}\n    return result\n", namespace)
        try:
            print(call, namespace["work"]())
        except Exception as error:
            print(call, type(error).__name__, error, error.__traceback__.tb_next.tb_lineno)


def work_with(function):
    result = []
    for number in range(60):
        result.append(function(number))
    return result[-1], len(result)


def different_functions_of_one_code():
    """They have the same code, but other defaults."""
    functions = [make(Value(str(number))) for number in range(8)]
    for function in functions:
        print(work_with(function))
    seen = []
    for number in range(80):
        seen.append(functions[number % 8](number)[1])
    print(seen[:10])
    functions[3].__defaults__ = (1,)
    functions[4].__defaults__ = None
    functions[5].__defaults__ = (1, 2, 3)
    for function in functions:
        try:
            print(work_with(function))
        except TypeError as error:
            print(error)


def changing_defaults():
    def function(a, b=1, *, c=2):
        return a, b, c

    def run():
        last = None
        for number in range(60):
            last = function(number)
        return last

    print(run())
    function.__defaults__ = (10,)
    print(run())
    function.__kwdefaults__ = {"c": 20}
    print(run())
    function.__kwdefaults__ = None
    try:
        print(run())
    except TypeError as error:
        print(error)
    function.__kwdefaults__ = {"c": 30}
    function.__code__ = (lambda a, b=0, *, c=0: (c, b, a)).__code__
    print(run())


def defaults_that_end():
    """The defaults are replaced while a call that uses one of them runs."""
    ended = []

    class Loud:
        def __del__(self):
            ended.append("ended")

    def function(a, b=Loud()):
        if a == 50:
            function.__defaults__ = (None,)
            gc.collect()
            ended.append(type(b).__name__)
        return b

    kinds = set()
    for number in range(70):
        kinds.add(type(function(number)).__name__)
    print(sorted(kinds), ended)


def counts_of_references():
    default = Value("default")

    def function(a, b=default, c=None):
        return b if a % 2 else c

    before = sys.getrefcount(default)
    for number in range(200):
        function(number)
        function(number, c=default)
        function(a=number, b=default)
    print(sys.getrefcount(default) - before)


def frames_are_there():
    def function(a, b=5, *, c):
        frame = sys._getframe()
        return frame.f_code.co_name, dict(frame.f_locals), frame.f_back.f_code.co_name

    last = None
    for number in range(60):
        last = function(number, c=number + 1)
    print({name: value for name, value in last[1].items() if name != "frame"}, last[0], last[2])


def deep(number, step=1, *, limit=0):
    if number <= limit:
        return 0
    return 1 + deep(number - step, limit=limit)


def recursion():
    print([deep(number) for number in (0, 1, 5, 50, 300)])
    print([deep(number, 1, limit=3) for number in (0, 5, 50)])
    try:
        deep(10 ** 6)
    except RecursionError as error:
        print(str(error)[:40])


class Row:
    def __init__(self, items):
        self.items = items

    def __getitem__(self, index):
        return self.items[index]


class Grid:
    def __init__(self, width, height):
        self.width = width
        self.rows = [Row(list(range(width))) for _ in range(height)]

    def __getitem__(self, index):
        if isinstance(index, tuple):
            return self.rows[index[1]][index[0]]
        return self.rows[index]


class Default(Row):
    def __getitem__(self, index, other=5):
        return index, other


def items():
    grid = Grid(7, 5)
    total = 0
    for step in range(300):
        total += grid[step % 7, step % 5] + grid[step % 5][step % 7]
    print(total)
    row, other = Row([1, 2, 3]), Default([1])
    seen = []
    for step in range(90):
        which = row if step < 60 else other
        seen.append(which[step % 3])
    print(seen[-4:])
    try:
        for step in range(60):
            row[step]
    except IndexError as error:
        print(error, step)
    print(sum(row[step % 3] for step in range(60)))
    Row.__getitem__ = lambda self, index: index * 100
    print(sum(row[step % 3] for step in range(60)))
    Row.__getitem__.__code__ = (lambda self, index: -index).__code__
    print(sum(row[step % 3] for step in range(60)))
    del Row.__getitem__
    try:
        row[1]
    except TypeError as error:
        print(error)


def items_that_end():
    ended = []

    class Loud:
        def __getitem__(self, index):
            return index

        def __del__(self):
            ended.append(sys._getframe(1).f_code.co_name)

    for number in range(60):
        Loud()[number]
    print(len(ended), set(ended))


calls()
different_functions_of_one_code()
changing_defaults()
defaults_that_end()
counts_of_references()
frames_are_there()
recursion()
items()
items_that_end()
