//! Instruction bodies: one function per micro-op, generic over the engine that runs it, in one file per
//! family of instructions. The tables `crate::bytecode::instructions` and `crate::bytecode::micro_ops` list
//! them. Stands for the cases of the loop in the host's `ceval.o`, and for the functions that they call.
//!
//! `interp` runs the micro-ops. `exports` calls helpers that are next to the instructions that they belong to.
//!
//! The safety contract of all micro-ops is in `crate::engine`. The comment of a micro-op describes what it
//! does, and its `# Safety` section what it requires beyond that contract.

mod adaptive;
mod arithmetic;
pub(crate) mod arrays;
pub(crate) mod attributes;
pub(crate) mod awaiting;
pub(crate) mod building;
pub(crate) mod calls;
mod comparisons;
pub(crate) mod consumers;
mod control;
// Only traces do that, which not every host has.
#[cfg_attr(not(py_tier2), allow(dead_code))]
pub(crate) mod delegation;
mod exact;
pub(crate) mod exceptions;
pub(crate) mod frames;
mod generators;
mod guards;
pub(crate) mod imports;
mod instrumented;
mod iteration;
#[cfg(feature = "jit")]
pub(crate) mod known_attributes;
mod locals;
pub(crate) mod matching;
// For tier 2, which not every host has, and for the tests, which compare it with the host's tables.
#[allow(dead_code)]
pub(crate) mod metadata;
pub(crate) mod names;
pub(crate) mod operators;
#[cfg(test)]
mod own_tests;
pub(crate) mod special_methods;
pub(crate) mod subscripts;
mod super_attributes;
pub(crate) mod tables;
mod traces;
pub(crate) mod trampolines;
pub(crate) mod unbound;
pub(crate) mod unpacking;

pub(crate) use arithmetic::*;
pub(crate) use attributes::*;
pub(crate) use building::*;
pub(crate) use calls::*;
pub(crate) use comparisons::*;
pub(crate) use consumers::{
    add_to_sum, enter_consumer, guard_consumer, reserved, return_consumer, return_consumer_only,
};
pub(crate) use control::*;
pub(crate) use delegation::{
    for_iter_innermost, guard_nos_innermost_at, guard_passes_to, guard_tos_innermost_at, send_innermost,
    yield_to_receiver,
};
pub(crate) use exceptions::*;
pub(crate) use frames::*;
pub(crate) use generators::*;
pub(crate) use guards::*;
pub(crate) use instrumented::*;
pub(crate) use iteration::*;
pub(crate) use locals::*;
pub(crate) use names::*;
pub(crate) use special_methods::*;
pub(crate) use subscripts::*;
pub(crate) use super_attributes::*;
pub(crate) use traces::*;
pub(crate) use trampolines::{
    create_operator_frames, create_store_subscr_frames, return_operator, return_store_subscr,
};
pub(crate) use unpacking::*;
