# Every form of import, hooks, caches, and the wording of each failure.
import builtins
import os
import sys
import tempfile
import types

import os.path as p
import xml.dom.minidom as md, json
from collections import OrderedDict as OD, deque
from xml.dom import minidom
import collections.abc

print(p is os.path, md is minidom, OD.__name__, deque.__name__, collections.abc.__name__, json.__name__)
directory = tempfile.mkdtemp()
files = {"alpha.py": "import beta\nx = 1\n_hidden = 2\n", "beta.py": "import alpha\nfrom alpha import y\n", "star.py": "__all__ = ['a', 'missing']\na = 1\n",
         "star2.py": "a, _b, c = 1, 2, 3\n", "star3.py": "__all__ = ['a', 5]\na = 1\n", "fails.py": "before = 1\n1 / 0\n", "syntax.py": "def f(:\n",
         "pkg/__init__.py": "from . import sub\nfrom .sub import value\nname = __name__\ndef __getattr__(n):\n    if n == 'dynamic': return 'made'\n    raise AttributeError(n)\n",
         "pkg/sub.py": "value = 'sub value'\n", "pkg/up.py": "from ... import x\n", "pkg/rel.py": "from .sub import nope\n",
         "pkg/inner/__init__.py": "", "pkg/inner/deep.py": "from ..sub import value\nfrom . import __name__ as where\nimport pkg.sub as s\n", "random_shadow.py": "import random_shadow\nrandom_shadow.thing\n",
         "slotted.py": "import sys\nclass M:\n    __all__ = ['q']\n    q = 'from an object'\nsys.modules[__name__] = M()\n", "notmod.py": "import sys\nsys.modules[__name__] = 5\n"}
for name, text in files.items():
    path = os.path.join(directory, name)
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "w") as f:
        f.write(text)
sys.path.insert(0, directory)
statements = """
from os import *; print(getcwd is sys.modules['os'].getcwd)
import alpha
from alpha import x, _hidden
import star; print(star.a)
from star import *
from star2 import *; print(a, c, '_b' in globals())
from star3 import *
import fails
import fails
import syntax
import no_such_module
import os.no_such
import json.no_such.deeper
from no_such import x
from os import no_such_name
from os import getcwd, no_such_name
from json import decoder as d; print(d.__name__)
import pkg; print(pkg.name, pkg.value, pkg.sub.value)
from pkg import dynamic; print(dynamic)
from pkg import not_dynamic
import pkg.up
import pkg.rel
import pkg.inner.deep as deep; print(deep.value, deep.where, deep.s.value)
import pkg.inner.deep; print(pkg.inner.deep.value)
from pkg.inner import deep
from . import x
from .. import x
from .sibling import x
import random_shadow
from slotted import *; print(q)
from slotted import q, r
import slotted; print(type(slotted).__name__)
from notmod import real, nothing
from notmod import *
from sys import path as sp, modules; print(sp is sys.path)
from typing import nope
import xml.nope as n
""".strip().splitlines()


def clean(text):
    return str(text).replace(directory, "<dir>").replace(os.path.dirname(os.__file__), "<lib>")


for statement in statements:
    scope = {"__name__": "scope", "sys": sys}
    try:
        exec(statement, scope)
        print(statement, "ok")
    except BaseException as e:
        print(statement, "->", type(e).__name__, clean(e), getattr(e, "name", ""), getattr(e, "name_from", ""), clean(getattr(e, "path", "")))

calls = []
original = builtins.__import__


def tracing(name, globals=None, locals=None, fromlist=(), level=0):
    calls.append((name, type(globals).__name__, locals is None, fromlist, level))
    return original(name, globals, locals, fromlist, level)


builtins.__import__ = tracing


def inside():
    import os.path
    import os.path as q
    from os import path, sep as s
    return os, q, path, s


inside()


class Body:
    import json as attribute


exec("import sys\nfrom pkg import sub\nfrom os.path import join as j", {"__package__": "some"})
builtins.__import__ = lambda *a: types.SimpleNamespace(attr="fake")
from anything import attr
import whatever
print(attr, whatever)
for statement in ("from anything import other", "import a.b.c as d"):
    try:
        exec(statement)
    except Exception as e:
        print(statement, type(e).__name__, e)
del builtins.__import__
try:
    exec("import sys")
except ImportError as e:
    builtins.__import__ = original
    print(e)
builtins.__import__ = original
for call in calls:
    print(call)
try:
    exec("import sys", {"__builtins__": {}})
except ImportError as e:
    print(e)
exec("import sys; r = sys", {"__builtins__": {"__import__": lambda *a: print("own import", a[0])}})
sys.modules["blocked"] = None
for statement in ("import blocked", "from blocked import x", "import pkg.blocked"):
    try:
        exec(statement)
    except ImportError as e:
        print(type(e).__name__, e)
import threading as _t; print(_t.__name__)
import shutil
shutil.rmtree(directory)
