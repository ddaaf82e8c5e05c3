//! The bytecode as data: instruction table, opcode numbers, counters in inline caches.
//!
//! Replaces no object of the host; used by every engine.

#[macro_use]
pub mod instructions;
pub mod counter;
pub mod metadata;
pub mod opcode;

pub use counter::BackoffCounter;
