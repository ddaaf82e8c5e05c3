/* What the library takes for granted about the host's structures: asserted by the compiler where it can be, and
   looked at in a running interpreter where it cannot. */

#define Py_BUILD_CORE 1
#include "host.h"
#include "pycore_backoff.h"
#include "pycore_ceval.h"
#include "pycore_code.h"
#include "pycore_frame.h"
#include "pycore_genobject.h"
#include "pycore_interpframe.h"
#include "pycore_pystate.h"
#include "pycore_runtime.h"
#include "pycore_stackref.h"
#include "pycore_tstate.h"
#include <stddef.h>

#define SAME(a, b) _Static_assert((a) == (b), #a " is " #b)
#define OFFSET(type, field) offsetof(type, field)

/* A reference on the evaluation stack is one word, and so is everything that shares a frame with it. */
SAME(sizeof(_PyStackRef), sizeof(void *));
SAME(sizeof(uintptr_t), sizeof(void *));
SAME(OFFSET(_PyInterpreterFrame, localsplus) % sizeof(_PyStackRef), 0);
SAME(FRAME_SPECIALS_SIZE, OFFSET(_PyInterpreterFrame, localsplus) / sizeof(_PyStackRef));

/* The executable starts every frame, so a frame is compared with its code without knowing more of it. */
SAME(OFFSET(_PyInterpreterFrame, f_executable), 0);

/* Instructions: a byte for the opcode, one for its argument; counters fill one unit. */
SAME(sizeof(_Py_CODEUNIT), 2);
SAME(OFFSET(_Py_CODEUNIT, op.code), 0);
SAME(OFFSET(_Py_CODEUNIT, op.arg), 1);
SAME(sizeof(_Py_BackoffCounter), 2);
SAME(sizeof(_PyCallCache), 3 * sizeof(_Py_CODEUNIT));
SAME(sizeof(_PyAttrCache) % sizeof(_Py_CODEUNIT), 0);

/* Threads: the public state comes first in the private one; the breaker is written by others at any time. */
SAME(OFFSET(_PyThreadStateImpl, base), 0);
SAME(sizeof(((PyThreadState *)0)->eval_breaker), sizeof(uintptr_t));
SAME(OFFSET(PyThreadState, eval_breaker) % sizeof(uintptr_t), 0);
SAME(_PY_EVAL_EVENTS_MASK, 0xff); /* above it, the version of the instrumentation */

/* A generator and its frame are one allocation. */
_Static_assert(OFFSET(PyGenObject, gi_iframe) % sizeof(void *) == 0, "the frame inside a generator is aligned");
_Static_assert(OFFSET(PyGenObject, gi_iframe) > OFFSET(PyGenObject, gi_frame_state), "its frame comes last");

#ifdef Py_GIL_DISABLED
/* Copies of bytecode: an array whose first entry is the main one, and the index of a thread's. */
SAME(sizeof(((PyCodeObject *)0)->co_tlbc), sizeof(void *));
SAME(OFFSET(_PyCodeArray, size), 0);
SAME(OFFSET(_PyCodeArray, entries), sizeof(Py_ssize_t));
SAME(sizeof(((_PyCodeArray *)0)->entries[0]), sizeof(void *));
SAME(sizeof(((_PyThreadStateImpl *)0)->tlbc_index), sizeof(int32_t));
SAME(sizeof(((_PyInterpreterFrame *)0)->tlbc_index), sizeof(int32_t));
SAME(sizeof(*((_PyIndexHeap *)0)->values), sizeof(int32_t));
SAME(sizeof(((_PyIndexPool *)0)->next_index), sizeof(int32_t));
SAME(sizeof(((_PyIndexPool *)0)->tlbc_generation), sizeof(uint32_t));
#endif

/* The offsets that debuggers and the library read from a running host. */
static void debug_offsets(void)
{
    const _Py_DebugOffsets *offsets = &_PyRuntime.debug_offsets;
    CHECK(strncmp(offsets->cookie, "xdebugpy", 8) == 0);
    CHECK(offsets->version == PY_VERSION_HEX);
#ifdef Py_GIL_DISABLED
    CHECK(offsets->free_threaded == 1);
    CHECK(offsets->code_object.co_tlbc == OFFSET(PyCodeObject, co_tlbc));
    CHECK(offsets->interpreter_frame.tlbc_index == OFFSET(_PyInterpreterFrame, tlbc_index));
    CHECK(offsets->interpreter_state.tlbc_generation == OFFSET(PyInterpreterState, tlbc_indices.tlbc_generation));
#else
    CHECK(offsets->free_threaded == 0);
#endif
    CHECK(offsets->runtime_state.size == sizeof(_PyRuntimeState));
    CHECK(offsets->interpreter_state.size == sizeof(PyInterpreterState));
    CHECK(offsets->thread_state.size == sizeof(PyThreadState));
    CHECK(offsets->thread_state.interp == OFFSET(PyThreadState, interp));
    CHECK(offsets->thread_state.current_frame == OFFSET(PyThreadState, current_frame));
    CHECK(offsets->interpreter_frame.size == sizeof(_PyInterpreterFrame));
    CHECK(offsets->interpreter_frame.previous == OFFSET(_PyInterpreterFrame, previous));
    CHECK(offsets->interpreter_frame.executable == OFFSET(_PyInterpreterFrame, f_executable));
    CHECK(offsets->interpreter_frame.instr_ptr == OFFSET(_PyInterpreterFrame, instr_ptr));
    CHECK(offsets->interpreter_frame.localsplus == OFFSET(_PyInterpreterFrame, localsplus));
    CHECK(offsets->interpreter_frame.owner == OFFSET(_PyInterpreterFrame, owner));
    CHECK(offsets->interpreter_frame.stackpointer == OFFSET(_PyInterpreterFrame, stackpointer));
    CHECK(offsets->code_object.size == sizeof(PyCodeObject));
    CHECK(offsets->code_object.co_code_adaptive == OFFSET(PyCodeObject, co_code_adaptive));
    CHECK(offsets->gen_object.gi_iframe == OFFSET(PyGenObject, gi_iframe));
    CHECK(offsets->pyobject.ob_type == OFFSET(PyObject, ob_type));
}

/* Called from Python: the frames that the evaluator pushed look as the headers say. */
static int seen;

static PyObject *look(PyObject *self, PyObject *const *args, Py_ssize_t count)
{
    (void)self;
    PyThreadState *thread = PyThreadState_Get();
    CHECK(thread->interp == PyInterpreterState_Get());
    _PyInterpreterFrame *frame = thread->current_frame;
    static const char *const names[] = {"inner", "method", "generator", "outer"};
    for (int i = 0; i < 4; i++, frame = frame->previous) {
        while (frame->owner == FRAME_OWNED_BY_INTERPRETER) {
            frame = frame->previous; /* where C called the evaluator */
        }
        PyCodeObject *code = _PyFrame_GetCode(frame);
        CHECK(PyCode_Check(code) && PyUnicode_EqualToUTF8(code->co_name, names[i]));
        CHECK(frame->owner == (i == 2 ? FRAME_OWNED_BY_GENERATOR : FRAME_OWNED_BY_THREAD));
        CHECK(PyFunction_Check(PyStackRef_AsPyObjectBorrow(frame->f_funcobj)));
        CHECK(frame->f_globals == PyModule_GetDict(PyImport_AddModule("__main__")));
        CHECK(frame->f_builtins == PyEval_GetBuiltins());
        _Py_CODEUNIT *first = _PyFrame_GetBytecode(frame);
        CHECK(frame->instr_ptr >= first && frame->instr_ptr < first + Py_SIZE(code));
        _PyStackRef *top = frame->stackpointer, *base = _PyFrame_Stackbase(frame);
        CHECK(top == NULL || (top >= base && top <= base + code->co_stacksize));
    }
    if (count == 1) {
        /* inner(x): its first local is what it passed on. */
        CHECK(PyStackRef_AsPyObjectBorrow(thread->current_frame->localsplus[0]) == args[0]);
        CHECK(_PyFrame_NumSlotsForCodeObject(_PyFrame_GetCode(thread->current_frame)) >= 1);
    }
    CHECK(thread->py_recursion_remaining < thread->py_recursion_limit);
    seen++;
    Py_RETURN_NONE;
}

static PyMethodDef look_def = {"look", (PyCFunction)(void (*)(void))look, METH_FASTCALL, NULL};

static void frames(void)
{
    PyObject *function = PyCFunction_New(&look_def, NULL);
    PyModule_AddObjectRef(PyImport_AddModule("__main__"), "look", function);
    Py_DECREF(function);
    int depth = PyThreadState_Get()->py_recursion_remaining;
    CHECK(run("def inner(x): look(x)\n"
              "class C:\n"
              "    def method(self, x): inner(x)\n"
              "def generator(x):\n"
              "    C().method(x)\n"
              "    yield x\n"
              "def outer(x):\n"
              "    for v in generator(x): pass\n"
              "for i in range(40): outer(i)\n") == 0);
    CHECK(seen == 40);
    _PyInterpreterFrame *frame = PyThreadState_Get()->current_frame;
    CHECK(frame == NULL || frame->owner == FRAME_OWNED_BY_INTERPRETER);
    CHECK(PyThreadState_Get()->py_recursion_remaining == depth);
}

/* A code object that is a constant: what it refers to is part of the program, too. */
static void constant_code(void)
{
    const struct _PyCode8 *code = &_Py_InitCleanup;
    CHECK(PyCode_Check((PyObject *)code) && _Py_IsImmortal((PyObject *)code));
    PyObject *tuples[] = {code->co_consts, code->co_names, code->co_localsplusnames};
    for (int i = 0; i < 3; i++) {
        CHECK(PyTuple_CheckExact(tuples[i]) && PyTuple_GET_SIZE(tuples[i]) == 0);
    }
    PyObject *bytes[] = {code->co_exceptiontable, code->co_localspluskinds};
    for (int i = 0; i < 2; i++) {
        CHECK(PyBytes_CheckExact(bytes[i]) && PyBytes_GET_SIZE(bytes[i]) == 0);
    }
    CHECK(PyBytes_CheckExact(code->co_linetable) && PyBytes_GET_SIZE(code->co_linetable) == 1);
    PyObject *names[] = {code->co_filename, code->co_name, code->co_qualname};
    for (int i = 0; i < 3; i++) {
        CHECK(PyUnicode_CheckExact(names[i]) && PyUnicode_CompareWithASCIIString(names[i], "__init__") == 0);
    }
}

int main(void)
{
    start_python();
    debug_offsets();
    constant_code();
    frames();
    CHECK(Py_FinalizeEx() == 0);
    return results();
}
