/* The least of a host that libreval.a can be linked into: its runtime, for the start-up check. All other symbols of the
 * host are never reached (tests/windows makes stubs for them). VERSION is what this host says that it is. */
#define Py_BUILD_CORE 1
#include <Python.h>
#include <internal/pycore_runtime.h>
#include <internal/pycore_debug_offsets.h>

#ifdef VERSION
#undef PY_VERSION_HEX
#define PY_VERSION_HEX VERSION
#endif

_PyRuntimeState _PyRuntime = {.debug_offsets = _Py_DebugOffsets_INIT(_Py_Debug_Cookie)};
