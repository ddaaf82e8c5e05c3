//! The symbols of `ceval.o`, one file per subject.

mod evaluation;
#[cfg(not(feature = "attach"))]
mod instructions;
#[cfg(not(feature = "attach"))]
mod namespaces;
#[cfg(not(feature = "attach"))]
mod recursion;
#[cfg(not(feature = "attach"))]
mod settings;
