//! The symbols of `ceval.o`, a file for each group.

mod evaluation;
mod instructions;
mod namespaces;
mod recursion;
mod settings;
