/* A host that embeds Python: scripts, values and errors across the boundary, both ways, and an interpreter
   that is started and ended more than once. */

#include "host.h"

static const char SCRIPT[] =
    "import host\n"
    "class Account:\n"
    "    def __init__(self, owner, balance=0):\n"
    "        self.owner, self.balance = owner, balance\n"
    "    def deposit(self, amount, *, fee=0):\n"
    "        if amount <= fee:\n"
    "            raise ValueError(f'{self.owner} cannot deposit {amount}')\n"
    "        self.balance += amount - fee\n"
    "        return self\n"
    "    @property\n"
    "    def rich(self): return self.balance > 1000\n"
    "def words(text):\n"
    "    for word in text.split():\n"
    "        got = yield word.title()\n"
    "        if got: yield got * 2\n"
    "    return len(text)\n"
    "def fib(n): return n if n < 2 else fib(n - 1) + fib(n - 2)\n"
    "def calls_back(n): return [host.twice(i) for i in range(n)] + [host.call(lambda x, y=1: x + y, 5)]\n"
    "def fails_in_c():\n"
    "    try:\n"
    "        host.fail('on purpose')\n"
    "    except LookupError as e:\n"
    "        return e.args, e.__traceback__.tb_lineno\n"
    "def deep(n): return host.call(deep, n - 1) + 1 if n else 0\n"
    "async def later(x): return x\n"
    "def match(v):\n"
    "    match v:\n"
    "        case [int(a), {'k': b}]: return a + b\n"
    "        case _: return -1\n"
    "log = []\n"
    "class Logged:\n"
    "    def __enter__(self): log.append('in')\n"
    "    def __exit__(self, *a): log.append('out')\n"
    "    def __del__(self): log.append('gone')\n"
    "with Logged(): log.append('body')\n";

static PyObject *host_twice(PyObject *module, PyObject *arg)
{
    (void)module;
    return PyNumber_Add(arg, arg);
}

static PyObject *host_fail(PyObject *module, PyObject *arg)
{
    (void)module;
    PyErr_SetObject(PyExc_LookupError, arg);
    return NULL;
}

static PyObject *host_call(PyObject *module, PyObject *const *args, Py_ssize_t count)
{
    (void)module;
    if (count == 0) {
        PyErr_SetString(PyExc_TypeError, "call() needs something to call");
        return NULL;
    }
    return PyObject_Vectorcall(args[0], args + 1, (size_t)count - 1, NULL);
}

static PyMethodDef host_methods[] = {
    {"twice", host_twice, METH_O, NULL},
    {"fail", host_fail, METH_O, NULL},
    {"call", (PyCFunction)(void (*)(void))host_call, METH_FASTCALL, NULL},
    {NULL, NULL, 0, NULL},
};

static struct PyModuleDef host_module = {.m_base = PyModuleDef_HEAD_INIT, .m_name = "host", .m_methods = host_methods};

static PyObject *init_host(void)
{
    return PyModuleDef_Init(&host_module);
}

static void script(void)
{
    CHECK(run(SCRIPT) == 0);
    CHECK(number("fib(15)") == 610);
    CHECK(is_true("calls_back(3) == [0, 2, 4, 6]"));
    CHECK(is_true("fails_in_c() == (('on purpose',), 21)"));
    CHECK(number("match([1, {'k': 2}]) * 10 + match(5)") == 29);
    CHECK(is_true("log == ['in', 'body', 'out', 'gone']"));
    CHECK(number("deep(40)") == 40);
}

static void objects(void)
{
    PyObject *type = value("Account");
    PyObject *account = PyObject_CallFunction(type, "si", "Ada", 5);
    if (!CHECK(account != NULL)) {
        return;
    }
    PyObject *same = PyObject_CallMethod(account, "deposit", "i", 100);
    CHECK(same == account);
    Py_XDECREF(same);

    /* deposit(amount, *, fee) by vectorcall with a keyword. */
    PyObject *method = PyObject_GetAttrString(account, "deposit");
    PyObject *names = Py_BuildValue("(s)", "fee");
    PyObject *amount = PyLong_FromLong(1000), *fee = PyLong_FromLong(3);
    PyObject *args[] = {NULL, amount, fee};
    same = PyObject_Vectorcall(method, args + 1, 1 | PY_VECTORCALL_ARGUMENTS_OFFSET, names);
    CHECK(same == account);
    Py_XDECREF(same);
    PyObject *rich = PyObject_GetAttrString(account, "rich");
    CHECK(rich == Py_True);
    Py_XDECREF(rich);

    CHECK(PyObject_CallMethod(account, "deposit", "i", 0) == NULL);
    CHECK(raised(PyExc_ValueError, "Ada cannot deposit 0"));
    CHECK(PyObject_CallMethod(account, "deposit", NULL) == NULL);
    CHECK(raised(PyExc_TypeError, "Account.deposit() missing 1 required positional argument: 'amount'"));
    CHECK(PyObject_Vectorcall(method, args + 1, 2, NULL) == NULL);
    CHECK(raised(PyExc_TypeError, "takes 2 positional arguments but 3 were given"));
    CHECK(PyObject_CallFunction(type, NULL) == NULL);
    CHECK(raised(PyExc_TypeError, "Account.__init__() missing 1 required positional argument: 'owner'"));

    PyObject *arguments = Py_BuildValue("(s)", "Bob");
    PyObject *keywords = Py_BuildValue("{s:i}", "balance", 7);
    PyObject *other = PyObject_Call(type, arguments, keywords);
    CHECK(other != NULL && PyObject_HasAttrString(other, "balance"));
    PyDict_SetItemString(keywords, "nonsense", Py_None);
    CHECK(PyObject_Call(type, arguments, keywords) == NULL);
    CHECK(raised(PyExc_TypeError, "got an unexpected keyword argument 'nonsense'"));
    Py_XDECREF(other);
    Py_DECREF(arguments);
    Py_DECREF(keywords);
    Py_DECREF(amount);
    Py_DECREF(fee);
    Py_DECREF(names);
    Py_DECREF(method);
    CHECK(Py_REFCNT(account) == 1);
    Py_DECREF(account);
    Py_DECREF(type);
}

static void generators(void)
{
    PyObject *generator = value("words('one two three')");
    PyObject *word = PyIter_Next(generator);
    CHECK(word != NULL && PyUnicode_EqualToUTF8(word, "One"));
    Py_XDECREF(word);
    PyObject *sent = PyUnicode_FromString("x"), *result = NULL;
    CHECK(PyIter_Send(generator, sent, &result) == PYGEN_NEXT && PyUnicode_EqualToUTF8(result, "xx"));
    Py_CLEAR(result);
    int count = 0;
    while (PyIter_Send(generator, Py_None, &result) == PYGEN_NEXT) {
        count++;
        Py_CLEAR(result);
    }
    CHECK(count == 2 && result != NULL && PyLong_AsLong(result) == 13);
    Py_CLEAR(result);
    CHECK(PyIter_Next(generator) == NULL && !PyErr_Occurred());
    Py_DECREF(sent);
    Py_DECREF(generator);

    generator = value("words('left alone')");
    Py_XDECREF(PyIter_Next(generator));
    CHECK(PyObject_CallMethod(generator, "throw", "O", PyExc_OSError) == NULL);
    CHECK(raised(PyExc_OSError, ""));
    Py_DECREF(generator);

    PyObject *coroutine = value("later(42)");
    CHECK(PyIter_Send(coroutine, Py_None, &result) == PYGEN_RETURN && PyLong_AsLong(result) == 42);
    Py_CLEAR(result);
    Py_DECREF(coroutine);
}

static void errors(void)
{
    CHECK(value("1 +") == NULL);
    CHECK(raised(PyExc_SyntaxError, "invalid syntax"));
    CHECK(value("undefined_name") == NULL);
    CHECK(raised(PyExc_NameError, "name 'undefined_name' is not defined"));
    CHECK(value("Account('x').deposit(-1)") == NULL);
    CHECK(raised_at_line() == 7);
    CHECK(value("fib('x')") == NULL);
    CHECK(raised(PyExc_TypeError, "'<' not supported between instances of 'str' and 'int'"));
    CHECK(value("host.call(lambda: 1 / 0)") == NULL);
    CHECK(raised(PyExc_ZeroDivisionError, "division by zero"));
    CHECK(value("host.call(host.call)") == NULL);
    CHECK(raised(PyExc_TypeError, "call() needs something to call"));
    CHECK(PyRun_SimpleString("x = 1") == 0);
    CHECK(PyRun_SimpleString("import sys; sys.stderr = None; 1 / 0") == -1);
    CHECK(PyRun_SimpleString("import sys; sys.stderr = sys.__stderr__") == 0);
    /* An exception that C code has set is not lost by running Python. */
    PyErr_SetString(PyExc_KeyError, "kept");
    PyObject *kept = PyErr_GetRaisedException();
    CHECK(number("fib(5)") == 5);
    PyErr_SetRaisedException(kept);
    CHECK(raised(PyExc_KeyError, "kept"));
}

static void code_objects(void)
{
    PyObject *code = Py_CompileString("total = sum(range(n))\n"
                                      "if total > 5:\n"
                                      "    raise OverflowError(total)\n",
                                      "host.py", Py_file_input);
    PyObject *globals = PyDict_New(), *n = PyLong_FromLong(3);
    PyDict_SetItemString(globals, "n", n);
    PyObject *result = PyEval_EvalCode(code, globals, globals);
    CHECK(result == Py_None);
    Py_XDECREF(result);
    PyObject *total = PyDict_GetItemString(globals, "total");
    CHECK(total != NULL && PyLong_AsLong(total) == 3);
    Py_SETREF(n, PyLong_FromLong(10));
    PyDict_SetItemString(globals, "n", n);
    CHECK(PyEval_EvalCode(code, globals, globals) == NULL);
    CHECK(raised_at_line() == 3);
    Py_DECREF(n);
    Py_DECREF(globals);
    Py_DECREF(code);
}

int main(void)
{
    if (PyImport_AppendInittab("host", init_host) < 0) {
        return 2;
    }
    /* Extension modules and static types survive the end of an interpreter; what it evaluates must too. */
    for (int round = 0; round < 3; round++) {
        start_python();
        script();
        objects();
        generators();
        errors();
        code_objects();
        CHECK(run("import atexit, threading\n"
                  "atexit.register(fib, 5)\n"
                  "keep = words('suspended at the end'); next(keep)\n"
                  "t = threading.Thread(target=fib, args=(12,)); t.start()\n") == 0);
        CHECK(Py_FinalizeEx() == 0);
        CHECK(!Py_IsInitialized());
    }
    return results();
}
