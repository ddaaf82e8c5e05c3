//! TO_BOOL: forms for `bool`, `int`, `list`, `None` and `str`, and for instances that are always true.

use core::ffi::{c_int, c_uint};

use super::{Cache, Decision, Form, Refusal, conclude};
use crate::bytecode::opcode::*;
use crate::host::object::{type_flags, type_of};
use crate::host::{CodeUnit, PyObject, PyTypeObject, StackRef, TypeVersion, ffi};

/// # Safety
/// As the module says.
unsafe fn decide(value: *mut PyObject) -> Decision {
    // SAFETY: the value is live (caller).
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
        // SAFETY: the value is live, and so is its type (caller).
        unsafe { always_true(type_) }
    }
}

/// The form for instances of classes that define no truth value, so that they are always true.
///
/// # Safety
/// As the module says.
unsafe fn always_true(type_: *mut PyTypeObject) -> Decision {
    let mut version: c_uint = 0;
    // SAFETY: the type is live and the thread attached (caller).
    unsafe {
        if type_flags(type_) & ffi::Py_TPFLAGS_HEAPTYPE == 0 {
            return Err(Refusal::NoFormForOperands);
        }
        match ffi::_PyType_Validate(type_, Some(has_truth_value), &raw mut version) {
            0 => {
                let version = TypeVersion::new(version).ok_or(Refusal::OutOfVersions)?;
                Ok(Form { opcode: TO_BOOL_ALWAYS_TRUE, cache: Cache::Type(version) })
            }
            1.. => Err(Refusal::NoFormForOperands),
            _ => Err(Refusal::OutOfVersions),
        }
    }
}

/// Returns 1 if instances of the type may be false, otherwise 0. A callback of `_PyType_Validate`.
///
/// # Safety
/// The type is live and, on a free-threaded host, does not change meanwhile.
unsafe extern "C" fn has_truth_value(type_: *mut PyTypeObject) -> c_int {
    // SAFETY: the type is live, and so are its tables (caller).
    unsafe {
        let number = (*type_).tp_as_number.as_ref().is_some_and(|table| table.nb_bool.is_some());
        let mapping = (*type_).tp_as_mapping.as_ref().is_some_and(|table| table.mp_length.is_some());
        let sequence = (*type_).tp_as_sequence.as_ref().is_some_and(|table| table.sq_length.is_some());
        c_int::from(number || mapping || sequence)
    }
}

/// Specializes a TO_BOOL.
///
/// # Safety
/// As the module says.
pub(crate) unsafe fn specialize(value: StackRef, instr: CodeUnit) {
    // SAFETY: the value is live, and `instr` is a TO_BOOL (caller).
    unsafe { conclude(instr, decide(value.object())) }
}
