//! Functions that machine code calls, beside micro-ops.

use crate::breaker::word::{EvalBreaker, Request};
use crate::calls::frames;
use crate::host::dict::InlineValues;
use crate::host::slot::Slot;
use crate::host::{Frame, PyObject, StackRef, ThreadState, ffi, numbers, refcount};

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

/// Leaves `frame`, whose result is taken. Returns the frame below, which is current now.
///
/// # Safety
/// The thread is attached and `tstate` is its state. `frame` is its current frame, published, and another one that executes
/// code is below it.
pub(super) unsafe extern "C" fn leave_frame(tstate: ThreadState, frame: Frame) -> Frame {
    // SAFETY: there is a frame below (caller). The frame is not linked any more when its contents are released.
    unsafe {
        let caller = frame.caller();
        tstate.leave_python_call();
        tstate.set_current_frame(Some(caller));
        frames::clear_and_pop(tstate, frame);
        tstate.current_frame().unwrap_unchecked()
    }
}

/// Records that an attribute of `object` was stored for the first time.
///
/// # Safety
/// `object` is live, and `slot` is one of its inline values.
pub(super) unsafe extern "C" fn append_to_order(object: *mut PyObject, slot: *mut *mut PyObject) {
    // SAFETY: the slot is one of the values (caller).
    unsafe { InlineValues::of(object).append_to_order(Slot::at(slot)) }
}
