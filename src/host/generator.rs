//! Generators and coroutines. Source: `pycore_genobject.h`, `pycore_interpframe_structs.h`.
