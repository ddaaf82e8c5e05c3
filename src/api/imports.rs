//! Import statements. Source: `ceval.c`.
