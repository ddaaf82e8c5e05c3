#include "host.h"

/* --- attached threads, and the world ----------------------------------------------------------------------------- */

_PyRuntimeState _PyRuntime = { .debug_offsets = _Py_DebugOffsets_INIT(_Py_Debug_Cookie) };

PyInterpreterState *interp;
_Thread_local PyThreadState *current;
_Thread_local int sections;
_Thread_local bool stopper;

static pthread_mutex_t world = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
static int attached;
static bool stopping;

static void wait_for_the_world(void)
{
    while (stopping) {
        pthread_cond_wait(&changed, &world);
    }
}

void attach(PyThreadState *tstate)
{
    pthread_mutex_lock(&world);
    wait_for_the_world();
    attached++;
    pthread_mutex_unlock(&world);
    current = tstate;
}

void detach(void)
{
    REQUIRE(sections == 0);
    current = NULL;
    pthread_mutex_lock(&world);
    attached--;
    pthread_cond_broadcast(&changed);
    pthread_mutex_unlock(&world);
}

void pause_thread(void)
{
    PyThreadState *tstate = current;
    detach();
    sched_yield();
    attach(tstate);
}

static void set_breakers(bool on)
{
    lock_threads();
    for (PyThreadState *tstate = interp->threads.head; tstate; tstate = tstate->next) {
        if (on) {
            _Py_atomic_or_uintptr(&tstate->eval_breaker, _PY_EVAL_PLEASE_STOP_BIT);
        }
        else {
            _Py_atomic_and_uintptr(&tstate->eval_breaker, ~_PY_EVAL_PLEASE_STOP_BIT);
        }
    }
    unlock_threads();
}

static void free_delayed(void);

void _PyEval_StopTheWorld(PyInterpreterState *stopped)
{
    REQUIRE(stopped == interp && current && sections == 0 && !stopper);
    pthread_mutex_lock(&world);
    attached--;
    pthread_cond_broadcast(&changed);
    wait_for_the_world();
    stopping = true;
    pthread_mutex_unlock(&world);
    set_breakers(true);
    pthread_mutex_lock(&world);
    while (attached > 0) {
        pthread_cond_wait(&changed, &world);
    }
    pthread_mutex_unlock(&world);
    stopper = true;
    free_delayed();
}

void _PyEval_StartTheWorld(PyInterpreterState *stopped)
{
    REQUIRE(stopped == interp && stopper);
    stopper = false;
    set_breakers(false);
    pthread_mutex_lock(&world);
    stopping = false;
    attached++;
    pthread_cond_broadcast(&changed);
    pthread_mutex_unlock(&world);
}

const PyConfig *_Py_GetConfig(void)
{
    return &interp->config;
}

const PyConfig *_PyInterpreterState_GetConfig(PyInterpreterState *asked)
{
    REQUIRE(asked == interp);
    return &asked->config;
}

PyThreadState *PyThreadState_GetUnchecked(void)
{
    return current;
}

/* A stop in two steps, as threads make it that find it in their eval breaker. */
void _PyThreadState_Suspend(PyThreadState *tstate)
{
    REQUIRE(tstate == current);
    detach();
    sched_yield();
}

void _PyThreadState_Attach(PyThreadState *tstate)
{
    attach(tstate);
}

/* --- locks ------------------------------------------------------------------------------------------------------- */

PyLockStatus _PyMutex_LockTimed(PyMutex *mutex, PyTime_t timeout, _PyLockFlags flags)
{
    REQUIRE(timeout == -1);
    uint8_t unlocked = 0;
    while (!_Py_atomic_compare_exchange_uint8(&mutex->_bits, &unlocked, 1)) {
        unlocked = 0;
        if ((flags & _PY_LOCK_DETACH) && current) {
            pause_thread();
        }
        else {
            sched_yield();
        }
    }
    return PY_LOCK_ACQUIRED;
}

#undef PyMutex_Unlock
void PyMutex_Unlock(PyMutex *mutex)
{
    uint8_t locked = 1;
    REQUIRE(_Py_atomic_compare_exchange_uint8(&mutex->_bits, &locked, 0));
}

void lock_threads(void)
{
    _PyMutex_LockTimed(&_PyRuntime.interpreters.mutex, -1, _Py_LOCK_DONT_DETACH);
}

void unlock_threads(void)
{
    PyMutex_Unlock(&_PyRuntime.interpreters.mutex);
}

static void enter_section(PyMutex *mutex)
{
    _PyMutex_LockTimed(mutex, -1, sections ? _Py_LOCK_DONT_DETACH : _PY_LOCK_DETACH);
    sections++;
}

static void leave_section(PyMutex *mutex)
{
    sections--;
    PyMutex_Unlock(mutex);
}

void PyCriticalSection_Begin(PyCriticalSection *section, PyObject *object)
{
    /* As if there were somebody to wait for, now and then. */
    if (sections == 0 && ((uintptr_t)object >> 4) % 3 == 0) {
        pause_thread();
    }
    section->_cs_mutex = &object->ob_mutex;
    enter_section(section->_cs_mutex);
}

void PyCriticalSection_End(PyCriticalSection *section)
{
    leave_section(section->_cs_mutex);
}

void PyCriticalSection2_Begin(PyCriticalSection2 *section, PyObject *a, PyObject *b)
{
    REQUIRE(a != b && sections == 0);
    pause_thread();
    section->_cs_base._cs_mutex = &(a < b ? a : b)->ob_mutex;
    section->_cs_mutex2 = &(a < b ? b : a)->ob_mutex;
    enter_section(section->_cs_base._cs_mutex);
    enter_section(section->_cs_mutex2);
}

void PyCriticalSection2_End(PyCriticalSection2 *section)
{
    leave_section(section->_cs_mutex2);
    leave_section(section->_cs_base._cs_mutex);
}

/* --- memory ------------------------------------------------------------------------------------------------------ */

/* Takes its time now and then, in the middle of what callers are about to do. */
void *PyMem_Malloc(size_t size)
{
    static _Thread_local unsigned blocks;
    if (++blocks % 2) {
        sched_yield();
    }
    return malloc(size);
}

void PyMem_Free(void *block) { free(block); }
void *PyMem_RawMalloc(size_t size) { return malloc(size); }
void *PyMem_RawCalloc(size_t count, size_t size) { return calloc(count, size); }
void *PyMem_RawRealloc(void *block, size_t size) { return realloc(block, size); }
void PyMem_RawFree(void *block) { free(block); }

static struct delayed {
    struct delayed *next;
    void *block;
} *delayed;
static pthread_mutex_t delayed_lock = PTHREAD_MUTEX_INITIALIZER;

/* Freed when every thread has been seen where it holds no such pointer: here, when the world stops next. */
void _PyMem_FreeDelayed(void *block, size_t size)
{
    (void)size;
    struct delayed *entry = malloc(sizeof(*entry));
    REQUIRE(entry);
    entry->block = block;
    pthread_mutex_lock(&delayed_lock);
    entry->next = delayed;
    delayed = entry;
    pthread_mutex_unlock(&delayed_lock);
}

static void free_delayed(void)
{
    pthread_mutex_lock(&delayed_lock);
    while (delayed) {
        struct delayed *entry = delayed;
        delayed = entry->next;
        free(entry->block);
        free(entry);
    }
    pthread_mutex_unlock(&delayed_lock);
}
