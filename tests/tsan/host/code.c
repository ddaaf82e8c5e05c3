/* The tables of opcodes are defined here. */
#define NEED_OPCODE_METADATA
#include "host.h"

/* --- code objects ------------------------------------------------------------------------------------------------ */

program *programs;
size_t program_count;
uint64_t all_copies;

const int *lines_of(PyCodeObject *code)
{
    return (const int *)code->co_linetable;
}

int _PyCode_InitAddressRange(PyCodeObject *code, PyCodeAddressRange *range)
{
    range->opaque.lo_next = (uint8_t *)lines_of(code);
    return 0;
}

int _PyCode_CheckLineNumber(int offset, PyCodeAddressRange *range)
{
    return ((const int *)range->opaque.lo_next)[offset / (int)sizeof(_Py_CODEUNIT)];
}

void _PyGC_VisitObjectsWorldStopped(PyInterpreterState *stopped, gcvisitobjects_t visit, void *argument)
{
    REQUIRE(stopped == interp && stopper);
    for (size_t i = 0; i < program_count && visit((PyObject *)programs[i].code, argument); i++) {
    }
}

static void *read_block(FILE *file, size_t size)
{
    void *block = malloc(size + 1);
    REQUIRE(block && fread(block, 1, size, file) == size);
    return block;
}

/* Makes the part of a code object that changes, as `_PyCode_New` does. */
static void begin_code(const program *of)
{
    PyCodeObject *code = of->code;
    memcpy(code->co_code_adaptive, of->original, of->units * sizeof(_Py_CODEUNIT));
    code->co_tlbc = calloc(1, offsetof(_PyCodeArray, entries) + sizeof(char *));
    REQUIRE(code->co_tlbc);
    code->co_tlbc->size = 1;
    code->co_tlbc->entries[0] = code->co_code_adaptive;
    _PyCode_Quicken(_PyCode_CODE(code), of->units, interp->config.tlbc_enabled);
}

/* Frees it again, as the destructor does. */
static void end_code(PyCodeObject *code)
{
    for (Py_ssize_t i = 1; i < code->co_tlbc->size; i++) {
        all_copies += code->co_tlbc->entries[i] != NULL;
        free(code->co_tlbc->entries[i]);
    }
    free(code->co_tlbc);
    _PyCoMonitoringData *data = code->_co_monitoring;
    if (data) {
        free(data->tools);
        free(data->lines);
        free(data->line_tools);
        free(data->per_instruction_opcodes);
        free(data->per_instruction_tools);
        free(data);
    }
    code->_co_monitoring = NULL;
    code->_co_instrumentation_version = 0;
}

static bool is_running(PyCodeObject *code)
{
    for (PyThreadState *tstate = interp->threads.head; tstate; tstate = tstate->next) {
        for (_PyInterpreterFrame *frame = tstate->current_frame; frame; frame = frame->previous) {
            if (_PyFrame_GetCode(frame) == code) {
                return true;
            }
        }
    }
    return false;
}

void renew_code(void)
{
    _PyEval_StopTheWorld(interp);
    lock_threads();
    for (size_t i = 0; i < program_count; i++) {
        if (!is_running(programs[i].code)) {
            end_code(programs[i].code);
            begin_code(&programs[i]);
        }
    }
    unlock_threads();
    _PyEval_StartTheWorld(interp);
}

void end_all_code(void)
{
    for (size_t i = 0; i < program_count; i++) {
        end_code(programs[i].code);
    }
}

/* Makes a code object; false at the end of the file. */
static bool read_program(FILE *file, program *into)
{
    struct { int units, first_line, flags, stack, locals, arguments, exceptions; } row;
    if (fread(&row, sizeof(row), 1, file) != 1) {
        return false;
    }
    size_t bytes = row.units * sizeof(_Py_CODEUNIT);
    PyCodeObject *code = new_object(&PyCode_Type, offsetof(PyCodeObject, co_code_adaptive) + bytes);
    ((PyObject *)code)->ob_gc_bits = _PyGC_BITS_DEFERRED;
    Py_SET_SIZE(code, row.units);
    code->co_flags = row.flags;
    code->co_firstlineno = row.first_line;
    code->co_stacksize = row.stack;
    code->co_nlocalsplus = row.locals;
    code->co_argcount = row.arguments;
    uint16_t *original = read_block(file, bytes);
    PyBytesObject *exceptions = new_object(&PyBaseObject_Type, sizeof(*exceptions) + row.exceptions);
    Py_SET_SIZE(exceptions, row.exceptions);
    REQUIRE(fread(exceptions->ob_sval, 1, row.exceptions, file) == (size_t)row.exceptions);
    code->co_exceptiontable = (PyObject *)exceptions;
    code->co_linetable = read_block(file, row.units * sizeof(int));
    code->co_consts = tuple_of_two(Py_None, PyLong_FromSsize_t(1 << 20));
    code->co_names = tuple_of_two(PyLong_FromSsize_t(1), PyLong_FromSsize_t(2));
    while (code->_co_firsttraceable < row.units && (original[code->_co_firsttraceable] & 0xFF) != RESUME) {
        code->_co_firsttraceable++;
    }
    *into = (program){ code, original, row.units };
    begin_code(into);
    return true;
}

void read_programs(const char *path)
{
    FILE *file = fopen(path, "rb");
    REQUIRE(file);
    program read;
    while (read_program(file, &read)) {
        programs = realloc(programs, (program_count + 1) * sizeof(*programs));
        REQUIRE(programs);
        programs[program_count++] = read;
    }
    fclose(file);
    REQUIRE(program_count > 100);
}
