//! The bytecode as data: instruction table, opcode numbers, counters in inline caches and where they
//! start.
//!
//! Replaces no object of the host; used by every engine.

#[macro_use]
pub mod instructions;
pub mod counter;
pub mod metadata;
pub mod opcode;
pub mod thresholds;

pub use counter::BackoffCounter;
