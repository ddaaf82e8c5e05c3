/* Prints the version of the library: linked with it, or with the DLL that it is in. */
#include <stdio.h>
#include "reval.h"

int main(void)
{
    printf("reval %s\n", reval_build()->version);
    return 0;
}
