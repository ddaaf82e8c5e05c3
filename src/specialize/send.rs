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

/// Specializes a SEND to this receiver. Takes no references and cannot fail. Stands for the host's
/// symbol of this name (`specialize.c`).
///
/// # Safety
/// The thread is attached and no exception set; `instr` is the instruction that it runs, and the
/// receiver is live.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _Py_Specialize_Send(receiver: ffi::_PyStackRef, instr: *mut ffi::_Py_CODEUNIT) {
    // SAFETY: the caller's promise.
    unsafe { conclude(CodeUnit::from_ptr(instr), decide(StackRef::from_raw(receiver).object())) }
}
