//! The bytecode as data: instruction table, opcode numbers, counters in inline caches and where they
//! start.
//!
//! Replaces no object of the host; used by every engine.

#[macro_use]
pub(crate) mod instructions;
pub(crate) mod counter;
// The tests compare all of it with the host's tables; engines need a part.
#[cfg_attr(not(test), allow(dead_code))]
pub(crate) mod metadata;
pub(crate) mod opcode;
pub(crate) mod thresholds;

pub(crate) use counter::BackoffCounter;
