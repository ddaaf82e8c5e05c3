/* What the C hosts in this directory share: results, one line each in the form that TAP harnesses read,
   and the start of an interpreter. */

#ifndef HOST_H
#define HOST_H

#define PY_SSIZE_T_CLEAN
#include <Python.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int checks, failures;

#define CHECK(condition) check((condition), #condition, __FILE__, __LINE__)

static int check(int passed, const char *what, const char *file, int line)
{
    printf("%sok %d - %s\n", passed ? "" : "not ", ++checks, what);
    if (!passed) {
        failures++;
        printf("# %s:%d\n", file, line);
        if (Py_IsInitialized() && PyGILState_Check() && PyErr_Occurred()) {
            PyErr_Print();
        }
    }
    fflush(stdout);
    return passed;
}

static int results(void)
{
    printf("1..%d\n# %d passed, %d failed\n", checks, checks - failures, failures);
    return failures != 0;
}

#ifdef Py_GIL_DISABLED
#define FREE_THREADED 1
#else
#define FREE_THREADED 0
#endif

/* Whether the program has the C evaluator, which does some of what is tested here otherwise: c-tests/run says so. */
static inline int on_reference(void)
{
    const char *evaluator = getenv("REVAL_EVALUATOR");
    return evaluator != NULL && strcmp(evaluator, "ref") == 0;
}

static inline void start_python(void)
{
    PyConfig config;
    PyConfig_InitPythonConfig(&config);
    config.site_import = 0;
    config.parse_argv = 0;
    PyStatus status = Py_InitializeFromConfig(&config);
    PyConfig_Clear(&config);
    if (PyStatus_Exception(status)) {
        Py_ExitStatusException(status);
    }
}

/* Runs statements in __main__; 0 if they end without an exception, which is printed otherwise. */
static inline int run(const char *source)
{
    PyObject *globals = PyModule_GetDict(PyImport_AddModule("__main__"));
    PyObject *result = PyRun_String(source, Py_file_input, globals, globals);
    if (result == NULL) {
        PyErr_Print();
        return -1;
    }
    Py_DECREF(result);
    return 0;
}

/* The value of an expression in __main__; NULL with an exception. */
static inline PyObject *value(const char *expression)
{
    PyObject *globals = PyModule_GetDict(PyImport_AddModule("__main__"));
    return PyRun_String(expression, Py_eval_input, globals, globals);
}

/* What the expression is as a C long; -1 with the exception printed if it is none. */
static inline long number(const char *expression)
{
    PyObject *object = value(expression);
    long result = object == NULL ? -1 : PyLong_AsLong(object);
    Py_XDECREF(object);
    if (PyErr_Occurred()) {
        PyErr_Print();
    }
    return result;
}

static inline int is_true(const char *expression)
{
    PyObject *object = value(expression);
    int result = object == NULL ? -1 : PyObject_IsTrue(object);
    Py_XDECREF(object);
    return result == 1;
}

/* Takes the exception that is set, and says whether it is of this type and its text contains the words. */
static inline int raised(PyObject *type, const char *words)
{
    PyObject *exception = PyErr_GetRaisedException();
    PyObject *text = exception == NULL ? NULL : PyObject_Str(exception);
    const char *characters = text == NULL ? NULL : PyUnicode_AsUTF8(text);
    int result = characters != NULL && strstr(characters, words) != NULL &&
                 PyErr_GivenExceptionMatches(exception, type);
    if (!result) {
        printf("# raised: %s\n", characters == NULL ? "nothing" : characters);
    }
    Py_XDECREF(text);
    Py_XDECREF(exception);
    return result;
}

/* Takes the exception that is set; the line of the innermost frame of its traceback. */
static inline int raised_at_line(void)
{
    PyObject *exception = PyErr_GetRaisedException();
    PyObject *traceback = exception == NULL ? NULL : PyException_GetTraceback(exception);
    int line = -1;
    while (traceback != NULL && traceback != Py_None) {
        PyObject *number = PyObject_GetAttrString(traceback, "tb_lineno");
        line = number == NULL ? -1 : (int)PyLong_AsLong(number);
        Py_XDECREF(number);
        Py_SETREF(traceback, PyObject_GetAttrString(traceback, "tb_next"));
    }
    Py_XDECREF(traceback);
    Py_XDECREF(exception);
    return line;
}

#endif
