//! SEND: the form for generators and coroutines.

use super::python_function::default_evaluator;
use super::{Decision, Form, Refusal, conclude};
use crate::bytecode::opcode::*;
use crate::host::object::type_of;
use crate::host::{CodeUnit, PyObject, StackRef, ffi};

/// # Safety
/// As the module says.
unsafe fn decide(receiver: *mut PyObject) -> Decision {
    // SAFETY: the receiver is live and the thread attached (caller).
    unsafe {
        let type_ = type_of(receiver);
        if type_ == &raw mut ffi::PyGen_Type || type_ == &raw mut ffi::PyCoro_Type {
            default_evaluator()?;
            Ok(Form::plain(SEND_GEN))
        } else {
            Err(Refusal::NoFormForOperands)
        }
    }
}

/// Specializes a SEND.
///
/// # Safety
/// As the module says.
pub(crate) unsafe fn specialize(receiver: StackRef, instr: CodeUnit) {
    // SAFETY: the receiver is live, and `instr` is a SEND (caller).
    unsafe { conclude(instr, decide(receiver.object())) }
}
