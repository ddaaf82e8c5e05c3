/* Compiles only if the library's functions have the signatures that the host's headers declare. */

#define Py_BUILD_CORE 1
#include <Python.h>
#include <pycore_ceval.h>
#include <pycore_code.h>
#include <pycore_frame.h>
#include <pycore_index_pool.h>
#include <pycore_instruments.h>
#include <pycore_interpframe.h>
#include <pycore_optimizer.h>
#include <pycore_stackref.h>

#include "signatures.h"
