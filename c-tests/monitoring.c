/* Tools and trace functions from C: events that C code fires itself, threads that run code while others switch
   tools on and off, and code that runs while an interpreter is cleared or while its instrumentation version and the
   thread's disagree. */

#define Py_BUILD_CORE 1
#include "host.h"
#include <frameobject.h>
#include <limits.h>
#include <pycore_ceval.h>
#include <pycore_frame.h>
#include <pycore_instruments.h>
#include <pycore_interp.h>
#include <pycore_interpframe.h>
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

/* Fires one event of each kind while a tool's callback runs; how many of these calls fail. */
static PyObject *fires_again(PyObject *self, PyObject *const *args, Py_ssize_t count)
{
    (void)self, (void)args, (void)count;
    int failed = 0;
    for (int event = 0; event < EVENTS; event++) {
        failed += fire(event) != 0 || (PyErr_Occurred() != NULL) != (event >= RAISE);
        PyErr_Clear();
    }
    return PyLong_FromLong(failed);
}

static PyMethodDef fires_again_def = {"fires_again", (PyCFunction)(void (*)(void))fires_again, METH_FASTCALL, NULL};

static void add_function(PyMethodDef *def);

/* Events at moments when none is to be fired. */
static void fired_at_a_bad_time(void)
{
    codelike = PyUnicode_FromString("codelike");
    argument = PyUnicode_FromString("argument");
    version = 0;
    add_function(&fires_again_def);
    CHECK(run("mon.use_tool_id(3, 'tool'); mon.set_events(3, EVERYTHING)") == 0);
    CHECK(enter() == 0 && active() == EVENTS);

    /* No event fires while a callback runs. The C evaluator would call callbacks from callbacks, without end. */
    if (!on_reference()) {
        CHECK(run("fired = []\n"
                  "for name in NAMES:\n"
                  "    def callback(code, *args): code == 'codelike' and fired.append(fires_again())\n"
                  "    mon.register_callback(3, getattr(E, name), callback)") == 0);
        for (int event = 0; event < EVENTS; event++) {
            CHECK(fire(event) == 0);
            PyErr_Clear();
        }
        CHECK(number("len(fired)") == EVENTS && is_true("not any(fired)"));
    }

    /* While an exception is set. The C evaluator finds it after the callback, except for STOP_ITERATION. */
    CHECK(run("for name in NAMES: mon.register_callback(3, getattr(E, name), lambda *args: None)") == 0);
    for (int event = 0; event < RAISE; event++) {
        if (event == STOP && on_reference()) {
            continue;
        }
        PyErr_SetString(PyExc_KeyError, "before");
        CHECK(fire(event) == -1);
        PyObject *exception = PyErr_GetRaisedException();
        PyObject *cause = PyException_GetCause(exception);
        CHECK(Py_IS_TYPE(exception, (PyTypeObject *)PyExc_SystemError));
        CHECK(cause != NULL && Py_IS_TYPE(cause, (PyTypeObject *)PyExc_KeyError));
        Py_XDECREF(cause);
        Py_DECREF(exception);
    }

    /* BRANCH is for two events. Objects of C code are not code objects, and their offsets mean nothing to others. */
    if (!on_reference()) {
        PyObject *code = value("(lambda: None).__code__");
        CHECK(run("mon.set_events(3, 0)\n"
                  "branches = []\n"
                  "mon.register_callback(3, E.BRANCH, lambda *args: branches.append(args[1:]))\n"
                  "mon.set_events(3, E.BRANCH)") == 0);
        CHECK(enter() == 0 && states[LEFT].active != 0 && states[RIGHT].active != 0);
        CHECK(fire(LEFT) == 0 && fire(RIGHT) == 0);
        CHECK(is_true("branches == [(8, 'argument'), (9, 'argument')]"));
        CHECK(PyMonitoring_FireBranchLeftEvent(&states[LEFT], code, INT_MAX, argument) == 0);
        CHECK(is_true("branches[2:] == [(2**31 - 1, 'argument')]") && states[LEFT].active != 0);
        /* At an instruction without the event, it counts as disabled. */
        CHECK(PyMonitoring_FireBranchLeftEvent(&states[LEFT], code, 0, argument) == 0);
        CHECK(number("len(branches)") == 3 && states[LEFT].active == 0);
        Py_DECREF(code);
    }
    CHECK(run("mon.free_tool_id(3)") == 0);
    CHECK(enter() == 0 && active() == 0);
    Py_CLEAR(codelike);
    Py_CLEAR(argument);
}

/* --- numbers of no tool and of no event ------------------------------------------------------------------------- */

/* Of the host's instrumentation.c, which no header has. */
int _PyMonitoring_ClearToolId(int tool_id);

#define REFUSED(result, failure, words) ((result) == (failure) && raised(PyExc_SystemError, words))

static const int no_tools[] = {-1, PY_MONITORING_TOOL_IDS, INT_MAX, INT_MIN};
static const int no_events[] = {-1, _PY_MONITORING_EVENTS, 255, INT_MAX, INT_MIN};
static const int no_fired_events[] = {-1,
                                      _PY_MONITORING_EVENTS,
                                      INT_MAX,
                                      INT_MIN,
                                      PY_MONITORING_EVENT_LINE,
                                      PY_MONITORING_EVENT_INSTRUCTION,
                                      PY_MONITORING_EVENT_BRANCH};
#define LENGTH(array) (sizeof(array) / sizeof *(array))

static int set_events(int tool, _PyMonitoringEventSet events)
{
    PyInterpreterState *interp = PyInterpreterState_Get();
    _PyEval_StopTheWorld(interp);
    int status = _PyMonitoring_SetEvents(tool, events);
    _PyEval_StartTheWorld(interp);
    return status;
}

static int set_local_events(PyCodeObject *code, int tool, _PyMonitoringEventSet events)
{
    PyInterpreterState *interp = PyInterpreterState_Get();
    _PyEval_StopTheWorld(interp);
    int status = _PyMonitoring_SetLocalEvents(code, tool, events);
    _PyEval_StartTheWorld(interp);
    return status;
}

/* Called by Python code, which has a frame and an instruction for events. */
static PyObject *fires_nonsense(PyObject *self, PyObject *const *args, Py_ssize_t count)
{
    (void)self, (void)args, (void)count;
    PyThreadState *tstate = PyThreadState_Get();
    _PyInterpreterFrame *frame = tstate->current_frame;
    _Py_CODEUNIT *instr = frame->instr_ptr;
    for (size_t i = 0; i < LENGTH(no_fired_events); i++) {
        int event = no_fired_events[i];
        CHECK(REFUSED(_Py_call_instrumentation(tstate, event, frame, instr), -1, "invalid event"));
        CHECK(REFUSED(_Py_call_instrumentation_arg(tstate, event, frame, instr, Py_None), -1, "invalid event"));
        CHECK(REFUSED(_Py_call_instrumentation_2args(tstate, event, frame, instr, Py_None, Py_None), -1,
                      "invalid event"));
        CHECK(REFUSED(_Py_call_instrumentation_jump(instr, tstate, event, frame, instr, instr), NULL,
                      "invalid event"));
        PyErr_SetString(PyExc_KeyError, "before");
        _Py_call_instrumentation_exc2(tstate, event, frame, instr, Py_None, Py_None);
        CHECK(raised(PyExc_SystemError, "invalid event"));
    }
    Py_RETURN_NONE;
}

static PyMethodDef fires_nonsense_def = {"fires_nonsense", (PyCFunction)(void (*)(void))fires_nonsense, METH_FASTCALL,
                                         NULL};

/* SystemError, and nothing changes. The C evaluator has assertions for these arguments; a release build of it reads
   and writes beside its tables. */
static void nonsense(void)
{
    if (on_reference()) {
        return;
    }
    PyCodeObject *code = (PyCodeObject *)value("(lambda: None).__code__");
    CHECK(run("mon.use_tool_id(1, 'tool'); mon.set_events(1, E.PY_START)") == 0);
    for (size_t i = 0; i < LENGTH(no_tools); i++) {
        int tool = no_tools[i];
        _PyMonitoringEventSet events = 77;
        CHECK(REFUSED(set_events(tool, 1), -1, "invalid tool"));
        CHECK(REFUSED(set_local_events(code, tool, 1), -1, "invalid tool"));
        CHECK(REFUSED(_PyMonitoring_GetLocalEvents(code, tool, &events), -1, "invalid tool") && events == 77);
        CHECK(REFUSED(_PyMonitoring_RegisterCallback(tool, 0, Py_None), NULL, "invalid tool"));
        CHECK(REFUSED(_PyMonitoring_ClearToolId(tool), -1, "invalid tool"));
    }
    for (size_t i = 0; i < LENGTH(no_events); i++) {
        CHECK(REFUSED(_PyMonitoring_RegisterCallback(1, no_events[i], Py_None), NULL, "invalid event"));
    }
    CHECK(REFUSED(set_events(1, 1u << _PY_MONITORING_UNGROUPED_EVENTS), -1, "invalid event set"));
    CHECK(REFUSED(set_events(1, UINT_MAX), -1, "invalid event set"));
    CHECK(REFUSED(set_local_events(code, 1, 1u << _PY_MONITORING_LOCAL_EVENTS), -1, "invalid event set"));
    CHECK(is_true("mon._all_events() == {'PY_START': 2}"));

    PyMonitoringState state = {.active = 5};
    uint64_t known = 0;
    uint8_t types[] = {_PY_MONITORING_EVENTS};
    CHECK(REFUSED(PyMonitoring_EnterScope(&state, &known, types, 1), -1, "invalid event"));
    CHECK(state.active == 5 && known == 0);
    /* These three are not watched on their own. */
    uint8_t grouped[] = {PY_MONITORING_EVENT_C_RETURN, PY_MONITORING_EVENT_C_RAISE, PY_MONITORING_EVENT_BRANCH};
    PyMonitoringState three[3] = {{0}};
    CHECK(run("mon.set_events(1, E.CALL | E.BRANCH_LEFT)") == 0);
    CHECK(PyMonitoring_EnterScope(three, &known, grouped, 3) == 0);
    CHECK(three[0].active == 2 && three[1].active == 2 && three[2].active == 2);
    CHECK(PyMonitoring_EnterScope(three, &known, grouped, -1) == 0);

    add_function(&fires_nonsense_def);
    CHECK(run("fires_nonsense()") == 0);
    CHECK(run("mon.free_tool_id(1)") == 0);
    Py_DECREF(code);
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

/* PyMem_Malloc refuses blocks with one byte or two for each of so many code units: tables of opcodes. */
static size_t refused_units;
static PyMemAllocatorEx allocator;

static void *refusing_malloc(void *context, size_t size)
{
    (void)context;
    return size == refused_units || size == 2 * refused_units ? NULL : allocator.malloc(allocator.ctx, size);
}

/* A trace function for all threads, while one of them has a frame that is to trace opcodes and there is no memory for
   them: all events but those of opcodes. */
static PyObject *traces_without_memory(PyObject *self, PyObject *unused)
{
    (void)self, (void)unused;
    PyFrameObject *frame = PyEval_GetFrame();
    PyCodeObject *code = PyFrame_GetCode(frame);
    PyObject_SetAttrString((PyObject *)frame, "f_trace_opcodes", Py_True);
    PyMem_GetAllocator(PYMEM_DOMAIN_MEM, &allocator);
    PyMemAllocatorEx refusing = allocator;
    refusing.malloc = refusing_malloc;
    PyMem_SetAllocator(PYMEM_DOMAIN_MEM, &refusing);
    refused_units = (size_t)Py_SIZE(code);
    PyThreadState *tstate = PyThreadState_Get();
    int status = _PyEval_SetTraceAllThreads(tstate->interp, counts_calls, NULL);
    PyMem_SetAllocator(PYMEM_DOMAIN_MEM, &allocator);
    Py_DECREF(code);
    CHECK(status == -1 && raised(PyExc_MemoryError, ""));
    CHECK(tstate->c_tracefunc == counts_calls);
    int line_events = tstate->interp->monitors.tools[PY_MONITORING_EVENT_LINE] >> PY_MONITORING_SYS_TRACE_ID & 1;
    /* The C evaluator leaves a function without events. */
    CHECK(line_events == !on_reference());
    CHECK(_PyEval_SetTraceAllThreads(tstate->interp, NULL, NULL) == 0);
    CHECK(tstate->c_tracefunc == NULL && tstate->interp->monitors.tools[PY_MONITORING_EVENT_LINE] == 0);
    Py_RETURN_NONE;
}

static PyMethodDef traces_without_memory_def = {"traces_without_memory", traces_without_memory, METH_NOARGS, NULL};

static void trace_without_memory(void)
{
    add_function(&traces_without_memory_def);
    CHECK(run("def traced():\n"
              "    numbers = []\n"
              "    for i in range(10):\n"
              "        numbers.append(i * i if i % 2 else -i)\n"
              "    traces_without_memory()\n"
              "    return numbers\n"
              "traced()") == 0);
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
    fired_at_a_bad_time();
    nonsense();
    trace_without_memory();
    threads_and_switches();
    CHECK(Py_FinalizeEx() == 0);
    return results();
}
