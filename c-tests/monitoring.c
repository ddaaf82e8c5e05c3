/* Tools and trace functions from C: events that C code fires itself, threads that run code while others switch
   tools on and off, and code that runs while an interpreter is cleared or while its instrumentation version and the
   thread's disagree. */

#define Py_BUILD_CORE 1
#include "host.h"
#include <frameobject.h>
#include <pycore_ceval.h>
#include <pycore_interp.h>
#include <pycore_pystate.h>
#include <pthread.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

/* --- events that C code fires --------------------------------------------------------------------------------- */

enum { START, RESUME, RETURN, YIELD, CALL, LINE, JUMP, LEFT, RIGHT, STOP, RAISE, HANDLED, UNWIND, THROW, RERAISE, EVENTS };

static const uint8_t event_types[EVENTS] = {
    PY_MONITORING_EVENT_PY_START, PY_MONITORING_EVENT_PY_RESUME, PY_MONITORING_EVENT_PY_RETURN,
    PY_MONITORING_EVENT_PY_YIELD, PY_MONITORING_EVENT_CALL, PY_MONITORING_EVENT_LINE, PY_MONITORING_EVENT_JUMP,
    PY_MONITORING_EVENT_BRANCH_LEFT, PY_MONITORING_EVENT_BRANCH_RIGHT, PY_MONITORING_EVENT_STOP_ITERATION,
    PY_MONITORING_EVENT_RAISE, PY_MONITORING_EVENT_EXCEPTION_HANDLED, PY_MONITORING_EVENT_PY_UNWIND,
    PY_MONITORING_EVENT_PY_THROW, PY_MONITORING_EVENT_RERAISE,
};

static PyMonitoringState states[EVENTS];
static uint64_t version;
static PyObject *codelike, *argument;

static int enter(void) { return PyMonitoring_EnterScope(states, &version, event_types, EVENTS); }

static int active(void)
{
    int count = 0;
    for (int i = 0; i < EVENTS; i++) {
        count += states[i].active != 0;
    }
    return count;
}

/* Fires one event, with an exception set where one has to be; that one is set afterwards too, unless the tool raised
   or the event is one that ends it. */
static int fire(int event)
{
    PyMonitoringState *state = &states[event];
    if (event >= RAISE) {
        PyErr_SetString(PyExc_KeyError, "fired");
    }
    switch (event) {
    case START: return PyMonitoring_FirePyStartEvent(state, codelike, 1);
    case RESUME: return PyMonitoring_FirePyResumeEvent(state, codelike, 2);
    case RETURN: return PyMonitoring_FirePyReturnEvent(state, codelike, 3, argument);
    case YIELD: return PyMonitoring_FirePyYieldEvent(state, codelike, 4, argument);
    case CALL: return PyMonitoring_FireCallEvent(state, codelike, 5, argument, argument);
    case LINE: return PyMonitoring_FireLineEvent(state, codelike, 6, 66);
    case JUMP: return PyMonitoring_FireJumpEvent(state, codelike, 7, argument);
    case LEFT: return PyMonitoring_FireBranchLeftEvent(state, codelike, 8, argument);
    case RIGHT: return PyMonitoring_FireBranchRightEvent(state, codelike, 9, argument);
    case STOP: return PyMonitoring_FireStopIterationEvent(state, codelike, 10, argument);
    case RAISE: return PyMonitoring_FireRaiseEvent(state, codelike, 11);
    case HANDLED: return PyMonitoring_FireExceptionHandledEvent(state, codelike, 12);
    case UNWIND: return PyMonitoring_FirePyUnwindEvent(state, codelike, 13);
    case THROW: return PyMonitoring_FirePyThrowEvent(state, codelike, 14);
    default: return PyMonitoring_FireReraiseEvent(state, codelike, 15);
    }
}

static const char TOOL[] =
    "import sys\n"
    "mon, E = sys.monitoring, sys.monitoring.events\n"
    "heard, answer = [], None\n"
    "NAMES = ['PY_START', 'PY_RESUME', 'PY_RETURN', 'PY_YIELD', 'CALL', 'LINE', 'JUMP', 'BRANCH_LEFT',\n"
    "         'BRANCH_RIGHT', 'STOP_ITERATION', 'RAISE', 'EXCEPTION_HANDLED', 'PY_UNWIND', 'PY_THROW', 'RERAISE']\n"
    "def register(tool):\n"
    "    mon.use_tool_id(tool, 'tool')\n"
    "    for name in NAMES:\n"
    "        def callback(*args, name=name):\n"
    "            if args[0] != 'codelike': return\n"
    "            heard.append((tool, name, *[repr(a) for a in args[1:]]))\n"
    "            if answer == 'raise': raise LookupError(name)\n"
    "            return answer\n"
    "        mon.register_callback(tool, getattr(E, name), callback)\n"
    "EVERYTHING = sum(getattr(E, name) for name in NAMES)\n"
    "register(1), register(4)\n";

static void fired_by_c(void)
{
    CHECK(run(TOOL) == 0);
    codelike = PyUnicode_FromString("codelike");
    argument = PyUnicode_FromString("argument");
    version = 0;
    CHECK(enter() == 0);
    CHECK(active() == 0);
    int silent = 0;
    for (int event = 0; event < RAISE; event++) {
        silent += fire(event) == 0;
    }
    CHECK(silent == RAISE && is_true("heard == []"));

    /* What is watched is seen when the scope is entered again. */
    CHECK(run("mon.set_events(1, EVERYTHING)") == 0);
    CHECK(active() == 0);
    CHECK(enter() == 0 && active() == EVENTS);
    CHECK(states[LINE].active == 1 << 1);
    states[LINE].active = 0;
    CHECK(enter() == 0 && states[LINE].active == 0); /* nothing has changed since */
    states[LINE].active = 1 << 1;
    for (int event = 0; event < EVENTS; event++) {
        CHECK(fire(event) == 0);
        CHECK((PyErr_Occurred() != NULL) == (event >= RAISE));
        PyErr_Clear();
    }
    CHECK(is_true("heard == ["
                  "(1, 'PY_START', '1'), (1, 'PY_RESUME', '2'), (1, 'PY_RETURN', '3', \"'argument'\"),"
                  "(1, 'PY_YIELD', '4', \"'argument'\"), (1, 'CALL', '5', \"'argument'\", \"'argument'\"),"
                  "(1, 'LINE', '66'), (1, 'JUMP', '7', \"'argument'\"), (1, 'BRANCH_LEFT', '8', \"'argument'\"),"
                  "(1, 'BRANCH_RIGHT', '9', \"'argument'\"),"
                  "(1, 'STOP_ITERATION', '10', \"StopIteration('argument')\"),"
                  "(1, 'RAISE', '11', \"KeyError('fired')\"), (1, 'EXCEPTION_HANDLED', '12', \"KeyError('fired')\"),"
                  "(1, 'PY_UNWIND', '13', \"KeyError('fired')\"), (1, 'PY_THROW', '14', \"KeyError('fired')\"),"
                  "(1, 'RERAISE', '15', \"KeyError('fired')\")]"));

    /* Two tools; disabling is for this place only, until all is restarted. */
    CHECK(run("heard.clear(); mon.set_events(4, EVERYTHING); answer = mon.DISABLE") == 0);
    CHECK(enter() == 0 && states[CALL].active == (1 << 1 | 1 << 4));
    for (int event = 0; event < RAISE; event++) {
        CHECK(fire(event) == 0);
        CHECK(states[event].active == 0);
    }
    CHECK(number("len(heard)") == 2 * RAISE);
    CHECK(run("mon.restart_events()") == 0);
    CHECK(enter() == 0 && active() == EVENTS);
    CHECK(fire(RAISE) == -1);
    CHECK(raised(PyExc_ValueError, "Cannot disable RAISE events"));

    /* A tool that raises. */
    CHECK(run("answer = 'raise'") == 0);
    for (int event = 0; event < EVENTS; event++) {
        if (event == RAISE) {
            continue; /* its callback is gone */
        }
        CHECK(fire(event) == -1);
        CHECK(raised(PyExc_LookupError, ""));
    }
    CHECK(run("answer = None; heard.clear()") == 0);
    CHECK(PyMonitoring_FirePyStartEvent(&states[START], codelike, -1) == -1);
    CHECK(raised(PyExc_ValueError, "offset"));
    CHECK(PyMonitoring_ExitScope() == 0);
    CHECK(run("mon.free_tool_id(1), mon.free_tool_id(4)") == 0);
    CHECK(enter() == 0 && active() == 0);
    Py_CLEAR(codelike);
    Py_CLEAR(argument);
}

/* --- threads --------------------------------------------------------------------------------------------------- */

#define WORKERS 3
#define SWITCHERS 2
#define ROUNDS 40 /* of each switcher */
#define CALLS 100 /* of a worker, between two looks at whether the switchers are done */

static _Atomic long starts, returns, lines, turns, loose;
static _Atomic int switching;

#define COUNTER(name)                                                                                                 \
    static PyObject *count_##name(PyObject *self, PyObject *const *args, Py_ssize_t count)                            \
    {                                                                                                                 \
        (void)self, (void)args, (void)count;                                                                          \
        atomic_fetch_add(&name, 1);                                                                                   \
        Py_RETURN_NONE;                                                                                               \
    }

COUNTER(starts)
COUNTER(returns)
COUNTER(lines)
COUNTER(turns)
COUNTER(loose)

static PyMethodDef counters[] = {
    {"count_starts", (PyCFunction)(void (*)(void))count_starts, METH_FASTCALL, NULL},
    {"count_returns", (PyCFunction)(void (*)(void))count_returns, METH_FASTCALL, NULL},
    {"count_lines", (PyCFunction)(void (*)(void))count_lines, METH_FASTCALL, NULL},
    {"count_turns", (PyCFunction)(void (*)(void))count_turns, METH_FASTCALL, NULL},
    {"count_loose", (PyCFunction)(void (*)(void))count_loose, METH_FASTCALL, NULL},
    {NULL, NULL, 0, NULL},
};

/* Four lines and three turns of its loop each time: the line of the loop is met four times, that of its body thrice. */
static const char COUNTED[] =
    "def counted(n):\n"
    "    total = n\n"
    "    for i in (1, 2, 3):\n"
    "        total += i * helper(i)\n"
    "    return total\n"
    "def helper(i):\n"
    "    try:\n"
    "        if i == 2: raise KeyError(i)\n"
    "    except KeyError as e:\n"
    "        return e.args[0]\n"
    "    return [j for j in range(i)][-1] + 1\n"
    "def work(calls):\n"
    "    return sum(counted(n) for n in range(calls))\n"
    "mon.use_tool_id(0, 'exact')\n"
    "for name, function in (('PY_START', count_starts), ('PY_RETURN', count_returns), ('LINE', count_lines),\n"
    "                       ('BRANCH_LEFT', count_turns)):\n"
    "    mon.register_callback(0, getattr(E, name), function)\n"
    "mon.use_tool_id(2, 'loose'), mon.use_tool_id(5, 'loose too')\n"
    "LOCAL = [E.PY_START, E.PY_RETURN, E.LINE, E.INSTRUCTION, E.CALL, E.JUMP, E.BRANCH_LEFT, E.BRANCH_RIGHT]\n"
    "for event in [*LOCAL, E.RAISE, E.EXCEPTION_HANDLED, E.PY_UNWIND]:\n"
    "    mon.register_callback(2, event, count_loose)\n"
    "    disables = event in LOCAL\n"
    "    mon.register_callback(5, event, lambda *a, d=disables: count_loose() or (mon.DISABLE if d else None))\n"
    "import itertools, random, threading\n"
    "dice = random.Random(5)\n"
    "def switch():\n"
    "    events = 0\n"
    "    for event in dice.sample(LOCAL, dice.randrange(4)): events |= event\n"
    "    match dice.randrange(6):\n"
    "        case 0: mon.set_events(2, events)\n"
    "        case 1: mon.set_events(5, events | E.RAISE)\n"
    "        case 2: mon.set_local_events(2, counted.__code__, events)\n"
    "        case 3: mon.set_local_events(5, helper.__code__, events)\n"
    "        case 4: mon.restart_events()\n"
    "        case 5: mon.set_events(dice.choice((2, 5)), 0)\n"
    "def off():\n"
    "    for tool in 2, 5:\n"
    "        mon.set_events(tool, 0)\n"
    "        for f in counted, helper: mon.set_local_events(tool, f.__code__, 0)\n";

static int counts_calls(PyObject *unused, PyFrameObject *frame, int what, PyObject *value)
{
    (void)unused, (void)frame, (void)what, (void)value;
    atomic_fetch_add(&loose, 1);
    return 0;
}

/* Works as long as somebody switches; how often, or -1 if a result was wrong. */
static void *works(void *argument)
{
    long *batches = argument;
    PyGILState_STATE state = PyGILState_Ensure();
    long expected = number("work(100)");
    for (*batches = 1; atomic_load(&switching) > 0; ++*batches) {
        if (number("work(100)") != expected) {
            *batches = -1;
            break;
        }
    }
    PyGILState_Release(state);
    return NULL;
}

static void *switches(void *argument)
{
    long *wrong = argument;
    for (int round = 0; round < ROUNDS; round++) {
        PyGILState_STATE state = PyGILState_Ensure();
        *wrong += run("switch()") < 0;
        switch (round % 8) {
        case 1: PyEval_SetProfileAllThreads(counts_calls, NULL); break;
        case 3: PyEval_SetProfileAllThreads(NULL, NULL); break;
        case 5: PyEval_SetTraceAllThreads(counts_calls, NULL); break;
        case 7: PyEval_SetTraceAllThreads(NULL, NULL); break;
        default: break;
        }
        PyGILState_Release(state);
        usleep(200);
    }
    atomic_fetch_sub(&switching, 1);
    return NULL;
}

static void threads_and_switches(void)
{
    for (PyMethodDef *def = counters; def->ml_name != NULL; def++) {
        PyObject *function = PyCFunction_New(def, NULL);
        PyModule_AddObjectRef(PyImport_AddModule("__main__"), def->ml_name, function);
        Py_DECREF(function);
    }
    CHECK(run(COUNTED) == 0);
    long expected = number("work(100)");
    CHECK(expected > 0 && starts == 0);
    CHECK(run("mon.set_local_events(0, counted.__code__, E.PY_START | E.PY_RETURN | E.LINE | E.BRANCH_LEFT)\n"
              "sys.setswitchinterval(1e-5)") == 0);
    CHECK(number("counted(1)") > 0);
    long lines_of_a_call = lines, turns_of_a_call = turns;
    CHECK(starts == 1 && returns == 1 && lines_of_a_call == 9 && turns_of_a_call == 3);

    pthread_t workers[WORKERS], switchers[SWITCHERS];
    long batches[WORKERS] = {0}, wrong[SWITCHERS] = {0};
    atomic_store(&switching, SWITCHERS);
    PyThreadState *saved = PyEval_SaveThread();
    for (int i = 0; i < WORKERS; i++) {
        pthread_create(&workers[i], NULL, works, &batches[i]);
    }
    for (int i = 0; i < SWITCHERS; i++) {
        pthread_create(&switchers[i], NULL, switches, &wrong[i]);
    }
    for (int i = 0; i < WORKERS; i++) {
        pthread_join(workers[i], NULL);
    }
    for (int i = 0; i < SWITCHERS; i++) {
        pthread_join(switchers[i], NULL);
    }
    PyEval_RestoreThread(saved);
    PyEval_SetProfileAllThreads(NULL, NULL);
    PyEval_SetTraceAllThreads(NULL, NULL);
    CHECK(run("off(); sys.setswitchinterval(0.005)") == 0);

    long calls = 1;
    for (int i = 0; i < WORKERS; i++) {
        CHECK(batches[i] > 0);
        calls += batches[i] * CALLS;
    }
    for (int i = 0; i < SWITCHERS; i++) {
        CHECK(wrong[i] == 0);
    }
    CHECK(loose > 1000);
    CHECK(starts == calls);
    CHECK(returns == calls);
    CHECK(lines == calls * lines_of_a_call);
    CHECK(turns == calls * turns_of_a_call);
    printf("# %ld calls, %d switches, %ld other events\n", calls, SWITCHERS * ROUNDS, (long)loose);

    /* Off is off. */
    long before = loose;
    CHECK(number("work(100)") == expected);
    CHECK(loose == before && starts == calls + CALLS);
    CHECK(run("mon.set_local_events(0, counted.__code__, 0)\nfor tool in 0, 2, 5: mon.free_tool_id(tool)") == 0);
    CHECK(number("work(100)") == expected && starts == calls + CALLS && is_true("mon._all_events() == {}"));
}

/* --- the two instrumentation versions, and the end of an interpreter --------------------------------------------- */

static _Atomic int finalized;

static PyObject *was_finalized(PyObject *self, PyObject *unused)
{
    (void)self, (void)unused;
    atomic_fetch_add(&finalized, 1);
    Py_RETURN_NONE;
}

static PyMethodDef was_finalized_def = {"was_finalized", was_finalized, METH_NOARGS, NULL};

/* How far the versions are apart, in steps of one: the thread's ahead of the interpreter's, or behind it. */
static int apart;

/* Sets the versions apart, whatever they are now. */
static void set_apart(void)
{
    PyThreadState *thread = PyThreadState_Get();
    uintptr_t global = thread->interp->ceval.instrumentation_version & ~(uintptr_t)_PY_EVAL_EVENTS_MASK;
    uintptr_t step = (uintptr_t)(apart < 0 ? -apart : apart) << _PY_EVAL_EVENTS_BITS;
    if (apart < 0) {
        thread->interp->ceval.instrumentation_version += step;
    }
    else {
        thread->eval_breaker = (thread->eval_breaker & _PY_EVAL_EVENTS_MASK) | (global + step);
    }
}

static PyObject *disagree(PyObject *self, PyObject *unused)
{
    (void)self, (void)unused;
    set_apart();
    Py_RETURN_NONE;
}

static PyMethodDef disagree_def = {"disagree", disagree, METH_NOARGS, NULL};

/* Objects that are given up at different stages of the interpreter's end, whose finalizers run Python code; without
   built-in functions, which are gone by then. */
static const char LATE[] =
    "import sys, os, codecs, atexit\n"
    "def helper(n):\n"
    "    total = 0\n"
    "    while n:\n"
    "        n -= 1\n"
    "        for x in [j * j for j in (0, 1, 2, 3) if j < n]:\n"
    "            total += x\n"
    "    return total\n"
    "def generates(helper=helper):\n"
    "    yield helper(4)\n"
    "class Late:\n"
    "    helper, generates, done = staticmethod(helper), staticmethod(generates), was_finalized\n"
    "    def __call__(self, *args): return None\n"
    "    def __del__(self):\n"
    "        for x in self.generates():\n"
    "            if x == self.helper(4) == 6: self.done()\n"
    "codecs.register(Late())\n"
    "os.register_at_fork(before=Late(), after_in_child=Late())\n"
    "sys.late = Late()\n"
    "late = Late()\n"
    "sys.monitoring.use_tool_id(3, 'tool')\n"
    "for event in 1, 2, 32: sys.monitoring.register_callback(3, event, Late())\n"
    "sys.monitoring.set_events(3, 1 | 2 | 32)\n"
    "Late.cycle = [Late()]; Late.cycle.append(Late.cycle)\n";
#define LATE_OBJECTS 9

static void add_function(PyMethodDef *def)
{
    PyObject *function = PyCFunction_New(def, NULL);
    PyModule_AddObjectRef(PyImport_AddModule("__main__"), def->ml_name, function);
    Py_DECREF(function);
}

/* Runs as a process of its own. */
static int ends_with_finalizers(void)
{
    start_python();
    add_function(&was_finalized_def);
    if (run(LATE) < 0 || Py_FinalizeEx() < 0) {
        return 1;
    }
    if (finalized != LATE_OBJECTS) {
        printf("# %d finalizers have run to their end, not %d\n", (int)finalized, LATE_OBJECTS);
    }
    return finalized != LATE_OBJECTS;
}

static int runs_with_disagreement(void)
{
    start_python();
    add_function(&was_finalized_def);
    add_function(&disagree_def);
    if (run(LATE) < 0 ||
        run("def generator(n):\n"
            "    for i in range(n): disagree(); yield i\n"
            "def nested(n):\n"
            "    disagree()\n"
            "    return nested(n - 1) + 1 if n else 0\n"
            "async def coroutine():\n"
            "    disagree()\n"
            "    return 5\n"
            "class C:\n"
            "    def __init__(self): disagree()\n"
            "    def __getattr__(self, name): disagree(); return name\n") < 0) {
        return 1;
    }
    set_apart();
    int right = number("helper(4)") == 6 && number("sum(generator(20))") == 190 && number("nested(30)") == 30 &&
                is_true("C().x == 'x'") && number("[disagree() or helper(4) for _ in range(9)][8]") == 6;
    PyObject *stop = value("coroutine().send(None)");
    right = right && stop == NULL && raised(PyExc_StopIteration, "5");
    /* Switching tools brings the versions together; events arrive, and it may go wrong again. */
    right = right && run("seen = []\n"
                         "sys.monitoring.use_tool_id(1, 'seen')\n"
                         "sys.monitoring.register_callback(1, 32, lambda code, line: seen.append(code.co_name))\n"
                         "sys.monitoring.set_events(1, 32)\n"
                         "helper(2)\n"
                         "sys.monitoring.set_events(1, 0)\n"
                         "assert 'helper' in seen, seen\n"
                         "disagree()\n"
                         "helper(3)\n") == 0;
    set_apart();
    if (!right || Py_FinalizeEx() < 0) {
        return 1;
    }
    return finalized != LATE_OBJECTS;
}

/* The exit status of a process that runs this, or the negative number of the signal that ends it. */
static int in_a_process(int (*body)(void), unsigned seconds)
{
    fflush(stdout);
    pid_t child = fork();
    if (child == 0) {
        alarm(seconds);
        int status = body();
        fflush(stdout);
        _exit(status);
    }
    int status = 0;
    waitpid(child, &status, 0);
    return WIFSIGNALED(status) ? -WTERMSIG(status) : WEXITSTATUS(status);
}

/* Before this process has an interpreter. */
static void versions(void)
{
    CHECK(in_a_process(ends_with_finalizers, 120) == 0);
    int steps[] = {1, -1, 1000, -1000};
    for (int i = 0; i < 4; i++) {
        apart = steps[i];
        if (on_reference()) {
            /* The C evaluator compares, instruments and compares again, for ever. If this changes, it is to be
               held to the same as reval. */
            CHECK(in_a_process(runs_with_disagreement, 2) == -SIGALRM);
        }
        else {
            CHECK(in_a_process(runs_with_disagreement, 120) == 0);
        }
    }
}

int main(void)
{
    versions();
    start_python();
    fired_by_c();
    threads_and_switches();
    CHECK(Py_FinalizeEx() == 0);
    return results();
}
