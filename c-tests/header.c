/* reval.h: what it says about the library, and the tables that it declares. */

#define Py_BUILD_CORE 1
#include "reval.h"
#include "host.h"
#include "pycore_interp.h"
#include <opcode.h>

/* The C evaluator, with which this is linked as well, does not have them. */
#pragma weak reval_build
#pragma weak reval_compiler_pauses
#pragma weak reval_forced_exits
#pragma weak reval_explain_start
#pragma weak reval_explain_stop
#pragma weak reval_trace_attempts

#ifdef _Py_TIER2
#define TIER2 _Py_TIER2
#else
#define TIER2 0
#endif
#ifdef _Py_JIT
#define JIT 1
#else
#define JIT 0
#endif
_Static_assert((TIER2 & 1) == JIT, "the JIT is a bit of _Py_TIER2");
_Static_assert(TIER2 == WANTED_TIER2, "c-tests/run knows what it has to be");

#ifdef Py_DEBUG
#define DEBUG 1
#else
#define DEBUG 0
#endif

static void build_facts(void)
{
    CHECK((reval_build == NULL) == on_reference());
    if (reval_build != NULL) {
        const RevalBuild *build = reval_build();
        CHECK(strcmp(build->version, REVAL_VERSION) == 0);
        CHECK(build->version_hex == REVAL_VERSION_HEX);
        CHECK(build->host_version_hex == PY_VERSION_HEX && build->host_version_hex == Py_Version);
        CHECK(build->tier2 == TIER2);
        CHECK(build->gil_disabled == FREE_THREADED);
        CHECK(build->debug == DEBUG);
        size_t length;
        const RevalTraceAttempts *attempts = reval_trace_attempts(&length);
        CHECK((length > 0) == (TIER2 != 0));
        for (size_t i = 0; i < length; i++) {
            CHECK(strlen(attempts[i].outcome) > 0);
        }
        RevalCompilerPauses pauses;
        memset(&pauses, 0xff, sizeof pauses);
        reval_compiler_pauses(&pauses);
        CHECK(pauses.count >= pauses.long_count && pauses.total >= pauses.longest);
        CHECK(reval_forced_exits() == 0);
    }
    CHECK(REVAL_HOST_VERSION_HEX == PY_VERSION_HEX && strcmp(REVAL_HOST_VERSION, PY_VERSION) == 0);
    int major, minor, micro;
    CHECK(sscanf(REVAL_VERSION, "%d.%d.%d", &major, &minor, &micro) == 3);
    CHECK(REVAL_VERSION_HEX == (major << 24 | minor << 16 | micro << 8 | 0xf0));
}

static void tables(void)
{
    CHECK(_PyInterpreterState_GetEvalFrameFunc(PyInterpreterState_Get()) == _PyEval_EvalFrameDefault);
    PyObject *six = PyLong_FromLong(6), *seven = PyLong_FromLong(7);
    PyObject *product = _PyEval_BinaryOps[NB_MULTIPLY](six, seven);
    CHECK(product != NULL && PyLong_AsLong(product) == 42);
    CHECK(_PyEval_BinaryOps[NB_SUBSCR](six, seven) == NULL);
    CHECK(raised(PyExc_TypeError, "'int' object is not subscriptable"));
    CHECK(PyUnicode_EqualToUTF8(_Py_SpecialMethods[SPECIAL___ENTER__].name, "__enter__"));
    PyObject *text = _PyEval_ConversionFuncs[FVC_REPR](six);
    CHECK(text != NULL && PyUnicode_EqualToUTF8(text, "6"));
    CHECK(_Py_FunctionAttributeOffsets[MAKE_FUNCTION_CLOSURE] == offsetof(PyFunctionObject, func_closure));
    CHECK(_Py_IsImmortal(&_PyInstrumentation_DISABLE) && _Py_IsImmortal(&_PyInstrumentation_MISSING));
    CHECK(PyType_Check(&_PyLegacyEventHandler_Type));
    Py_XDECREF(text);
    Py_XDECREF(product);
    Py_DECREF(six);
    Py_DECREF(seven);
}

/* Whether tier 2 is enabled when the interpreter starts with this PYTHON_JIT (NULL: without). */
static int tier2_enabled(const char *setting)
{
    if (setting == NULL) {
        unsetenv("PYTHON_JIT");
    } else {
        setenv("PYTHON_JIT", setting, 1);
    }
    start_python();
    int enabled = PyInterpreterState_Get()->jit;
    CHECK(Py_FinalizeEx() == 0);
    return enabled;
}

int main(void)
{
    if (!on_reference()) {
        CHECK(tier2_enabled(NULL) == (TIER2 != 0 && !(TIER2 & 2)));
        CHECK(tier2_enabled("0") == 0);
        CHECK(tier2_enabled("1") == (TIER2 != 0));
    }
    unsetenv("PYTHON_JIT");
    start_python();
    build_facts();
    tables();
    CHECK(Py_FinalizeEx() == 0);
    return results();
}
