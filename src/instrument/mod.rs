//! Instrumentation: which events tools watch (`sys.monitoring`, PEP 669), and the bytecode that fires these
//! events. `sys.settrace` and `sys.setprofile` are two tools built on top ([`legacy`]).
//!
//! Stands for `instrumentation.o` and `legacy_tracing.o`. Callers:
//!
//! - `exports`: the C symbols of both objects. The host (code objects, frames, `sys`) and C extensions
//!   (`PyMonitoring_*`) call these. So does the evaluator, through [`crate::seams`]: `RESUME` and the
//!   periodic check run [`writer::bring_up_to_date`] when a code object's version differs from the thread's,
//!   and instrumented instructions run the functions of [`calls`].
//! - `ops` and `interp`, directly: [`exceptions`], which is a part of `ceval.o`, [`version`] and
//!   [`calls::under_line`].
//! - `tlbc`, directly: `writer::shown`, for new copies of bytecode.
//!
//! # From events to bytecode
//!
//! 1. [`monitors`]: which tools watch which events in a code object. A pure function of the interpreter's
//!    monitors, the code object's own monitors, and what changed since the code object was last instrumented.
//! 2. [`opcodes`], [`layout`] and [`lines`]: the event of each instruction, the instructions that begin a
//!    line, and the opcodes that a location needs for a set of watched events. Pure functions over a listing
//!    of the base instructions.
//! 3. [`writer`]: writes the result into the bytecode and its side tables.
//!
//! # What a location looks like
//!
//! Up to three opcodes are stacked at a location. Each layer keeps the opcode of the layer below:
//!
//! ```text
//! bytecode             INSTRUMENTED_LINE
//! lines[i]             INSTRUMENTED_INSTRUCTION        (under a line event)
//! per_instruction[i]   INSTRUMENTED_CALL, or CALL      (under an instruction event)
//! ```
//!
//! The layers hold generic and instrumented opcodes, never specialized ones. When a layer is removed, the
//! instruction below it starts to specialize again.
//!
//! # Threads
//!
//! The interpreter's state is authoritative: its monitors, and a version (the upper bits of
//! `ceval.instrumentation_version`) that increases with every change of the monitors. Each thread has a copy
//! of this version in `eval_breaker`. Each code object has the version that its bytecode was written for.
//!
//! - Monitors, callbacks and the interpreter's version change only while the world is stopped. So does
//!   bytecode when a tool returns DISABLE. With a GIL, holding the GIL takes the place of stopping the world.
//! - The first thread that executes an outdated code object updates it, in the code object's critical
//!   section. So at most one thread writes, and never while the world is stopped by another one.
//! - A side table is filled before its pointer is stored, with release order, into the code object's data. It
//!   is not replaced or freed while the code object lives.
//! - Every code unit is written in one piece: a reader sees the old opcode or the new one. The opcodes below
//!   an instrumented opcode are stored before that opcode is. So a thread that has already dispatched to an
//!   opcode that is then removed still finds the opcode below it.
//! - The version of the code object is stored last, with release order. A thread that loads it with acquire
//!   order and finds its own version sees everything that was written before.
//!
//! `model` checks the interleavings of this protocol with loom.
//!
//! A version check compares the code object's version with the thread's copy. `_Py_Instrument` sets both to
//! the interpreter's version, so the next check finds no difference. This holds even if the thread's copy was
//! permanently out of step, as it can be while an interpreter is cleared: code in finalizers must terminate
//! then, too.
//!
//! # Terms in contracts
//!
//! - A caller has *exclusive access* to a code object if it holds the code object's lock (critical section)
//!   or has stopped the world. No other thread instruments the code object then. With a GIL, holding the GIL
//!   is enough.
//! - A frame is *published* as [`crate::engine`] defines it: its stack pointer is stored in the frame. The
//!   instruction pointer always is.

pub(crate) mod branches;
pub(crate) mod c_code;
pub(crate) mod c_numbers;
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
