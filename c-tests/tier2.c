/* host/tier2.c, compiled for one word of --enable-experimental-jit: what the host's start-up is told about PYTHON_JIT. */

#include "../host/tier2.c"
#include <assert.h>
#include <stdlib.h>

char *__real_Py_GETENV(const char *name)
{
    return getenv(name);
}

/* Whether the host enables tier 2 when PYTHON_JIT has this value. */
static int enabled(const char *setting)
{
    if (setting == NULL) {
        unsetenv("PYTHON_JIT");
    } else {
        setenv("PYTHON_JIT", setting, 1);
    }
    const char *value = __wrap_Py_GETENV("PYTHON_JIT");
    assert(value != NULL && *value != '\0');
    return *value != '0';
}

int main(void)
{
    int by_default = WANTED_TIER2 != 0 && !(WANTED_TIER2 & 2);
    assert(enabled(NULL) == by_default);
    assert(enabled("") == by_default);
    assert(enabled("0") == 0);
    assert(enabled("1") == (WANTED_TIER2 != 0));
    setenv("REVAL_OTHER", "1", 1);
    assert(strcmp(__wrap_Py_GETENV("REVAL_OTHER"), "1") == 0);
    unsetenv("REVAL_OTHER");
    assert(__wrap_Py_GETENV("REVAL_OTHER") == NULL);
    return 0;
}
