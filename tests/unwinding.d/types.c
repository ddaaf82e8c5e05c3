/* The types and variables that CPython's script for gdb looks up, for hosts that come without debug information.
   To be compiled with -fno-eliminate-unused-debug-types: nothing here uses them. */
#define Py_BUILD_CORE 1
#include "Python.h"
#include "pycore_code.h"
#include "pycore_dict.h"
#include "pycore_interpframe.h"
#include "pycore_runtime.h"

struct pyruntimestate *runtime = &_PyRuntime;
