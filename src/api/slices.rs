//! Slice indices. Source: `ceval.c`.

use core::ffi::{CStr, c_int};

use crate::host::owned::exception_is_set;
use crate::host::{PyObject, PyResult, Raised, ffi, none};

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

/// Stores what a conversion gave; the host's convention: 1, or 0 with an exception set.
unsafe fn store(value: PyResult<isize>, place: *mut isize) -> c_int {
    match value {
        Ok(value) => {
            // SAFETY: the callers' promise.
            unsafe { *place = value };
            1
        }
        Err(Raised) => 0,
    }
}

/// `_PyEval_SliceIndex` of `ceval.o`: converts a slice index (borrowed), and leaves `*place` as it is for
/// None. Returns 1, or 0 with an exception set.
///
/// # Safety
/// `object` is live, `place` may be written, the thread is attached.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _PyEval_SliceIndex(object: *mut PyObject, place: *mut ffi::Py_ssize_t) -> c_int {
    if object == none() {
        return 1;
    }
    // SAFETY: the caller's promise.
    unsafe {
        let message = c"slice indices must be integers or None or have an __index__ method";
        store(index_value(object, message), place)
    }
}

/// `_PyEval_SliceIndexNotNone` of `ceval.o`: converts a slice index (borrowed) where None is not allowed.
/// Returns 1, or 0 with an exception set.
///
/// # Safety
/// `object` is live, `place` may be written, the thread is attached.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _PyEval_SliceIndexNotNone(
    object: *mut PyObject,
    place: *mut ffi::Py_ssize_t,
) -> c_int {
    // SAFETY: the caller's promise.
    unsafe {
        let message = c"slice indices must be integers or have an __index__ method";
        store(index_value(object, message), place)
    }
}
