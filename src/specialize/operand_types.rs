//! The types of the two operands of BINARY_OP and COMPARE_OP.

use crate::host::object::type_of;
use crate::host::{PyObject, ffi};

/// The type of both operands, as far as forms depend on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum CommonType {
    Int,
    Float,
    Str,
    /// Another type, or two types.
    Other,
}

impl CommonType {
    /// # Safety
    /// As the module says.
    pub(super) unsafe fn of(left: *mut PyObject, right: *mut PyObject) -> CommonType {
        // SAFETY: the operands are live (caller).
        let (type_, same) = unsafe { (type_of(left), type_of(left) == type_of(right)) };
        if !same {
            CommonType::Other
        } else if type_ == &raw mut ffi::PyLong_Type {
            CommonType::Int
        } else if type_ == &raw mut ffi::PyFloat_Type {
            CommonType::Float
        } else if type_ == &raw mut ffi::PyUnicode_Type {
            CommonType::Str
        } else {
            CommonType::Other
        }
    }
}
