//! SEND.

use super::python_function::default_evaluator;
use super::{Decision, Form, Refusal, conclude};
use crate::bytecode::opcode::*;
use crate::host::object::type_of;
use crate::host::{CodeUnit, PyObject, StackRef, ffi};

unsafe fn decide(receiver: *mut PyObject) -> Decision {
    // SAFETY: the receiver is live.
    let type_ = unsafe { type_of(receiver) };
    if type_ == &raw mut ffi::PyGen_Type || type_ == &raw mut ffi::PyCoro_Type {
        default_evaluator()?;
        Ok(Form::plain(SEND_GEN))
    } else {
        Err(Refusal::NoFormForOperands)
    }
}

/// Looks for a form of a SEND, and gives it to the instruction.
///
/// # Safety
/// The thread is attached and no exception set; `instr` is the instruction that it runs, and the receiver is
/// live.
pub(crate) unsafe fn specialize(receiver: StackRef, instr: CodeUnit) {
    // SAFETY: the caller's promise.
    unsafe { conclude(instr, decide(receiver.object())) }
}
