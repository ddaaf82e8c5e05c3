//! The bytecode as data: tables of instructions and micro-ops, opcode numbers, counters in inline caches and where they
//! start.
//!
//! Replaces no object of the host; used by every engine.

#[macro_use]
pub mod instructions;
#[macro_use]
pub mod micro_ops;
pub mod counter;
#[cfg(test)]
pub(crate) mod host_tables;
pub mod metadata;
pub mod opcode;
pub mod thresholds;

pub use counter::BackoffCounter;
