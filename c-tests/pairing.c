/* A library that meets a host which it was not built for: the process ends before main, with one line that says
   what differs. Each case runs this program once more, with something else in _PyRuntime.debug_offsets. The C
   evaluator does not look there, so with it the program gets to main in every case: what ends it is the check. */

#define Py_BUILD_CORE 1
#include "host.h"
#include "pycore_runtime.h"
#include <sys/wait.h>
#include <unistd.h>

#ifdef Py_GIL_DISABLED
#define KIND "free-threaded"
#define OTHER_KIND "with a GIL"
#else
#define KIND "with a GIL"
#define OTHER_KIND "free-threaded"
#endif
#define BUILT "reval: built for CPython " PY_VERSION " (" KIND ")"
#define CASE "REVAL_PAIRING_CASE="

struct disguise {
    uint64_t *field;
    uint64_t value;       /* that the host is to have there */
    const char *differs;  /* what the message calls the field; NULL: the message says what the host is */
    const char *host;     /* what the message calls the host */
};

#define HOST(FIELD, VALUE, TEXT) {&_PyRuntime.debug_offsets.FIELD, VALUE, NULL, TEXT}
#define MOVED(FIELD, NAME) {&_PyRuntime.debug_offsets.FIELD, 4096, NAME, NULL}

static const struct disguise disguises[] = {
    HOST(version, 0x030D02F0, "3.13.2 (" KIND ")"),
    HOST(version, 0x030F00A3, "3.15.0a3 (" KIND ")"),
    HOST(version, 0x030E00B4, "3.14.0b4 (" KIND ")"),
    HOST(version, 0x030E00C1, "3.14.0rc1 (" KIND ")"),
    HOST(version, 0x030E63F0, "3.14.99 (" KIND ")"),
    HOST(version, 0x040000F0, "4.0.0 (" KIND ")"),
#ifdef Py_GIL_DISABLED
    HOST(free_threaded, 0, PY_VERSION " (" OTHER_KIND ")"),
#else
    HOST(free_threaded, 1, PY_VERSION " (" OTHER_KIND ")"),
#endif
    MOVED(runtime_state.size, "_PyRuntimeState size"),
    MOVED(interpreter_state.size, "PyInterpreterState size"),
    MOVED(thread_state.size, "PyThreadState size"),
    MOVED(thread_state.interp, "PyThreadState.interp"),
    MOVED(thread_state.current_frame, "PyThreadState.current_frame"),
    MOVED(interpreter_frame.size, "_PyInterpreterFrame size"),
    MOVED(interpreter_frame.previous, "_PyInterpreterFrame.previous"),
    MOVED(interpreter_frame.instr_ptr, "_PyInterpreterFrame.instr_ptr"),
    MOVED(interpreter_frame.localsplus, "_PyInterpreterFrame.localsplus"),
    MOVED(interpreter_frame.owner, "_PyInterpreterFrame.owner"),
    MOVED(interpreter_frame.stackpointer, "_PyInterpreterFrame.stackpointer"),
    MOVED(code_object.size, "PyCodeObject size"),
    MOVED(code_object.co_code_adaptive, "PyCodeObject.co_code_adaptive"),
    MOVED(code_object.co_tlbc, "PyCodeObject.co_tlbc"),
    MOVED(interpreter_frame.tlbc_index, "_PyInterpreterFrame.tlbc_index"),
    MOVED(interpreter_state.tlbc_generation, "PyInterpreterState.tlbc_generation"),
    MOVED(pyobject.size, "PyObject size"),
    MOVED(pyobject.ob_type, "PyObject.ob_type"),
};
#define DISGUISES (sizeof(disguises) / sizeof(disguises[0]))

/* Runs before everything else in the process, the library's check included. */
static void disguise(int argc, char **argv, char **environment)
{
    (void)argc, (void)argv;
    for (char **entry = environment; *entry != NULL; entry++) {
        if (strncmp(*entry, CASE, strlen(CASE)) == 0) {
            const struct disguise *chosen = &disguises[atoi(*entry + strlen(CASE))];
            *chosen->field = chosen->value;
        }
    }
}

__attribute__((section(".preinit_array"), used)) static void (*const first)(int, char **, char **) = disguise;

/* Runs this program once more in a disguise (-1: without). Its exit status, -1 if it has none, and all that it
   prints. */
static int run_disguised(const char *program, int number, char *output, size_t size)
{
    int ends[2];
    char entry[64];
    snprintf(entry, sizeof entry, CASE "%d", number);
    if (pipe(ends) != 0) {
        return -1;
    }
    pid_t child = fork();
    if (child == 0) {
        char *environment[] = {number < 0 ? NULL : entry, NULL};
        char *arguments[] = {"pairing", "again", NULL};
        dup2(ends[1], 1);
        dup2(ends[1], 2);
        close(ends[0]);
        close(ends[1]);
        execve(program, arguments, environment);
        _exit(127);
    }
    close(ends[1]);
    size_t length = 0;
    ssize_t got;
    while (length < size - 1 && (got = read(ends[0], output + length, size - 1 - length)) > 0) {
        length += (size_t)got;
    }
    output[length] = '\0';
    close(ends[0]);
    int status;
    return waitpid(child, &status, 0) == child && WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static void expected_message(const struct disguise *chosen, uint64_t built, char *message, size_t size)
{
    if (chosen->differs == NULL) {
        snprintf(message, size, BUILT ", but the host is CPython %s\n", chosen->host);
    } else {
        snprintf(message, size,
                 BUILT " with %s %llu, but the host has %llu: rebuild it with the host's headers\n", chosen->differs,
                 (unsigned long long)built, (unsigned long long)chosen->value);
    }
}

int main(int argc, char **argv)
{
    if (argc > 1 && strcmp(argv[1], "again") == 0) {
        puts("main");
        return 0;
    }
    char output[1000], message[1000];
    CHECK(run_disguised(argv[0], -1, output, sizeof output) == 0 && strcmp(output, "main\n") == 0);
    for (size_t i = 0; i < DISGUISES; i++) {
        int ended = !on_reference();
        if (ended) {
            expected_message(&disguises[i], *disguises[i].field, message, sizeof message);
        } else {
            strcpy(message, "main\n");
        }
        int status = run_disguised(argv[0], (int)i, output, sizeof output);
        if (!CHECK(status == ended) || !CHECK(strcmp(output, message) == 0)) {
            printf("# status %d, expected: %s# but: %s\n", status, message, output);
        }
    }
    return results();
}
