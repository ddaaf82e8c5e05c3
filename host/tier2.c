/* Linked if the library was built with another EXPERIMENTAL_JIT than the host. The host's start-up asks for PYTHON_JIT to
   decide whether tier 2 is enabled, and if that is not set, does what the host was built for. Comes before the host's
   function, as the linker's --wrap makes it, and answers as the library was built. */

#include <string.h>

char *__real_Py_GETENV(const char *name);
char *__wrap_Py_GETENV(const char *name);

char *__wrap_Py_GETENV(const char *name)
{
    char *value = __real_Py_GETENV(name);
    if (strcmp(name, "PYTHON_JIT") != 0) {
        return value;
    }
#ifdef _Py_TIER2
    return value != NULL && *value != '\0' ? value : _Py_TIER2 & 2 ? "0" : "1";
#else
    return "0";
#endif
}
