//! The bytecode as data: tables of instructions and micro-ops, opcode numbers, counters in inline caches and where they
//! start.
//!
//! Replaces no object of the host; used by every engine.

#[macro_use]
pub(crate) mod instructions;
#[macro_use]
pub(crate) mod micro_ops;
pub(crate) mod counter;
#[cfg(test)]
pub(crate) mod host_tables;
// The tests compare all of it with the host's tables; engines need a part.
#[cfg_attr(not(test), allow(dead_code))]
pub(crate) mod metadata;
pub(crate) mod opcode;
pub(crate) mod thresholds;

pub(crate) use counter::BackoffCounter;
