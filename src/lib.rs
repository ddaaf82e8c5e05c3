//! reval: CPython 3.14's evaluation core, a C-ABI drop-in for the host's C evaluator.
//!
//! The "host" is the CPython that the library is linked into. ARCHITECTURE.md describes the modules ("rooms")
//! and states which room may call which.
//!
//! The `# Safety` sections use these terms:
//! - *owned* reference: its holder must release it exactly once; *borrowed*: something else keeps the object
//!   alive; *deferred*: a reference on the evaluation stack of a free-threaded host that only the garbage
//!   collector counts.
//! - *attached* thread: it may touch Python objects (with a GIL, it holds the GIL).
//! - *published* frame: its instruction pointer and stack pointer are stored in it, so that the collector,
//!   tracebacks and destructors read the current state.
//! - *world stopped*: every other thread is parked at a point where it touches no Python object.
//! - *live*: the object has not been freed, and stays allocated until the call returns.

#![cfg_attr(feature = "tail-call", feature(explicit_tail_calls, rust_cold_cc, rust_preserve_none_cc))]
#![cfg_attr(feature = "tail-call", allow(incomplete_features))]
// The host keeps parts that the drop-in replaces, so some functions have no caller there.
#![cfg_attr(feature = "attach", allow(dead_code))]

// Test builds always unwind. There, `extern "C"` functions abort the process when a panic reaches them.
#[cfg(all(panic = "unwind", not(debug_assertions)))]
compile_error!("reval must be built with panic = \"abort\": no panic may cross the C boundary");

#[cfg(all(
    feature = "jit",
    any(not(tier2_interpreter), tier2_jit, py_gil_disabled, not(feature = "tail-call"), windows)
))]
compile_error!(
    "the feature `jit` needs EXPERIMENTAL_JIT=interpreter, a host with a GIL, tail calls, and mmap"
);

#[macro_use]
mod host;
#[macro_use]
mod bytecode;
#[cfg(feature = "attach")]
#[macro_use]
mod attach;
mod breaker;
mod calls;
mod engine;
#[cfg(feature = "jit")]
mod explain;
mod exports;
mod instrument;
mod interp;
#[cfg(feature = "jit")]
mod jit;
mod ops;
mod seams;
mod specialize;
#[cfg(py_tier2)]
mod tier2;
// Only free-threaded hosts have thread-local bytecode. The tests of its host-independent parts run with any host.
#[cfg(any(py_gil_disabled, test))]
mod tlbc;

// The Rust half of tests/tsan: runs evaluator threads under ThreadSanitizer.
#[cfg(feature = "stress")]
#[path = "../tests/tsan/src/mod.rs"]
mod stress;

use host::owned::raise;
