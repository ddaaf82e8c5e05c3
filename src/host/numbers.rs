//! Creates and frees floats and ints. Source: `pycore_freelist.h`, `pycore_freelist_state.h`.
//!
//! The host keeps freed objects in lists that belong to the interpreter, or, without a GIL, to the thread.
//! Reusing one from there costs a few loads and stores, where the host's functions would cost a call. Debug
//! hosts count the objects that they create, so there the host's functions do the work.

#[cfg(not(py_debug))]
use core::sync::atomic::{AtomicPtr, Ordering};

use super::ffi::{self, PyObject};
#[cfg(all(not(py_debug), feature = "jit"))]
use super::object::long_is_compact;
#[cfg(not(py_debug))]
use super::refcount;
use super::small_int;
use super::thread::ThreadState;

/// The free lists that only this thread uses while it is attached (`_Py_freelists_GET`).
///
/// # Safety
/// `tstate` is the attached thread's, and the result is used only while the thread stays attached.
#[cfg(not(py_debug))]
#[inline(always)]
unsafe fn free_lists(tstate: ThreadState) -> *mut ffi::_Py_freelists {
    // SAFETY: `tstate` is live (caller).
    unsafe {
        #[cfg(not(py_gil_disabled))]
        return &raw mut (*tstate.interp()).object_state.freelists;
        #[cfg(py_gil_disabled)]
        return &raw mut (*tstate.implementation()).freelists;
    }
}

/// A list of freed objects. Each object stores a pointer to the next one in its first word.
#[cfg(not(py_debug))]
#[derive(Clone, Copy)]
struct FreeList(*mut ffi::_Py_freelist);

#[cfg(not(py_debug))]
impl FreeList {
    /// The list of freed floats.
    ///
    /// # Safety
    /// `tstate` is the attached thread's.
    #[inline(always)]
    unsafe fn floats(tstate: ThreadState) -> FreeList {
        // SAFETY: `tstate` is the attached thread's (caller).
        FreeList(unsafe { &raw mut (*free_lists(tstate)).floats })
    }

    /// The list of freed ints of one digit.
    ///
    /// # Safety
    /// `tstate` is the attached thread's.
    #[inline(always)]
    unsafe fn ints(tstate: ThreadState) -> FreeList {
        // SAFETY: `tstate` is the attached thread's (caller).
        FreeList(unsafe { &raw mut (*free_lists(tstate)).ints })
    }

    /// Takes an object out of the list, with a reference for the caller. It has kept its type; the caller sets
    /// its value. Null if the list is empty, or if a reference tracer must be notified of new objects.
    ///
    /// # Safety
    /// The list belongs to the attached thread.
    #[inline(always)]
    unsafe fn take(self) -> *mut PyObject {
        // SAFETY: the list is this thread's (caller), so the objects in it are not shared.
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

    /// Puts `object` into the list. Returns false, without effect, if the list is full (or closed, at the end
    /// of the interpreter), or if a reference tracer must be notified.
    ///
    /// # Safety
    /// The list belongs to the attached thread. `object` is dead, not freed yet, and of the type of the list.
    #[inline(always)]
    unsafe fn give(self, object: *mut PyObject, limit: u32) -> bool {
        // SAFETY: the list is this thread's, and no reference to `object` is left (caller).
        unsafe {
            // A closed list has size -1, which is above every limit here.
            if (*self.0).size as usize >= limit as usize || refcount::is_traced() {
                return false;
            }
            // In free-threaded hosts another thread may still read the owner of the object (`ob_tid`), which is
            // in the first word.
            AtomicPtr::from_ptr(object.cast()).store((*self.0).freelist, Ordering::Relaxed);
            (*self.0).freelist = object.cast();
            (*self.0).size += 1;
            true
        }
    }
}

/// Where the list of freed floats of the thread's interpreter is, and what is not null if a reference tracer must be notified
/// of new objects: for machine code that does what [`new_float`] does. `None` if that has to be called.
///
/// # Safety
/// `tstate` is the attached thread's.
#[cfg(feature = "jit")]
pub(crate) unsafe fn freed_floats(tstate: ThreadState) -> Option<(*const ffi::_Py_freelist, *const u8)> {
    // SAFETY: `tstate` is the attached thread's (caller). Addresses of fields are not looked at.
    #[cfg(not(py_debug))]
    return unsafe {
        Some((FreeList::floats(tstate).0, (&raw const ffi::_PyRuntime.ref_tracer.tracer_func).cast()))
    };
    #[cfg(py_debug)]
    {
        let _ = tstate;
        None
    }
}

/// A new float with a reference for the caller; null with MemoryError set.
///
/// # Safety
/// `tstate` is the attached thread's, and its frames are published.
#[inline(always)]
pub(crate) unsafe fn new_float(tstate: ThreadState, value: f64) -> *mut PyObject {
    #[cfg(py_debug)]
    let _ = tstate;
    // SAFETY: `tstate` is the attached thread's (caller). An object of the list of floats is a float.
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

/// A new int of one digit with a reference for the caller; null with MemoryError set.
///
/// # Safety
/// `tstate` is the attached thread's, and its frames are published. [`is_compact`] holds for `value`, and
/// [`small_int`] has none for it.
#[inline(always)]
pub(crate) unsafe fn new_int(tstate: ThreadState, value: isize) -> *mut PyObject {
    #[cfg(py_debug)]
    let _ = tstate;
    // SAFETY: `tstate` is the attached thread's, and `value` is compact and not zero (caller). An object of the
    // list of ints is an int that is not shared.
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

/// An int with a reference for the caller; null with MemoryError set.
///
/// # Safety
/// `tstate` is the attached thread's, and its frames are published.
#[inline(always)]
pub(crate) unsafe fn int(tstate: ThreadState, value: isize) -> *mut PyObject {
    // SAFETY: `tstate` is the attached thread's and its frames are published (caller); small ints are immortal.
    unsafe {
        if let Some(int) = small_int(value) {
            int
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

/// Sets the value of an int to `value`.
///
/// # Safety
/// The int is live and not shared, `value` is not zero, and [`is_compact`] holds for it.
#[inline(always)]
pub(crate) unsafe fn set_compact(int: *mut PyObject, value: isize) {
    // SAFETY: `int` is a live int that is not shared (caller); every int has room for one digit.
    unsafe {
        let long = &raw mut (*int.cast::<ffi::PyLongObject>()).long_value;
        let sign = if value < 0 { ffi::SIGN_NEGATIVE as usize } else { 0 };
        (*long).lv_tag = 1 << ffi::NON_SIZE_BITS | sign;
        (*long).ob_digit[0] = value.unsigned_abs() as _;
    }
}

/// Frees a dead int if it is compact, and the host's list has room for it. If this returns false, the caller must call
/// [`refcount::release`].
///
/// # Safety
/// As for [`free_float`], with an int.
#[cfg(feature = "jit")]
#[inline(always)]
pub(crate) unsafe fn free_int(tstate: ThreadState, int: *mut PyObject) -> bool {
    // SAFETY: as in `free_float`. A compact int has the size of one digit.
    #[cfg(not(py_debug))]
    return unsafe {
        refcount::is_over(int)
            && long_is_compact(int)
            && FreeList::ints(tstate).give(int, ffi::Py_ints_MAXFREELIST)
    };
    #[cfg(py_debug)]
    {
        let _ = (tstate, int);
        false
    }
}

/// Frees a dead float if the host's list has room for it. If this returns false, the caller must call
/// [`refcount::release`].
///
/// # Safety
/// `tstate` is the attached thread's. `float` is exactly a float, and [`refcount::decrement`] has just returned
/// true for it.
#[cfg(any(not(py_debug), feature = "jit"))]
#[inline(always)]
pub(crate) unsafe fn free_float(tstate: ThreadState, float: *mut PyObject) -> bool {
    // SAFETY: `decrement` has just returned true for `float` (caller), so it is dead if `is_over` says so.
    #[cfg(not(py_debug))]
    return unsafe {
        refcount::is_over(float) && FreeList::floats(tstate).give(float, ffi::Py_floats_MAXFREELIST)
    };
    #[cfg(py_debug)]
    {
        let _ = (tstate, float);
        false
    }
}
