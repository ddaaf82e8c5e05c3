/* The library's generated header: it compiles beside the host's own, whose declarations it repeats, and says how
   the library was built. */

#define Py_BUILD_CORE 1
#include "host.h"
#include "reval.h"
#include <opcode.h>

#if HOST_TIER2 != 0
_Static_assert(_Py_TIER2 == HOST_TIER2, "tier 2 is the host's");
#elif defined(_Py_TIER2)
#error "this host has no tier 2"
#endif
#if (HOST_TIER2 & 1) && !defined(_Py_JIT)
#error "_Py_JIT is missing: this host has a JIT"
#endif

int main(void)
{
    start_python();
    CHECK(_PyInterpreterState_GetEvalFrameFunc(PyInterpreterState_Get()) == _PyEval_EvalFrameDefault);
    PyObject *six = PyLong_FromLong(6), *seven = PyLong_FromLong(7);
    PyObject *product = _PyEval_BinaryOps[NB_MULTIPLY](six, seven);
    CHECK(product != NULL && PyLong_AsLong(product) == 42);
    CHECK(_PyEval_BinaryOps[NB_SUBSCR](six, seven) == NULL);
    CHECK(raised(PyExc_TypeError, "'int' object is not subscriptable"));
    CHECK(PyUnicode_EqualToUTF8(_Py_SpecialMethods[SPECIAL___ENTER__].name, "__enter__"));
    Py_XDECREF(product);
    Py_DECREF(six);
    Py_DECREF(seven);
    CHECK(Py_FinalizeEx() == 0);
    return results();
}
