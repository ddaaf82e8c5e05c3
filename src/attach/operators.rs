//! Operators with fewer operands than the host's public functions have. Source: `abstract.c`, `sliceobject.c`.

use crate::host::{Owned, PyObject, ffi, none};

hidden! { _PyNumber_PowerNoMod, _PyNumber_InPlacePowerNoMod, _PyBuildSlice_ConsumeRefs }

/// `lhs ** rhs`, as a new reference; null with an exception set.
///
/// # Safety
/// The thread is attached, and the objects are live.
#[unsafe(no_mangle)]
unsafe extern "C" fn _PyNumber_PowerNoMod(lhs: *mut PyObject, rhs: *mut PyObject) -> *mut PyObject {
    // SAFETY: the objects are live (caller).
    unsafe { ffi::PyNumber_Power(lhs, rhs, none()) }
}

/// `lhs **= rhs`, as a new reference; null with an exception set.
///
/// # Safety
/// The thread is attached, and the objects are live.
#[unsafe(no_mangle)]
unsafe extern "C" fn _PyNumber_InPlacePowerNoMod(lhs: *mut PyObject, rhs: *mut PyObject) -> *mut PyObject {
    // SAFETY: the objects are live (caller).
    unsafe { ffi::PyNumber_InPlacePower(lhs, rhs, none()) }
}

/// `slice(start, stop)`, as a new reference; null with MemoryError set. Takes over both arguments.
///
/// # Safety
/// The thread is attached, and the caller owns both references.
#[unsafe(no_mangle)]
unsafe extern "C" fn _PyBuildSlice_ConsumeRefs(start: *mut PyObject, stop: *mut PyObject) -> *mut PyObject {
    // SAFETY: the caller hands over both references, which are not null.
    unsafe {
        let bounds = [Owned::optional(start), Owned::optional(stop)];
        let [start, stop] = bounds.each_ref().map(|bound| bound.as_ref().map_or(none(), Owned::as_ptr));
        ffi::PySlice_New(start, stop, none())
    }
}
