//! Threads that execute bytecode for the thread sanitizer. They take their copies of it, instrument it,
//! specialize its instructions, and notify tools of events, but never look at a value. The code that they run
//! is reval's own: the micro-ops of RESUME and of events, the first micro-ops of adaptive instructions, and
//! what those call.
//!
//! Operands come from a few objects that the host creates. Jumps are not taken: every frame executes its
//! bytecode from front to back.

mod engine;
mod frames;
mod random;
mod tools;
