//! Per-thread and per-interpreter settings of the evaluator. Source: `ceval.c`.
