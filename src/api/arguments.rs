//! Binding the arguments of a call to the parameters of a function. Source: `ceval.c`.
