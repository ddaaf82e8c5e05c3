//! Settings of threads and interpreters.

use core::ffi::c_int;

use crate::host::owned::{into_host, status};
use crate::host::{PyObject, ThreadState, ffi};
use crate::instrument::legacy;
use crate::interp::settings;
use crate::seams::legacy_tracing;

// --- coroutines and generators --------------------------------------------------------------

/// Sets how many frames of a coroutine's origin are remembered. Gives 0, or -1 with ValueError set
/// if `depth` is negative. Stands for the host's symbol of this name (`ceval.c`).
///
/// # Safety
/// The thread is attached.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _PyEval_SetCoroutineOriginTrackingDepth(depth: c_int) -> c_int {
    // SAFETY: the contract of this function.
    status(unsafe { settings::set_origin_depth(ThreadState::current(), depth) })
}

/// How many frames of a coroutine's origin are remembered. Stands for the host's symbol of this name
/// (`ceval.c`).
///
/// # Safety
/// The thread is attached.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _PyEval_GetCoroutineOriginTrackingDepth() -> c_int {
    // SAFETY: the contract of this function.
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
    // SAFETY: the contract of this function.
    status(unsafe { settings::set_firstiter(ThreadState::current(), firstiter) })
}

/// The function that is called when an asynchronous generator is first iterated: borrowed, null if
/// there is none. Stands for the host's symbol of this name (`ceval.c`).
///
/// # Safety
/// The thread is attached.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _PyEval_GetAsyncGenFirstiter() -> *mut PyObject {
    // SAFETY: the contract of this function.
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
    // SAFETY: the contract of this function.
    status(unsafe { settings::set_finalizer(ThreadState::current(), finalizer) })
}

/// The function that finalizes asynchronous generators: borrowed, null if there is none. Stands for
/// the host's symbol of this name (`ceval.c`).
///
/// # Safety
/// The thread is attached.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _PyEval_GetAsyncGenFinalizer() -> *mut PyObject {
    // SAFETY: the contract of this function.
    unsafe { (*ThreadState::current().as_ptr()).async_gen_finalizer }
}

// --- compiled code --------------------------------------------------------------------------

/// Adds the `from __future__` flags of the running code to `flags`; nonzero if any flag is set then.
/// Stands for the host's symbol of this name (`ceval.c`).
///
/// # Safety
/// The thread is attached; `flags` is live.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyEval_MergeCompilerFlags(flags: *mut ffi::PyCompilerFlags) -> c_int {
    // SAFETY: the contract of this function.
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
    // SAFETY: the contract of this function.
    unsafe { settings::request_code_extra_index(ThreadState::current().interp(), free) }.unwrap_or(-1)
}

// --- trace and profile functions ------------------------------------------------------------

/// Makes `func` (null: none) the profile function of the calling thread, called with `arg` (null:
/// none), of which it takes a reference. An exception of an audit hook is reported as unraisable.
/// Stands for the host's symbol of this name (`ceval.c`).
///
/// # Safety
/// The thread is attached; `arg` is live or null.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyEval_SetProfile(func: ffi::Py_tracefunc, arg: *mut PyObject) {
    // SAFETY: the contract of this function.
    unsafe {
        if legacy_tracing::set_profile(ThreadState::current(), func, arg).is_err() {
            ffi::PyErr_FormatUnraisable(c"Exception ignored in PyEval_SetProfile".as_ptr());
        }
    }
}

/// Like [`PyEval_SetProfile`], for every thread of the interpreter. Stands for the host's symbol of
/// this name (`ceval.c`).
///
/// # Safety
/// As for [`PyEval_SetProfile`].
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyEval_SetProfileAllThreads(func: ffi::Py_tracefunc, arg: *mut PyObject) {
    // SAFETY: the contract of this function.
    unsafe {
        if legacy_tracing::set_profile_of_all(ThreadState::current().interp(), func, arg).is_err() {
            ffi::PyErr_FormatUnraisable(c"Exception ignored in PyEval_SetProfileAllThreads".as_ptr());
        }
    }
}

/// Makes `func` (null: none) the trace function of the calling thread, called with `arg` (null:
/// none), of which it takes a reference. An exception of an audit hook is reported as unraisable.
/// Stands for the host's symbol of this name (`ceval.c`).
///
/// # Safety
/// The thread is attached; `arg` is live or null.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyEval_SetTrace(func: ffi::Py_tracefunc, arg: *mut PyObject) {
    // SAFETY: the contract of this function.
    unsafe {
        if legacy_tracing::set_trace(ThreadState::current(), func, arg).is_err() {
            ffi::PyErr_FormatUnraisable(c"Exception ignored in PyEval_SetTrace".as_ptr());
        }
    }
}

/// Like [`PyEval_SetTrace`], for every thread of the interpreter. Stands for the host's symbol of this
/// name (`ceval.c`).
///
/// # Safety
/// As for [`PyEval_SetTrace`].
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyEval_SetTraceAllThreads(func: ffi::Py_tracefunc, arg: *mut PyObject) {
    // SAFETY: the contract of this function.
    unsafe {
        if legacy_tracing::set_trace_of_all(ThreadState::current().interp(), func, arg).is_err() {
            ffi::PyErr_FormatUnraisable(c"Exception ignored in PyEval_SetTraceAllThreads".as_ptr());
        }
    }
}

/// Suspends tracing and profiling in the thread, until the matching [`PyThreadState_LeaveTracing`].
/// Stands for the host's symbol of this name (`ceval.c`).
///
/// # Safety
/// `tstate` is live and its thread attached.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyThreadState_EnterTracing(tstate: *mut ffi::PyThreadState) {
    // SAFETY: the contract of this function.
    unsafe { (*tstate).tracing += 1 }
}

/// Resumes tracing and profiling in the thread. Stands for the host's symbol of this name (`ceval.c`).
///
/// # Safety
/// As for [`PyThreadState_EnterTracing`], which was called before.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyThreadState_LeaveTracing(tstate: *mut ffi::PyThreadState) {
    // SAFETY: the contract of this function.
    unsafe { (*tstate).tracing -= 1 }
}

/// Calls `func` with the tuple `args`, traced even if tracing is suspended. Gives a new reference, or
/// null with an exception set. Stands for the host's symbol of this name (`ceval.c`).
///
/// # Safety
/// The thread is attached; `func` and the tuple `args` are live.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _PyEval_CallTracing(func: *mut PyObject, args: *mut PyObject) -> *mut PyObject {
    // SAFETY: the contract of this function.
    into_host(unsafe { legacy::call_traced(func, args) })
}
