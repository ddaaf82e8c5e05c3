/* Thread-local bytecode, which only free-threaded hosts have: who copies what, and when it goes away again. */

#define Py_BUILD_CORE 1
#include "guests.h"
#include "pycore_code.h"
#include "pycore_frame.h"
#include "pycore_genobject.h"
#include "pycore_interpframe.h"
#include "pycore_opcode_metadata.h"
#include "pycore_opcode_utils.h"
#include "pycore_stackref.h"
#include "pycore_tstate.h"
#include "opcode_ids.h"

#ifndef Py_GIL_DISABLED
#  error "only for free-threaded hosts"
#endif

static int index_of(PyThreadState *thread) { return ((_PyThreadStateImpl *)thread)->tlbc_index; }
static int own_index(void) { return index_of(PyThreadState_Get()); }

/* Of a function in __main__; borrowed. */
static PyCodeObject *code_of(const char *name)
{
    PyObject *function = PyDict_GetItemString(PyModule_GetDict(PyImport_AddModule("__main__")), name);
    return (PyCodeObject *)PyFunction_GET_CODE(function);
}

static int has_copy(PyCodeObject *code, int index)
{
    return index < code->co_tlbc->size && code->co_tlbc->entries[index] != NULL;
}

static int copies(PyCodeObject *code)
{
    int found = 0;
    for (int index = 1; index < code->co_tlbc->size; index++) {
        found += has_copy(code, index);
    }
    return found;
}

struct census {
    int code_objects, copies, longest, main_copies;
};

static int count(PyObject *object, void *argument)
{
    struct census *census = argument;
    if (PyCode_Check(object)) {
        PyCodeObject *code = (PyCodeObject *)object;
        census->code_objects++;
        census->copies += copies(code);
        census->main_copies += code->co_tlbc->entries[0] == code->co_code_adaptive;
        if (code->co_tlbc->size > census->longest) {
            census->longest = (int)code->co_tlbc->size;
        }
    }
    return 1;
}

/* All code objects of the interpreter. */
static struct census take_census(void)
{
    struct census census = {0};
    PyUnstable_GC_VisitObjects(count, &census);
    return census;
}

static int opcode_at(PyCodeObject *code, int index, int unit)
{
    return ((_Py_CODEUNIT *)code->co_tlbc->entries[index])[unit].op.code;
}

enum kind { GENERIC, SPECIALIZED, INSTRUMENTED };

/* How many instructions of a copy are of that kind. */
static int instructions(PyCodeObject *code, int index, enum kind kind)
{
    int found = 0;
    for (int unit = 0; unit < Py_SIZE(code); unit += _PyInstruction_GetLength(code, unit)) {
        int opcode = opcode_at(code, index, unit);
        enum kind is = opcode >= MIN_INSTRUMENTED_OPCODE ? INSTRUMENTED
                     : _PyOpcode_Deopt[opcode] != opcode ? SPECIALIZED : GENERIC;
        found += is == kind;
    }
    return found;
}

static void run_or_fail(const char *source) { CHECK(run(source) == 0); }

/* --- without threads ---------------------------------------------------------------------------------------- */

static void no_thread_no_copy(void)
{
    CHECK(own_index() == 0);
    run_or_fail("import collections, contextlib, functools, json, re\n"
                "class C:\n"
                "    def __init__(self, x): self.x = x\n"
                "    def method(self, n): return self.x + n\n"
                "def add(a, b): return a + b\n"
                "def generate(n):\n"
                "    for i in range(n): yield i\n"
                "async def coroutine(): return 1\n"
                "def work():\n"
                "    total = 0\n"
                "    for i in generate(100):\n"
                "        total = add(total, C(i).method(1))\n"
                "    try: coroutine().send(None)\n"
                "    except StopIteration: pass\n"
                "    return json.loads(json.dumps([total])) + [m.group() for m in re.finditer('a', 'aaa')]\n"
                "for _ in range(20): work()\n");
    struct census census = take_census();
    CHECK(census.code_objects > 500);
    CHECK(census.main_copies == census.code_objects);
    CHECK(census.copies == 0);
    CHECK(instructions(code_of("add"), 0, SPECIALIZED) > 0);
}

/* --- indices ------------------------------------------------------------------------------------------------ */

enum { MANY = 100 };

static void the_smallest_index_first(void)
{
    PyInterpreterState *interp = PyInterpreterState_Get();
    PyThreadState *threads[MANY];
    uint32_t generation = interp->tlbc_indices.tlbc_generation;
    int in_order = 1;
    for (int i = 0; i < MANY; i++) {
        threads[i] = PyThreadState_New(interp);
        in_order &= index_of(threads[i]) == i + 1;
    }
    CHECK(in_order);
    CHECK(interp->tlbc_indices.tlbc_generation != generation);
    static const int gone[] = {70, 4, 33, 99};
    for (int i = 0; i < 4; i++) {
        PyThreadState_Clear(threads[gone[i]]);
        PyThreadState_Delete(threads[gone[i]]);
    }
    static const int back[] = {4, 33, 70, 99};
    for (int i = 0; i < 4; i++) {
        threads[back[i]] = PyThreadState_New(interp);
        CHECK(index_of(threads[back[i]]) == back[i] + 1);
    }
    for (int i = 0; i < MANY; i++) {
        PyThreadState_Clear(threads[i]);
        PyThreadState_Delete(threads[i]);
    }
}

/* A copy with a large index: the array grows, and loses nothing. */
static void arrays_grow(void)
{
    PyInterpreterState *interp = PyInterpreterState_Get();
    PyThreadState *threads[MANY], *own = PyThreadState_Get();
    run_or_fail("def grown(a, b): return a + b\nfor i in range(50): grown(i, i)\n");
    PyCodeObject *code = code_of("grown");
    for (int i = 0; i < MANY; i++) {
        threads[i] = PyThreadState_New(interp);
    }
    static const int callers[] = {2, 90, 3};
    for (int i = 0; i < 3; i++) {
        PyThreadState_Swap(threads[callers[i]]);
        run_or_fail("assert grown('a', 'b') == 'ab'");
        PyThreadState_Swap(own);
    }
    CHECK(code->co_tlbc->size == 128);
    CHECK(copies(code) == 3);
    CHECK(has_copy(code, 3) && has_copy(code, 91) && has_copy(code, 4));
    CHECK(instructions(code, 0, SPECIALIZED) > 0 && code->co_tlbc->entries[0] == code->co_code_adaptive);
    for (int i = 0; i < MANY; i++) {
        PyThreadState_Clear(threads[i]);
        PyThreadState_Delete(threads[i]);
    }
    /* A dead thread's copies stay until they are asked for. */
    CHECK(copies(code) == 3);
    CHECK(_Py_ClearUnusedTLBC(interp) == 0);
    struct census census = take_census();
    CHECK(census.copies == 0 && census.longest == 128);
}

/* --- threads ------------------------------------------------------------------------------------------------ */

static void call_add(struct guest *guest)
{
    guest->answer = number("add('a', 'b') == 'ab'");
}

static void call_add_often(struct guest *guest)
{
    guest->answer = number("[add(str(i), 'b') for i in range(200)][-1] == '199b'");
}

static void a_copy_for_each_thread_that_runs_the_code(void)
{
    PyCodeObject *add = code_of("add"), *work = code_of("work");
    CHECK(copies(add) == 0 && copies(work) == 0);
    for (int i = 0; i < GUESTS; i++) {
        CHECK(index_of(guests[i].state) == i + 1);
        let(&guests[i], call_add);
        CHECK(guests[i].answer == 1);
        CHECK(copies(add) == i + 1 && has_copy(add, i + 1));
        CHECK(instructions(add, i + 1, INSTRUMENTED) == 0);
    }
    CHECK(copies(work) == 0);
    char *first = add->co_tlbc->entries[1];
    let(&guests[0], call_add_often);
    CHECK(guests[0].answer == 1 && add->co_tlbc->entries[1] == first);
    /* Each as it needs it: the main copy adds numbers, this one strings, and the next one has not decided. */
    int position = -1;
    for (int unit = 0; unit < Py_SIZE(add); unit += _PyInstruction_GetLength(add, unit)) {
        if (_PyOpcode_Deopt[opcode_at(add, 0, unit)] == BINARY_OP) {
            position = unit;
        }
    }
    CHECK(opcode_at(add, 0, position) == BINARY_OP_ADD_INT);
    CHECK(opcode_at(add, 1, position) == BINARY_OP_ADD_UNICODE);
    CHECK(opcode_at(add, 2, position) == BINARY_OP);
}

/* --- generators that move ----------------------------------------------------------------------------------- */

static PyGenObject *generator(const char *name)
{
    return (PyGenObject *)PyDict_GetItemString(PyModule_GetDict(PyImport_AddModule("__main__")), name);
}

static int is_in(_PyInterpreterFrame *frame, int index)
{
    _Py_CODEUNIT *first = (_Py_CODEUNIT *)_PyFrame_GetCode(frame)->co_tlbc->entries[index];
    return frame->tlbc_index == index && frame->instr_ptr >= first &&
           frame->instr_ptr < first + Py_SIZE(_PyFrame_GetCode(frame));
}

static void next_of_moving(struct guest *guest) { guest->answer = number("next(moving)"); }

static void throw_into_moving(struct guest *guest) { guest->answer = number("moving.throw(ValueError)"); }

static void generators_move(void)
{
    run_or_fail("def inner():\n"
                "    for i in range(3): yield i\n"
                "def outer():\n"
                "    yield from inner()\n"
                "    try:\n"
                "        yield 10\n"
                "    except ValueError:\n"
                "        yield 20\n"
                "    yield 30\n"
                "moving = outer()\n");
    _PyInterpreterFrame *frame = &generator("moving")->gi_iframe;
    CHECK(is_in(frame, 0));
    static const long expected[] = {0, 1, 2, 10};
    for (int i = 0; i < 4; i++) {
        let(&guests[i], next_of_moving);
        CHECK(guests[i].answer == expected[i]);
        CHECK(is_in(frame, i + 1));
    }
    let(&guests[4], throw_into_moving);
    CHECK(guests[4].answer == 20 && is_in(frame, 5));
    CHECK(number("next(moving)") == 30 && is_in(frame, 0));
    CHECK(copies(code_of("outer")) == 5 && copies(code_of("inner")) == 4);
    run_or_fail("assert next(moving, None) is None");
}

/* --- instrumentation ---------------------------------------------------------------------------------------- */

static void tools_see_every_copy(void)
{
    run_or_fail("import sys\n"
                "def watched(a, b):\n"
                "    c = a + b\n"
                "    return c\n"
                "for i in range(50): watched(i, i)\n");
    PyCodeObject *code = code_of("watched");
    static const char *const calls = "watched('a', 'b') == 'ab'";
    PyThreadState *own = PyThreadState_Get();
    PyThreadState *early = PyThreadState_New(own->interp), *late = PyThreadState_New(own->interp);
    PyThreadState_Swap(early);
    CHECK(number(calls) == 1);
    PyThreadState_Swap(own);
    run_or_fail("E = sys.monitoring.events\n"
                "sys.monitoring.use_tool_id(1, 'test')\n"
                "seen = []\n"
                "sys.monitoring.register_callback(1, E.LINE, lambda code, line: seen.append(line))\n"
                "sys.monitoring.register_callback(1, E.PY_START, lambda code, offset: seen.append('start'))\n"
                "sys.monitoring.set_local_events(1, watched.__code__, E.LINE | E.PY_START)\n"
                "watched(1, 2)\n"
                "assert seen == ['start', 3, 4], seen\n");
    int instrumented = instructions(code, 0, INSTRUMENTED);
    CHECK(instrumented == 3);
    CHECK(instructions(code, index_of(early), INSTRUMENTED) == instrumented);
    CHECK(!has_copy(code, index_of(late)));
    PyThreadState_Swap(late);
    run_or_fail("seen.clear()\nassert watched('a', 'b') == 'ab'\nassert seen == ['start', 3, 4], seen\n");
    PyThreadState_Swap(early);
    run_or_fail("seen.clear()\nassert watched('a', 'b') == 'ab'\nassert seen == ['start', 3, 4], seen\n");
    PyThreadState_Swap(own);
    CHECK(instructions(code, index_of(late), INSTRUMENTED) == instrumented);
    run_or_fail("sys.monitoring.set_local_events(1, watched.__code__, 0)\n"
                "sys.monitoring.free_tool_id(1)\n"
                "seen.clear()\nwatched(1, 2)\nassert not seen\n");
    CHECK(copies(code) == 2);
    for (int index = 0; index < code->co_tlbc->size; index++) {
        CHECK(!has_copy(code, index) || instructions(code, index, INSTRUMENTED) == 0);
    }
    PyThreadState_Clear(early);
    PyThreadState_Delete(early);
    PyThreadState_Clear(late);
    PyThreadState_Delete(late);
}

/* --- what outlives its thread ------------------------------------------------------------------------------- */

static void leave_things_behind(struct guest *guest)
{
    guest->answer = run("kept = outer()\n"
                        "assert next(kept) == 0\n"
                        "def fail():\n"
                        "    x = 1\n"
                        "    raise KeyError(x)\n"
                        "try: fail()\n"
                        "except KeyError as e: error = e\n");
}

static void nothing_points_into_freed_copies(void)
{
    let(&guests[GUESTS - 1], leave_things_behind);
    CHECK(guests[GUESTS - 1].answer == 0);
    _PyInterpreterFrame *frame = &generator("kept")->gi_iframe;
    CHECK(is_in(frame, GUESTS));
    /* While its thread is there, a copy stays. */
    CHECK(_Py_ClearUnusedTLBC(PyInterpreterState_Get()) == 0);
    CHECK(is_in(frame, GUESTS) && has_copy(code_of("fail"), GUESTS));
    send_home();
    CHECK(has_copy(code_of("fail"), GUESTS) && has_copy(code_of("add"), 1));
    if (on_reference()) {
        /* The C evaluator's frames would dangle. */
        run_or_fail("kept.close(); del kept, error");
        CHECK(_Py_ClearUnusedTLBC(PyInterpreterState_Get()) == 0);
        CHECK(take_census().copies == 0);
        return;
    }
    CHECK(_Py_ClearUnusedTLBC(PyInterpreterState_Get()) == 0);
    CHECK(take_census().copies == 0);
    CHECK(is_in(frame, 0));
    /* A new thread gets the index, and copies of its own under it. */
    PyThreadState *own = PyThreadState_Get(), *other = NULL;
    for (int i = 0; i < GUESTS; i++) {
        other = PyThreadState_New(own->interp);
    }
    CHECK(index_of(other) == GUESTS);
    PyThreadState_Swap(other);
    CHECK(number("next(kept)") == 1);
    CHECK(is_in(frame, GUESTS));
    PyThreadState_Swap(own);
    run_or_fail("tb = error.__traceback__.tb_next\n"
                "assert tb.tb_frame.f_lineno == tb.tb_lineno == 5, tb.tb_frame.f_lineno\n"
                "assert tb.tb_frame.f_lasti == tb.tb_lasti\n"
                "assert list(kept)[:2] == [2, 10]\n");
    for (PyThreadState *thread = own->interp->threads.head, *next; thread != NULL; thread = next) {
        next = thread->next;
        if (thread != own) {
            PyThreadState_Clear(thread);
            PyThreadState_Delete(thread);
        }
    }
}

/* --- -X tlbc=0 ---------------------------------------------------------------------------------------------- */

static void without_copies(void)
{
    setenv("PYTHON_TLBC", "0", 1);
    start_python();
    CHECK(PyInterpreterState_Get()->config.tlbc_enabled == 0);
    run_or_fail("def add(a, b): return a + b\n"
                "def call(n):\n"
                "    for i in range(n): add(i, 1)\n"
                "    return n\n"
                "call(1000)\n");
    invite();
    for (int i = 0; i < GUESTS; i++) {
        CHECK(index_of(guests[i].state) == 0);
        let(&guests[i], call_add_often);
        CHECK(guests[i].answer == 1);
    }
    send_home();
    CHECK(take_census().copies == 0);
    PyCodeObject *call = code_of("call");
    for (int unit = 0; unit < Py_SIZE(call); unit += _PyInstruction_GetLength(call, unit)) {
        int opcode = opcode_at(call, 0, unit);
        /* What has no counter takes its form at once, and any thread could run it. */
        CHECK(_PyOpcode_Caches[_PyOpcode_Deopt[opcode]] == 0 || _PyOpcode_Deopt[opcode] == opcode ||
              _PyOpcode_Deopt[opcode] == JUMP_BACKWARD);
    }
    CHECK(Py_FinalizeEx() == 0);
    unsetenv("PYTHON_TLBC");
}

int main(void)
{
    start_python();
    no_thread_no_copy();
    the_smallest_index_first();
    arrays_grow();
    invite();
    a_copy_for_each_thread_that_runs_the_code();
    generators_move();
    tools_see_every_copy();
    nothing_points_into_freed_copies();
    CHECK(Py_FinalizeEx() == 0);
    without_copies();
    return results();
}
