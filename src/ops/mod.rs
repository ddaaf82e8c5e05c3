//! Instruction bodies: one function per micro-op, generic over the engine that runs it, a file per
//! family. The rows that list them are in `crate::bytecode::instructions`.
//!
//! Contracts are those of `crate::engine`; each function's own comment says what the micro-op means.

// The contract of every micro-op is the one in `crate::engine`.
#![allow(clippy::missing_safety_doc)]

mod adaptive;
mod arithmetic;
pub(crate) mod attributes;
pub(crate) mod awaiting;
pub(crate) mod building;
pub(crate) mod calls;
mod comparisons;
mod control;
mod exact;
pub(crate) mod exceptions;
mod frames;
mod generators;
mod guards;
pub(crate) mod imports;
mod instrumented;
mod iteration;
mod locals;
pub(crate) mod matching;
// The tests compare it with the host's tables; it is for engines that run traces.
#[allow(dead_code)]
pub(crate) mod metadata;
pub(crate) mod names;
pub(crate) mod special_methods;
pub(crate) mod subscripts;
pub(crate) mod tables;
pub(crate) mod unbound;
pub(crate) mod unpacking;

pub use arithmetic::*;
pub use attributes::*;
pub use building::*;
pub use calls::*;
pub use comparisons::*;
pub use control::*;
pub use exceptions::*;
pub use frames::*;
pub use generators::*;
pub use guards::*;
pub use instrumented::*;
pub use iteration::*;
pub use locals::*;
pub use names::*;
pub use subscripts::*;
pub use unpacking::*;
