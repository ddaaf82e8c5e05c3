/* Rust's standard library asks this DLL of Windows for random numbers; the wine of Debian 12 lacks it. */
#include <windows.h>

__declspec(dllexport) BOOL ProcessPrng(unsigned char *bytes, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        bytes[i] = (unsigned char)(i * 31 + 17);
    }
    return TRUE;
}
