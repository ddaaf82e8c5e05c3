//! What a call is made of besides its instruction: frames, the binding of arguments to parameters, recursion limits.
//!
//! Called by instruction bodies, by the interpreter, and by C through [`crate::exports`].

pub(crate) mod arguments;
pub(crate) mod frames;
pub(crate) mod recursion;
