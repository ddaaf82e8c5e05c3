/* A host for threads that run bytecode: what reval asks of CPython meanwhile, and no more.
 *
 * Thread states, code objects and everything in them have the host's own layout, from its headers; reval checks that
 * before main. What is here instead of the host's is simple rather than fast: one lock and one condition for being
 * attached and for stopping the world, locks that spin, memory that is freed late.
 *
 *     world.c     attached threads, stopping the world, locks, memory
 *     objects.c   objects, exceptions, callbacks of tools, operands
 *     code.c      code objects
 *     legacy.c    profile and trace functions, and what they get to see: frame objects
 *     main.c      the threads and what they do
 *
 *     stress FILE SECONDS SEED TLBC     with the code objects of dump.py; TLBC is 0 or 1, as for -X tlbc
 *     stress --race                     what the sanitizer has to find
 */

#ifndef STRESS_HOST_H
#define STRESS_HOST_H

#define Py_BUILD_CORE 1
#include "Python.h"
#include "pycore_audit.h"
#include "pycore_ceval.h"
#include "pycore_code.h"
#include "pycore_debug_offsets.h"
#include "pycore_descrobject.h"
#include "pycore_dict.h"
#include "pycore_frame.h"
#include "pycore_instruments.h"
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
    uint64_t frames, instrumented, specialized, raised;
} thread;

void stress_run(thread *, const program *);
void stress_change(PyThreadState *, uint64_t *random, const program *, size_t programs, PyObject *const *callbacks,
                   size_t callback_count, bool trace_opcodes);
int stress_look(const program *, uint64_t *random);
void stress_race(_Py_CODEUNIT *);

/* Of the host's specialize.c, which no header has. */
void _PyCode_Quicken(_Py_CODEUNIT *instructions, Py_ssize_t size, int enable_counters);

/* --- world.c ----------------------------------------------------------------------------------------------------- */

extern PyInterpreterState *interp;
extern _Thread_local PyThreadState *current;
/* Critical sections of the thread: no world must stop while it is in one, or they would have to be given up. */
extern _Thread_local int sections;
/* Whether this thread has stopped the world: nothing may run Python code meanwhile. */
extern _Thread_local bool stopper;

void attach(PyThreadState *);
void detach(void);
/* Lets others stop the world. */
void pause_thread(void);
/* The runtime's lock of the list of thread states. */
void lock_threads(void);
void unlock_threads(void);

/* --- objects.c --------------------------------------------------------------------------------------------------- */

enum { CALLBACKS = 3 };

extern PyObject *operands[];
extern size_t operand_count;
extern PyDictObject *namespaces[2];
extern PyObject *callbacks[CALLBACKS];
/* Events told to callbacks: in this life of the thread, and altogether. */
extern _Thread_local uint64_t calls;
extern uint64_t all_calls, all_disabled;
extern int64_t live_exceptions;

void *new_object(PyTypeObject *, size_t size);
PyObject *tuple_of_two(PyObject *, PyObject *);
void make_operands(void);
void make_callbacks(void);

/* --- code.c ------------------------------------------------------------------------------------------------------ */

extern program *programs;
extern size_t program_count;
/* Copies for threads that were left when code objects ended. */
extern uint64_t all_copies;

/* The line of each code unit; -1 for none. */
const int *lines_of(PyCodeObject *);
void read_programs(const char *path);
/* Ends all code objects that no frame runs, and makes them anew. */
void renew_code(void);
void end_all_code(void);

/* --- legacy.c ---------------------------------------------------------------------------------------------------- */

/* Whether trace functions ask for instructions, too. */
extern bool trace_opcodes;
/* Events told to profile and to trace functions, and how many of these are instructions. */
extern uint64_t all_profiled, all_traced, all_opcodes;
/* Objects of functions that somebody has; frame objects. */
extern int64_t live_listeners, live_frames;

/* Gives this thread, or everybody, a profile or trace function, or takes it away. */
void set_function(uint64_t *random, bool everybody);
/* Compares the interpreter's counts with what threads have. */
void check_functions(void);
/* Takes the functions of a thread away that ends. */
void clear_functions(PyThreadState *);
/* Adds what this thread's functions have heard in this life to the sums. */
void add_heard(void);

/* --- main.c ------------------------------------------------------------------------------------------------------ */

size_t below(uint64_t *random, size_t end);

#endif
