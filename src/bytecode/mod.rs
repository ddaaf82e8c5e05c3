//! The bytecode as data: the tables of instructions and micro-ops, the opcode numbers, the counters in inline
//! caches, and the values that these counters start from.
//!
//! Stands for no object of the host. `ops`, `interp`, `engine`, `instrument` and `specialize` use it.

#[macro_use]
pub(crate) mod instructions;
#[macro_use]
pub(crate) mod micro_ops;
pub(crate) mod counter;
#[cfg(test)]
pub(crate) mod host_tables;
// The tests compare all of this with the host's tables. The rest of the crate uses only a part of it.
#[cfg_attr(not(test), allow(dead_code))]
pub(crate) mod metadata;
pub(crate) mod micro_op;
pub(crate) mod opcode;
pub(crate) mod thresholds;

pub(crate) use counter::BackoffCounter;
