//! Evaluating code objects and functions from C. Source: `ceval.c`.
