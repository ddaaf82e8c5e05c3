/* The eval breaker: who sets which bit in whose word, and who is left alone. One thread is interrupted and the
   others' words stay as they are; the version in the upper bits and the requests in the lower ones are changed at
   the same time without losing either. */

#define Py_BUILD_CORE 1
#include "guests.h"
#include <signal.h>

/* --- asynchronous exceptions ---------------------------------------------------------------------- */

#define STOPS 10

static PyObject *stops[STOPS]; /* classes of exceptions */

static void make_stops(void)
{
    CHECK(run("class Stop(Exception): pass\n"
              "def runs_for_a_while():\n"
              "    for i in range(1000): pass\n"
              "    return 1000\n") == 0);
    for (int i = 0; i < STOPS; i++) {
        stops[i] = value("type('Stop', (Stop,), {})");
        CHECK(stops[i] != NULL);
    }
}

/* Which of them stopped it, or what it returned. */
static void runs_for_a_while(struct guest *guest)
{
    PyObject *result = value("runs_for_a_while()");
    guest->answer = result == NULL ? -1 : PyLong_AsLong(result);
    Py_XDECREF(result);
    for (int i = 0; i < STOPS && PyErr_Occurred(); i++) {
        if (PyErr_ExceptionMatches(stops[i])) {
            PyErr_Clear();
            guest->answer = i;
        }
    }
}

static void exceptions_for_some(void)
{
    make_stops();
    invite();
    struct words before = words(), wanted = before;
    Py_ssize_t references = Py_REFCNT(stops[2]);
    CHECK(PyThreadState_SetAsyncExc(guests[2].id, stops[2]) == 1);
    wanted.of[2] |= _PY_ASYNC_EXCEPTION_BIT;
    CHECK(same_words(words(), wanted));
    CHECK(Py_REFCNT(stops[2]) == references + 1);

    /* The last one counts, NULL takes it back. */
    CHECK(PyThreadState_SetAsyncExc(guests[5].id, stops[9]) == 1);
    CHECK(PyThreadState_SetAsyncExc(guests[5].id, stops[5]) == 1);
    wanted.of[5] |= _PY_ASYNC_EXCEPTION_BIT;
    CHECK(same_words(words(), wanted));
    CHECK(PyThreadState_SetAsyncExc(guests[3].id, stops[3]) == 1);
    CHECK(PyThreadState_SetAsyncExc(guests[3].id, NULL) == 1);
    CHECK(guests[3].state->async_exc == NULL);
    CHECK(PyThreadState_SetAsyncExc(0, stops[0]) == 0);

    static const long answers[GUESTS] = {1000, 1000, 2, 1000, 1000, 5};
    for (int i = 0; i < GUESTS; i++) {
        CHECK(number("runs_for_a_while()") == 1000);
        let(&guests[i], runs_for_a_while);
        CHECK(guests[i].answer == answers[i]);
        CHECK((word(guests[i].state) & _PY_ASYNC_EXCEPTION_BIT) == 0 && guests[i].state->async_exc == NULL);
    }
    CHECK(Py_REFCNT(stops[2]) == references);

    /* One for the thread that asks. */
    CHECK(PyThreadState_SetAsyncExc(PyThread_get_thread_ident(), stops[7]) == 1);
    CHECK((word(PyThreadState_Get()) & _PY_ASYNC_EXCEPTION_BIT) != 0);
    CHECK(value("runs_for_a_while()") == NULL); /* it comes as the expression starts */
    CHECK(PyErr_ExceptionMatches(stops[7]) && raised(PyExc_Exception, ""));
    send_home();
}

static _Atomic int interruptions[GUESTS], seen_by_others, samples, watching, victim;

static void spins(struct guest *guest)
{
    PyObject *mine = stops[guest->number], *enough = stops[9];
    for (;;) {
        PyObject *result = value("spin()");
        if (result != NULL || !(PyErr_ExceptionMatches(mine) || PyErr_ExceptionMatches(enough))) {
            Py_XDECREF(result);
            guest->answer = -1;
            return;
        }
        int end = PyErr_ExceptionMatches(enough);
        PyErr_Clear();
        if (end) {
            guest->answer = 1;
            return;
        }
        atomic_fetch_add(&interruptions[guest->number], 1);
    }
}

/* Looks at all words all the time, without the GIL. */
static void *watches(void *argument)
{
    (void)argument;
    while (atomic_load(&watching)) {
        int allowed = atomic_load(&victim);
        int seen = 0;
        for (int i = 0; i < GUESTS; i++) {
            seen += i != allowed && (word(guests[i].state) & _PY_ASYNC_EXCEPTION_BIT) != 0;
        }
        /* Another victim was chosen meanwhile: this look says nothing. */
        if (atomic_load(&victim) == allowed) {
            atomic_fetch_add(&seen_by_others, seen);
            atomic_fetch_add(&samples, 1);
        }
    }
    return NULL;
}

static void exceptions_while_all_run(void)
{
    CHECK(run("import sys\n"
              "interval = sys.getswitchinterval()\n"
              "sys.setswitchinterval(1e-4)\n"
              "def spin():\n"
              "    while True: pass\n") == 0);
    invite();
    pthread_t watcher;
    atomic_store(&watching, 1);
    atomic_store(&victim, -1);
    pthread_create(&watcher, NULL, watches, NULL);
    for (int i = 0; i < GUESTS; i++) {
        guests[i].answer = 0;
        start(&guests[i], spins);
    }
    int sent[GUESTS] = {0}, unknown = 0;
    for (int turn = 0; turn < 60; turn++) {
        int chosen = turn * 7 % GUESTS;
        atomic_store(&victim, chosen);
        unknown += PyThreadState_SetAsyncExc(guests[chosen].id, stops[chosen]) != 1;
        sent[chosen]++;
        PyThreadState *saved = PyEval_SaveThread();
        while (atomic_load(&interruptions[chosen]) < sent[chosen] && guests[chosen].answer == 0) {
            usleep(100);
        }
        PyEval_RestoreThread(saved);
    }
    CHECK(unknown == 0);
    for (int i = 0; i < GUESTS; i++) {
        CHECK(atomic_load(&interruptions[i]) == sent[i]);
        atomic_store(&victim, i);
        CHECK(PyThreadState_SetAsyncExc(guests[i].id, stops[9]) == 1);
        PyThreadState *saved = PyEval_SaveThread();
        await(&guests[i].done);
        PyEval_RestoreThread(saved);
        CHECK(guests[i].answer == 1);
    }
    atomic_store(&watching, 0);
    pthread_join(watcher, NULL);
    CHECK(atomic_load(&seen_by_others) == 0 && atomic_load(&samples) > 0);
    CHECK(run("sys.setswitchinterval(interval)") == 0);
    send_home();
}

/* --- signals, and what else the breaker carries ---------------------------------------------------- */

static void *is_signalled(void *argument)
{
    (void)argument;
    pthread_kill(pthread_self(), SIGUSR1);
    return NULL;
}

static void tries_signals(struct guest *guest)
{
    guest->answer = run("for i in range(100): pass") == 0 && PyErr_CheckSignals() == 0 ? number("len(log)") : -1;
}

static void signals(void)
{
    CHECK(run("import signal, threading, gc\n"
              "log = []\n"
              "main = threading.get_ident()\n"
              "def handler(number, frame):\n"
              "    log.append(('signal', threading.get_ident() == main))\n"
              "def fails(number, frame): raise LookupError('in the handler')\n"
              "signal.signal(signal.SIGUSR1, handler)\n") == 0);
    invite();
    PyThreadState *me = PyThreadState_Get();
    struct words before = words(), wanted = before;
    wanted.of[GUESTS] |= _PY_SIGNALS_PENDING_BIT;
    in_a_foreign_thread(is_signalled, NULL);
    CHECK(same_words(words(), wanted));
    let(&guests[0], tries_signals); /* signals are the main thread's */
    CHECK(guests[0].answer == 0);
    CHECK(same_words(words(), wanted));
    _Py_set_eval_breaker_bit(guests[1].state, _PY_SIGNALS_PENDING_BIT); /* even if it is told to look */
    let(&guests[1], tries_signals);
    CHECK(guests[1].answer == 0);
    CHECK(same_words(words(), wanted));
    CHECK(Py_MakePendingCalls() == 0);
    CHECK(is_true("log == [('signal', True)]"));
    CHECK(same_words(words(), before));
    for (int i = 0; i < GUESTS; i++) {
        pthread_kill(guests[i].thread, SIGUSR1);
    }
    while (bits_of(word(me)) == 0) {
        usleep(100); /* they run on some time */
    }
    wanted = before;
    wanted.of[GUESTS] |= _PY_SIGNALS_PENDING_BIT;
    usleep(10000);
    CHECK(same_words(words(), wanted));
    CHECK(run("for i in range(100): pass") == 0);
    CHECK(is_true("set(log) == {('signal', True)} and 1 < len(log)"));

    /* After a handler that fails, the rest is looked at again. */
    CHECK(run("signal.signal(signal.SIGUSR1, fails)") == 0);
    raise(SIGUSR1);
    CHECK(Py_MakePendingCalls() == -1 && raised(PyExc_LookupError, "in the handler"));
    CHECK((word(me) & _PY_SIGNALS_PENDING_BIT) != 0);
    CHECK(Py_MakePendingCalls() == 0 && (word(me) & _PY_SIGNALS_PENDING_BIT) == 0);
    PyErr_SetInterrupt();
    CHECK(value("runs_for_a_while()") == NULL && raised(PyExc_KeyboardInterrupt, ""));
    send_home();
}

/* Everything at once: written down by functions in C, since code in Python would look at the breaker itself. */
static char happened[16];

static void note(char what)
{
    size_t length = strlen(happened);
    if (length < sizeof happened - 1) {
        happened[length] = what;
    }
}

/* Whether this happened, in this order, since it was last asked. */
static int it_happened(const char *what)
{
    int same = strcmp(happened, what) == 0;
    if (!same) {
        printf("# it happened: %s\n", happened);
    }
    memset(happened, 0, sizeof happened);
    return same;
}

static PyObject *note_signal(PyObject *self, PyObject *arguments)
{
    (void)self, (void)arguments;
    note('s');
    Py_RETURN_NONE;
}

static PyObject *note_collection(PyObject *self, PyObject *arguments)
{
    (void)self;
    const char *phase = PyUnicode_AsUTF8(PyTuple_GET_ITEM(arguments, 0));
    if (phase != NULL && strcmp(phase, "start") == 0) {
        note('g');
    }
    Py_RETURN_NONE;
}

static int note_call(void *argument)
{
    note(*(char *)argument);
    return 0;
}

static PyObject *fail_on_signal(PyObject *self, PyObject *arguments)
{
    (void)self, (void)arguments;
    PyErr_SetString(PyExc_LookupError, "in a handler in C");
    return NULL;
}

static PyMethodDef note_defs[] = {
    {"note_signal", note_signal, METH_VARARGS, NULL},
    {"note_collection", note_collection, METH_VARARGS, NULL},
    {"fail_on_signal", fail_on_signal, METH_VARARGS, NULL},
};

/* Allocates until the collector asks for its turn. The result is what was allocated. */
static PyObject *wants_a_collection(void)
{
    PyThreadState *me = PyThreadState_Get();
    PyObject *list = PyList_New(0);
    for (int i = 0; i < 10000 && (word(me) & _PY_GC_SCHEDULED_BIT) == 0; i++) {
        PyObject *another = PyList_New(0);
        PyList_Append(list, another);
        Py_DECREF(another);
    }
    CHECK((word(me) & _PY_GC_SCHEDULED_BIT) != 0);
    return list;
}

static void order(void)
{
    for (size_t i = 0; i < sizeof note_defs / sizeof *note_defs; i++) {
        PyObject *function = PyCFunction_New(&note_defs[i], NULL);
        PyModule_AddObjectRef(PyImport_AddModule("__main__"), note_defs[i].ml_name, function);
        Py_DECREF(function);
    }
    CHECK(run("signal.signal(signal.SIGUSR1, note_signal)\n"
              "gc.set_threshold(20)\n"
              "gc.collect()\n"
              "gc.callbacks.append(note_collection)\n") == 0);
    PyThreadState *me = PyThreadState_Get();
    uintptr_t before = word(me);
    CHECK(bits_of(before) == 0);
    CHECK(PyThreadState_SetAsyncExc(PyThread_get_thread_ident(), stops[1]) == 1);
    _Py_set_eval_breaker_bit(me, _PY_EVAL_PLEASE_STOP_BIT);
    PyObject *first_lists = wants_a_collection();
    CHECK(Py_AddPendingCall(note_call, "m") == 0);
    CHECK(_PyEval_AddPendingCall(main_interpreter(), note_call, "i", 0) == 0);
    raise(SIGUSR1);
    CHECK(word(me) == (before | _PY_GC_SCHEDULED_BIT | _PY_EVAL_PLEASE_STOP_BIT | _PY_ASYNC_EXCEPTION_BIT |
                       _PY_CALLS_TO_DO_BIT | _PY_SIGNALS_PENDING_BIT));
    CHECK(_Py_HandlePending(me) == -1);
    CHECK(PyErr_ExceptionMatches(stops[1]) && raised(PyExc_Exception, ""));
    CHECK(it_happened("simg"));
    CHECK(word(me) == before);

    /* What fails ends the round: the rest is still to do. */
    CHECK(run("signal.signal(signal.SIGUSR1, fail_on_signal)") == 0);
    PyObject *lists = wants_a_collection();
    memset(happened, 0, sizeof happened); /* by the statement in Python */
    CHECK(Py_AddPendingCall(note_call, "m") == 0);
    raise(SIGUSR1);
    CHECK(_Py_HandlePending(me) == -1 && PyErr_ExceptionMatches(PyExc_LookupError));
    CHECK(it_happened(""));
    CHECK(word(me) == (before | _PY_GC_SCHEDULED_BIT | _PY_CALLS_TO_DO_BIT | _PY_SIGNALS_PENDING_BIT));
    PyErr_Clear();
    CHECK(_Py_HandlePending(me) == 0 && it_happened("mg") && word(me) == before);
    Py_DECREF(first_lists);
    Py_DECREF(lists);
    CHECK(run("gc.callbacks.remove(note_collection)\ngc.set_threshold(2000)") == 0);
}

/* Without Python code in between, each request alone. */
static void one_by_one(void)
{
    PyThreadState *me = PyThreadState_Get();
    static const uintptr_t requests[] = {_PY_GC_SCHEDULED_BIT, _PY_EVAL_PLEASE_STOP_BIT, _PY_ASYNC_EXCEPTION_BIT,
                                         _PY_CALLS_TO_DO_BIT, _PY_SIGNALS_PENDING_BIT};
    uintptr_t before = word(me);
    CHECK(bits_of(before) == 0);
    for (size_t i = 0; i < sizeof requests / sizeof *requests; i++) {
        _Py_set_eval_breaker_bit(me, requests[i]);
        CHECK(word(me) == (before | requests[i]));
        CHECK(_Py_HandlePending(me) == 0 && PyErr_Occurred() == NULL);
        CHECK(word(me) == before);
        CHECK(PyThreadState_GetUnchecked() == me);
    }
    invite();
    struct words words_before = words(), wanted = words_before;
    for (int i = 0; i <= GUESTS; i++) {
        wanted.of[i] |= _PY_GC_SCHEDULED_BIT | _PY_CALLS_TO_DO_BIT;
    }
    _Py_set_eval_breaker_bit_all(main_interpreter(), _PY_GC_SCHEDULED_BIT | _PY_CALLS_TO_DO_BIT);
    CHECK(same_words(words(), wanted));
    _Py_unset_eval_breaker_bit_all(main_interpreter(), _PY_GC_SCHEDULED_BIT | _PY_CALLS_TO_DO_BIT);
    CHECK(same_words(words(), words_before));
    send_home();
}

static void counts(struct guest *guest) { guest->answer++; }

/* A thread that waits for the GIL asks its holder for it, and gets its turn before the holder goes on. */
static void drop_request(void)
{
    invite();
    PyThreadState *me = PyThreadState_Get();
    struct words before = words(), wanted = before;
    wanted.of[GUESTS] |= _PY_GIL_DROP_REQUEST_BIT;
    for (int turn = 1; turn <= 20; turn++) {
        start(&guests[4], counts);
        while (bits_of(word(me)) == 0) {
            usleep(100);
        }
        CHECK(same_words(words(), wanted) && guests[4].answer == turn - 1);
        CHECK(_Py_HandlePending(me) == 0);
        CHECK((word(me) & _PY_GIL_DROP_REQUEST_BIT) == 0);
        CHECK(guests[4].answer == turn);
        await(&guests[4].done);
    }
    CHECK(same_words(words(), before));
    send_home();
}

#if defined(Py_REMOTE_DEBUG) && defined(Py_SUPPORTS_REMOTE_DEBUG)
static void handles(struct guest *guest)
{
    guest->answer = _Py_HandlePending(guest->state);
}

static void remote_script(void)
{
    char path[] = "/tmp/breaker-XXXXXX";
    int file = mkstemp(path);
    static const char script[] = "import __main__, threading\n__main__.log.append(threading.get_ident())\n";
    CHECK(file >= 0 && write(file, script, sizeof script - 1) == sizeof script - 1 && close(file) == 0);
    CHECK(run("log.clear()") == 0);
    invite();
    PyThreadState *me = PyThreadState_Get(), *other = guests[3].state;
    snprintf(other->remote_debugger_support.debugger_script_path,
             sizeof other->remote_debugger_support.debugger_script_path, "%s", path);
    other->remote_debugger_support.debugger_pending_call = 1;
    _Py_set_eval_breaker_bit(other, _PY_EVAL_PLEASE_STOP_BIT);
    CHECK(_Py_HandlePending(me) == 0);
    let(&guests[2], handles);
    CHECK(is_true("log == []"));
    let(&guests[3], handles);
    CHECK(guests[3].answer == 0);
    CHECK(number("len(log)") == 1 && number("log[0] & 0xffffffff") == (long)(guests[3].id & 0xffffffff));
    CHECK(other->remote_debugger_support.debugger_pending_call == 0 && bits_of(word(other)) == 0);
    let(&guests[3], handles);
    CHECK(number("len(log)") == 1);
    send_home();
    unlink(path);
}
#else
static void remote_script(void) {}
#endif

/* --- the version above the bits -------------------------------------------------------------------- */

static uintptr_t current_version(void)
{
    return _Py_atomic_load_uintptr(&main_interpreter()->ceval.instrumentation_version);
}

static void looks_at_its_version(struct guest *guest)
{
    guest->answer = version_of(word(guest->state)) == current_version();
}

static void versions(void)
{
    CHECK(run("import sys\n"
              "tool = sys.monitoring\n"
              "tool.use_tool_id(4, 'breaker')\n") == 0);
    invite();
    PyThreadState *me = PyThreadState_Get();
    for (int turn = 0; turn < 6; turn++) {
        uintptr_t before = current_version();
        _Py_set_eval_breaker_bit(guests[turn].state, _PY_EVAL_EXPLICIT_MERGE_BIT);
        struct words words_before = words();
        CHECK(run("tool.set_events(4, 0 if tool.get_events(4) else tool.events.PY_START)") == 0);
        CHECK(current_version() > before && bits_of(current_version()) == 0);
        CHECK(version_of(word(me)) == current_version());
        for (int i = 0; i < GUESTS; i++) {
            CHECK(bits_of(word(guests[i].state)) == bits_of(words_before.of[i]));
            let(&guests[i], looks_at_its_version); /* as soon as it attaches */
            CHECK(guests[i].answer == 1);
            CHECK(bits_of(word(guests[i].state)) == bits_of(words_before.of[i]));
        }
        _Py_unset_eval_breaker_bit(guests[turn].state, _PY_EVAL_EXPLICIT_MERGE_BIT);
        CHECK(version_of(word(guests[turn].state)) == current_version());
    }
    send_home();
}

/* Two guests attach and detach all the time, which copies the version into their words; others set and clear bits
   there, one bit each; the main thread makes new versions. */
#define HAMMERED 2
static const uintptr_t hammers[] = {_PY_GC_SCHEDULED_BIT, _PY_EVAL_EXPLICIT_MERGE_BIT, _PY_ASYNC_EXCEPTION_BIT};
static _Atomic int hammering, lost_bits, blows, wrong_versions, attachments;

static void attaches(struct guest *guest)
{
    while (atomic_load(&hammering)) {
        PyEval_SaveThread();
        PyEval_RestoreThread(guest->state);
        atomic_fetch_add(&wrong_versions, version_of(word(guest->state)) != current_version());
        atomic_fetch_add(&attachments, 1);
    }
}

static void *hammers_on(void *argument)
{
    uintptr_t bit = *(const uintptr_t *)argument;
    uintptr_t latest[HAMMERED] = {0};
    while (atomic_load(&hammering)) {
        for (int i = 0; i < HAMMERED; i++) {
            PyThreadState *thread = guests[i].state;
            for (int set = 1; set >= 0; set--) {
                if (set) {
                    _Py_set_eval_breaker_bit(thread, bit);
                }
                else {
                    _Py_unset_eval_breaker_bit(thread, bit);
                }
                for (int look = 0; look < 20; look++) {
                    uintptr_t now = word(thread);
                    atomic_fetch_add(&lost_bits, ((now & bit) != 0) != set);
                    /* Versions only grow, and none is seen before it is made. */
                    atomic_fetch_add(&wrong_versions,
                                     version_of(now) < latest[i] || version_of(now) > current_version());
                    latest[i] = version_of(now);
                }
            }
            atomic_fetch_add(&blows, 1);
        }
    }
    return NULL;
}

static void versions_and_bits_at_once(void)
{
    enum { HAMMERS = sizeof hammers / sizeof *hammers };
    pthread_t threads[HAMMERS];
    invite();
    atomic_store(&hammering, 1);
    for (int i = 0; i < HAMMERED; i++) {
        start(&guests[i], attaches);
    }
    for (int i = 0; i < HAMMERS; i++) {
        pthread_create(&threads[i], NULL, hammers_on, (void *)&hammers[i]);
    }
    int behind = 0, failed = 0;
    for (int turn = 0; turn < 60; turn++) {
        failed += run("tool.set_events(4, 0 if tool.get_events(4) else tool.events.PY_START)") != 0;
        behind += version_of(word(PyThreadState_Get())) != current_version();
        PyThreadState *saved = PyEval_SaveThread();
        int seen = atomic_load(&attachments);
        while (atomic_load(&attachments) < seen + 2) {
            sched_yield();
        }
        PyEval_RestoreThread(saved);
    }
    PyThreadState *saved = PyEval_SaveThread();
    atomic_store(&hammering, 0);
    for (int i = 0; i < HAMMERED; i++) {
        await(&guests[i].done);
    }
    for (int i = 0; i < HAMMERS; i++) {
        pthread_join(threads[i], NULL);
    }
    PyEval_RestoreThread(saved);
    CHECK(failed == 0 && behind == 0);
    CHECK(atomic_load(&wrong_versions) == 0);
    CHECK(atomic_load(&lost_bits) == 0);
    CHECK(atomic_load(&attachments) >= 120 && atomic_load(&blows) > 0);
    CHECK(run("tool.set_events(4, 0)\ntool.free_tool_id(4)") == 0);
    send_home();
}

int main(void)
{
    alarm(500); /* whatever hangs */
    setenv("PYTHON_GIL", "1", 1); /* which a free-threaded host would start without */
    start_python();
    exceptions_for_some();
    exceptions_while_all_run();
    signals();
    order();
    one_by_one();
    drop_request();
    remote_script();
    versions();
    versions_and_bits_at_once();
    CHECK(Py_FinalizeEx() == 0);
    return results();
}
