//! The parts of a call that do not depend on the instruction: frames, binding arguments to parameters,
//! recursion limits.
//!
//! Stands for the functions of the host's `ceval.o` about these subjects. Called by `ops`, `interp` and, for C,
//! [`crate::exports`].

pub(crate) mod arguments;
pub(crate) mod frames;
pub(crate) mod recursion;
