//! STORE_SUBSCR.

use super::{Decision, Form, Refusal, conclude};
use crate::bytecode::opcode::*;
use crate::host::object::{is_exact, long_compact_value, long_is_non_negative_compact, size, type_of};
use crate::host::{CodeUnit, PyObject, StackRef, ffi};

unsafe fn decide(container: *mut PyObject, index: *mut PyObject) -> Decision {
    // SAFETY: both are live.
    unsafe {
        let type_ = type_of(container);
        if type_ == &raw mut ffi::PyDict_Type {
            Ok(Form::plain(STORE_SUBSCR_DICT))
        } else if type_ != &raw mut ffi::PyList_Type || !is_exact(index, &raw mut ffi::PyLong_Type) {
            Err(Refusal::NoFormForOperands)
        } else if long_is_non_negative_compact(index) && long_compact_value(index) < size(container) {
            Ok(Form::plain(STORE_SUBSCR_LIST_INT))
        } else {
            Err(Refusal::OutOfRange)
        }
    }
}

/// Specializes a STORE_SUBSCR for this container and index. Takes no references and cannot fail. Stands
/// for the host's symbol of this name (`specialize.c`).
///
/// # Safety
/// The thread is attached and no exception set; `instr` is the instruction that it runs, and container
/// and index are live.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _Py_Specialize_StoreSubscr(
    container: ffi::_PyStackRef,
    sub: ffi::_PyStackRef,
    instr: *mut ffi::_Py_CODEUNIT,
) {
    let [container, index] = [container, sub].map(|operand| StackRef::from_raw(operand).object());
    // SAFETY: the caller's promise.
    unsafe { conclude(CodeUnit::from_ptr(instr), decide(container, index)) }
}
