/* A host for threads that run bytecode: what reval asks of CPython meanwhile, and no more.
 *
 * Thread states, code objects and everything in them have the host's own layout, from its headers; reval checks that
 * before main. What is here instead of the host's is simple rather than fast: one lock and one condition for being
 * attached and for stopping the world, locks that spin, memory that is freed late.
 *
 *     stress FILE SECONDS SEED TLBC     with the code objects of dump.py; TLBC is 0 or 1, as for -X tlbc
 *     stress --race                     what the sanitizer has to find
 */

#define Py_BUILD_CORE 1
#define NEED_OPCODE_METADATA
#include "Python.h"
#include "pycore_ceval.h"
#include "pycore_code.h"
#include "pycore_debug_offsets.h"
#include "pycore_dict.h"
#include "pycore_interp.h"
#include "pycore_interpframe.h"
#include "pycore_long.h"
#include "pycore_opcode_metadata.h"
#include "pycore_runtime.h"
#include "pycore_tstate.h"

#include <pthread.h>
#include <sched.h>
#include <stdlib.h>
#include <time.h>

#define REQUIRE(condition) \
    ((condition) ? (void)0 : (fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #condition), abort()))

/* --- the Rust half ----------------------------------------------------------------------------------------------- */

typedef struct {
    PyCodeObject *code;
    const uint16_t *original;
    size_t units;
} program;

typedef struct {
    PyThreadState *tstate;
    uint64_t random;
    PyObject *const *operands;
    size_t operand_count;
    PyObject *globals, *builtins;
    uint64_t frames, instrumented, specialized;
} thread;

void stress_run(thread *, const program *);
void stress_change(PyThreadState *, uint64_t *random, const program *, size_t programs, PyObject *const *callbacks,
                   size_t callback_count);
int stress_look(const program *, uint64_t *random);
void stress_race(_Py_CODEUNIT *);

/* Of the host's specialize.c, which no header has. */
void _PyCode_Quicken(_Py_CODEUNIT *instructions, Py_ssize_t size, int enable_counters);

/* --- attached threads, and the world ----------------------------------------------------------------------------- */

_PyRuntimeState _PyRuntime = { .debug_offsets = _Py_DebugOffsets_INIT(_Py_Debug_Cookie) };

static PyInterpreterState *interp;
static _Thread_local PyThreadState *current;
/* Critical sections of the thread: no world must stop while it is in one, or they would have to be given up. */
static _Thread_local int sections;

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

static void attach(PyThreadState *tstate)
{
    pthread_mutex_lock(&world);
    wait_for_the_world();
    attached++;
    pthread_mutex_unlock(&world);
    current = tstate;
}

static void detach(void)
{
    REQUIRE(sections == 0);
    current = NULL;
    pthread_mutex_lock(&world);
    attached--;
    pthread_cond_broadcast(&changed);
    pthread_mutex_unlock(&world);
}

/* Lets others stop the world. */
static void pause_thread(void)
{
    PyThreadState *tstate = current;
    detach();
    sched_yield();
    attach(tstate);
}

static void lock_threads(void);
static void unlock_threads(void);

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
    REQUIRE(stopped == interp && current && sections == 0);
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
    free_delayed();
}

void _PyEval_StartTheWorld(PyInterpreterState *stopped)
{
    REQUIRE(stopped == interp && stopping);
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

static void lock_threads(void)
{
    _PyMutex_LockTimed(&_PyRuntime.interpreters.mutex, -1, _Py_LOCK_DONT_DETACH);
}

static void unlock_threads(void)
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

/* --- objects ----------------------------------------------------------------------------------------------------- */

#define TYPE(name) PyTypeObject name = { .tp_name = #name }
TYPE(PyType_Type);
TYPE(PyBaseObject_Type);
TYPE(PyBool_Type);
TYPE(PyLong_Type);
TYPE(PyFloat_Type);
TYPE(PyUnicode_Type);
TYPE(PyTuple_Type);
TYPE(PyList_Type);
TYPE(PyDict_Type);
TYPE(PySet_Type);
TYPE(PyFrozenSet_Type);
TYPE(PySlice_Type);
TYPE(PyCode_Type);
TYPE(PyFunction_Type);
TYPE(PyMethod_Type);
TYPE(PyMethodDescr_Type);
TYPE(PyCFunction_Type);
TYPE(PyModule_Type);
TYPE(PySuper_Type);
TYPE(PyGen_Type);
TYPE(PyCoro_Type);
TYPE(PyAsyncGen_Type);
TYPE(PyFrame_Type);
TYPE(PyListIter_Type);
TYPE(PyTupleIter_Type);
TYPE(PyRangeIter_Type);
PyObject _Py_NoneStruct = { .ob_ref_local = _Py_IMMORTAL_REFCNT_LOCAL, .ob_type = &PyBaseObject_Type };
PyLongObject _Py_TrueStruct = { .ob_base = { .ob_ref_local = _Py_IMMORTAL_REFCNT_LOCAL, .ob_type = &PyBool_Type } };
PyLongObject _Py_FalseStruct = { .ob_base = { .ob_ref_local = _Py_IMMORTAL_REFCNT_LOCAL, .ob_type = &PyBool_Type } };

static bool is_immortal(PyObject *object)
{
    return _Py_atomic_load_uint32_relaxed(&object->ob_ref_local) == _Py_IMMORTAL_REFCNT_LOCAL;
}

/* All references are counted in the shared half, as those of an object whose thread has gone. */
static void *new_object(PyTypeObject *type, size_t size)
{
    PyObject *object = calloc(1, size);
    REQUIRE(object);
    object->ob_type = type;
    object->ob_ref_shared = _Py_REF_SHARED(1, _Py_REF_MERGED);
    return object;
}

void _Py_IncRef(PyObject *object)
{
    if (!is_immortal(object)) {
        _Py_atomic_add_ssize(&object->ob_ref_shared, 1 << _Py_REF_SHARED_SHIFT);
    }
}

void _Py_DecRefShared(PyObject *object)
{
    if (_Py_atomic_add_ssize(&object->ob_ref_shared, -(1 << _Py_REF_SHARED_SHIFT)) == _Py_REF_SHARED(1, _Py_REF_MERGED)) {
        free(object);
    }
}

void _Py_DecRef(PyObject *object)
{
    if (!is_immortal(object)) {
        _Py_DecRefShared(object);
    }
}

int PyUnstable_Object_IsUniquelyReferenced(PyObject *object)
{
    return _Py_atomic_load_ssize_relaxed(&object->ob_ref_shared) == _Py_REF_SHARED(1, _Py_REF_MERGED);
}

static void set_int(PyLongObject *object, digit value)
{
    _PyLong_SetSignAndDigitCount(object, value != 0, value != 0);
    object->long_value.ob_digit[0] = value;
}

PyObject *PyLong_FromSsize_t(Py_ssize_t value)
{
    REQUIRE(0 <= value && value < 1 << PyLong_SHIFT);
    PyLongObject *object = new_object(&PyLong_Type, sizeof(*object));
    set_int(object, (digit)value);
    return (PyObject *)object;
}

static void make_small_ints(void)
{
    for (int i = 0; i < _PY_NSMALLPOSINTS; i++) {
        PyLongObject *object = &_PyLong_SMALL_INTS[_PY_NSMALLNEGINTS + i];
        object->ob_base.ob_ref_local = _Py_IMMORTAL_REFCNT_LOCAL;
        object->ob_base.ob_type = &PyLong_Type;
        set_int(object, (digit)i);
    }
}

int PyType_IsSubtype(PyTypeObject *a, PyTypeObject *b) { return a == b; }
PyObject *_PyType_GetDict(PyTypeObject *type) { return (PyObject *)type; }

/* No type has attributes, and every dictionary the one that is looked for. */
PyObject *_PyType_LookupRefAndVersion(PyTypeObject *type, PyObject *name, unsigned int *version)
{
    (void)type, (void)name;
    *version = 3;
    return NULL;
}

PyObject *_PyType_Lookup(PyTypeObject *type, PyObject *name)
{
    (void)type, (void)name;
    return NULL;
}

Py_ssize_t _PyDictKeys_StringLookup(PyDictKeysObject *keys, PyObject *name)
{
    (void)keys, (void)name;
    return 1;
}

Py_ssize_t _PyDict_LookupIndex(PyDictObject *dict, PyObject *name)
{
    (void)dict;
    return name == &_Py_ID(__getattr__) ? -1 : 2;
}

uint32_t _PyDict_GetKeysVersionForCurrentState(PyInterpreterState *attached_to, PyDictObject *dict)
{
    (void)attached_to, (void)dict;
    REQUIRE(sections > 0);
    return 5;
}

uint32_t _PyFunction_GetVersionForCurrentState(PyFunctionObject *function)
{
    return function->func_version;
}

PyObject *_PyFunction_Vectorcall(PyObject *function, PyObject *const *arguments, size_t count, PyObject *names)
{
    (void)function, (void)arguments, (void)count, (void)names;
    abort();
}

/* --- callbacks of tools ------------------------------------------------------------------------------------------ */

typedef struct {
    PyObject object;
    vectorcallfunc entry;
} callback;

static PyTypeObject callback_type = {
    .tp_name = "callback",
    .tp_flags = Py_TPFLAGS_HAVE_VECTORCALL,
    .tp_vectorcall_offset = offsetof(callback, entry),
};

static _Thread_local uint64_t calls;
static uint64_t all_calls, all_disabled;

/* Runs Python code, so that others may do anything meanwhile. */
static PyObject *told(PyObject *object, PyObject *const *arguments, size_t count, PyObject *names)
{
    REQUIRE(current && current->tracing && sections == 0 && names == NULL);
    REQUIRE(Py_TYPE(object) == &callback_type && PyVectorcall_NARGS(count) >= 2);
    REQUIRE(Py_TYPE(arguments[0]) == &PyCode_Type);
    if (++calls % 8 == 0) {
        pause_thread();
    }
    return Py_None;
}

static PyObject *told_for_the_last_time(PyObject *object, PyObject *const *arguments, size_t count, PyObject *names)
{
    told(object, arguments, count, names);
    if (calls % 4) {
        return Py_None;
    }
    _Py_atomic_add_uint64(&all_disabled, 1);
    return &_PyInstrumentation_DISABLE;
}

static PyObject *new_callback(vectorcallfunc entry)
{
    callback *made = new_object(&callback_type, sizeof(*made));
    made->entry = entry;
    return &made->object;
}

/* --- code objects ------------------------------------------------------------------------------------------------ */

static program *programs;
static size_t program_count;

static const int *lines_of(PyCodeObject *code)
{
    return (const int *)code->co_linetable;
}

int _PyCode_InitAddressRange(PyCodeObject *code, PyCodeAddressRange *range)
{
    range->opaque.lo_next = (uint8_t *)lines_of(code);
    return 0;
}

int _PyCode_CheckLineNumber(int offset, PyCodeAddressRange *range)
{
    return ((const int *)range->opaque.lo_next)[offset / (int)sizeof(_Py_CODEUNIT)];
}

void _PyGC_VisitObjectsWorldStopped(PyInterpreterState *stopped, gcvisitobjects_t visit, void *argument)
{
    REQUIRE(stopped == interp && stopping);
    for (size_t i = 0; i < program_count && visit((PyObject *)programs[i].code, argument); i++) {
    }
}

static void *read_block(FILE *file, size_t size)
{
    void *block = malloc(size + 1);
    REQUIRE(block && fread(block, 1, size, file) == size);
    return block;
}

static PyObject *tuple_of_two(PyObject *one, PyObject *other)
{
    PyTupleObject *tuple = new_object(&PyTuple_Type, sizeof(*tuple) + sizeof(PyObject *));
    tuple->ob_base.ob_size = 2;
    tuple->ob_item[0] = one;
    tuple->ob_item[1] = other;
    return (PyObject *)tuple;
}

/* Makes the part of a code object that changes, as `_PyCode_New` does. */
static void begin_code(const program *of)
{
    PyCodeObject *code = of->code;
    memcpy(code->co_code_adaptive, of->original, of->units * sizeof(_Py_CODEUNIT));
    code->co_tlbc = calloc(1, offsetof(_PyCodeArray, entries) + sizeof(char *));
    REQUIRE(code->co_tlbc);
    code->co_tlbc->size = 1;
    code->co_tlbc->entries[0] = code->co_code_adaptive;
    _PyCode_Quicken(_PyCode_CODE(code), of->units, interp->config.tlbc_enabled);
}

static uint64_t all_copies;

/* Frees it again, as the destructor does. */
static void end_code(PyCodeObject *code)
{
    for (Py_ssize_t i = 1; i < code->co_tlbc->size; i++) {
        all_copies += code->co_tlbc->entries[i] != NULL;
        free(code->co_tlbc->entries[i]);
    }
    free(code->co_tlbc);
    _PyCoMonitoringData *data = code->_co_monitoring;
    if (data) {
        free(data->tools);
        free(data->lines);
        free(data->line_tools);
        free(data->per_instruction_opcodes);
        free(data->per_instruction_tools);
        free(data);
    }
    code->_co_monitoring = NULL;
    code->_co_instrumentation_version = 0;
}

static bool is_running(PyCodeObject *code)
{
    for (PyThreadState *tstate = interp->threads.head; tstate; tstate = tstate->next) {
        for (_PyInterpreterFrame *frame = tstate->current_frame; frame; frame = frame->previous) {
            if (_PyFrame_GetCode(frame) == code) {
                return true;
            }
        }
    }
    return false;
}

/* Ends all code objects that no frame runs, and makes them anew. */
static void renew_code(void)
{
    _PyEval_StopTheWorld(interp);
    lock_threads();
    for (size_t i = 0; i < program_count; i++) {
        if (!is_running(programs[i].code)) {
            end_code(programs[i].code);
            begin_code(&programs[i]);
        }
    }
    unlock_threads();
    _PyEval_StartTheWorld(interp);
}

/* Makes a code object; false at the end of the file. */
static bool read_program(FILE *file, program *into)
{
    struct { int units, first_line, flags, stack, locals, arguments, exceptions; } row;
    if (fread(&row, sizeof(row), 1, file) != 1) {
        return false;
    }
    size_t bytes = row.units * sizeof(_Py_CODEUNIT);
    PyCodeObject *code = new_object(&PyCode_Type, offsetof(PyCodeObject, co_code_adaptive) + bytes);
    ((PyObject *)code)->ob_gc_bits = _PyGC_BITS_DEFERRED;
    Py_SET_SIZE(code, row.units);
    code->co_flags = row.flags;
    code->co_firstlineno = row.first_line;
    code->co_stacksize = row.stack;
    code->co_nlocalsplus = row.locals;
    code->co_argcount = row.arguments;
    uint16_t *original = read_block(file, bytes);
    PyBytesObject *exceptions = new_object(&PyBaseObject_Type, sizeof(*exceptions) + row.exceptions);
    Py_SET_SIZE(exceptions, row.exceptions);
    REQUIRE(fread(exceptions->ob_sval, 1, row.exceptions, file) == (size_t)row.exceptions);
    code->co_exceptiontable = (PyObject *)exceptions;
    code->co_linetable = read_block(file, row.units * sizeof(int));
    code->co_consts = tuple_of_two(Py_None, PyLong_FromSsize_t(1 << 20));
    code->co_names = tuple_of_two(PyLong_FromSsize_t(1), PyLong_FromSsize_t(2));
    while (code->_co_firsttraceable < row.units && (original[code->_co_firsttraceable] & 0xFF) != RESUME) {
        code->_co_firsttraceable++;
    }
    *into = (program){ code, original, row.units };
    begin_code(into);
    return true;
}

static void read_programs(const char *path)
{
    FILE *file = fopen(path, "rb");
    REQUIRE(file);
    program read;
    while (read_program(file, &read)) {
        programs = realloc(programs, (program_count + 1) * sizeof(*programs));
        REQUIRE(programs);
        programs[program_count++] = read;
    }
    fclose(file);
    REQUIRE(program_count > 100);
}

/* --- operands ---------------------------------------------------------------------------------------------------- */

static PyObject *operands[16];
static size_t operand_count;
static PyDictKeysObject *keys;
static PyDictObject *namespaces[2];

/* What modules look attributes up with, and nobody else. */
static PyObject *no_attribute(PyObject *object, PyObject *name)
{
    (void)object, (void)name;
    abort();
}

static PyDictObject *new_dict(void)
{
    PyDictObject *dict = new_object(&PyDict_Type, sizeof(*dict));
    dict->ma_keys = keys;
    return dict;
}

static void make_operands(void)
{
    PyType_Type.tp_flags = Py_TPFLAGS_TYPE_SUBCLASS;
    PyModule_Type.tp_getattro = no_attribute;
    make_small_ints();
    keys = calloc(1, sizeof(*keys));
    REQUIRE(keys);
    keys->dk_kind = DICT_KEYS_UNICODE;
    for (int i = 0; i < 2; i++) {
        namespaces[i] = new_dict();
    }
    PyFunctionObject *function = new_object(&PyFunction_Type, sizeof(*function));
    function->func_code = (PyObject *)programs[0].code;
    function->func_version = 7;
    function->vectorcall = _PyFunction_Vectorcall;
    PyModuleObject *module = new_object(&PyModule_Type, sizeof(*module));
    module->md_dict = (PyObject *)new_dict();
    PyTupleObject *pair = (PyTupleObject *)tuple_of_two(Py_None, Py_None);
    PyListObject *list = new_object(&PyList_Type, sizeof(*list));
    list->ob_base.ob_size = 2;
    PyObject *made[] = {
        Py_None, Py_True, _PyLong_GetZero(), _PyLong_GetOne(),
        new_object(&PyFloat_Type, sizeof(PyFloatObject)), new_object(&PyUnicode_Type, sizeof(PyUnicodeObject)),
        (PyObject *)pair, (PyObject *)list, (PyObject *)new_dict(), new_object(&PySet_Type, sizeof(PySetObject)),
        (PyObject *)function, (PyObject *)module, new_object(&PyRangeIter_Type, sizeof(PyObject)),
        new_object(&PyTupleIter_Type, sizeof(PyObject)), new_object(&PyGen_Type, sizeof(PyObject)),
        (PyObject *)&PySuper_Type,
    };
    PySuper_Type.ob_base.ob_base.ob_type = &PyType_Type;
    operand_count = sizeof(made) / sizeof(*made);
    memcpy(operands, made, sizeof(made));
}

/* --- threads ----------------------------------------------------------------------------------------------------- */

enum { WORKERS = 6, FRAMES = 60, CALLBACKS = 3, GROUP = 16 };

static PyObject *callbacks[CALLBACKS];
static int finished;
static uint64_t all_frames, all_instrumented, all_specialized, all_lives, all_lines;

static struct _qsbr_shared qsbr = { .wr_seq = 1 };

static PyThreadState *new_thread_state(void)
{
    _PyThreadStateImpl *made = calloc(1, sizeof(*made));
    REQUIRE(made);
    PyThreadState *tstate = &made->base;
    tstate->interp = interp;
    made->tlbc_index = _Py_ReserveTLBCIndex(interp);
    REQUIRE(made->tlbc_index >= 0);
    made->qsbr = calloc(1, sizeof(*made->qsbr));
    REQUIRE(made->qsbr);
    made->qsbr->shared = &qsbr;
    lock_threads();
    tstate->eval_breaker = _Py_atomic_load_uintptr(&interp->ceval.instrumentation_version);
    tstate->next = interp->threads.head;
    if (tstate->next) {
        tstate->next->prev = tstate;
    }
    interp->threads.head = tstate;
    unlock_threads();
    return tstate;
}

static void end_thread_state(PyThreadState *tstate)
{
    lock_threads();
    *(tstate->prev ? &tstate->prev->next : &interp->threads.head) = tstate->next;
    if (tstate->next) {
        tstate->next->prev = tstate->prev;
    }
    unlock_threads();
    _PyThreadStateImpl *ended = (_PyThreadStateImpl *)tstate;
    _Py_ClearTLBCIndex(ended);
    free(ended->qsbr);
    free(ended);
}

static size_t below(uint64_t *random, size_t end)
{
    *random = *random * 6364136223846793005u + 1442695040888963407u;
    return (*random >> 33) % end;
}

/* What was run last. */
static uintptr_t newest;

/* The thread that has the main copies, for as long as the program runs. */
static PyThreadState *first;

/* Runs code in one thread state after another. */
static void *work(void *argument)
{
    uint64_t seed = (uintptr_t)argument;
    bool is_first = seed % 64 == 1;
    while (!_Py_atomic_load_int(&finished)) {
        PyThreadState *tstate = is_first ? first : new_thread_state();
        thread self = { .tstate = tstate, .random = ++seed * 2654435761u, .operands = operands,
                        .operand_count = operand_count, .globals = (PyObject *)namespaces[0],
                        .builtins = (PyObject *)namespaces[1] };
        attach(tstate);
        /* Few code objects at a time, so that threads meet. */
        size_t some = _Py_atomic_load_uintptr_relaxed(&newest) / GROUP * GROUP;
        if (below(&seed, 4) == 0) {
            some = below(&seed, program_count);
        }
        for (int i = 0; i < FRAMES; i++) {
            uintptr_t index = (some + below(&seed, GROUP)) % program_count;
            _Py_atomic_store_uintptr_relaxed(&newest, index);
            stress_run(&self, &programs[index]);
        }
        detach();
        if (!is_first) {
            end_thread_state(tstate);
        }
        _Py_atomic_add_uint64(&all_frames, self.frames);
        _Py_atomic_add_uint64(&all_instrumented, self.instrumented);
        _Py_atomic_add_uint64(&all_specialized, self.specialized);
        _Py_atomic_add_uint64(&all_lives, 1);
        _Py_atomic_add_uint64(&all_calls, calls);
        calls = 0;
    }
    return NULL;
}

/* Changes what tools want. */
static void *change(void *argument)
{
    uint64_t random = (uintptr_t)argument;
    PyThreadState *tstate = new_thread_state();
    while (!_Py_atomic_load_int(&finished)) {
        attach(tstate);
        stress_change(tstate, &random, programs, program_count, callbacks, CALLBACKS);
        if (below(&random, 32) == 0) {
            renew_code();
        }
        detach();
        nanosleep(&(struct timespec){ .tv_nsec = 200000 }, NULL);
    }
    end_thread_state(tstate);
    return NULL;
}

/* Looks up lines. */
static void *look(void *argument)
{
    uint64_t random = (uintptr_t)argument;
    PyThreadState *tstate = new_thread_state();
    while (!_Py_atomic_load_int(&finished)) {
        attach(tstate);
        /* Seldom ordered with other threads by anything but what is looked at. */
        for (int i = 0; i < 1000 && !(_Py_atomic_load_uintptr_relaxed(&tstate->eval_breaker) & _PY_EVAL_EVENTS_MASK); i++) {
            all_lines += stress_look(&programs[_Py_atomic_load_uintptr_relaxed(&newest)], &random) >= 0;
        }
        detach();
        nanosleep(&(struct timespec){ .tv_nsec = 100000 }, NULL);
    }
    end_thread_state(tstate);
    return NULL;
}

static void *race(void *argument)
{
    stress_race(argument);
    return NULL;
}

static int find_race(void)
{
    pthread_t threads[2];
    _Py_CODEUNIT unit = { 0 };
    for (int i = 0; i < 2; i++) {
        REQUIRE(pthread_create(&threads[i], NULL, race, &unit) == 0);
    }
    for (int i = 0; i < 2; i++) {
        pthread_join(threads[i], NULL);
    }
    return 0;
}

int main(int argc, char **argv)
{
    if (argc == 2 && strcmp(argv[1], "--race") == 0) {
        return find_race();
    }
    REQUIRE(argc == 5);
    interp = calloc(1, sizeof(*interp));
    REQUIRE(interp);
    interp->runtime = &_PyRuntime;
    interp->config.tlbc_enabled = atoi(argv[4]);
    read_programs(argv[1]);
    make_operands();
    callbacks[0] = new_callback(told);
    callbacks[1] = new_callback(told_for_the_last_time);
    for (int tool = 0; tool < PY_MONITORING_TOOL_IDS; tool++) {
        interp->monitoring_tool_names[tool] = Py_None;
    }
    first = new_thread_state();
    REQUIRE(((_PyThreadStateImpl *)first)->tlbc_index == 0);
    uint64_t seed = strtoull(argv[3], NULL, 10);
    pthread_t threads[WORKERS + 2];
    for (int i = 0; i < WORKERS + 2; i++) {
        void *(*role)(void *) = i < WORKERS ? work : i == WORKERS ? change : look;
        REQUIRE(pthread_create(&threads[i], NULL, role, (void *)(uintptr_t)(seed * 64 + i + 1)) == 0);
    }
    nanosleep(&(struct timespec){ .tv_sec = atoi(argv[2]) }, NULL);
    _Py_atomic_store_int(&finished, 1);
    for (int i = 0; i < WORKERS + 2; i++) {
        pthread_join(threads[i], NULL);
    }
    for (size_t i = 0; i < program_count; i++) {
        end_code(programs[i].code);
    }
    printf("%zu code objects, %lu thread states, %lu frames, %lu copies left to code objects; %lu instructions met with "
           "events, %lu specialized; %lu events told, %lu disabled; %lu lines looked up\n",
           program_count, all_lives, all_frames, all_copies, all_instrumented, all_specialized, all_calls, all_disabled,
           all_lines);
    /* Everything has happened that was to happen, and nothing that was not. */
    REQUIRE(all_lives && all_frames && all_instrumented && all_calls && all_disabled && all_lines);
    REQUIRE((all_copies != 0) == interp->config.tlbc_enabled && (all_specialized != 0) == interp->config.tlbc_enabled);
    return 0;
}
