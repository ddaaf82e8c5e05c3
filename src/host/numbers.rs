//! Making and freeing floats and ints. Source: `pycore_freelist.h`, `pycore_freelist_state.h`.
//!
//! The host keeps freed ones in lists of the interpreter, or, without a GIL, of the thread; taking one from
//! there costs a few loads and stores here, and a call of the host otherwise. Debug hosts count what they
//! make: there the host's own functions do it.

#[cfg(not(py_debug))]
use core::sync::atomic::{AtomicPtr, Ordering};

use super::ffi::{self, PyObject};
#[cfg(not(py_debug))]
use super::refcount;
use super::thread::ThreadState;
use super::{is_small_int, small_int};

/// The lists that only this thread uses while it is attached (`_Py_freelists_GET`).
///
/// # Safety
/// `tstate` is the attached thread's.
#[cfg(not(py_debug))]
#[inline(always)]
unsafe fn free_lists(tstate: ThreadState) -> *mut ffi::_Py_freelists {
    // SAFETY: the caller's promise.
    unsafe {
        #[cfg(not(py_gil_disabled))]
        return &raw mut (*tstate.interp()).object_state.freelists;
        #[cfg(py_gil_disabled)]
        return &raw mut (*tstate.implementation()).freelists;
    }
}

/// A list of freed objects, each of which holds the next one in its first word.
#[cfg(not(py_debug))]
#[derive(Clone, Copy)]
struct FreeList(*mut ffi::_Py_freelist);

#[cfg(not(py_debug))]
impl FreeList {
    /// The list of floats.
    ///
    /// # Safety
    /// `tstate` is the attached thread's.
    #[inline(always)]
    unsafe fn floats(tstate: ThreadState) -> FreeList {
        // SAFETY: the caller's promise.
        FreeList(unsafe { &raw mut (*free_lists(tstate)).floats })
    }

    /// The list of ints of one digit.
    ///
    /// # Safety
    /// `tstate` is the attached thread's.
    #[inline(always)]
    unsafe fn ints(tstate: ThreadState) -> FreeList {
        // SAFETY: the caller's promise.
        FreeList(unsafe { &raw mut (*free_lists(tstate)).ints })
    }

    /// A new object, that has kept its type and whose value is up to the caller; null if there is none,
    /// or if the host has to be told of new objects.
    ///
    /// # Safety
    /// The list is the attached thread's.
    #[inline(always)]
    unsafe fn take(self) -> *mut PyObject {
        // SAFETY: objects in the list are nobody's.
        unsafe {
            let object = (*self.0).freelist.cast::<PyObject>();
            if object.is_null() || refcount::is_traced() {
                return core::ptr::null_mut();
            }
            (*self.0).freelist = object.cast::<*mut core::ffi::c_void>().read();
            (*self.0).size -= 1;
            refcount::set_first(object);
            object
        }
    }

    /// Puts `object` into the list, unless it is full (or closed, at the end of the interpreter), or the
    /// host has to be told.
    ///
    /// # Safety
    /// As for [`FreeList::take`]; the object is of the list's type and nobody's.
    #[inline(always)]
    unsafe fn give(self, object: *mut PyObject, limit: u32) -> bool {
        // SAFETY: the caller's promise.
        unsafe {
            // A closed list has size -1.
            if (*self.0).size as usize >= limit as usize || refcount::is_traced() {
                return false;
            }
            // Other threads may still look whose the object is, at the same place.
            AtomicPtr::from_ptr(object.cast()).store((*self.0).freelist, Ordering::Relaxed);
            (*self.0).freelist = object.cast();
            (*self.0).size += 1;
            true
        }
    }
}

/// A new float; null with MemoryError set. The frame is published.
///
/// # Safety
/// `tstate` is the attached thread's.
#[inline(always)]
pub(crate) unsafe fn new_float(tstate: ThreadState, value: f64) -> *mut PyObject {
    #[cfg(py_debug)]
    let _ = tstate;
    // SAFETY: the caller's promise.
    unsafe {
        #[cfg(not(py_debug))]
        {
            let object = FreeList::floats(tstate).take();
            if !object.is_null() {
                (*object.cast::<ffi::PyFloatObject>()).ob_fval = value;
                return object;
            }
        }
        ffi::PyFloat_FromDouble(value)
    }
}

/// A new reference to an int of one digit that is not small; null with MemoryError set. The frame is
/// published.
///
/// # Safety
/// `tstate` is the attached thread's; [`is_compact`] holds of `value`, and it is no small int.
#[inline(always)]
pub(crate) unsafe fn new_int(tstate: ThreadState, value: isize) -> *mut PyObject {
    #[cfg(py_debug)]
    let _ = tstate;
    // SAFETY: the caller's promise.
    unsafe {
        #[cfg(not(py_debug))]
        {
            let object = FreeList::ints(tstate).take();
            if !object.is_null() {
                set_compact(object, value);
                return object;
            }
        }
        ffi::PyLong_FromSsize_t(value)
    }
}

/// A new reference to an int; null with MemoryError set. The frame is published.
///
/// # Safety
/// `tstate` is the attached thread's.
#[inline(always)]
pub(crate) unsafe fn int(tstate: ThreadState, value: isize) -> *mut PyObject {
    // SAFETY: the caller's promise; small ints are immortal.
    unsafe {
        if is_small_int(value) {
            small_int(value)
        } else if is_compact(value) {
            new_int(tstate, value)
        } else {
            ffi::PyLong_FromSsize_t(value)
        }
    }
}

/// Whether an int of this value has at most one digit.
#[inline(always)]
pub(crate) fn is_compact(value: isize) -> bool {
    value.unsigned_abs() >> ffi::PyLong_SHIFT == 0
}

/// Makes `value`, which is not zero, the value of an int.
///
/// # Safety
/// Nobody else knows the int, and [`is_compact`] holds of `value`.
#[inline(always)]
pub(crate) unsafe fn set_compact(int: *mut PyObject, value: isize) {
    // SAFETY: the caller's promise; every int has room for a digit.
    unsafe {
        let long = &raw mut (*int.cast::<ffi::PyLongObject>()).long_value;
        let sign = if value < 0 { ffi::SIGN_NEGATIVE as usize } else { 0 };
        (*long).lv_tag = 1 << ffi::NON_SIZE_BITS | sign;
        (*long).ob_digit[0] = value.unsigned_abs() as _;
    }
}

/// Frees a float, if it is over and the host's list has room for it; otherwise [`refcount::release`] must.
///
/// # Safety
/// `tstate` is the attached thread's; the float is exactly one, of which [`refcount::decrement`] has just
/// said that there is more to do.
#[cfg(not(py_debug))]
#[inline(always)]
pub(crate) unsafe fn free_float(tstate: ThreadState, float: *mut PyObject) -> bool {
    // SAFETY: the caller's promise.
    unsafe { refcount::is_over(float) && FreeList::floats(tstate).give(float, ffi::Py_floats_MAXFREELIST) }
}
