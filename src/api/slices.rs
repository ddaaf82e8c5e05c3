//! Slice indices. Source: `ceval.c`.
