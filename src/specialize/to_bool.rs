//! TO_BOOL.

use core::ffi::{c_int, c_uint};

use super::{Cache, Decision, Form, Refusal, conclude};
use crate::bytecode::opcode::*;
use crate::host::object::{type_flags, type_of};
use crate::host::{CodeUnit, PyObject, PyTypeObject, StackRef, ffi};

unsafe fn decide(value: *mut PyObject) -> Decision {
    // SAFETY: the value is live.
    let type_ = unsafe { type_of(value) };
    if type_ == &raw mut ffi::PyBool_Type {
        Ok(Form::plain(TO_BOOL_BOOL))
    } else if type_ == &raw mut ffi::PyLong_Type {
        Ok(Form::plain(TO_BOOL_INT))
    } else if type_ == &raw mut ffi::PyList_Type {
        Ok(Form::plain(TO_BOOL_LIST))
    } else if value == crate::host::none() {
        Ok(Form::plain(TO_BOOL_NONE))
    } else if type_ == &raw mut ffi::PyUnicode_Type {
        Ok(Form::plain(TO_BOOL_STR))
    } else {
        // SAFETY: the value is live, and so is its type.
        unsafe { always_true(type_) }
    }
}

/// For instances of classes that have no say in the matter.
unsafe fn always_true(type_: *mut PyTypeObject) -> Decision {
    let mut version: c_uint = 0;
    // SAFETY: the type is live.
    unsafe {
        if type_flags(type_) & u64::from(ffi::Py_TPFLAGS_HEAPTYPE) == 0 {
            return Err(Refusal::NoFormForOperands);
        }
        match ffi::_PyType_Validate(type_, Some(has_truth_value), &raw mut version) {
            0 => Ok(Form { opcode: TO_BOOL_ALWAYS_TRUE, cache: Cache::Version(version) }),
            1.. => Err(Refusal::NoFormForOperands),
            _ => Err(Refusal::OutOfVersions),
        }
    }
}

/// One if instances of the type may be false, else zero.
///
/// # Safety
/// The type is live and, in a free-threaded host, does not change meanwhile.
unsafe extern "C" fn has_truth_value(type_: *mut PyTypeObject) -> c_int {
    // SAFETY: the type is live, and so are its tables.
    unsafe {
        let number = (*type_).tp_as_number.as_ref().is_some_and(|table| table.nb_bool.is_some());
        let mapping = (*type_).tp_as_mapping.as_ref().is_some_and(|table| table.mp_length.is_some());
        let sequence = (*type_).tp_as_sequence.as_ref().is_some_and(|table| table.sq_length.is_some());
        c_int::from(number || mapping || sequence)
    }
}

/// Looks for a form of a TO_BOOL, and gives it to the instruction.
///
/// # Safety
/// The thread is attached and no exception set; `instr` is the instruction that it runs, and the value is
/// live.
pub(crate) unsafe fn specialize(value: StackRef, instr: CodeUnit) {
    // SAFETY: the caller's promise.
    unsafe { conclude(instr, decide(value.object())) }
}
