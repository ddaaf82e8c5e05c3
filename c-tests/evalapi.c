/* The C API of the evaluator itself: code objects run from C, trace and profile functions written in C, another
   frame evaluator (PEP 523), what C code can ask about the frame that runs, limits and interruptions. */

#include "host.h"
#include <frameobject.h>

static PyObject *function_code(const char *name)
{
    PyObject *function = value(name);
    PyObject *code = Py_NewRef(PyFunction_GetCode(function));
    Py_DECREF(function);
    return code;
}

static void eval_code(void)
{
    PyObject *globals = PyDict_New(), *locals = PyDict_New();
    PyObject *code = Py_CompileString("x = 5\ndef f(): return x\n", "eval.py", Py_file_input);
    PyObject *result = PyEval_EvalCode(code, globals, locals);
    CHECK(result == Py_None);
    Py_XDECREF(result);
    CHECK(PyDict_GetItemString(locals, "x") != NULL && PyDict_GetItemString(globals, "x") == NULL);
    PyObject *f = PyDict_GetItemString(locals, "f");
    CHECK(f != NULL && PyObject_CallNoArgs(f) == NULL);
    CHECK(raised(PyExc_NameError, "'x'"));
    Py_DECREF(code);

    /* Locals that are no dict. */
    CHECK(run("class Upper(dict):\n"
              "    def __setitem__(self, k, v): super().__setitem__(k.upper(), v)\n") == 0);
    PyObject *mapping = value("Upper()");
    code = Py_CompileString("a = 1\nb = 2\n", "eval.py", Py_file_input);
    result = PyEval_EvalCode(code, globals, mapping);
    CHECK(result == Py_None);
    CHECK(PyDict_GetItemString(mapping, "B") != NULL && PyDict_GetItemString(mapping, "b") == NULL);
    Py_XDECREF(result);
    Py_DECREF(code);
    Py_DECREF(mapping);

    code = Py_CompileString("(lambda n: n * 2)(21)", "eval.py", Py_eval_input);
    result = PyEval_EvalCode(code, globals, locals);
    CHECK(result != NULL && PyLong_AsLong(result) == 42);
    Py_XDECREF(result);
    Py_DECREF(code);
    Py_DECREF(globals);
    Py_DECREF(locals);
}

static void eval_code_ex(void)
{
    CHECK(run("def full(a, b=2, /, c=3, *args, d, e=5, **kw): return a, b, c, args, d, e, kw\n"
              "def make(v):\n"
              "    def closed(x): return v, x\n"
              "    return closed\n"
              "closed = make('cell')\n") == 0);
    PyObject *globals = PyModule_GetDict(PyImport_AddModule("__main__"));
    PyObject *code = function_code("full");
    PyObject *n[8];
    for (int i = 0; i < 8; i++) {
        n[i] = PyLong_FromLong(i);
    }
    PyObject *d = PyUnicode_FromString("d"), *z = PyUnicode_FromString("z"), *c = PyUnicode_FromString("c");
    PyObject *kwdefaults = Py_BuildValue("{s:i}", "e", 50);
    PyObject *defaults[] = {n[2], n[3]};

    PyObject *positional[] = {n[1], n[2], n[3], n[4], n[5]};
    PyObject *keywords[] = {d, n[6], z, n[7]};
    PyObject *result = PyEval_EvalCodeEx(code, globals, NULL, positional, 5, keywords, 2, defaults, 2,
                                         kwdefaults, NULL);
    PyObject *wanted = Py_BuildValue("iii(ii)ii{s:i}", 1, 2, 3, 4, 5, 6, 50, "z", 7);
    CHECK(result != NULL && PyObject_RichCompareBool(result, wanted, Py_EQ) == 1);
    Py_XDECREF(result);
    Py_DECREF(wanted);

    result = PyEval_EvalCodeEx(code, globals, NULL, positional, 1, keywords, 1, defaults, 2, kwdefaults, NULL);
    wanted = Py_BuildValue("iii()ii{}", 1, 2, 3, 6, 50);
    CHECK(result != NULL && PyObject_RichCompareBool(result, wanted, Py_EQ) == 1);
    Py_XDECREF(result);
    Py_DECREF(wanted);

    CHECK(PyEval_EvalCodeEx(code, globals, NULL, NULL, 0, keywords, 1, defaults, 2, kwdefaults, NULL) == NULL);
    CHECK(raised(PyExc_TypeError, "full() missing 1 required positional argument: 'a'"));
    CHECK(PyEval_EvalCodeEx(code, globals, NULL, positional, 1, NULL, 0, defaults, 2, kwdefaults, NULL) == NULL);
    CHECK(raised(PyExc_TypeError, "full() missing 1 required keyword-only argument: 'd'"));
    CHECK(PyEval_EvalCodeEx(code, globals, NULL, positional, 1, keywords, 1, defaults, 2, NULL, NULL) == NULL);
    CHECK(raised(PyExc_TypeError, "full() missing 1 required keyword-only argument: 'e'"));
    CHECK(PyEval_EvalCodeEx(code, globals, NULL, positional, 1, keywords, 1, NULL, 0, kwdefaults, NULL) == NULL);
    CHECK(raised(PyExc_TypeError, "full() missing 2 required positional arguments: 'b' and 'c'"));
    PyObject *twice[] = {c, n[3], d, n[6]};
    CHECK(PyEval_EvalCodeEx(code, globals, NULL, positional, 3, twice, 2, defaults, 2, kwdefaults, NULL) == NULL);
    CHECK(raised(PyExc_TypeError, "full() got multiple values for argument 'c'"));
    Py_DECREF(code);

    /* A closure comes as a tuple of cells. */
    code = function_code("closed");
    PyObject *closed = value("closed");
    PyObject *closure = PyFunction_GetClosure(closed);
    result = PyEval_EvalCodeEx(code, globals, NULL, positional, 1, NULL, 0, NULL, 0, NULL, closure);
    wanted = Py_BuildValue("si", "cell", 1);
    CHECK(result != NULL && PyObject_RichCompareBool(result, wanted, Py_EQ) == 1);
    Py_XDECREF(result);
    Py_DECREF(wanted);
    CHECK(PyEval_EvalCodeEx(code, globals, NULL, positional, 2, NULL, 0, NULL, 0, NULL, closure) == NULL);
    CHECK(raised(PyExc_TypeError, "closed() takes 1 positional argument but 2 were given"));
    Py_DECREF(closed);
    Py_DECREF(code);
    Py_DECREF(d);
    Py_DECREF(z);
    Py_DECREF(c);
    Py_DECREF(kwdefaults);
    for (int i = 0; i < 8; i++) {
        Py_DECREF(n[i]);
    }
}

/* --- trace and profile functions ---------------------------------------------------------------- */

static int events[8];
static PyObject *trace_argument;
static int fail_at = -1;

static int count_event(PyObject *self, PyFrameObject *frame, int what, PyObject *arg)
{
    (void)arg;
    trace_argument = self;
    events[what]++;
    if (PyFrame_GetLineNumber(frame) < 0) {
        events[PyTrace_LINE] -= 1000;
    }
    if (what == fail_at) {
        PyErr_SetString(PyExc_UserWarning, "from the trace function");
        return -1;
    }
    return 0;
}

static void forget_events(void)
{
    memset(events, 0, sizeof events);
    trace_argument = NULL;
}

static const char TRACED[] =
    "def leaf(x): return len([x])\n"
    "def gen():\n"
    "    yield 1\n"
    "    yield 2\n"
    "def traced():\n"
    "    a = leaf(1)\n"
    "    for i in gen():\n"
    "        a += i\n"
    "    try:\n"
    "        [][0]\n"
    "    except IndexError:\n"
    "        a += 10\n"
    "    return a\n";

static void tracing(void)
{
    CHECK(run(TRACED) == 0);
    PyObject *argument = PyUnicode_FromString("argument");
    PyObject *traced = value("traced"), *leaf = value("leaf"), *result;
    for (int warm = 0; warm < 2; warm++) {
        forget_events();
        PyEval_SetTrace(count_event, argument);
        result = PyObject_CallNoArgs(traced);
        PyEval_SetTrace(NULL, NULL);
        CHECK(result != NULL && PyLong_AsLong(result) == 14);
        Py_XDECREF(result);
        CHECK(trace_argument == argument);
        CHECK(events[PyTrace_CALL] == 5 && events[PyTrace_RETURN] == 5);
        CHECK(events[PyTrace_EXCEPTION] == 1);
        CHECK(events[PyTrace_LINE] == 14);
        CHECK(events[PyTrace_C_CALL] == 0 && events[PyTrace_OPCODE] == 0);

        forget_events();
        PyEval_SetProfile(count_event, argument);
        result = PyObject_CallNoArgs(traced);
        PyEval_SetProfile(NULL, NULL);
        CHECK(result != NULL);
        Py_XDECREF(result);
        CHECK(events[PyTrace_CALL] == 5 && events[PyTrace_RETURN] == 5);
        CHECK(events[PyTrace_C_CALL] == 1 && events[PyTrace_C_RETURN] == 1);
        CHECK(events[PyTrace_LINE] == 0 && events[PyTrace_EXCEPTION] == 0);

        for (int i = 0; i < 50; i++) { /* the second time, specialized code is traced */
            Py_XDECREF(PyObject_CallNoArgs(traced));
        }
    }
    /* A function that fails ends the frame. */
    forget_events();
    for (fail_at = PyTrace_CALL; fail_at <= PyTrace_RETURN; fail_at++) {
        PyEval_SetTrace(count_event, argument);
        result = fail_at == PyTrace_EXCEPTION ? PyObject_CallNoArgs(traced) : PyObject_CallOneArg(leaf, Py_None);
        CHECK(result == NULL);
        CHECK(raised(PyExc_UserWarning, "from the trace function"));
        PyEval_SetTrace(NULL, NULL);
    }
    fail_at = PyTrace_C_CALL;
    PyEval_SetProfile(count_event, NULL);
    CHECK(PyObject_CallOneArg(leaf, Py_None) == NULL);
    CHECK(raised(PyExc_UserWarning, "from the trace function"));
    PyEval_SetProfile(NULL, NULL);
    fail_at = -1;

    forget_events();
    PyEval_SetTraceAllThreads(count_event, argument);
    PyEval_SetProfileAllThreads(count_event, argument);
    result = PyObject_CallNoArgs(traced);
    PyEval_SetTraceAllThreads(NULL, NULL);
    PyEval_SetProfileAllThreads(NULL, NULL);
    CHECK(result != NULL && events[PyTrace_CALL] == 10 && events[PyTrace_C_CALL] == 1);
    Py_XDECREF(result);
    CHECK(Py_REFCNT(argument) == 1);
    Py_DECREF(argument);
    Py_DECREF(traced);
    Py_DECREF(leaf);
}

/* --- PEP 523 ------------------------------------------------------------------------------------------ */

static int frames, forced_failures;

static PyObject *counting_evaluator(PyThreadState *thread, struct _PyInterpreterFrame *frame, int throwing)
{
    frames++;
    PyObject *code = PyUnstable_InterpreterFrame_GetCode(frame);
    if (PyUnicode_EqualToUTF8(((PyCodeObject *)code)->co_name, "refused")) {
        forced_failures++;
    }
    Py_DECREF(code);
    return _PyEval_EvalFrameDefault(thread, frame, throwing);
}

static void another_evaluator(void)
{
    CHECK(run("class Obj:\n"
              "    def __init__(self, x): self.x = x\n"
              "    @property\n"
              "    def prop(self): return self.x\n"
              "    def __getitem__(self, k): return k\n"
              "def three(n): return leaf(n) + leaf(n) + leaf(n)\n"
              "def mixed():\n"
              "    o = Obj(1)\n"
              "    return o.prop + o[2] + sum(gen()) + (lambda: 5)()\n"
              "def thrower():\n"
              "    g = gen(); next(g)\n"
              "    try: g.throw(KeyError)\n"
              "    except KeyError: return 1\n"
              "def refused(): return 1\n") == 0);
    PyInterpreterState *interpreter = PyInterpreterState_Get();
    CHECK(_PyInterpreterState_GetEvalFrameFunc(interpreter) == _PyEval_EvalFrameDefault);
    for (int warm = 0; warm < 2; warm++) {
        _PyInterpreterState_SetEvalFrameFunc(interpreter, counting_evaluator);
        CHECK(_PyInterpreterState_GetEvalFrameFunc(interpreter) == counting_evaluator);
        /* Every Python frame passes through it: none is entered in the evaluator's own way. */
        frames = 0;
        CHECK(number("three(1)") == 3 && frames == 5);
        frames = 0;
        CHECK(number("mixed()") == 11 && frames == 10); /* a generator's first frame makes it, three run it */
        frames = 0;
        CHECK(number("thrower()") == 1 && frames == 5);
        CHECK(number("refused()") == 1 && forced_failures == warm + 1);
        CHECK(value("leaf()") == NULL);
        CHECK(raised(PyExc_TypeError, "leaf() missing 1 required positional argument"));
        _PyInterpreterState_SetEvalFrameFunc(interpreter, _PyEval_EvalFrameDefault);
        frames = 0;
        CHECK(run("for i in range(100): three(i), mixed(), thrower()") == 0 && frames == 0);
    }
}

/* --- what C code can ask ------------------------------------------------------------------------------ */

static PyObject *asked;

static PyObject *ask(PyObject *self, PyObject *unused)
{
    (void)self, (void)unused;
    PyFrameObject *frame = PyEval_GetFrame(); /* borrowed; what the next three give is new */
    PyObject *locals = PyEval_GetFrameLocals(), *globals = PyEval_GetFrameGlobals();
    PyObject *builtins = PyEval_GetFrameBuiltins();
    PyCodeObject *code = PyFrame_GetCode(frame);
    PyFrameObject *back = PyFrame_GetBack(frame);
    PyObject *local = PyFrame_GetVarString(frame, "local");
    int same_builtins = PyEval_GetBuiltins() == builtins, same_globals = PyEval_GetGlobals() == globals;
    asked = Py_BuildValue("{s:O,s:N,s:N,s:N,s:i,s:O,s:N,s:i,s:i,s:i}", "name", code->co_name, "locals", locals,
                          "globals", globals, "builtins", builtins, "line", PyFrame_GetLineNumber(frame),
                          "back", back == NULL ? Py_None : (PyObject *)back, "local", local,
                          "same builtins", same_builtins, "same globals", same_globals,
                          "lasti", PyFrame_GetLasti(frame));
    Py_DECREF(code);
    Py_XDECREF(back);
    return Py_NewRef(Py_None);
}

static PyMethodDef ask_def = {"ask", ask, METH_NOARGS, NULL};

static void questions(void)
{
    CHECK(PyEval_GetFrame() == NULL && PyEval_GetGlobals() == NULL && PyEval_GetBuiltins() != NULL);
    CHECK(PyEval_GetLocals() == NULL);
    CHECK(raised(PyExc_SystemError, "frame does not exist"));
    PyObject *function = PyCFunction_New(&ask_def, NULL);
    PyModule_AddObjectRef(PyImport_AddModule("__main__"), "ask", function);
    CHECK(run("def asks():\n"
              "    local = 'value'\n"
              "    ask()\n"
              "def outer(): asks()\n"
              "outer()\n") == 0);
    PyModule_AddObject(PyImport_AddModule("__main__"), "asked", asked);
    CHECK(is_true("asked['name'] == 'asks' and asked['locals'] == {'local': 'value'} and asked['local'] == 'value'"));
    CHECK(is_true("asked['globals'] is globals() and asked['builtins']['len'] is len and asked['line'] == 3"));
    CHECK(is_true("asked['back'].f_code.co_name == 'outer' and asked['lasti'] > 0"));
    CHECK(is_true("asked['same builtins'] and asked['same globals']"));

    PyObject *leaf = value("leaf"), *method = value("[].append"), *type = value("int");
    CHECK(strcmp(PyEval_GetFuncName(leaf), "leaf") == 0 && strcmp(PyEval_GetFuncDesc(leaf), "()") == 0);
    CHECK(strcmp(PyEval_GetFuncName(method), "append") == 0 && strcmp(PyEval_GetFuncDesc(method), "()") == 0);
    CHECK(strcmp(PyEval_GetFuncName(type), "type") == 0 && strcmp(PyEval_GetFuncDesc(type), " object") == 0);
    Py_DECREF(leaf);
    Py_DECREF(method);
    Py_DECREF(type);
    Py_DECREF(function);

    PyCompilerFlags flags = {.cf_flags = 0, .cf_feature_version = PY_MINOR_VERSION};
    CHECK(PyEval_MergeCompilerFlags(&flags) == 0 && flags.cf_flags == 0);
    flags.cf_flags = PyCF_ONLY_AST;
    CHECK(PyEval_MergeCompilerFlags(&flags) == 1);

    Py_ssize_t index = PyUnstable_Eval_RequestCodeExtraIndex(NULL);
    PyObject *code = function_code("leaf");
    void *extra = NULL;
    CHECK(index >= 0 && PyUnstable_Code_SetExtra(code, index, &index) == 0);
    CHECK(PyUnstable_Code_GetExtra(code, index, &extra) == 0 && extra == &index);
    Py_DECREF(code);
}

/* --- limits and interruptions ---------------------------------------------------------------------- */

static int depth_in_c(void)
{
    if (Py_EnterRecursiveCall(" in a C function")) {
        return 0;
    }
    int depth = 1 + depth_in_c();
    Py_LeaveRecursiveCall();
    return depth;
}

static void limits(void)
{
    int before = Py_GetRecursionLimit();
    CHECK(before == 1000);
    Py_SetRecursionLimit(120);
    CHECK(Py_GetRecursionLimit() == 120);
    CHECK(run("def deep(n):\n"
              "    try: return deep(n + 1)\n"
              "    except RecursionError: return n\n") == 0);
    CHECK(number("deep(1)") == 119);
    CHECK(value("(lambda f: f(f))(lambda f: f(f))") == NULL);
    CHECK(raised(PyExc_RecursionError, "maximum recursion depth exceeded"));
    Py_SetRecursionLimit(before);
    CHECK(number("deep(1)") == before - 1);
    CHECK(depth_in_c() > 1000);
    CHECK(raised(PyExc_RecursionError, " in a C function"));

    CHECK(run("import _thread\n"
              "try:\n"
              "    for i in range(1000):\n"
              "        if i == 500: _thread.interrupt_main()\n"
              "except KeyboardInterrupt: pass\n") == 0);
    CHECK(number("i") == 500);
    PyErr_SetInterrupt();
    CHECK(PyErr_CheckSignals() == -1);
    CHECK(raised(PyExc_KeyboardInterrupt, ""));

    /* An exception for this very thread arrives at the next chance that the evaluator has. */
    CHECK(PyThreadState_SetAsyncExc(PyThread_get_thread_ident(), PyExc_FloatingPointError) == 1);
    CHECK(value("leaf(1)") == NULL);
    CHECK(raised(PyExc_FloatingPointError, ""));
    CHECK(PyThreadState_SetAsyncExc(PyThread_get_thread_ident(), PyExc_FloatingPointError) == 1);
    CHECK(PyThreadState_SetAsyncExc(PyThread_get_thread_ident(), NULL) == 1); /* taken back */
    CHECK(number("leaf(1)") == 1);
}

/* A StopIteration whose class does not set its value ends `yield from` with None. The C evaluator crashes. */
static void ends_without_a_value(void)
{
    if (on_reference()) {
        return;
    }
    CHECK(run("class Empty(StopIteration):\n"
              "    def __init__(self): pass\n"
              "class Iterator:\n"
              "    def __init__(self, items): self.items = items\n"
              "    def __iter__(self): return self\n"
              "    def __next__(self):\n"
              "        if not self.items: raise Empty\n"
              "        return self.items.pop()\n"
              "    def throw(self, *args): raise Empty\n"
              "def delegates(items): yield [(yield from Iterator(items))]\n"
              "thrown_into = delegates([1])") == 0);
    CHECK(is_true("next(delegates([])) == [None]"));
    CHECK(is_true("next(thrown_into) == 1 and thrown_into.throw(KeyError) == [None]"));
}

int main(void)
{
    start_python();
    eval_code();
    eval_code_ex();
    tracing();
    another_evaluator();
    questions();
    limits();
    ends_without_a_value();
    CHECK(Py_FinalizeEx() == 0);
    return results();
}
