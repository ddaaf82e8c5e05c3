//! The C symbols that the library defines: a file for each object of the host that it replaces.
//!
//! Each function converts its arguments to Rust's types, calls the function of the room that knows the subject, and
//! converts the result back. Nothing else in the crate has a C name. The documentation here is that of the header:
//! which symbol of the host a function stands for, which references it takes, returns and borrows, how it fails.
//!
//! Called by the host and by extension modules. The crate itself calls what is here only through [`crate::seams`].

mod ceval;
mod ceval_gil;
// Of hosts without a GIL only.
#[cfg(py_gil_disabled)]
mod codeobject;
#[cfg(py_gil_disabled)]
mod index_pool;
mod instrumentation;
mod legacy_tracing;
mod specialize;
