//! CONTAINS_OP: forms for dictionaries and sets.

use super::{Decision, Form, Refusal, conclude};
use crate::bytecode::opcode::*;
use crate::host::object::type_of;
use crate::host::{CodeUnit, PyObject, StackRef, ffi};

/// # Safety
/// As the module says.
unsafe fn decide(container: *mut PyObject) -> Decision {
    // SAFETY: the container is live (caller).
    let type_ = unsafe { type_of(container) };
    if type_ == &raw mut ffi::PyDict_Type {
        Ok(Form::plain(CONTAINS_OP_DICT))
    } else if type_ == &raw mut ffi::PySet_Type || type_ == &raw mut ffi::PyFrozenSet_Type {
        Ok(Form::plain(CONTAINS_OP_SET))
    } else {
        Err(Refusal::NoFormForOperands)
    }
}

/// Specializes a CONTAINS_OP.
///
/// # Safety
/// As the module says.
pub(crate) unsafe fn specialize(container: StackRef, instr: CodeUnit) {
    // SAFETY: the container is live, and `instr` is a CONTAINS_OP (caller).
    unsafe { conclude(instr, decide(container.object())) }
}
