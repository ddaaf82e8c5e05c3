#include "host.h"

/* --- threads ----------------------------------------------------------------------------------------------------- */

enum { WORKERS = 6, FRAMES = 60, GROUP = 16 };

static int finished;
static uint64_t all_frames, all_instrumented, all_specialized, all_raised, all_lives, all_lines;

static struct _qsbr_shared qsbr = { .wr_seq = 1 };

static PyThreadState *new_thread_state(void)
{
    _PyThreadStateImpl *made = calloc(1, sizeof(*made));
    REQUIRE(made);
    PyThreadState *tstate = &made->base;
    tstate->interp = interp;
    static uint64_t states;
    tstate->id = _Py_atomic_add_uint64(&states, 1) + 1;
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

/* Of the thread that calls, which detaches. Nothing is waited for between its functions' end and its own: threads that
 * set everybody's functions would find it without knowing. */
static void end_thread_state(PyThreadState *tstate)
{
    REQUIRE(tstate == current);
    clear_functions(tstate);
    lock_threads();
    *(tstate->prev ? &tstate->prev->next : &interp->threads.head) = tstate->next;
    if (tstate->next) {
        tstate->next->prev = tstate->prev;
    }
    unlock_threads();
    detach();
    _PyThreadStateImpl *ended = (_PyThreadStateImpl *)tstate;
    _Py_ClearTLBCIndex(ended);
    free(ended->qsbr);
    free(ended);
}

size_t below(uint64_t *random, size_t end)
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
            if (below(&seed, 8) == 0) {
                set_function(&seed, false);
            }
            stress_run(&self, &programs[index]);
        }
        if (is_first) {
            detach();
        }
        else {
            end_thread_state(tstate);
        }
        _Py_atomic_add_uint64(&all_frames, self.frames);
        _Py_atomic_add_uint64(&all_instrumented, self.instrumented);
        _Py_atomic_add_uint64(&all_specialized, self.specialized);
        _Py_atomic_add_uint64(&all_raised, self.raised);
        _Py_atomic_add_uint64(&all_lives, 1);
        _Py_atomic_add_uint64(&all_calls, calls);
        calls = 0;
        add_heard();
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
        stress_change(tstate, &random, programs, program_count, callbacks, CALLBACKS, trace_opcodes);
        if (below(&random, 4) == 0) {
            set_function(&random, below(&random, 4) != 0);
        }
        if (below(&random, 32) == 0) {
            renew_code();
            check_functions();
        }
        detach();
        nanosleep(&(struct timespec){ .tv_nsec = 200000 }, NULL);
    }
    attach(tstate);
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
    attach(tstate);
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
    make_callbacks();
    for (int tool = 0; tool < PY_MONITORING_TOOL_IDS; tool++) {
        interp->monitoring_tool_names[tool] = Py_None;
    }
    first = new_thread_state();
    REQUIRE(((_PyThreadStateImpl *)first)->tlbc_index == 0);
    uint64_t seed = strtoull(argv[3], NULL, 10);
    trace_opcodes = (seed + interp->config.tlbc_enabled) % 2;
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
    attach(first);
    check_functions();
    end_thread_state(first);
    end_all_code();
    printf("%zu code objects, %lu thread states, %lu frames, %lu copies left to code objects; %lu instructions met with "
           "events, %lu specialized; %lu exceptions that tools watch; %lu events told, %lu disabled; %lu told to profile "
           "functions, %lu to trace functions (%lu instructions); %lu lines looked up\n",
           program_count, all_lives, all_frames, all_copies, all_instrumented, all_specialized, all_raised, all_calls,
           all_disabled, all_profiled, all_traced, all_opcodes, all_lines);
    /* Everything has happened that was to happen, and nothing that was not. */
    REQUIRE(all_lives && all_frames && all_instrumented && all_raised && all_calls && all_disabled && all_lines);
    REQUIRE(all_profiled && all_traced && live_listeners == 0 && live_frames == 0 && live_exceptions == 0);
    REQUIRE((all_opcodes != 0) == trace_opcodes);
    REQUIRE(interp->sys_profiling_threads == 0 && interp->sys_tracing_threads == 0);
    REQUIRE((all_copies != 0) == interp->config.tlbc_enabled && (all_specialized != 0) == interp->config.tlbc_enabled);
    return 0;
}
