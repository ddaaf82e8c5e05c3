/* C that a C++ compiler refuses: the other half of main.cc. */

#include <Python.h>

PyObject *product(PyObject *left, PyObject *right)
{
    PyObject **new = PyMem_Malloc(sizeof *new);
    if (new == NULL) {
        return PyErr_NoMemory();
    }
    *new = PyNumber_Multiply(left, right);
    PyObject *result = *new;
    PyMem_Free(new);
    return result;
}
