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

pub(crate) use arithmetic::*;
pub(crate) use attributes::*;
pub(crate) use building::*;
pub(crate) use calls::*;
pub(crate) use comparisons::*;
pub(crate) use control::*;
pub(crate) use exceptions::*;
pub(crate) use frames::*;
pub(crate) use generators::*;
pub(crate) use guards::*;
pub(crate) use instrumented::*;
pub(crate) use iteration::*;
pub(crate) use locals::*;
pub(crate) use names::*;
pub(crate) use subscripts::*;
pub(crate) use unpacking::*;
