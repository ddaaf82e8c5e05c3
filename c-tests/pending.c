/* Pending calls: queues filled to the last place, who makes the calls and in which order, what becomes of the rest
   when one fails. */

#define Py_BUILD_CORE 1
#include "guests.h"
#include "pycore_ceval_state.h"
#include <sys/wait.h>

static long called[1000];
static int calls, calls_elsewhere, refused;
static unsigned long caller;

static int pending(void *argument)
{
    calls_elsewhere += PyThread_get_thread_ident() != caller;
    called[calls++] = (long)(intptr_t)argument;
    return 0;
}

static int refuses(void *argument)
{
    (void)argument;
    refused++;
    PyErr_SetString(PyExc_BufferError, "refused");
    return -1;
}

static void expect_calls_by(unsigned long thread)
{
    memset(called, 0, sizeof called);
    calls = calls_elsewhere = refused = 0;
    caller = thread;
}

/* Whether the arguments of the calls so far are from, from + 1, ... */
static int in_order(long from)
{
    for (int i = 0; i < calls; i++) {
        if (called[i] != from + i) {
            printf("# call %d was number %ld\n", i, called[i]);
            return 0;
        }
    }
    return calls_elsewhere == 0;
}

static void *fills_main_queue(void *argument)
{
    long *added = argument;
    while (Py_AddPendingCall(pending, (void *)(*added + 1)) == 0) {
        ++*added;
    }
    return NULL;
}

static void *fills_interpreter_queue(void *argument)
{
    long *added = argument;
    while (_PyEval_AddPendingCall(main_interpreter(), pending, (void *)(*added + 1), 0) == _Py_ADD_PENDING_SUCCESS) {
        ++*added;
    }
    return NULL;
}

static int32_t waiting_for_main(void) { return _Py_atomic_load_int32(&_PyRuntime.ceval.pending_mainthread.npending); }
static int32_t waiting(void) { return _Py_atomic_load_int32(&main_interpreter()->ceval.pending.npending); }

/* Who is told of calls for any thread of the interpreter: all threads, or the one that runs. */
enum { FIRST_TOLD = FREE_THREADED ? 0 : GUESTS };

static void full_queues(void)
{
    invite();
    CHECK(Py_MakePendingCalls() == 0);
    PyThreadState *me = PyThreadState_Get();
    struct words before = words(), wanted = before;
    CHECK((before.of[GUESTS] & _PY_CALLS_TO_DO_BIT) == 0);
    CHECK(waiting() == 0 && waiting_for_main() == 0);

    /* The queue of the main thread: nobody else's word changes. */
    expect_calls_by(PyThread_get_thread_ident());
    long added = 0;
    in_a_foreign_thread(fills_main_queue, &added);
    CHECK(added == MAXPENDINGCALLS_MAIN && added == 32);
    CHECK(waiting_for_main() == added && waiting() == 0 && calls == 0);
    wanted.of[GUESTS] |= _PY_CALLS_TO_DO_BIT;
    CHECK(same_words(words(), wanted));
    CHECK(Py_AddPendingCall(pending, NULL) == -1 && PyErr_Occurred() == NULL);
    CHECK(Py_MakePendingCalls() == 0);
    CHECK(calls == added && in_order(1) && waiting_for_main() == 0);
    CHECK(same_words(words(), before));

    /* Full once more after the ring has turned, and a loop in Python is interrupted for all of them. */
    expect_calls_by(PyThread_get_thread_ident());
    added = 0;
    in_a_foreign_thread(fills_main_queue, &added);
    CHECK(added == 32);
    CHECK(run("for i in range(10): pass") == 0);
    CHECK(calls == added && in_order(1));

    /* The queue of the interpreter: a limited number in one go, and the bit stays while there are more. */
    expect_calls_by(PyThread_get_thread_ident());
    added = 0;
    in_a_foreign_thread(fills_interpreter_queue, &added);
    CHECK(added == MAXPENDINGCALLS && added == 300);
    CHECK(waiting() == added && waiting_for_main() == 0);
    for (int i = FIRST_TOLD; i <= GUESTS; i++) {
        wanted.of[i] |= _PY_CALLS_TO_DO_BIT;
    }
    CHECK(same_words(words(), wanted));
    for (int pass = 1; pass <= 3; pass++) {
        CHECK(Py_MakePendingCalls() == 0);
        CHECK(calls == pass * MAXPENDINGCALLSLOOP && in_order(1) && waiting() == 300 - calls);
        CHECK(((word(me) & _PY_CALLS_TO_DO_BIT) != 0) == (pass < 3));
    }
    CHECK(same_words(words(), before));
    expect_calls_by(PyThread_get_thread_ident());
    added = 0;
    in_a_foreign_thread(fills_interpreter_queue, &added);
    CHECK(added == 300);
    CHECK(run("for i in range(10): pass") == 0);
    CHECK(calls == 300 && in_order(1) && waiting() == 0);
    CHECK(same_words(words(), before));
    send_home();
}

static void makes_calls(struct guest *guest)
{
    guest->answer = (word(guest->state) & _PY_CALLS_TO_DO_BIT) != 0;
    if (Py_MakePendingCalls() != 0 || calls != 0) {
        guest->answer = -1; /* this is for the main thread only */
    }
    else if (_PyEval_MakePendingCalls(guest->state) != 0) {
        guest->answer = -2;
    }
    else if (run("for i in range(100): pass") != 0) {
        guest->answer = -3;
    }
}

static void whose_calls(void)
{
    invite();
    expect_calls_by(PyThread_get_thread_ident());
    /* For the main thread: another one is not even told. */
    CHECK(Py_AddPendingCall(pending, (void *)1) == 0);
    let(&guests[0], makes_calls);
    CHECK(guests[0].answer == 0 && calls == 0 && waiting_for_main() == 1);
    /* A free-threaded C evaluator forgets to tell the main thread again after another one has made its calls. */
    int told = !FREE_THREADED || !on_reference();
    CHECK(((word(PyThreadState_Get()) & _PY_CALLS_TO_DO_BIT) != 0) == told);
    CHECK(Py_MakePendingCalls() == 0 && calls == 1 && in_order(1));

    /* For the interpreter: whoever runs next may do it, and is told as it attaches unless all have been told. */
    expect_calls_by(guests[1].id);
    CHECK(_PyEval_AddPendingCall(main_interpreter(), pending, (void *)1, 0) == 0);
    CHECK(((word(guests[1].state) & _PY_CALLS_TO_DO_BIT) != 0) == FREE_THREADED);
    CHECK(Py_AddPendingCall(pending, (void *)2) == 0);
    let(&guests[1], makes_calls);
    CHECK(guests[1].answer == 1 && calls == 1 && in_order(1) && waiting() == 0 && waiting_for_main() == 1);
    CHECK((word(guests[1].state) & _PY_CALLS_TO_DO_BIT) == 0);
    caller = PyThread_get_thread_ident();
    CHECK(Py_MakePendingCalls() == 0 && calls == 2 && in_order(1));
    send_home();
}

static int adds_another(void *argument)
{
    long left = (long)(intptr_t)argument;
    pending(argument);
    return left > 1 ? Py_AddPendingCall(adds_another, (void *)(left - 1)) : 0;
}

static int makes_the_others(void *argument)
{
    int before = calls;
    int status = Py_MakePendingCalls();
    if (calls != before) {
        return refuses(NULL); /* calls are not made within calls */
    }
    return status != 0 ? status : pending(argument);
}

static PyMemAllocatorEx raw;
static void *watched;
static int watched_freed;

static void counting_free(void *context, void *block)
{
    watched_freed += block != NULL && block == watched;
    raw.free(context, block);
}

static void calls_that_fail_or_call(void)
{
    PyThreadState *me = PyThreadState_Get();
    expect_calls_by(PyThread_get_thread_ident());
    CHECK(Py_AddPendingCall(pending, (void *)1) == 0);
    CHECK(Py_AddPendingCall(refuses, NULL) == 0);
    CHECK(Py_AddPendingCall(pending, (void *)2) == 0);
    CHECK(Py_MakePendingCalls() == -1 && raised(PyExc_BufferError, "refused"));
    CHECK(calls == 1 && refused == 1 && waiting_for_main() == 1 && (word(me) & _PY_CALLS_TO_DO_BIT) != 0);
    CHECK(Py_MakePendingCalls() == 0 && calls == 2 && in_order(1));

    /* In the queue of the interpreter, before that of the main thread. */
    expect_calls_by(PyThread_get_thread_ident());
    CHECK(Py_AddPendingCall(pending, (void *)3) == 0);
    CHECK(_PyEval_AddPendingCall(main_interpreter(), pending, (void *)1, 0) == 0);
    CHECK(_PyEval_AddPendingCall(main_interpreter(), refuses, NULL, 0) == 0);
    CHECK(_PyEval_AddPendingCall(main_interpreter(), pending, (void *)2, 0) == 0);
    CHECK(value("[i for i in range(1000)]") == NULL && raised(PyExc_BufferError, "refused"));
    CHECK(calls == 1 && waiting() == 1 && waiting_for_main() == 1);
    CHECK(run("for i in range(10): pass") == 0 && calls == 3 && in_order(1));

    /* A call that adds another one: all in the same pass. */
    expect_calls_by(PyThread_get_thread_ident());
    CHECK(Py_AddPendingCall(adds_another, (void *)5) == 0);
    CHECK(Py_MakePendingCalls() == 0 && calls == 5 && called[4] == 1 && waiting_for_main() == 0);
    expect_calls_by(PyThread_get_thread_ident());
    CHECK(Py_AddPendingCall(adds_another, (void *)40) == 0);
    CHECK(Py_MakePendingCalls() == 0 && calls == 32 && waiting_for_main() == 1);
    CHECK((word(me) & _PY_CALLS_TO_DO_BIT) != 0);
    CHECK(Py_MakePendingCalls() == 0 && calls == 40 && waiting_for_main() == 0);
    CHECK((word(me) & _PY_CALLS_TO_DO_BIT) != 0); /* since calls were added meanwhile */
    CHECK(Py_MakePendingCalls() == 0 && calls == 40 && (word(me) & _PY_CALLS_TO_DO_BIT) == 0);

    expect_calls_by(PyThread_get_thread_ident());
    CHECK(Py_AddPendingCall(makes_the_others, (void *)1) == 0);
    CHECK(Py_AddPendingCall(pending, (void *)2) == 0);
    CHECK(Py_MakePendingCalls() == 0 && calls == 2 && in_order(1) && refused == 0);

    /* The argument goes with the call, if that is asked for, whether the call succeeds or not. */
    PyMem_GetAllocator(PYMEM_DOMAIN_RAW, &raw);
    for (int fails = 0; fails < 2; fails++) {
        watched = PyMem_RawMalloc(1000);
        watched_freed = 0;
        PyMemAllocatorEx counting = raw;
        counting.free = counting_free;
        PyMem_SetAllocator(PYMEM_DOMAIN_RAW, &counting);
        int flags = _Py_PENDING_MAINTHREADONLY | _Py_PENDING_RAWFREE;
        CHECK(_PyEval_AddPendingCall(main_interpreter(), fails ? refuses : pending, watched, flags) == 0);
        CHECK(watched_freed == 0);
        CHECK(Py_MakePendingCalls() == -fails && watched_freed == 1);
        PyMem_SetAllocator(PYMEM_DOMAIN_RAW, &raw);
        CHECK(!fails || raised(PyExc_BufferError, "refused"));
    }
}

#define ADDERS 4
#define EACH 500

static long last_of[ADDERS];
static int out_of_order;

static int counts_per_adder(void *argument)
{
    long place = (long)(intptr_t)argument, adder = place / EACH;
    calls_elsewhere += PyThread_get_thread_ident() != caller;
    out_of_order += last_of[adder] != place % EACH;
    last_of[adder]++;
    calls++;
    return 0;
}

static void *adds_calls(void *argument)
{
    long adder = (long)(intptr_t)argument;
    for (long i = 0; i < EACH; i++) {
        while (Py_AddPendingCall(counts_per_adder, (void *)(adder * EACH + i)) < 0) {
            usleep(50);
        }
    }
    return NULL;
}

static void calls_from_everywhere(void)
{
    expect_calls_by(PyThread_get_thread_ident());
    pthread_t threads[ADDERS];
    for (long i = 0; i < ADDERS; i++) {
        pthread_create(&threads[i], NULL, adds_calls, (void *)i);
    }
    while (calls < ADDERS * EACH && run("for i in range(1000): pass") == 0) {
    }
    for (int i = 0; i < ADDERS; i++) {
        pthread_join(threads[i], NULL);
        CHECK(last_of[i] == EACH);
    }
    CHECK(calls == ADDERS * EACH && out_of_order == 0 && calls_elsewhere == 0 && waiting_for_main() == 0);
}

static sem_t inside, leave;

static int waits(void *argument)
{
    (void)argument;
    PyThreadState *saved = PyEval_SaveThread();
    sem_post(&inside);
    await(&leave);
    PyEval_RestoreThread(saved);
    return 0;
}

static void makes_a_call_that_waits(struct guest *guest)
{
    guest->answer = _PyEval_MakePendingCalls(guest->state);
}

/* What a child does after a fork: makes the calls that were left, and one of its own. */
static int child(void)
{
    PyThreadState *me = PyThreadState_Get();
    caller = PyThread_get_thread_ident();
    int told = (word(me) & _PY_CALLS_TO_DO_BIT) != 0;
    int made = run("for i in range(100): pass") == 0 && calls == 1;
    int added = _PyEval_AddPendingCall(main_interpreter(), pending, (void *)2, 0) == _Py_ADD_PENDING_SUCCESS;
    return told && made && added && _PyEval_MakePendingCalls(me) == 0 && calls == 2 && in_order(1) ? 0 : 1;
}

/* A fork while another thread makes the calls: in the child, that thread is gone. The C evaluator keeps its state,
   which is freed there, and makes no calls any more. */
static void fork_beside_a_call(void)
{
    if (on_reference()) {
        return;
    }
    sem_init(&inside, 0, 0);
    sem_init(&leave, 0, 0);
    invite();
    CHECK(_PyEval_AddPendingCall(main_interpreter(), waits, NULL, 0) == _Py_ADD_PENDING_SUCCESS);
    PyThreadState *saved = PyEval_SaveThread();
    start(&guests[0], makes_a_call_that_waits);
    await(&inside);
    PyEval_RestoreThread(saved);
    expect_calls_by(PyThread_get_thread_ident());
    CHECK(_PyEval_AddPendingCall(main_interpreter(), pending, (void *)1, 0) == _Py_ADD_PENDING_SUCCESS);
    CHECK(run("for i in range(100): pass") == 0 && calls == 0); /* the guest is to make it */

    PyOS_BeforeFork();
    pid_t pid = fork();
    if (pid == 0) {
        PyOS_AfterFork_Child();
        _exit(child());
    }
    PyOS_AfterFork_Parent();
    int status = -1;
    CHECK(pid > 0 && waitpid(pid, &status, 0) == pid && status == 0);

    caller = guests[0].id;
    saved = PyEval_SaveThread();
    sem_post(&leave);
    await(&guests[0].done);
    PyEval_RestoreThread(saved);
    CHECK(guests[0].answer == 0 && calls == 1 && in_order(1) && waiting() == 0);
    send_home();
    sem_destroy(&inside);
    sem_destroy(&leave);
}

int main(void)
{
    alarm(500); /* whatever hangs */
    start_python();
    full_queues();
    whose_calls();
    calls_that_fail_or_call();
    calls_from_everywhere();
    fork_beside_a_call();
    CHECK(Py_FinalizeEx() == 0);
    return results();
}
