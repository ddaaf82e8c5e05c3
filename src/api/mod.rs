//! The functions of `ceval.o` that are not the evaluator itself: the C API of the evaluation core and
//! what the rest of the host calls.

pub mod arguments;
pub mod calls;
pub mod errors;
pub mod eval;
pub mod exceptions;
pub mod frames;
pub mod imports;
pub mod iteration;
pub mod matching;
pub mod monitor;
pub mod names;
pub mod namespaces;
pub mod recursion;
pub mod settings;
pub mod slices;
pub mod tables;
pub mod tracing;
pub mod unpacking;
