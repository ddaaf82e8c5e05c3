//! The C symbols that the library defines, one file for each object of the host that it replaces.
//!
//! Each function converts its arguments to Rust types, calls the function of the room that implements it, and
//! converts the result back. No other room defines a C symbol. The generated header shows the documentation of
//! these functions: what a function does, which references it takes over, borrows and returns, and how it
//! fails. Its `# Safety` section is also the contract of the Rust function that it calls, unless a comment says
//! more.
//!
//! Called by the host and by extension modules. The crate itself reaches these symbols only through
//! [`crate::seams`].
//!
//! The attached form has only the symbols of what it does itself. They are hidden there.

mod ceval;
#[cfg(not(feature = "attach"))]
mod ceval_gil;
// Free-threaded hosts only.
#[cfg(py_gil_disabled)]
mod codeobject;
#[cfg(py_gil_disabled)]
mod index_pool;
mod instrumentation;
#[cfg(not(feature = "attach"))]
mod legacy_tracing;
// In a library without tier 2, these objects stay the host's.
#[cfg(py_tier2)]
mod optimizer;
#[cfg(all(py_tier2, not(feature = "attach")))]
mod optimizer_symbols;
#[cfg(not(feature = "attach"))]
mod reval;
mod specialize;

// What a DLL that the library is linked into shows to other programs. On Windows, the linker reads that from its objects.
#[cfg(all(windows, not(test)))]
core::arch::global_asm!(include_str!(concat!(env!("OUT_DIR"), "/exports.s")));
