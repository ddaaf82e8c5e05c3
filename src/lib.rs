//! reval: CPython 3.14's evaluation core, a C-ABI drop-in for the host's C evaluator.
//!
//! Vocabulary that the `# Safety` sections use:
//! - *owned* reference: whoever holds it must give it up once; *borrowed*: somebody else keeps the
//!   object alive; *deferred*: on the evaluation stack of a free-threaded host, counted by the
//!   garbage collector only.
//! - *attached* thread: it may touch Python objects (with a GIL, it holds the GIL).
//! - *published* frame: its instruction and stack pointer are stored in it, so that the collector,
//!   tracebacks and destructors see what is true.
//! - *world stopped*: every other thread is parked where it touches no Python object.
//! - *live*: the object has not been freed, and will not be while the call lasts.

#![cfg_attr(feature = "tail-call", feature(explicit_tail_calls, rust_cold_cc, rust_preserve_none_cc))]
#![cfg_attr(feature = "tail-call", allow(incomplete_features))]

// Test builds always unwind; there the extern "C" functions end the process themselves.
#[cfg(all(panic = "unwind", not(debug_assertions)))]
compile_error!("reval must be built with panic = \"abort\": no panic may cross the C boundary");

#[macro_use]
mod host;
#[macro_use]
mod bytecode;
mod breaker;
mod calls;
mod engine;
mod exports;
mod instrument;
mod interp;
mod ops;
mod seams;
mod specialize;
// Hosts with a GIL have nothing of the kind; its pure parts are tested with them, too.
#[cfg(any(py_gil_disabled, test))]
mod tlbc;

// The Rust half of tests/tsan: threads as the evaluator runs them, with ThreadSanitizer.
#[cfg(feature = "stress")]
#[path = "../tests/tsan/src/mod.rs"]
mod stress;

use host::owned::raise;
