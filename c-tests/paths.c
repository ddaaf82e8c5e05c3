/* Where a program finds its standard library: without any setting, in isolation, with a home of its own, in
   subinterpreters and in virtual environments. */

#include "host.h"
#include <limits.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static char *prefix;           /* of the host: PATH_MAX bytes that all processes share */
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

static void find_prefix(void)
{
    Py_Initialize();
    snprintf(prefix, PATH_MAX, "%s", PyUnicode_AsUTF8(PySys_GetObject("prefix")));
    CHECK(is_home(prefix));
    CHECK(Py_FinalizeEx() == 0);
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

/* Runs this program as an interpreter, by the name `program`; whether it prints these lines. */
static int prints(const char *program, const char *expression, const char *expected)
{
    char command[PATH_MAX + 200], output[2 * PATH_MAX] = "";
    snprintf(command, sizeof command, "cd / && '%s' -c \"import sys; print(%s, sep='\\n', end='')\"", program, expression);
    FILE *pipe = popen(command, "r");
    size_t length = pipe == NULL ? 0 : fread(output, 1, sizeof output - 1, pipe);
    output[length] = '\0';
    int status = pipe == NULL ? -1 : pclose(pipe);
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

/* An interpreter that is started again keeps some paths, so each test has its own process. */
static int in_child(void (*test)(void))
{
    fflush(stdout);
    pid_t child = fork();
    if (child == 0) {
        test();
        exit(failures != 0);
    }
    int status = -1;
    return child > 0 && waitpid(child, &status, 0) == child && status == 0;
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
    prefix = mmap(NULL, PATH_MAX, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    CHECK(in_child(find_prefix));
    char library[PATH_MAX + 8], link[PATH_MAX + 8];
    snprintf(library, sizeof library, "%s/lib", prefix);
    snprintf(link, sizeof link, "%s/lib", scratch);
    CHECK(symlink(library, link) == 0);
    CHECK(in_child(isolated));
    CHECK(in_child(isolated_from_environment));
    CHECK(in_child(own_home));
    CHECK(in_child(isolated_own_home));
    CHECK(in_child(home_of_environment));
    as_interpreter();
    without_settings();
    remove_all();
    return results();
}
