/* Profilers that walk frame pointers, seen from inside: while Python code runs, the processor traps after every
   instruction, and a signal handler walks from the frame pointer as they do. From each instruction of the evaluator the
   walk has to reach _PyEval_EvalFrameDefault and the function that called it, here a frame evaluator (PEP 523) that stands
   where perf's trampolines do. Nothing is claimed of the host's own functions: it may have been compiled without
   frame pointers. */

#include "host.h"
#include <elf.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <ucontext.h>
#include <unistd.h>

#define DEEPEST 200

/* --- the functions of this program ----------------------------------------------------------------------------- */

typedef struct {
    uintptr_t start, end;
    const char *name;
    enum { OTHER, ENTRY, INSTRUCTION } kind; /* INSTRUCTION: runs only below the entry */
    int steps;
} Function;

static Function *functions;
static size_t function_count;

static int by_address(const void *a, const void *b)
{
    const Function *left = a, *right = b;
    return left->start < right->start ? -1 : left->start > right->start;
}

static int kind_of(const char *name)
{
    if (strncmp(name, "_PyEval_EvalFrameDefault", strlen("_PyEval_EvalFrameDefault")) == 0) {
        return ENTRY; /* with the parts that a C compiler puts elsewhere */
    }
    if (strncmp(name, "_R", 2) == 0 && (strstr(name, "5reval6interp4tail7handler") || strstr(name, "5reval3ops"))) {
        return INSTRUCTION;
    }
    return OTHER;
}

/* Reads the symbol table, which the linker leaves in the file. Addresses are final: host/link makes no PIE. */
static void read_functions(void)
{
    int file = open("/proc/self/exe", O_RDONLY);
    struct stat status;
    if (file < 0 || fstat(file, &status) != 0) {
        return;
    }
    const char *image = mmap(NULL, status.st_size, PROT_READ, MAP_PRIVATE, file, 0);
    close(file);
    if (image == MAP_FAILED) {
        return;
    }
    const Elf64_Ehdr *header = (const void *)image;
    const Elf64_Shdr *sections = (const void *)(image + header->e_shoff);
    for (int i = 0; i < header->e_shnum; i++) {
        if (sections[i].sh_type != SHT_SYMTAB) {
            continue;
        }
        const Elf64_Sym *symbols = (const void *)(image + sections[i].sh_offset);
        const char *names = image + sections[sections[i].sh_link].sh_offset;
        size_t count = sections[i].sh_size / sizeof *symbols;
        functions = calloc(count, sizeof *functions);
        for (size_t n = 0; functions != NULL && n < count; n++) {
            if (ELF64_ST_TYPE(symbols[n].st_info) == STT_FUNC && symbols[n].st_size > 0) {
                const char *name = names + symbols[n].st_name;
                functions[function_count++] = (Function){
                    symbols[n].st_value, symbols[n].st_value + symbols[n].st_size, name, kind_of(name), 0};
            }
        }
        qsort(functions, function_count, sizeof *functions, by_address);
    }
}

/* The function that an address belongs to, or NULL. */
static Function *function_at(uintptr_t address)
{
    size_t low = 0, high = function_count;
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (functions[middle].start <= address) {
            low = middle + 1;
        }
        else {
            high = middle;
        }
    }
    return low > 0 && address < functions[low - 1].end ? &functions[low - 1] : NULL;
}

/* --- the evaluator that stands where perf's trampolines do ------------------------------------------------------ */

static uintptr_t evaluators[DEEPEST]; /* frame addresses of those that are running, outermost first */
static int depth;
static int once; /* whether calls within evaluated code are left to the evaluator itself */

static PyObject *evaluate(PyThreadState *tstate, struct _PyInterpreterFrame *frame, int throwflag)
{
    PyInterpreterState *interp = PyThreadState_GetInterpreter(tstate);
    if (depth == DEEPEST) {
        Py_FatalError("more calls than this test has room for");
    }
    /* A function that asks for the address of its frame has one, whatever the compiler's options say. */
    evaluators[depth++] = (uintptr_t)__builtin_frame_address(0);
    if (once) {
        _PyInterpreterState_SetEvalFrameFunc(interp, _PyEval_EvalFrameDefault);
    }
    PyObject *result = _PyEval_EvalFrameDefault(tstate, frame, throwflag);
    depth--;
    if (once) {
        _PyInterpreterState_SetEvalFrameFunc(interp, evaluate);
    }
    return result;
}

/* --- the processor ----------------------------------------------------------------------------------------------- */

typedef struct {
    uintptr_t pc, frame, stack;
} Registers;

static volatile sig_atomic_t stepping;

#if defined(__x86_64__)

#define STEP SIGTRAP
#define ENOUGH 5000
#define ENOUGH_FUNCTIONS 100
#define TRAP_FLAG 0x100

static Registers registers_of(void *context)
{
    const greg_t *registers = ((ucontext_t *)context)->uc_mcontext.gregs;
    return (Registers){registers[REG_RIP], registers[REG_RBP], registers[REG_RSP]};
}

/* Whether the next instruction traps, from the return of the signal handler on. */
static void trap(void *context)
{
    greg_t *flags = &((ucontext_t *)context)->uc_mcontext.gregs[REG_EFL];
    *flags = stepping ? *flags | TRAP_FLAG : *flags & ~TRAP_FLAG;
}

static void start_steps(void)
{
    stepping = 1;
    raise(STEP);
}

static void stop_steps(void) { stepping = 0; }

#elif defined(__aarch64__)

#include <sys/time.h>

/* A process cannot make its own instructions trap here: a timer interrupts it instead. */
#define STEP SIGALRM
#define ENOUGH 500
#define ENOUGH_FUNCTIONS 20

static Registers registers_of(void *context)
{
    const mcontext_t *machine = &((ucontext_t *)context)->uc_mcontext;
    return (Registers){machine->pc, machine->regs[29], machine->sp};
}

static void trap(void *context) { (void)context; }

static void set_timer(int microseconds)
{
    struct itimerval timer = {{0, microseconds}, {0, microseconds}};
    CHECK(setitimer(ITIMER_REAL, &timer, NULL) == 0);
}

static void start_steps(void)
{
    stepping = 1;
    set_timer(200);
}

static void stop_steps(void)
{
    set_timer(0);
    stepping = 0;
}

#endif

/* --- one step ---------------------------------------------------------------------------------------------------- */

static uintptr_t stack_end;
static long walks, lost_entry, lost_evaluator;
static Function *first_lost;
static uintptr_t first_lost_at;

/* Walks from a frame; says whether it meets a return address into the entry, and the innermost evaluator's frame. */
static void walk(uintptr_t frame, uintptr_t stack, int *entry, int *evaluator)
{
    *entry = *evaluator = 0;
    for (int i = 0; i < 4 * DEEPEST && frame >= stack && frame < stack_end && frame % 8 == 0; i++) {
        const uintptr_t *words = (const uintptr_t *)frame;
        if (depth > 0 && frame == evaluators[depth - 1]) {
            *evaluator = 1;
            return;
        }
        Function *caller = function_at(words[1] - 1);
        if (caller != NULL && caller->kind == ENTRY) {
            *entry = 1;
        }
        if (words[0] <= frame) {
            return;
        }
        frame = words[0];
    }
}

static void step(int signal, siginfo_t *info, void *context)
{
    (void)signal, (void)info;
    Registers registers = registers_of(context);
    trap(context);
    if (!stepping) {
        return;
    }
    Function *function = function_at(registers.pc);
    if (function == NULL || function->kind == OTHER || depth == 0) {
        return;
    }
    walks++;
    function->steps++;
    int entry, evaluator;
    walk(registers.frame, registers.stack, &entry, &evaluator);
    int entry_is_missing = function->kind == INSTRUCTION && !entry;
    /* Deeper calls go through functions of the host, unless each has an evaluator of its own. */
    int evaluator_is_missing = !once && !evaluator;
    lost_entry += entry_is_missing;
    lost_evaluator += evaluator_is_missing;
    if (first_lost == NULL && (entry_is_missing || evaluator_is_missing)) {
        first_lost = function;
        first_lost_at = registers.pc;
    }
}

/* Calls a function of __main__, one trap an instruction; where a timer interrupts, until it has done so often. */
static void call_in_steps(const char *name)
{
    walks = lost_entry = lost_evaluator = 0;
    first_lost = NULL;
    PyObject *function = value(name);
    PyInterpreterState *interp = PyInterpreterState_Get();
    _PyInterpreterState_SetEvalFrameFunc(interp, evaluate);
    start_steps();
    do {
        PyObject *result = PyObject_CallNoArgs(function);
        CHECK(result != NULL && depth == 0);
        Py_XDECREF(result);
    } while (walks <= ENOUGH && failures == 0);
    stop_steps();
    _PyInterpreterState_SetEvalFrameFunc(interp, _PyEval_EvalFrameDefault);
    Py_DECREF(function);
    if (first_lost != NULL) {
        printf("# first lost in %s+%#lx\n", first_lost->name, (long)(first_lost_at - first_lost->start));
    }
    printf("# %ld instructions of the evaluator\n", walks);
    CHECK(walks > ENOUGH);
    CHECK(lost_entry == 0);
    CHECK(lost_evaluator == 0);
}

/* Common and rare paths of many instructions. */
static const char program[] =
    "class Point:\n"
    "    __slots__ = ('x', 'y')\n"
    "    def __init__(self, x, y): self.x, self.y = x, y\n"
    "    def __add__(self, other): return Point(self.x + other.x, self.y + other.y)\n"
    "    def __del__(self): last.append(self.x)\n"
    "    @property\n"
    "    def size(self): return self.x * self.x + self.y * self.y\n"
    "class Named:\n"
    "    def __init__(self, name, **options):\n"
    "        self.name = name\n"
    "        self.__dict__.update(options)\n"
    "    def __getattr__(self, name): return name.upper()\n"
    "    def __enter__(self): return self\n"
    "    def __exit__(self, *what): return True\n"
    "def count(n):\n"
    "    while n:\n"
    "        yield n\n"
    "        n -= 1\n"
    "def chain(*parts):\n"
    "    for part in parts: yield from part\n"
    "async def wait(n): return n + 1\n"
    "async def gather(n): return [await wait(i) for i in range(n)]\n"
    "def fail(depth):\n"
    "    if not depth: raise ValueError(depth)\n"
    "    try: return fail(depth - 1)\n"
    "    finally: last.clear()\n"
    "def work():\n"
    "    total, text, names = 0, '', {}\n"
    "    for i in range(4):\n"
    "        point = Point(i, i / 2) + Point(1, 2.5)\n"
    "        total += point.size + i ** 3 + (1 << 70) % 1000\n"
    "        names[f'{i:03}'] = [i, *range(i)], {**names}\n"
    "        text += str(i) + repr(point.y)\n"
    "        match point:\n"
    "            case Point(x=3): total -= 1\n"
    "            case _: pass\n"
    "    for n in chain(count(2), sorted([3, 1, 2], key=lambda v: -v), (a for a in 'xy')): names[n] = n\n"
    "    with Named('n', extra=1) as named: fail(3)\n"
    "    try: fail(2)\n"
    "    except ValueError as error: last.append(str(error))\n"
    "    try: named + 1\n"
    "    except* TypeError: pass\n"
    "    try: gather(5).send(None)\n"
    "    except StopIteration as stop: names.update(stop.value and {'s': len(stop.value)})\n"
    "    first, *rest = text\n"
    "    del names['000']\n"
    "    assert named.missing == 'MISSING' and text[1:3] and rest and total and isinstance(total, float)\n"
    "    return max(map(len, (text, rest))), {k: v for k, v in names.items() if v in (1, 2) or k is not None}\n"
    "last = []\n";

int main(void)
{
    stack_end = (uintptr_t)__builtin_frame_address(0) + 16;
    read_functions();
    size_t instructions = 0, entries = 0;
    for (size_t i = 0; i < function_count; i++) {
        instructions += functions[i].kind == INSTRUCTION;
        entries += functions[i].kind == ENTRY;
    }
    CHECK(entries > 0);
    CHECK(on_reference() ? instructions == 0 : instructions > 200);

    start_python();
    struct sigaction action = {.sa_sigaction = step, .sa_flags = SA_SIGINFO | SA_RESTART};
    CHECK(sigaction(STEP, &action, NULL) == 0);
    CHECK(run(program) == 0);
    /* First as the compiler has made it, then specialized. */
    call_in_steps("work");
    once = 1;
    CHECK(run("for _ in range(20): work()") == 0);
    call_in_steps("work");

    if (!on_reference()) {
        size_t met = 0;
        for (size_t i = 0; i < function_count; i++) {
            met += functions[i].kind == INSTRUCTION && functions[i].steps > 0;
        }
        printf("# %zu functions\n", met);
        CHECK(met > ENOUGH_FUNCTIONS);
    }
    CHECK(Py_FinalizeEx() == 0);
    return results();
}
