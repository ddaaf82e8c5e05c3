//! Functions that machine code calls, beside micro-ops.

use crate::breaker::word::{EvalBreaker, Request};
use crate::host::{PyObject, StackRef, ThreadState, ffi, numbers, refcount};

/// Makes a float. The process ends if there is no memory.
///
/// # Safety
/// The thread is attached and `tstate` is its state.
pub(super) unsafe extern "C" fn new_float(tstate: ThreadState, value: f64) -> StackRef {
    // SAFETY: the thread is attached (caller).
    unsafe { owned(numbers::new_float(tstate, value)) }
}

/// Makes an int. The process ends if there is no memory.
///
/// # Safety
/// The thread is attached.
pub(super) unsafe extern "C" fn new_int(value: i64) -> StackRef {
    // SAFETY: the thread is attached (caller).
    unsafe { owned(ffi::PyLong_FromLongLong(value)) }
}

/// A reference that the caller owns, to a new object.
///
/// # Safety
/// `object` is null, or a new reference.
unsafe fn owned(object: *mut PyObject) -> StackRef {
    // SAFETY: the reference is new (caller). The arguments are C strings, and the function does not return.
    unsafe {
        if object.is_null() {
            ffi::_Py_FatalErrorFunc(c"machine code".as_ptr(), c"no memory for a number".as_ptr());
        }
        StackRef::steal(object)
    }
}

/// Destroys an object whose count is 0.
///
/// # Safety
/// The thread is attached, and its frames are published. Nothing refers to the object.
pub(super) unsafe extern "C" fn release(object: *mut PyObject) {
    // SAFETY: the contract is the same.
    unsafe { refcount::release(object) }
}

/// Requests the removal of executors that have not been used for a while.
///
/// # Safety
/// The thread is attached and `tstate` is its state.
pub(super) unsafe extern "C" fn request_removal(tstate: ThreadState) {
    // SAFETY: the thread is attached (caller).
    unsafe { EvalBreaker::of(tstate).set(Request::JIT_INVALIDATE_COLD) }
}
