/* Where a program finds its standard library: without any setting, in isolation, with a home of its own, in
   subinterpreters and in virtual environments. */

#include "host.h"
#include <limits.h>
#include <sys/stat.h>
#include <unistd.h>

static char prefix[PATH_MAX];  /* of the host */
static char scratch[PATH_MAX]; /* another home, with the same library in it */
static char self[PATH_MAX];    /* this program */

/* Starts an interpreter with this home (null: none of its own); whether that is possible. */
static int start(int isolated, const char *home)
{
    PyConfig config;
    if (isolated) {
        PyConfig_InitIsolatedConfig(&config);
    } else {
        PyConfig_InitPythonConfig(&config);
        config.parse_argv = 0;
    }
    PyStatus status = home == NULL ? PyStatus_Ok() : PyConfig_SetBytesString(&config, &config.home, home);
    if (!PyStatus_Exception(status)) {
        status = Py_InitializeFromConfig(&config);
    }
    PyConfig_Clear(&config);
    return !PyStatus_Exception(status);
}

/* Whether all of these are below the directory: what sys says, and modules of both kinds. */
static int is_home(const char *directory)
{
    PyObject *text = PyUnicode_DecodeFSDefault(directory);
    PyDict_SetItemString(PyModule_GetDict(PyImport_AddModule("__main__")), "home", text);
    Py_DECREF(text);
    return run("import sys, ctypes, _ctypes\n"
               "places = sys.prefix, sys.exec_prefix, sys.base_prefix, sys.base_exec_prefix\n"
               "files = ctypes.__file__, _ctypes.__file__\n") == 0 &&
           is_true("all(p == home for p in places) and all(f.startswith(home + '/lib/') for f in files)");
}

static void without_settings(void)
{
    Py_Initialize();
    CHECK(is_home(prefix));
    CHECK(run("import os, subprocess\n"
              "child = subprocess.run(['env'], capture_output=True, text=True).stdout\n") == 0);
    CHECK(is_true("'PYTHONHOME' not in child and 'PYTHONHOME' not in os.environ"));
    PyThreadState *first = PyThreadState_Get();
    PyThreadState *second = Py_NewInterpreter();
    CHECK(second != NULL && is_home(prefix));
    Py_EndInterpreter(second);
    PyThreadState_Swap(first);
    PyInterpreterConfig own_gil = {
        .check_multi_interp_extensions = 1, .gil = PyInterpreterConfig_OWN_GIL, .allow_threads = 1};
    CHECK(!PyStatus_Exception(Py_NewInterpreterFromConfig(&second, &own_gil)) && is_home(prefix));
    Py_EndInterpreter(second);
    PyThreadState_Swap(first);
    CHECK(Py_FinalizeEx() == 0);
}

static void isolated(void)
{
    CHECK(start(1, NULL) && is_home(prefix));
    CHECK(Py_FinalizeEx() == 0);
}

static void isolated_from_environment(void)
{
    setenv("PYTHONHOME", "/nowhere", 1);
    isolated();
}

static void own_home(void)
{
    CHECK(start(0, scratch) && is_home(scratch));
    CHECK(Py_FinalizeEx() == 0);
}

static void isolated_own_home(void)
{
    CHECK(start(1, scratch) && is_home(scratch));
    CHECK(Py_FinalizeEx() == 0);
}

static void home_of_environment(void)
{
    setenv("PYTHONHOME", scratch, 1);
    CHECK(start(0, NULL) && is_home(scratch));
    CHECK(Py_FinalizeEx() == 0);
}

/* What a command prints, in `output`; its exit status. */
static int output_of(const char *command, char *output, size_t size)
{
    FILE *pipe = popen(command, "r");
    size_t length = pipe == NULL ? 0 : fread(output, 1, size - 1, pipe);
    output[length] = '\0';
    return pipe == NULL ? -1 : pclose(pipe);
}

/* Runs this program as an interpreter, by the name `program`; whether it prints these lines. */
static int prints(const char *program, const char *expression, const char *expected)
{
    char command[PATH_MAX + 200], output[3 * PATH_MAX];
    snprintf(command, sizeof command, "cd / && '%s' -c \"import sys; print(%s, sep='\\n', end='')\"", program, expression);
    int status = output_of(command, output, sizeof output);
    int same = status == 0 && strcmp(output, expected) == 0;
    if (!same) {
        printf("# exit status %d: %s\n", status, output);
    }
    return same;
}

static void as_interpreter(void)
{
    char expected[3 * PATH_MAX], file[PATH_MAX + 16];
    snprintf(expected, sizeof expected, "%s\n%s", prefix, self);
    CHECK(prints(self, "sys.prefix, sys.executable", expected));

    snprintf(file, sizeof file, "%s/bin", scratch);
    mkdir(file, 0777);
    snprintf(file, sizeof file, "%s/pyvenv.cfg", scratch);
    FILE *settings = fopen(file, "w");
    if (!CHECK(settings != NULL)) {
        return;
    }
    fprintf(settings, "home = %.*s\n", (int)(strrchr(self, '/') - self), self);
    fclose(settings);
    snprintf(file, sizeof file, "%s/bin/python", scratch);
    CHECK(symlink(self, file) == 0);
    snprintf(expected, sizeof expected, "%s\n%s\n%s", scratch, prefix, self);
    CHECK(prints(file, "sys.prefix, sys.base_prefix, sys._base_executable", expected));
}

static const struct {
    const char *name;
    void (*run)(void);
} cases[] = {
    {"without settings", without_settings},
    {"isolated", isolated},
    {"isolated from the environment", isolated_from_environment},
    {"own home", own_home},
    {"isolated, own home", isolated_own_home},
    {"home of the environment", home_of_environment},
};

/* An interpreter that is started again in a process keeps some paths, so each case has a process of its own. */
static int in_child(size_t number)
{
    char command[4 * PATH_MAX], output[4 * PATH_MAX];
    snprintf(command, sizeof command, "'%s' %zu '%s' '%s'", self, number, prefix, scratch);
    int status = output_of(command, output, sizeof output);
    if (status != 0) {
        printf("# %s\n%s", cases[number].name, output);
    }
    return status == 0;
}

static void remove_all(void)
{
    static const char *const files[] = {"lib", "bin/python", "bin", "pyvenv.cfg", ""};
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        char path[PATH_MAX + 16];
        snprintf(path, sizeof path, "%s/%s", scratch, files[i]);
        CHECK(remove(path) == 0);
    }
}

int main(int argc, char **argv)
{
    if (argc == 4) {
        snprintf(prefix, sizeof prefix, "%s", argv[2]);
        snprintf(scratch, sizeof scratch, "%s", argv[3]);
        cases[atoi(argv[1])].run();
        return failures != 0;
    }
    if (argc > 1) {
        return Py_BytesMain(argc, argv);
    }
    unsetenv("PYTHONHOME");
    const char *folder = getenv("TMPDIR");
    snprintf(scratch, sizeof scratch, "%s/paths-XXXXXX", folder == NULL ? "/tmp" : folder);
    ssize_t length = readlink("/proc/self/exe", self, sizeof self - 1);
    if (!CHECK(length > 0) || !CHECK(mkdtemp(scratch) != NULL)) {
        return results();
    }
    self[length] = '\0';
    char command[2 * PATH_MAX], library[PATH_MAX + 8], link[PATH_MAX + 8];
    snprintf(command, sizeof command, "'%s' -c 'import sys; print(sys.prefix, end=\"\")'", self);
    CHECK(output_of(command, prefix, sizeof prefix) == 0);
    const char *wanted = getenv("REVAL_HOST_PREFIX"); /* from host.env */
    CHECK(wanted != NULL && strcmp(prefix, wanted) == 0);
    snprintf(library, sizeof library, "%s/lib", prefix);
    snprintf(link, sizeof link, "%s/lib", scratch);
    CHECK(symlink(library, link) == 0);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        CHECK(in_child(i));
    }
    as_interpreter();
    without_settings(); /* once more where valgrind sees it */
    remove_all();
    return results();
}
