//! Threads that run bytecode, as far as bytecode is concerned: they take their copy of it, have it instrumented,
//! specialize its instructions, tell tools of events, and never look at a value. What they run is reval's own: the
//! micro-ops of RESUME and of events, the first steps of adaptive instructions, and what those call.
//!
//! Operands are taken from a few objects that the host makes. Jumps are not taken: every frame goes through its
//! bytecode from front to back.

mod engine;
mod frames;
mod random;
mod tools;
