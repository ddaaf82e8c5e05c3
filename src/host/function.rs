//! Functions, methods and calls. Source: `funcobject.h`, `pycore_call.h`, `pycore_function.h`.
