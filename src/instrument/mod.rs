//! Instrumentation: which events tools want (`sys.monitoring`, PEP 669), and bytecode that fires them.
//! `sys.settrace` and `sys.setprofile` are two tools of it.
//!
//! Replaces `instrumentation.o` and `legacy_tracing.o`. Called by the host (code objects, frames,
//! `sys`), by C extensions through `PyMonitoring_*`, and by the evaluator: `RESUME` and the periodic
//! check call [`writer::bring_up_to_date`] when a code object's version is not the
//! thread's, and instrumented instructions call the functions of [`calls`].
//!
//! # From events to bytecode
//!
//! 1. [`monitors`]: which tools want which events in a code object: a pure function of the
//!    interpreter's monitors, the code object's own and what happened since it was last instrumented.
//! 2. [`opcodes`], [`layout`] and [`lines`]: which event each instruction has, which instructions begin
//!    a line, and what opcode a location shows for given wishes. Pure functions over a listing of the
//!    base instructions.
//! 3. [`writer`]: makes the bytecode and its side tables so.
//!
//! # What a location looks like
//!
//! Up to three opcodes are on top of each other, and each layer keeps the one below:
//!
//! ```text
//! bytecode             INSTRUMENTED_LINE
//! lines[i]             INSTRUMENTED_INSTRUCTION        (under a line event)
//! per_instruction[i]   INSTRUMENTED_CALL, or CALL      (under an instruction event)
//! ```
//!
//! A specialized opcode is never kept: the layers hold generic or instrumented ones, and what comes
//! back when a layer goes starts specializing anew.
//!
//! # Threads
//!
//! The truth is the interpreter's: its monitors, and a version (the upper bits of
//! `ceval.instrumentation_version`) that grows with every change of them. Beside it stand each thread's
//! copy of the version, in `eval_breaker`, and on each code object the version that its bytecode was
//! written for.
//!
//! - Monitors, callbacks and versions change, and DISABLE takes an event away, only while the world is
//!   stopped. With a GIL that is the GIL.
//! - A code object that lags behind is brought up to date by the first thread that runs into it, in the
//!   code object's critical section; so at most one thread writes, and never while the world is stopped.
//! - A side table is filled before its pointer is stored, with release order, into the code object's
//!   data; it is never taken away again or replaced while the code object lives.
//! - Every code unit is written in one piece. A reader sees the old opcode or the new one; the layers
//!   below an instrumented opcode are stored before it is, so that a thread which is still on its way to
//!   an opcode that has just been removed finds what was under it.
//! - The version on the code object is stored last, with release order. Who loads it with acquire order
//!   and finds the version of his thread sees all the rest.
//!
//! `model` has loom go through the interleavings of this.
//!
//! A version check compares the code object's version with the thread's copy, and `_Py_Instrument` brings
//! both to the interpreter's: so the next check finds no difference, even if the copy was out of step for
//! good, as it may be while an interpreter is cleared. Code that runs in finalizers then must end, too.

pub(crate) mod branches;
pub(crate) mod c_code;
pub(crate) mod calls;
pub(crate) mod data;
pub(crate) mod events;
pub(crate) mod exceptions;
pub(crate) mod layout;
pub(crate) mod legacy;
pub(crate) mod lines;
#[cfg(test)]
mod model;
pub(crate) mod module;
pub(crate) mod monitors;
pub(crate) mod opcodes;
pub(crate) mod tools;
pub(crate) mod version;
pub(crate) mod writer;
