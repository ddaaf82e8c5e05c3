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

/// Specializes a CONTAINS_OP for this container. Takes no references and cannot fail. Stands for the
/// host's symbol of this name (`specialize.c`).
///
/// # Safety
/// The thread is attached and no exception set; `instr` is the instruction that it runs, and the
/// container is live.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _Py_Specialize_ContainsOp(value: ffi::_PyStackRef, instr: *mut ffi::_Py_CODEUNIT) {
    // SAFETY: the caller's promise.
    unsafe { conclude(CodeUnit::from_ptr(instr), decide(StackRef::from_raw(value).object())) }
}
