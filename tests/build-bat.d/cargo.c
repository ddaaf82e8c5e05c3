/* Stands in for cargo.exe: writes its folder, its arguments and the variables that build.rs reads into the file that
   RECORD names, a line for each, and ends with the status that STATUS names. */
#include <direct.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int main(int argc, char **argv, char **variables)
{
    char folder[4096];
    FILE *record = fopen(getenv("RECORD"), "w");
    if (!record || !_getcwd(folder, sizeof(folder))) {
        return 99;
    }
    fprintf(record, "folder %s\n", folder);
    for (int i = 1; i < argc; i++) {
        fprintf(record, "argument %s\n", argv[i]);
    }
    for (; *variables; variables++) {
        if (strncmp(*variables, "REVAL_", 6) == 0) {
            fprintf(record, "variable %s\n", *variables);
        }
    }
    return fclose(record) == 0 ? atoi(getenv("STATUS")) : 99;
}
