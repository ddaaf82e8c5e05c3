/* A host in C++ with a part in C: reval.h and the host's internal headers in C++, exceptions of C++ beside Python's. */

#define Py_BUILD_CORE 1
#include "reval.h"
#include <iostream>
#include <stdexcept>
#include <string>

extern "C" PyObject *product(PyObject *left, PyObject *right);

static int failures;

static void check(bool passed, const char *what)
{
    std::cout << (passed ? "ok - " : "not ok - ") << what << std::endl;
    failures += !passed;
}

/* The value of an expression; an exception of Python's becomes one of C++'s. */
static long value(const std::string &expression)
{
    PyObject *globals = PyModule_GetDict(PyImport_AddModule("__main__"));
    PyObject *result = PyRun_String(expression.c_str(), Py_eval_input, globals, globals);
    long number = result == nullptr ? -1 : PyLong_AsLong(result);
    Py_XDECREF(result);
    if (PyErr_Occurred()) {
        PyErr_Clear();
        throw std::runtime_error(expression);
    }
    return number;
}

static PyObject *call_back(PyObject *, PyObject *expression)
{
    try {
        return PyLong_FromLong(value(PyUnicode_AsUTF8(expression)));
    } catch (const std::exception &error) {
        PyErr_SetString(PyExc_LookupError, error.what());
        return nullptr;
    }
}

static PyMethodDef call_back_method = {"call_back", call_back, METH_O, nullptr};

int main()
{
    Py_Initialize();
    check(_PyInterpreterState_GetEvalFrameFunc(PyInterpreterState_Get()) == _PyEval_EvalFrameDefault,
          "the evaluator is the default one");
    PyObject *globals = PyModule_GetDict(PyImport_AddModule("__main__"));
    PyObject *function = PyCFunction_New(&call_back_method, nullptr);
    PyDict_SetItemString(globals, "call_back", function);
    Py_DECREF(function);
    check(value("call_back('sum(range(10))') + 1") == 46, "through C++ and back");
    try {
        value("call_back('1 / 0')");
        check(false, "an exception arrives");
    } catch (const std::runtime_error &error) {
        check(std::string(error.what()) == "call_back('1 / 0')", "an exception arrives");
    }
    PyObject *six = PyLong_FromLong(6), *seven = PyLong_FromLong(7);
    PyObject *result = product(six, seven);
    check(result != nullptr && PyLong_AsLong(result) == 42, "the part in C");
    Py_XDECREF(result);
    Py_DECREF(six);
    Py_DECREF(seven);
    check(Py_FinalizeEx() == 0, "the end");
    std::cout << "# " << (failures ? "failed" : "5 passed, 0 failed") << std::endl;
    return failures != 0;
}
