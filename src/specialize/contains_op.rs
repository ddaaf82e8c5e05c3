//! CONTAINS_OP.

use super::{Decision, Form, Refusal, conclude};
use crate::bytecode::opcode::*;
use crate::host::object::type_of;
use crate::host::{CodeUnit, PyObject, StackRef, ffi};

unsafe fn decide(container: *mut PyObject) -> Decision {
    // SAFETY: the container is live.
    let type_ = unsafe { type_of(container) };
    if type_ == &raw mut ffi::PyDict_Type {
        Ok(Form::plain(CONTAINS_OP_DICT))
    } else if type_ == &raw mut ffi::PySet_Type || type_ == &raw mut ffi::PyFrozenSet_Type {
        Ok(Form::plain(CONTAINS_OP_SET))
    } else {
        Err(Refusal::NoFormForOperands)
    }
}

/// Looks for a form of a CONTAINS_OP, and gives it to the instruction.
///
/// # Safety
/// The thread is attached and no exception set; `instr` is the instruction that it runs, and the container is
/// live.
pub(crate) unsafe fn specialize(container: StackRef, instr: CodeUnit) {
    // SAFETY: the caller's promise.
    unsafe { conclude(instr, decide(container.object())) }
}
