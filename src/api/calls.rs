//! What calls need besides the instruction bodies. Source: `ceval.c`.
