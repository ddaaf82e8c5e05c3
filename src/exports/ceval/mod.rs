//! The symbols of `ceval.o`, one file per subject.

mod evaluation;
mod instructions;
mod namespaces;
mod recursion;
mod settings;
