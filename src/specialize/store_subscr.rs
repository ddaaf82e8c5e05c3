//! STORE_SUBSCR: forms for dictionaries, and for lists with an `int` index.

use super::{Decision, Form, Refusal, conclude};
use crate::bytecode::opcode::*;
use crate::host::object::{is_exact, long_compact_value, long_is_non_negative_compact, size, type_of};
use crate::host::{CodeUnit, PyObject, StackRef, ffi};

/// # Safety
/// As the module says.
unsafe fn decide(container: *mut PyObject, index: *mut PyObject) -> Decision {
    // SAFETY: both are live (caller).
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

/// Specializes a STORE_SUBSCR.
///
/// # Safety
/// As the module says.
pub(crate) unsafe fn specialize(container: StackRef, index: StackRef, instr: CodeUnit) {
    // SAFETY: the operands are live, and `instr` is a STORE_SUBSCR (caller).
    unsafe { conclude(instr, decide(container.object(), index.object())) }
}
