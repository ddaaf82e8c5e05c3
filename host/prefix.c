/* Linked into programs that embed Python: where their standard library is, whatever directory they are started in
   or moved to. Comes before the host's function of the same name, as the linker's --wrap makes it, and does what
   the PREFIX that is compiled into that does otherwise: a home that the program or PYTHONHOME names wins, and virtual
   environments are found. */

#include <Python.h>

PyStatus __real__PyConfig_InitPathConfig(PyConfig *config, int compute_path_config);
PyStatus __wrap__PyConfig_InitPathConfig(PyConfig *config, int compute_path_config);

PyStatus __wrap__PyConfig_InitPathConfig(PyConfig *config, int compute_path_config)
{
    PyStatus status = PyStatus_Ok();
    if (compute_path_config && config->prefix == NULL) {
        status = PyConfig_SetBytesString(config, &config->prefix, PREFIX);
    }
    if (compute_path_config && config->exec_prefix == NULL && !PyStatus_Exception(status)) {
        status = PyConfig_SetBytesString(config, &config->exec_prefix, EXEC_PREFIX);
    }
    return PyStatus_Exception(status) ? status : __real__PyConfig_InitPathConfig(config, compute_path_config);
}
