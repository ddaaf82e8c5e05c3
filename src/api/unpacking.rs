//! Unpacking iterables. Source: `ceval.c`.
