//! Per-thread and per-interpreter settings of the evaluator. Source: `ceval.c`.

use core::ffi::{CStr, c_int};
#[cfg(py_gil_disabled)]
use core::sync::atomic::{AtomicIsize, Ordering};

use crate::host::{PyObject, ThreadState, ffi, refcount};
use crate::raise;

/// Sets how many frames of a coroutine's origin are remembered. Gives 0, or -1 with ValueError set
/// if `depth` is negative. Stands for the host's symbol of this name (`ceval.c`).
///
/// # Safety
/// The thread is attached.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _PyEval_SetCoroutineOriginTrackingDepth(depth: c_int) -> c_int {
    // SAFETY: the caller's promise.
    unsafe {
        if depth < 0 {
            raise!(PyExc_ValueError, c"depth must be >= 0");
            return -1;
        }
        (*ThreadState::current().as_ptr()).coroutine_origin_tracking_depth = depth;
    }
    0
}

/// How many frames of a coroutine's origin are remembered. Stands for the host's symbol of this name
/// (`ceval.c`).
///
/// # Safety
/// The thread is attached.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _PyEval_GetCoroutineOriginTrackingDepth() -> c_int {
    // SAFETY: the caller's promise.
    unsafe { (*ThreadState::current().as_ptr()).coroutine_origin_tracking_depth }
}

/// Sets the function that is called when an asynchronous generator is first iterated; null takes it
/// away. Gives 0, or -1 with the exception of an audit hook. Takes a reference of its own. Stands for
/// the host's symbol of this name (`ceval.c`).
///
/// # Safety
/// The thread is attached; `firstiter` is live or null.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _PyEval_SetAsyncGenFirstiter(firstiter: *mut PyObject) -> c_int {
    let tstate = ThreadState::current();
    // SAFETY: the caller's promise.
    unsafe {
        let slot = &raw mut (*tstate.as_ptr()).async_gen_firstiter;
        set_hook(tstate, c"sys.set_asyncgen_hook_firstiter", slot, firstiter)
    }
}

/// The function that is called when an asynchronous generator is first iterated: borrowed, null if
/// there is none. Stands for the host's symbol of this name (`ceval.c`).
///
/// # Safety
/// The thread is attached.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _PyEval_GetAsyncGenFirstiter() -> *mut PyObject {
    // SAFETY: the caller's promise.
    unsafe { (*ThreadState::current().as_ptr()).async_gen_firstiter }
}

/// Sets the function that finalizes asynchronous generators; null takes it away. Gives 0, or -1 with
/// the exception of an audit hook. Takes a reference of its own. Stands for the host's symbol of this
/// name (`ceval.c`).
///
/// # Safety
/// The thread is attached; `finalizer` is live or null.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _PyEval_SetAsyncGenFinalizer(finalizer: *mut PyObject) -> c_int {
    let tstate = ThreadState::current();
    // SAFETY: the caller's promise.
    unsafe {
        let slot = &raw mut (*tstate.as_ptr()).async_gen_finalizer;
        set_hook(tstate, c"sys.set_asyncgen_hook_finalizer", slot, finalizer)
    }
}

/// The function that finalizes asynchronous generators: borrowed, null if there is none. Stands for
/// the host's symbol of this name (`ceval.c`).
///
/// # Safety
/// The thread is attached.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _PyEval_GetAsyncGenFinalizer() -> *mut PyObject {
    // SAFETY: the caller's promise.
    unsafe { (*ThreadState::current().as_ptr()).async_gen_finalizer }
}

/// Puts `hook` into a slot of the thread state, unless an audit hook objects to `event`.
unsafe fn set_hook(
    tstate: ThreadState,
    event: &CStr,
    slot: *mut *mut PyObject,
    hook: *mut PyObject,
) -> c_int {
    // SAFETY: the slot is the attached thread's own and owns what it holds.
    unsafe {
        if ffi::_PySys_Audit(tstate.as_ptr(), event.as_ptr(), core::ptr::null()) < 0 {
            return -1;
        }
        refcount::xincref(hook);
        let old = slot.replace(hook);
        refcount::xdecref(old);
    }
    0
}

/// Adds the `from __future__` flags of the running code to `flags`; nonzero if any flag is set then.
/// Stands for the host's symbol of this name (`ceval.c`).
///
/// # Safety
/// The thread is attached; `flags` is live.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyEval_MergeCompilerFlags(flags: *mut ffi::PyCompilerFlags) -> c_int {
    // SAFETY: the caller's promise.
    unsafe {
        let frame = ThreadState::current().current_frame();
        if !frame.is_null() {
            (*flags).cf_flags |= (*frame.code().as_ptr()).co_flags & ffi::PyCF_MASK as c_int;
        }
        c_int::from((*flags).cf_flags != 0)
    }
}

/// Reserves an index into the extra data of code objects, which `free` (or null) gives up; -1 without
/// an exception if none is left. Stands for the host's symbol of this name (`ceval.c`).
///
/// # Safety
/// The thread is attached.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyUnstable_Eval_RequestCodeExtraIndex(free: ffi::freefunc) -> ffi::Py_ssize_t {
    // SAFETY: the caller's promise.
    unsafe {
        let interp = ThreadState::current().interp();
        #[cfg(py_gil_disabled)]
        ffi::PyMutex_Lock(&raw mut (*interp).code_state.mutex);
        let count = &raw mut (*interp).co_extra_user_count;
        let index = *count;
        let is_left = index < ffi::MAX_CO_EXTRA_USERS as isize - 1;
        if is_left {
            (&raw mut (*interp).co_extra_freefuncs).cast::<ffi::freefunc>().offset(index).write(free);
            // Who sees the index must find its function.
            #[cfg(py_gil_disabled)]
            AtomicIsize::from_ptr(count).store(index + 1, Ordering::Release);
            #[cfg(not(py_gil_disabled))]
            {
                *count = index + 1;
            }
        }
        #[cfg(py_gil_disabled)]
        ffi::PyMutex_Unlock(&raw mut (*interp).code_state.mutex);
        if is_left { index } else { -1 }
    }
}
