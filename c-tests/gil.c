/* The GIL: what the structure that debuggers read says of it, every way to give it up and take it again, threads
   that Python has never seen, interpreters that share it and interpreters that have their own. */

#define Py_BUILD_CORE 1
#include "guests.h"
#include "pycore_gil.h"
#include <errno.h>

/* In the stable ABI, but in no header. */
extern void PyEval_AcquireLock(void);
extern void PyEval_ReleaseLock(void);
extern int PyEval_ThreadsInitialized(void);

static struct _gil_runtime_state *gil_of(PyInterpreterState *interpreter) { return interpreter->ceval.gil; }
static int locked(struct _gil_runtime_state *gil) { return _Py_atomic_load_int(&gil->locked); }
static PyThreadState *holder(struct _gil_runtime_state *gil) { return _Py_atomic_load_ptr(&gil->last_holder); }

/* --- what it says of itself ------------------------------------------------------------------------ */

static unsigned long switches_when_attached;

static void looks_at_the_gil(struct guest *guest)
{
    struct _gil_runtime_state *gil = gil_of(main_interpreter());
    guest->answer = locked(gil) == 1 && holder(gil) == guest->state && guest->state->holds_gil &&
                    PyThreadState_Get() == guest->state && PyGILState_Check();
    switches_when_attached = gil->switch_number;
}

static void structure(void)
{
    invite();
    PyThreadState *me = PyThreadState_Get();
    struct _gil_runtime_state *gil = gil_of(main_interpreter());
    CHECK(gil == &main_interpreter()->_gil && main_interpreter()->ceval.own_gil);
    CHECK(PyEval_ThreadsInitialized() && gil->interval == 5000);
    CHECK(run("import sys\nsys.setswitchinterval(0.25)") == 0 && gil->interval == 250000);
    CHECK(run("sys.setswitchinterval(0.005)") == 0 && gil->interval == 5000);
    CHECK(locked(gil) == 1 && holder(gil) == me && me->holds_gil);
    unsigned long switches = gil->switch_number;
    for (int i = 0; i < 100; i++) {
        if (PyEval_SaveThread() != me || locked(gil) != 0 || holder(gil) != me || me->holds_gil ||
            PyThreadState_GetUnchecked() != NULL || PyGILState_Check()) {
            CHECK(!"given up");
        }
        PyEval_RestoreThread(me);
        if (locked(gil) != 1 || holder(gil) != me || !me->holds_gil || PyThreadState_GetUnchecked() != me) {
            CHECK(!"taken");
        }
    }
    CHECK(gil->switch_number == switches); /* nobody else had it */
    for (int i = 0; i < GUESTS; i++) {
        let(&guests[i], looks_at_the_gil);
        CHECK(guests[i].answer == 1 && switches_when_attached == switches + 1);
        switches += 2;
        CHECK(gil->switch_number == switches && locked(gil) == 1 && holder(gil) == me && me->holds_gil);
    }
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wdeprecated-declarations"
    PyEval_InitThreads(); /* does nothing any more */
#pragma GCC diagnostic pop
    CHECK(locked(gil) == 1 && gil->switch_number == switches);
    send_home();
}

/* --- giving it up and taking it again -------------------------------------------------------------- */

#define CYCLES 400
static int inside, collisions, wrong_errno; /* plain variables: it is the GIL that protects them */
static long entered;

static void is_alone(void)
{
    collisions += inside != 0;
    inside = 1;
    for (volatile int i = 0; i < 50; i++) {
    }
    entered++;
    collisions += inside != 1;
    inside = 0;
}

static void cycles(struct guest *guest)
{
    PyThreadState *state = guest->state;
    for (int i = 0; i < CYCLES; i++) {
        is_alone();
        if (i % 8 == 0) {
            usleep(50); /* with the GIL: the others come and wait */
        }
        switch ((i + guest->number) % 6) {
        case 0: {
            PyThreadState *saved = PyEval_SaveThread();
            errno = 1000 + i;
            PyEval_RestoreThread(saved);
            wrong_errno += errno != 1000 + i;
            break;
        }
        case 1:
            PyEval_ReleaseThread(state);
            errno = 2000 + i;
            PyEval_AcquireThread(state);
            wrong_errno += errno != 2000 + i;
            break;
        case 2:
            PyEval_ReleaseLock(); /* the GIL only: the thread state stays */
            errno = 3000 + i;
            PyEval_AcquireLock();
            wrong_errno += errno != 3000 + i;
            break;
        case 3:
            if (PyThreadState_Swap(NULL) != state || PyThreadState_Swap(state) != NULL) {
                collisions++;
            }
            break;
        case 4:
            Py_BEGIN_ALLOW_THREADS
            PyGILState_STATE inner = PyGILState_Ensure(), innermost = PyGILState_Ensure();
            collisions += PyThreadState_Get() != state || innermost != PyGILState_LOCKED;
            is_alone();
            PyGILState_Release(innermost);
            PyGILState_Release(inner);
            Py_END_ALLOW_THREADS
            entered--;
            break;
        default:
            collisions += run("for i in range(50): pass") != 0;
        }
        collisions += PyThreadState_GetUnchecked() != state;
    }
}

static void all_cycle(double interval)
{
    char statement[64];
    snprintf(statement, sizeof statement, "sys.setswitchinterval(%g)", interval);
    CHECK(run(statement) == 0);
    invite();
    inside = collisions = wrong_errno = 0;
    entered = 0;
    unsigned long switches = gil_of(main_interpreter())->switch_number;
    PyThreadState *saved = PyEval_SaveThread();
    for (int i = 0; i < GUESTS; i++) {
        start(&guests[i], cycles);
    }
    for (int i = 0; i < GUESTS; i++) {
        await(&guests[i].done);
    }
    CHECK(locked(gil_of(main_interpreter())) == 0);
    PyEval_RestoreThread(saved);
    CHECK(entered == CYCLES * GUESTS && collisions == 0 && wrong_errno == 0);
    CHECK(gil_of(main_interpreter())->switch_number > switches + 10 * GUESTS); /* they met */
    CHECK(run("sys.setswitchinterval(0.005)") == 0);
    send_home();
}

static void runs_until_told(struct guest *guest)
{
    guest->answer = run("while not told: pass");
}

/* Several threads that never give the GIL up by themselves: each attachment still comes to an end. */
static void among_busy_threads(void)
{
    CHECK(run("told = False\nsys.setswitchinterval(0.0005)") == 0);
    invite();
    struct _gil_runtime_state *gil = gil_of(main_interpreter());
    unsigned long switches = gil->switch_number;
    for (int i = 0; i < 3; i++) {
        start(&guests[i], runs_until_told);
    }
    for (int turn = 0; turn < 50; turn++) {
        PyThreadState *saved = PyEval_SaveThread();
        usleep(1000);
        PyEval_RestoreThread(saved);
    }
    CHECK(gil->switch_number >= switches + 50);
    CHECK(run("told = True\nsys.setswitchinterval(0.005)") == 0);
    PyThreadState *saved = PyEval_SaveThread();
    for (int i = 0; i < 3; i++) {
        await(&guests[i].done);
    }
    PyEval_RestoreThread(saved);
    for (int i = 0; i < 3; i++) {
        CHECK(guests[i].answer == 0);
    }
    send_home();
}

/* --- threads that Python has never seen ------------------------------------------------------------ */

#define FOREIGN 2000
#define AT_A_TIME 8
static long visits;

static void *visits_once(void *argument)
{
    PyGILState_STATE state = PyGILState_Ensure();
    PyThreadState *mine = PyThreadState_Get();
    is_alone();
    visits += state == PyGILState_UNLOCKED && PyGILState_GetThisThreadState() == mine;
    if (argument != NULL) {
        PyThreadState *saved = PyEval_SaveThread();
        PyGILState_STATE again = PyGILState_Ensure();
        visits += PyThreadState_Get() == mine && run("for i in range(5): visitors.add(i)") == 0;
        PyGILState_Release(again);
        PyEval_RestoreThread(saved);
    }
    PyGILState_Release(state);
    return NULL;
}

static void foreign_threads(void)
{
    CHECK(run("visitors = set()") == 0);
    PyThreadState *me = PyThreadState_Get();
    CHECK(me->next == NULL && me->prev == NULL); /* the only one */
    collisions = 0;
    PyThreadState *saved = PyEval_SaveThread();
    pthread_t threads[AT_A_TIME];
    for (int i = 0; i < FOREIGN; i++) {
        pthread_t *thread = &threads[i % AT_A_TIME];
        if (i >= AT_A_TIME) {
            pthread_join(*thread, NULL);
        }
        if (pthread_create(thread, NULL, visits_once, i % 4 == 0 ? "more" : NULL) != 0) {
            abort();
        }
    }
    for (int i = 0; i < AT_A_TIME; i++) {
        pthread_join(threads[i], NULL);
    }
    PyEval_RestoreThread(saved);
    CHECK(visits == FOREIGN + FOREIGN / 4 && collisions == 0);
    CHECK(me->next == NULL && me->prev == NULL); /* nothing is left of them */
}

/* --- more than one interpreter --------------------------------------------------------------------- */

#define INTERPRETERS 4
static pthread_barrier_t together;
static _Atomic int pending_in_sub;
static _Atomic(PyInterpreterState *) told;

struct sub {
    int own_gil;
    int gil_is_right;
    int64_t id;
    long answer;
};

static PyThreadState *new_interpreter(int own_gil)
{
    PyInterpreterConfig config = {
        .use_main_obmalloc = !own_gil,
        .allow_threads = 1,
        .check_multi_interp_extensions = own_gil || FREE_THREADED,
        .gil = own_gil ? PyInterpreterConfig_OWN_GIL : PyInterpreterConfig_SHARED_GIL,
    };
    PyThreadState *thread = NULL;
    PyStatus status = Py_NewInterpreterFromConfig(&thread, &config);
    if (PyStatus_Exception(status)) {
        Py_ExitStatusException(status);
    }
    return thread;
}

static void end_interpreter(PyThreadState *thread, PyThreadState *back, int own_gil)
{
    Py_EndInterpreter(thread);
    if (own_gil) {
        PyEval_RestoreThread(back);
    }
    else {
        PyThreadState_Swap(back);
    }
}

static void *has_an_interpreter(void *argument)
{
    struct sub *sub = argument;
    PyGILState_STATE state = PyGILState_Ensure();
    PyThreadState *mine = PyThreadState_Get();
    for (int turn = 0; turn < 3; turn++) {
        PyThreadState *thread = new_interpreter(sub->own_gil);
        PyInterpreterState *interpreter = PyThreadState_GetInterpreter(thread);
        struct _gil_runtime_state *gil = gil_of(interpreter), *main_gil = gil_of(main_interpreter());
        sub->id = PyInterpreterState_GetID(interpreter);
        sub->gil_is_right += interpreter->ceval.own_gil == sub->own_gil && (gil != main_gil) == sub->own_gil &&
                             locked(gil) == 1 && holder(gil) == thread && thread->holds_gil;
        if (sub->own_gil) {
            /* All of them hold theirs at the same time, or nobody gets over this line. */
            pthread_barrier_wait(&together);
            sub->gil_is_right += gil->interval == 5000 && run("import sys\nsys.setswitchinterval(0.5)") == 0 &&
                                 gil->interval == 500000 && main_gil->interval == 5000;
        }
        else {
            is_alone();
            sub->gil_is_right++;
        }
        sub->answer += run("import threading\nout = []\n"
                           "t = threading.Thread(target=lambda: out.append(sum(range(1000))))\n"
                           "t.start(); t.join()") == 0 ? number("out[0]") : -1;
        end_interpreter(thread, mine, sub->own_gil);
    }
    PyGILState_Release(state);
    return NULL;
}

static void in_parallel(int own_gil)
{
    pthread_t threads[INTERPRETERS];
    struct sub subs[INTERPRETERS];
    inside = collisions = 0;
    pthread_barrier_init(&together, NULL, INTERPRETERS);
    PyThreadState *saved = PyEval_SaveThread();
    for (int i = 0; i < INTERPRETERS; i++) {
        subs[i] = (struct sub){.own_gil = own_gil};
        pthread_create(&threads[i], NULL, has_an_interpreter, &subs[i]);
    }
    for (int i = 0; i < INTERPRETERS; i++) {
        pthread_join(threads[i], NULL);
    }
    PyEval_RestoreThread(saved);
    for (int i = 0; i < INTERPRETERS; i++) {
        CHECK(subs[i].gil_is_right == 6 && subs[i].answer == 3 * 499500);
        for (int j = 0; j < i; j++) {
            CHECK(subs[i].id != subs[j].id);
        }
    }
    CHECK(collisions == 0);
    pthread_barrier_destroy(&together);
}

static int notes_interpreter(void *argument)
{
    (void)argument;
    atomic_store(&told, PyInterpreterState_Get());
    return atomic_fetch_add(&pending_in_sub, 1) < 0;
}

static int ends_the_loop(void *argument)
{
    (void)argument;
    return run("told = True");
}

struct runner {
    int own_gil;
    _Atomic(PyThreadState *) thread;
    _Atomic int finished;
    int status;
};

static void *runs_in_its_interpreter(void *argument)
{
    struct runner *runner = argument;
    PyGILState_STATE state = PyGILState_Ensure();
    PyThreadState *mine = PyThreadState_Get();
    PyThreadState *thread = new_interpreter(runner->own_gil);
    runner->status = run("told = False");
    atomic_store(&runner->thread, thread);
    runner->status |= run("while not told: pass");
    atomic_store(&runner->finished, 1);
    end_interpreter(thread, mine, runner->own_gil);
    PyGILState_Release(state);
    return NULL;
}

/* A call for another interpreter: the caller's word, and its queue, are left alone. */
static void calls_for_another_interpreter(int own_gil)
{
    struct runner runner = {.own_gil = own_gil};
    pthread_t thread;
    PyThreadState *me = PyThreadState_Get();
    PyThreadState *saved = PyEval_SaveThread();
    pthread_create(&thread, NULL, runs_in_its_interpreter, &runner);
    while (atomic_load(&runner.thread) == NULL) {
        usleep(100);
    }
    usleep(2000);
    PyEval_RestoreThread(saved);
    PyInterpreterState *other = PyThreadState_GetInterpreter(atomic_load(&runner.thread));
    atomic_store(&pending_in_sub, 0);
    atomic_store(&told, NULL);
    /* The other one waits for a shared GIL meanwhile and asks for it: that bit says nothing here. */
    uintptr_t before = word(me) & ~(uintptr_t)_PY_GIL_DROP_REQUEST_BIT;
    for (int i = 0; i < 5; i++) {
        CHECK(_PyEval_AddPendingCall(other, notes_interpreter, NULL, 0) == _Py_ADD_PENDING_SUCCESS);
    }
    CHECK((word(me) & ~(uintptr_t)_PY_GIL_DROP_REQUEST_BIT) == before);
    if (!own_gil) {
        CHECK(atomic_load(&pending_in_sub) == 0); /* it cannot run before this thread lets it */
        CHECK(Py_MakePendingCalls() == 0 && atomic_load(&pending_in_sub) == 0);
    }
    saved = PyEval_SaveThread();
    while (atomic_load(&pending_in_sub) < 5) {
        usleep(100);
    }
    PyEval_RestoreThread(saved);
    CHECK(atomic_load(&told) == other && atomic_load(&pending_in_sub) == 5);
    CHECK(_PyEval_AddPendingCall(other, ends_the_loop, NULL, 0) == _Py_ADD_PENDING_SUCCESS);
    saved = PyEval_SaveThread();
    pthread_join(thread, NULL);
    PyEval_RestoreThread(saved);
    CHECK(runner.status == 0 && atomic_load(&runner.finished) == 1);
}

/* What is still queued when an interpreter ends is called before it does. */
static int answers(void *argument)
{
    (*(int *)argument)++;
    return 0;
}

static void calls_left_over(int own_gil)
{
    PyThreadState *me = PyThreadState_Get();
    int answered = 0;
    PyThreadState *thread = new_interpreter(own_gil);
    for (int i = 0; i < 250; i++) {
        if (_PyEval_AddPendingCall(PyThreadState_GetInterpreter(thread), answers, &answered, 0) != 0) {
            CHECK(!"room for it");
        }
    }
    CHECK((word(thread) & _PY_CALLS_TO_DO_BIT) != 0 && answered == 0);
    end_interpreter(thread, me, own_gil);
    CHECK(answered == 250 && (word(me) & _PY_CALLS_TO_DO_BIT) == 0);
}

/* --- the end --------------------------------------------------------------------------------------- */

static PyThreadState *late;
static sem_t late_may_come;
static _Atomic int attached_before_the_end, came_back;

static void *comes_late(void *argument)
{
    (void)argument;
    PyGILState_Ensure();
    late = PyEval_SaveThread();
    atomic_store(&attached_before_the_end, 1);
    await(&late_may_come);
    PyEval_RestoreThread(late); /* hangs: the interpreter is no more */
    atomic_store(&came_back, 1);
    return NULL;
}

static void *wants_it_at_the_end(void *argument)
{
    (void)argument;
    PyGILState_Ensure();
    atomic_fetch_add(&attached_before_the_end, 1);
    while (!atomic_load(&came_back)) {
        PyThreadState *saved = PyEval_SaveThread();
        PyEval_RestoreThread(saved); /* hangs sooner or later, here */
    }
    return NULL;
}

static void the_end(void)
{
    pthread_t threads[4];
    sem_init(&late_may_come, 0, 0);
    PyThreadState *saved = PyEval_SaveThread();
    for (int i = 0; i < 4; i++) {
        pthread_create(&threads[i], NULL, i == 0 ? comes_late : wants_it_at_the_end, NULL);
        pthread_detach(threads[i]);
        while (atomic_load(&attached_before_the_end) <= i) {
            usleep(100);
        }
    }
    PyEval_RestoreThread(saved);
    CHECK(Py_FinalizeEx() == 0);
    sem_post(&late_may_come);
    usleep(50000);
    CHECK(atomic_load(&came_back) == 0);
}

int main(void)
{
    alarm(500); /* whatever hangs */
    CHECK(!PyEval_ThreadsInitialized());
    setenv("PYTHON_GIL", "1", 1); /* which a free-threaded host would start without */
    start_python();
    CHECK(run("import threading, sys") == 0);
    structure();
    all_cycle(0.005);
    all_cycle(1e-6);
    among_busy_threads();
    foreign_threads();
    in_parallel(1);
    in_parallel(0);
    calls_for_another_interpreter(1);
    calls_for_another_interpreter(0);
    calls_left_over(1);
    calls_left_over(0);
    the_end();
    return results();
}
