//! Slice indices. Source: `ceval.c`.

use core::ffi::CStr;

use crate::host::owned::exception_is_set;
use crate::host::{PyObject, PyResult, Raised, ffi};

/// The value of a slice index other than None, clipped to what an index can be: `message` is what
/// TypeError says of an object that is none.
unsafe fn index_value(object: *mut PyObject, message: &CStr) -> PyResult<isize> {
    // SAFETY: the object is live and the thread attached, by the callers' promise.
    unsafe {
        if ffi::PyIndex_Check(object) == 0 {
            ffi::PyErr_SetString(ffi::PyExc_TypeError, message.as_ptr());
            return Err(Raised);
        }
        // Without an exception for overflow, the host clips.
        match ffi::PyNumber_AsSsize_t(object, core::ptr::null_mut()) {
            -1 if exception_is_set() => Err(Raised),
            value => Ok(value),
        }
    }
}

/// The value of a slice index other than None. Fails with TypeError if `object` is none.
///
/// # Safety
/// `object` is live, the thread is attached.
pub(crate) unsafe fn slice_index(object: *mut PyObject) -> PyResult<isize> {
    // SAFETY: the caller's promise.
    unsafe {
        let message = c"slice indices must be integers or None or have an __index__ method";
        index_value(object, message)
    }
}

/// As [`slice_index`], where None is not allowed.
///
/// # Safety
/// As for [`slice_index`].
pub(crate) unsafe fn slice_index_not_none(object: *mut PyObject) -> PyResult<isize> {
    // SAFETY: the caller's promise.
    unsafe {
        let message = c"slice indices must be integers or have an __index__ method";
        index_value(object, message)
    }
}
