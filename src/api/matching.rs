//! Pattern matching. Source: `ceval.c`, PEP 634.
