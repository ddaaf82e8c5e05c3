#include "host.h"

/* --- what sets and calls them asks of the host ------------------------------------------------------------------- */

/* Hooks may be Python functions, so that others may do anything meanwhile. */
int _PySys_Audit(PyThreadState *tstate, const char *event, const char *format, ...)
{
    REQUIRE(tstate && tstate == current && sections == 0 && !stopper && format == NULL);
    REQUIRE(strcmp(event, "sys.setprofile") == 0 || strcmp(event, "sys.settrace") == 0);
    pause_thread();
    return 0;
}

int _PyOnceFlag_CallOnceSlow(_PyOnceFlag *flag, _Py_once_fn_t *function, void *argument)
{
    for (;;) {
        uint8_t found = _Py_UNLOCKED;
        if (_Py_atomic_compare_exchange_uint8(&flag->v, &found, _Py_LOCKED)) {
            REQUIRE(function(argument) == 0);
            _Py_atomic_store_uint8(&flag->v, _Py_ONCE_INITIALIZED);
            return 0;
        }
        if (found == _Py_ONCE_INITIALIZED) {
            return 0;
        }
        pause_thread();
    }
}

PyObject *_PyObject_New(PyTypeObject *type)
{
    return new_object(type, type->tp_basicsize);
}

int64_t live_frames;

static void end_frame(PyObject *object)
{
    _Py_atomic_add_int64(&live_frames, -1);
    free(object);
}

PyTypeObject PyFrame_Type = { .tp_name = "frame", .tp_dealloc = end_frame };

PyFrameObject *_PyFrame_MakeAndSetFrameObject(_PyInterpreterFrame *frame)
{
    REQUIRE(frame == current->current_frame && frame->frame_obj == NULL);
    PyFrameObject *made = new_object(&PyFrame_Type, sizeof(*made));
    _Py_atomic_add_int64(&live_frames, 1);
    made->f_trace_lines = 1;
    made->f_frame = frame;
    frame->frame_obj = made;
    return made;
}

/* --- functions --------------------------------------------------------------------------------------------------- */

enum { PROFILE, TRACE, KINDS };

/* What a function is set with: who it was made for (the id of a thread state; 0 for everybody). */
typedef struct {
    PyObject object;
    Py_tracefunc function;
    uint64_t owner;
} listener;

bool trace_opcodes;
uint64_t all_profiled, all_traced, all_opcodes;
int64_t live_listeners;
static _Thread_local uint64_t heard[KINDS];

static void end_listener(PyObject *object)
{
    _Py_atomic_add_int64(&live_listeners, -1);
    free(object);
}

static PyTypeObject listener_type = { .tp_name = "listener", .tp_dealloc = end_listener };

/* Where the frame is, as it is told. */
static int line_of(_PyInterpreterFrame *frame)
{
    return lines_of(_PyFrame_GetCode(frame))[_PyInterpreterFrame_LASTI(frame)];
}

/* What `function` does, which is called on the thread that it belongs to only, with what it was set with: runs Python
 * code, so that others may do anything meanwhile, and now and then sets another function. */
static void hear(int kind, Py_tracefunc function, PyObject *object, PyFrameObject *frame, int what, PyObject *argument)
{
    listener *set = (listener *)object;
    REQUIRE(what != PyTrace_CALL || argument == Py_None);
    /* There is no value when an exception leaves a frame. */
    REQUIRE(argument || what == PyTrace_RETURN);
    REQUIRE(current && current->tracing && sections == 0 && !stopper && current->current_exception == NULL);
    REQUIRE(Py_TYPE(object) == &listener_type && set->function == function);
    REQUIRE(set->owner == 0 || set->owner == current->id);
    REQUIRE(frame->f_frame == current->current_frame && frame->f_frame->frame_obj == frame);
    /* The thread's reference goes when another function is set. */
    _Py_IncRef(object);
    if (++heard[kind] % 8 == 0) {
        pause_thread();
    }
    if (heard[kind] % 64 == 0) {
        set_function(&(uint64_t){ heard[kind] * current->id }, false);
    }
    REQUIRE(frame->f_frame == current->current_frame);
    REQUIRE(set->function == function);
    _Py_DecRef(object);
}

static void profile(Py_tracefunc function, PyObject *object, PyFrameObject *frame, int what, PyObject *argument)
{
    switch (what) {
    case PyTrace_CALL:
    case PyTrace_RETURN:
        break;
    default:
        REQUIRE(what == PyTrace_C_CALL || what == PyTrace_C_RETURN);
        REQUIRE(Py_TYPE(argument) == &PyCFunction_Type);
    }
    hear(PROFILE, function, object, frame, what, argument);
}

static void trace(Py_tracefunc function, PyObject *object, PyFrameObject *frame, int what, PyObject *argument)
{
    switch (what) {
    case PyTrace_CALL:
    case PyTrace_RETURN:
        break;
    case PyTrace_EXCEPTION:
        REQUIRE(Py_TYPE(argument) == &PyTuple_Type && Py_SIZE(argument) == 3);
        break;
    case PyTrace_LINE:
        REQUIRE(argument == Py_None && frame->f_lineno == line_of(frame->f_frame));
        break;
    default:
        REQUIRE(what == PyTrace_OPCODE && argument == Py_None && frame->f_trace_opcodes);
        _Py_atomic_add_uint64(&all_opcodes, 1);
    }
    hear(TRACE, function, object, frame, what, argument);
    if (trace_opcodes && heard[TRACE] % 32 == 0) {
        frame->f_trace_opcodes = !frame->f_trace_opcodes;
        REQUIRE(_PyEval_SetOpcodeTrace(frame, frame->f_trace_opcodes) == 0);
    }
}

#define FUNCTION(name, kind) \
    static int name(PyObject *object, PyFrameObject *frame, int what, PyObject *argument) \
    { \
        kind(name, object, frame, what, argument); \
        return 0; \
    }
FUNCTION(profile_one, profile)
FUNCTION(profile_other, profile)
FUNCTION(trace_one, trace)
FUNCTION(trace_other, trace)

static PyObject *new_listener(Py_tracefunc function, uint64_t owner)
{
    listener *made = new_object(&listener_type, sizeof(*made));
    made->function = function;
    made->owner = owner;
    _Py_atomic_add_int64(&live_listeners, 1);
    return &made->object;
}

void set_function(uint64_t *random, bool everybody)
{
    static const Py_tracefunc functions[KINDS][2] = { { profile_one, profile_other }, { trace_one, trace_other } };
    int kind = below(random, KINDS);
    Py_tracefunc function = below(random, 3) ? functions[kind][below(random, 2)] : NULL;
    PyObject *object = function ? new_listener(function, everybody ? 0 : current->id) : NULL;
    if (everybody) {
        int (*set)(PyInterpreterState *, Py_tracefunc, PyObject *) =
            kind == PROFILE ? _PyEval_SetProfileAllThreads : _PyEval_SetTraceAllThreads;
        REQUIRE(set(interp, function, object) == 0);
    }
    else {
        int (*set)(PyThreadState *, Py_tracefunc, PyObject *) =
            kind == PROFILE ? _PyEval_SetProfile : _PyEval_SetTrace;
        REQUIRE(set(current, function, object) == 0);
    }
    if (object) {
        _Py_DecRef(object);
    }
}

static bool is_on(int tool)
{
    return interp->monitors.tools[PY_MONITORING_EVENT_PY_START] >> tool & 1;
}

void check_functions(void)
{
    _PyEval_StopTheWorld(interp);
    lock_threads();
    Py_ssize_t profiled = 0, traced = 0;
    for (PyThreadState *tstate = interp->threads.head; tstate; tstate = tstate->next) {
        REQUIRE(!tstate->c_profilefunc == !tstate->c_profileobj && !tstate->c_tracefunc == !tstate->c_traceobj);
        profiled += tstate->c_profilefunc != NULL;
        traced += tstate->c_tracefunc != NULL;
    }
    REQUIRE(interp->sys_profiling_threads == profiled && interp->sys_tracing_threads == traced);
    /* Threads that end leave their events on. */
    REQUIRE(profiled == 0 || is_on(PY_MONITORING_SYS_PROFILE_ID));
    REQUIRE(traced == 0 || is_on(PY_MONITORING_SYS_TRACE_ID));
    unlock_threads();
    _PyEval_StartTheWorld(interp);
}

/* The counts are changed by threads that end, or by one that has stopped the world. */
void clear_functions(PyThreadState *tstate)
{
    if (tstate->c_profilefunc) {
        _Py_atomic_add_ssize(&interp->sys_profiling_threads, -1);
        tstate->c_profilefunc = NULL;
        _Py_DecRef(tstate->c_profileobj);
        tstate->c_profileobj = NULL;
    }
    if (tstate->c_tracefunc) {
        _Py_atomic_add_ssize(&interp->sys_tracing_threads, -1);
        tstate->c_tracefunc = NULL;
        _Py_DecRef(tstate->c_traceobj);
        tstate->c_traceobj = NULL;
    }
}

void add_heard(void)
{
    _Py_atomic_add_uint64(&all_profiled, heard[PROFILE]);
    _Py_atomic_add_uint64(&all_traced, heard[TRACE]);
    heard[PROFILE] = heard[TRACE] = 0;
}
