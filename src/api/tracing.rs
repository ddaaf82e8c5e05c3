//! Installing trace and profile functions. Source: `ceval.c`.
