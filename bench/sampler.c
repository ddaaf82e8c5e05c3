/* An extension module for bench/coverage: where the processor is, sampled at short intervals.
 *
 * A sample counts if the program counter is in the evaluator's code while the thread runs no trace. The timer runs on
 * the clock on the wall, because the kernel checks timers of processor time only at its own ticks, which are 1 to 10 ms
 * apart. A process that waits for a processor gets one sample when it goes on, at the place where it was stopped. So
 * shares of samples are shares of processor time. */

#include <Python.h>

#include <signal.h>
#include <stdint.h>
#include <sys/time.h>
#include <ucontext.h>

#define INTERVAL 250 /* microseconds */

struct range {
    uint64_t begin, end;
};

/* Sorted, and no two of them overlap. The signal handler reads them. */
static struct range *evaluator;
static size_t ranges;

static volatile sig_atomic_t samples, in_evaluator;

static int
is_evaluator(uint64_t pc)
{
    size_t first = 0, last = ranges;
    while (first < last) {
        size_t middle = (first + last) / 2;
        if (pc >= evaluator[middle].end) {
            first = middle + 1;
        }
        else {
            last = middle;
        }
    }
    return first < ranges && pc >= evaluator[first].begin;
}

static void
take_sample(int signal, siginfo_t *info, void *context)
{
#if defined(__aarch64__)
    uint64_t pc = ((ucontext_t *)context)->uc_mcontext.pc;
#else
    uint64_t pc = (uint64_t)((ucontext_t *)context)->uc_mcontext.gregs[REG_RIP];
#endif
    samples++;
    if (is_evaluator(pc)) {
        /* Reads a thread-local variable, so a signal handler may call it. */
        PyThreadState *tstate = PyThreadState_GetUnchecked();
        if (tstate != NULL && tstate->current_executor == NULL) {
            in_evaluator++;
        }
    }
}

static int
set_timer(int microseconds)
{
    struct itimerval timer = {{0, microseconds}, {0, microseconds}};
    if (setitimer(ITIMER_REAL, &timer, NULL) < 0) {
        PyErr_SetFromErrno(PyExc_OSError);
        return -1;
    }
    return 0;
}

PyDoc_STRVAR(start_doc, "start(ranges): an array of addresses, the begin and the end of each range of code in turn");

static PyObject *
start(PyObject *module, PyObject *argument)
{
    Py_buffer buffer;
    if (PyObject_GetBuffer(argument, &buffer, PyBUF_SIMPLE) < 0) {
        return NULL;
    }
    ranges = buffer.len / sizeof(struct range);
    evaluator = PyMem_RawRealloc(evaluator, buffer.len);
    if (evaluator == NULL) {
        PyBuffer_Release(&buffer);
        return PyErr_NoMemory();
    }
    memcpy(evaluator, buffer.buf, ranges * sizeof(struct range));
    PyBuffer_Release(&buffer);
    samples = in_evaluator = 0;

    struct sigaction action = {.sa_sigaction = take_sample, .sa_flags = SA_SIGINFO | SA_RESTART};
    if (sigaction(SIGALRM, &action, NULL) < 0) {
        return PyErr_SetFromErrno(PyExc_OSError);
    }
    return set_timer(INTERVAL) < 0 ? NULL : Py_NewRef(Py_None);
}

PyDoc_STRVAR(stop_doc, "stop() -> (number of samples, how many of them were in the evaluator while no trace ran)");

static PyObject *
stop(PyObject *module, PyObject *unused)
{
    if (set_timer(0) < 0) {
        return NULL;
    }
    return Py_BuildValue("ii", (int)samples, (int)in_evaluator);
}

/* In a library that counts why attempts to make a trace end. */
struct reval_trace_attempt {
    const char *outcome;
    uint64_t count;
};
__attribute__((weak)) const struct reval_trace_attempt *reval_trace_attempts(size_t *length);

PyDoc_STRVAR(attempts_doc, "attempts() -> {outcome of attempts to make a trace: count} or None if nothing counts");

static PyObject *
attempts(PyObject *module, PyObject *unused)
{
    if (reval_trace_attempts == NULL) {
        Py_RETURN_NONE;
    }
    size_t length;
    const struct reval_trace_attempt *found = reval_trace_attempts(&length);
    PyObject *result = PyDict_New();
    for (size_t i = 0; result != NULL && i < length; i++) {
        PyObject *count = PyLong_FromUInt64(found[i].count);
        if (count == NULL || PyDict_SetItemString(result, found[i].outcome, count) < 0) {
            Py_CLEAR(result);
        }
        Py_XDECREF(count);
    }
    return result;
}

static PyMethodDef methods[] = {
    {"start", start, METH_O, start_doc},
    {"stop", stop, METH_NOARGS, stop_doc},
    {"attempts", attempts, METH_NOARGS, attempts_doc},
    {NULL},
};

static struct PyModuleDef definition = {PyModuleDef_HEAD_INIT, .m_name = "sampler", .m_methods = methods};

PyMODINIT_FUNC
PyInit_sampler(void)
{
    return PyModule_Create(&definition);
}
