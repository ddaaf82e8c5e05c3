//! Per-thread and per-interpreter settings of the evaluator. Source: `ceval.c`. Called by `exports`.

use core::ffi::{CStr, c_int};
#[cfg(py_gil_disabled)]
use core::sync::atomic::{AtomicIsize, Ordering};

use crate::host::owned::check;
use crate::host::{PyObject, Raised, ThreadState, ffi, refcount};
use crate::raise;

/// Sets the number of frames that are recorded as the origin of a coroutine. Fails with ValueError if `depth`
/// is negative.
///
/// # Safety
/// `tstate` is the attached thread's.
pub(crate) unsafe fn set_origin_depth(tstate: ThreadState, depth: c_int) -> Result<(), Raised> {
    // SAFETY: `tstate` is the attached thread's (caller); the message has no directives.
    unsafe {
        if depth < 0 {
            return Err(raise!(PyExc_ValueError, c"depth must be >= 0"));
        }
        (*tstate.as_ptr()).coroutine_origin_tracking_depth = depth;
    }
    Ok(())
}

/// Sets the function that is called when an asynchronous generator is first iterated; null removes it. Takes a
/// new reference. Fails with the exception of an audit hook.
///
/// # Safety
/// `tstate` is the attached thread's, and its frames are published. `firstiter` is live or null.
pub(crate) unsafe fn set_firstiter(tstate: ThreadState, firstiter: *mut PyObject) -> Result<(), Raised> {
    // SAFETY: the slot is the attached thread's and owns its content; `firstiter` is live or null (caller).
    unsafe {
        let slot = &raw mut (*tstate.as_ptr()).async_gen_firstiter;
        set_hook(tstate, c"sys.set_asyncgen_hook_firstiter", slot, firstiter)
    }
}

/// Sets the function that finalizes asynchronous generators; otherwise like [`set_firstiter`].
///
/// # Safety
/// `tstate` is the attached thread's, and its frames are published. `finalizer` is live or null.
pub(crate) unsafe fn set_finalizer(tstate: ThreadState, finalizer: *mut PyObject) -> Result<(), Raised> {
    // SAFETY: the slot is the attached thread's and owns its content; `finalizer` is live or null (caller).
    unsafe {
        let slot = &raw mut (*tstate.as_ptr()).async_gen_finalizer;
        set_hook(tstate, c"sys.set_asyncgen_hook_finalizer", slot, finalizer)
    }
}

/// Stores `hook` in a slot of the thread state, unless an audit hook raises for `event`.
///
/// # Safety
/// `slot` is a field of the attached thread's state that owns its content or is null. `hook` is live or null.
/// The thread's frames are published, since audit hooks and destructors run.
unsafe fn set_hook(
    tstate: ThreadState,
    event: &CStr,
    slot: *mut *mut PyObject,
    hook: *mut PyObject,
) -> Result<(), Raised> {
    // SAFETY: only the attached thread uses the slot, and `hook` is live or null (caller). The old hook is
    // released after it was replaced.
    unsafe {
        check(ffi::_PySys_Audit(tstate.as_ptr(), event.as_ptr(), core::ptr::null()))?;
        refcount::xincref(hook);
        let old = slot.replace(hook);
        refcount::xdecref(old);
    }
    Ok(())
}

/// Reserves an index into the extra data of code objects. `free` (or null) is called to free the data. Returns
/// `None` if no index is left.
///
/// # Safety
/// The thread is attached to the interpreter.
pub(crate) unsafe fn request_code_extra_index(
    interp: *mut ffi::PyInterpreterState,
    free: ffi::freefunc,
) -> Option<isize> {
    // SAFETY: the interpreter is live (caller), the lock or the GIL excludes other writers, and the index is
    // below the table's length.
    unsafe {
        #[cfg(py_gil_disabled)]
        ffi::PyMutex_Lock(&raw mut (*interp).code_state.mutex);
        let count = &raw mut (*interp).co_extra_user_count;
        let index = *count;
        let is_left = index < ffi::MAX_CO_EXTRA_USERS as isize - 1;
        if is_left {
            (&raw mut (*interp).co_extra_freefuncs).cast::<ffi::freefunc>().offset(index).write(free);
            // A thread that sees the new count must find the function.
            #[cfg(py_gil_disabled)]
            AtomicIsize::from_ptr(count).store(index + 1, Ordering::Release);
            #[cfg(not(py_gil_disabled))]
            {
                *count = index + 1;
            }
        }
        #[cfg(py_gil_disabled)]
        ffi::PyMutex_Unlock(&raw mut (*interp).code_state.mutex);
        is_left.then_some(index)
    }
}
