//! Looking names and attributes up. Source: `ceval.c`.
