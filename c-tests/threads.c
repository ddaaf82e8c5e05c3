/* A host with threads of its own: several in one interpreter, one interpreter per thread, with and without a GIL
   of their own, and messages to a thread that runs Python. */

#include "host.h"
#include <pthread.h>
#include <unistd.h>

#define THREADS 4

static const char WORK[] =
    "def work(n):\n"
    "    total = 0\n"
    "    for i in range(n):\n"
    "        try:\n"
    "            total += len(str(i)) if i % 3 else sum(j for j in range(3))\n"
    "            if i % 100 == 0: raise KeyError(i)\n"
    "        except KeyError as e:\n"
    "            total += e.args[0]\n"
    "    return total\n";

static long expected; /* work(2000), as the main thread has it */

static void *in_one_interpreter(void *argument)
{
    long *result = argument;
    PyGILState_STATE state = PyGILState_Ensure();
    *result = number("work(2000)");
    /* Without the GIL between two pieces of work. */
    PyThreadState *saved = PyEval_SaveThread();
    usleep(1000);
    PyEval_RestoreThread(saved);
    *result = number("work(2000)") == *result ? *result : -2;
    PyGILState_Release(state);
    return NULL;
}

static void threads_of_one_interpreter(void)
{
    pthread_t threads[THREADS];
    long answers[THREADS] = {0};
    CHECK(run("import sys; interval = sys.getswitchinterval(); sys.setswitchinterval(1e-5)") == 0);
    PyThreadState *saved = PyEval_SaveThread();
    for (int i = 0; i < THREADS; i++) {
        pthread_create(&threads[i], NULL, in_one_interpreter, &answers[i]);
    }
    for (int i = 0; i < THREADS; i++) {
        pthread_join(threads[i], NULL);
    }
    PyEval_RestoreThread(saved);
    for (int i = 0; i < THREADS; i++) {
        CHECK(answers[i] == expected);
    }
    CHECK(run("sys.setswitchinterval(interval)") == 0);
}

struct sub {
    int own_gil;
    long answer;
    int64_t id;
};

static void *in_its_own_interpreter(void *argument)
{
    struct sub *sub = argument;
    PyInterpreterConfig config = {
        .use_main_obmalloc = !sub->own_gil,
        .allow_threads = 1,
        .check_multi_interp_extensions = sub->own_gil || FREE_THREADED,
        .gil = sub->own_gil ? PyInterpreterConfig_OWN_GIL : PyInterpreterConfig_SHARED_GIL,
    };
    PyThreadState *thread = NULL, *mine = NULL;
    /* A thread state of the main interpreter, which is needed to make another one. */
    PyGILState_STATE state = PyGILState_Ensure();
    mine = PyThreadState_Get();
    PyStatus status = Py_NewInterpreterFromConfig(&thread, &config);
    if (PyStatus_Exception(status)) {
        PyGILState_Release(state);
        return NULL;
    }
    sub->id = PyInterpreterState_GetID(PyThreadState_GetInterpreter(thread));
    sub->answer = run(WORK) == 0 ? number("work(2000)") : -1;
    if (sub->answer >= 0 && run("import threading\nout = []\n"
                                "t = threading.Thread(target=lambda: out.append(work(100)))\nt.start(); t.join()\n"
                                "def g():\n    try: yield\n    finally: out.clear()\nkeep = g(); next(keep)\n"
                                "def deep(n): return deep(n + 1)\n"
                                "try: deep(0)\nexcept RecursionError: out.append('deep')\n"
                                "assert out == [work(100), 'deep'], out") < 0) {
        sub->answer = -1;
    }
    Py_EndInterpreter(thread);
    /* The GIL of the main interpreter was given up for the other one's, unless they share it. */
    if (sub->own_gil) {
        PyEval_RestoreThread(mine);
    }
    else {
        PyThreadState_Swap(mine);
    }
    PyGILState_Release(state);
    return NULL;
}

static void interpreters(int own_gil)
{
    pthread_t threads[THREADS];
    struct sub subs[THREADS];
    PyThreadState *saved = PyEval_SaveThread();
    for (int i = 0; i < THREADS; i++) {
        subs[i] = (struct sub){.own_gil = own_gil, .answer = -9};
        pthread_create(&threads[i], NULL, in_its_own_interpreter, &subs[i]);
    }
    for (int i = 0; i < THREADS; i++) {
        pthread_join(threads[i], NULL);
    }
    PyEval_RestoreThread(saved);
    for (int i = 0; i < THREADS; i++) {
        CHECK(subs[i].answer == expected);
        CHECK(subs[i].id > 0);
        for (int j = 0; j < i; j++) {
            CHECK(subs[j].id != subs[i].id);
        }
    }
}

static _Atomic unsigned long spinner;

static void *spins(void *argument)
{
    long *result = argument;
    PyGILState_STATE state = PyGILState_Ensure();
    atomic_store(&spinner, PyThread_get_thread_ident());
    *result = number("spin()");
    PyGILState_Release(state);
    return NULL;
}

static void asynchronous_exception(void)
{
    CHECK(run("class Stop(Exception): pass\n"
              "def spin():\n"
              "    n = 0\n"
              "    try:\n"
              "        while True: n += 1\n"
              "    except Stop:\n"
              "        return 77\n") == 0);
    pthread_t thread;
    long answer = 0;
    PyThreadState *saved = PyEval_SaveThread();
    pthread_create(&thread, NULL, spins, &answer);
    while (!atomic_load(&spinner)) {
        usleep(100);
    }
    usleep(20000);
    PyEval_RestoreThread(saved);
    PyObject *stop = value("Stop");
    CHECK(PyThreadState_SetAsyncExc(atomic_load(&spinner), stop) == 1);
    CHECK(PyThreadState_SetAsyncExc(12345, stop) == 0);
    Py_DECREF(stop);
    CHECK(number("work(2000)") == expected); /* not this thread */
    saved = PyEval_SaveThread();
    pthread_join(thread, NULL);
    PyEval_RestoreThread(saved);
    CHECK(answer == 77);
}

static _Atomic int pending_calls;

static int pending(void *argument)
{
    atomic_fetch_add(&pending_calls, (int)(intptr_t)argument);
    return 0;
}

static int failing_call(void *argument)
{
    (void)argument;
    PyErr_SetString(PyExc_BufferError, "from a pending call");
    return -1;
}

static void *adds_calls(void *argument)
{
    (void)argument;
    /* A thread that Python has never seen; the queue may be full for a moment. */
    for (int i = 0; i < 100; i++) {
        while (Py_AddPendingCall(pending, (void *)1) < 0) {
            usleep(100);
        }
    }
    return NULL;
}

static PyObject *pending_done(PyObject *self, PyObject *unused)
{
    (void)self, (void)unused;
    return PyBool_FromLong(atomic_load(&pending_calls) >= 100);
}

static PyMethodDef pending_done_def = {"pending_done", pending_done, METH_NOARGS, NULL};

static void pending_from_a_foreign_thread(void)
{
    PyObject *function = PyCFunction_New(&pending_done_def, NULL);
    PyModule_AddObjectRef(PyImport_AddModule("__main__"), "pending_done", function);
    Py_DECREF(function);
    pthread_t thread;
    pthread_create(&thread, NULL, adds_calls, NULL);
    CHECK(run("while not pending_done(): pass") == 0); /* a loop like this has to run them */
    pthread_join(thread, NULL);
    CHECK(atomic_load(&pending_calls) == 100);

    CHECK(Py_AddPendingCall(failing_call, NULL) == 0);
    CHECK(value("[i for i in range(1000)]") == NULL);
    CHECK(raised(PyExc_BufferError, "from a pending call"));
    CHECK(Py_AddPendingCall(pending, (void *)1000) == 0);
    CHECK(Py_MakePendingCalls() == 0 && atomic_load(&pending_calls) == 1100);
}

static void *uses_its_own_state(void *argument)
{
    PyInterpreterState *interpreter = argument;
    long answer = -1;
    for (int i = 0; i < 20; i++) {
        PyThreadState *thread = PyThreadState_New(interpreter);
        PyEval_AcquireThread(thread);
        answer = number("work(50)");
        PyThreadState_Clear(thread);
        PyThreadState_DeleteCurrent();
    }
    return (void *)answer;
}

static void states_made_by_hand(void)
{
    long wanted = number("work(50)");
    PyInterpreterState *interpreter = PyInterpreterState_Get();
    pthread_t threads[THREADS];
    PyThreadState *saved = PyEval_SaveThread();
    for (int i = 0; i < THREADS; i++) {
        pthread_create(&threads[i], NULL, uses_its_own_state, interpreter);
    }
    int right = 0;
    for (int i = 0; i < THREADS; i++) {
        void *answer = NULL;
        pthread_join(threads[i], &answer);
        right += (long)answer == wanted;
    }
    PyEval_RestoreThread(saved);
    CHECK(right == THREADS);
}

static void *outlives_the_interpreter(void *argument)
{
    (void)argument;
    PyGILState_Ensure();
    run("while True: pass"); /* hangs when the interpreter ends, as it should, and never comes back */
    abort();
}

int main(void)
{
    start_python();
    CHECK(run(WORK) == 0);
    expected = number("work(2000)");
    CHECK(expected > 0);
    threads_of_one_interpreter();
    asynchronous_exception();
    pending_from_a_foreign_thread();
    states_made_by_hand();
    interpreters(1);
    interpreters(0);
    pthread_t thread;
    pthread_create(&thread, NULL, outlives_the_interpreter, NULL);
    pthread_detach(thread);
    Py_BEGIN_ALLOW_THREADS
    usleep(20000);
    Py_END_ALLOW_THREADS
    CHECK(Py_FinalizeEx() == 0);
    return results();
}
