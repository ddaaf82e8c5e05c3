/* Threads that do one thing at a time when they are told to, so that what another thread's state looks like in
   between can be said exactly. Include it after Py_BUILD_CORE is defined. */

#ifndef GUESTS_H
#define GUESTS_H

#include "host.h"
#include "pycore_ceval.h"
#include "pycore_interp.h"
#include "pycore_pystate.h"
#include "pycore_runtime.h"
#include <pthread.h>
#include <semaphore.h>
#include <unistd.h>

#define GUESTS 6

struct guest {
    int number;
    pthread_t thread;
    PyThreadState *state;
    unsigned long id;
    void (*step)(struct guest *);
    sem_t go, done;
    long answer;
};

static struct guest guests[GUESTS];

static inline uintptr_t word(PyThreadState *thread) { return _Py_atomic_load_uintptr(&thread->eval_breaker); }

/* The word of a thread is the breaker's bits below and a version above. */
static inline uintptr_t version_of(uintptr_t word) { return word & ~(uintptr_t)_PY_EVAL_EVENTS_MASK; }
static inline uintptr_t bits_of(uintptr_t word) { return word & _PY_EVAL_EVENTS_MASK; }

static inline void await(sem_t *semaphore)
{
    while (sem_wait(semaphore) != 0) {
        /* a signal came */
    }
}

static void *is_a_guest(void *argument)
{
    struct guest *guest = argument;
    PyGILState_STATE state = PyGILState_Ensure();
    guest->state = PyThreadState_Get();
    guest->id = PyThread_get_thread_ident();
    PyEval_SaveThread();
    sem_post(&guest->done);
    for (;;) {
        await(&guest->go);
        PyEval_RestoreThread(guest->state);
        if (guest->step == NULL) {
            break;
        }
        guest->step(guest);
        PyEval_SaveThread();
        sem_post(&guest->done);
    }
    PyGILState_Release(state);
    return NULL;
}

/* Every guest is left without the GIL, waiting for its step. The caller is attached, before and after. */
static inline void invite(void)
{
    PyThreadState *saved = PyEval_SaveThread();
    for (int i = 0; i < GUESTS; i++) {
        struct guest *guest = &guests[i];
        *guest = (struct guest){.number = i};
        sem_init(&guest->go, 0, 0);
        sem_init(&guest->done, 0, 0);
        pthread_create(&guest->thread, NULL, is_a_guest, guest);
        await(&guest->done);
    }
    PyEval_RestoreThread(saved);
}

static inline void start(struct guest *guest, void (*step)(struct guest *))
{
    guest->step = step;
    sem_post(&guest->go);
}

/* Runs the step in the guest's thread and waits for its end. */
static inline void let(struct guest *guest, void (*step)(struct guest *))
{
    PyThreadState *saved = PyEval_SaveThread();
    start(guest, step);
    await(&guest->done);
    PyEval_RestoreThread(saved);
}

static inline void send_home(void)
{
    PyThreadState *saved = PyEval_SaveThread();
    for (int i = 0; i < GUESTS; i++) {
        start(&guests[i], NULL);
        pthread_join(guests[i].thread, NULL);
        sem_destroy(&guests[i].go);
        sem_destroy(&guests[i].done);
    }
    PyEval_RestoreThread(saved);
}

/* The words of all guests, and of the caller in the last place. */
struct words {
    uintptr_t of[GUESTS + 1];
};

static inline struct words words(void)
{
    struct words words;
    for (int i = 0; i < GUESTS; i++) {
        words.of[i] = word(guests[i].state);
    }
    words.of[GUESTS] = word(PyThreadState_Get());
    return words;
}

static inline int same_words(struct words a, struct words b)
{
    for (int i = 0; i <= GUESTS; i++) {
        if (a.of[i] != b.of[i]) {
            printf("# the word of thread %d was %#jx and is %#jx\n", i, (uintmax_t)a.of[i], (uintmax_t)b.of[i]);
            return 0;
        }
    }
    return 1;
}

/* Runs a function in a thread that Python has never seen, to its end. The GIL is not given up. */
static inline void in_a_foreign_thread(void *(*function)(void *), void *argument)
{
    pthread_t thread;
    pthread_create(&thread, NULL, function, argument);
    pthread_join(thread, NULL);
}

static inline PyInterpreterState *main_interpreter(void) { return PyInterpreterState_Main(); }

#endif
