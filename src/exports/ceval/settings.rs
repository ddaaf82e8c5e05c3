//! The symbols of `ceval.o` for settings of threads and interpreters. The implementations are in
//! [`crate::interp::settings`] and, for trace and profile functions, [`crate::instrument::legacy`].

use core::ffi::c_int;

use crate::host::owned::{into_host, into_status};
use crate::host::{PyObject, ThreadState, ffi};
use crate::instrument::legacy;
use crate::interp::settings;
use crate::seams::legacy_tracing;

// --- coroutines and generators --------------------------------------------------------------

/// Sets how many frames of a coroutine's origin the thread records. Returns 0, or -1 with ValueError set if
/// `depth` is negative.
///
/// # Safety
/// The calling thread is attached.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _PyEval_SetCoroutineOriginTrackingDepth(depth: c_int) -> c_int {
    // SAFETY: the callee has the same contract.
    into_status(unsafe { settings::set_origin_depth(ThreadState::current(), depth) })
}

/// Returns how many frames of a coroutine's origin the thread records.
///
/// # Safety
/// The calling thread is attached.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _PyEval_GetCoroutineOriginTrackingDepth() -> c_int {
    // SAFETY: the thread is attached (caller), so its state is live.
    unsafe { (*ThreadState::current().as_ptr()).coroutine_origin_tracking_depth }
}

/// Sets the function that is called when an asynchronous generator is first iterated in this thread; NULL
/// removes it. Takes a new reference to it. Returns 0, or -1 with the exception of an audit hook set.
///
/// # Safety
/// The calling thread is attached; `firstiter` is live or NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _PyEval_SetAsyncGenFirstiter(firstiter: *mut PyObject) -> c_int {
    // SAFETY: the callee has the same contract.
    into_status(unsafe { settings::set_firstiter(ThreadState::current(), firstiter) })
}

/// Returns the function that is called when an asynchronous generator is first iterated in this thread,
/// borrowed; NULL if there is none.
///
/// # Safety
/// The calling thread is attached.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _PyEval_GetAsyncGenFirstiter() -> *mut PyObject {
    // SAFETY: the thread is attached (caller), so its state is live.
    unsafe { (*ThreadState::current().as_ptr()).async_gen_firstiter }
}

/// Sets the function that finalizes asynchronous generators of this thread; NULL removes it. Takes a new
/// reference to it. Returns 0, or -1 with the exception of an audit hook set.
///
/// # Safety
/// The calling thread is attached; `finalizer` is live or NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _PyEval_SetAsyncGenFinalizer(finalizer: *mut PyObject) -> c_int {
    // SAFETY: the callee has the same contract.
    into_status(unsafe { settings::set_finalizer(ThreadState::current(), finalizer) })
}

/// Returns the function that finalizes asynchronous generators of this thread, borrowed; NULL if there is none.
///
/// # Safety
/// The calling thread is attached.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _PyEval_GetAsyncGenFinalizer() -> *mut PyObject {
    // SAFETY: the thread is attached (caller), so its state is live.
    unsafe { (*ThreadState::current().as_ptr()).async_gen_finalizer }
}

// --- compiled code --------------------------------------------------------------------------

/// Adds the `from __future__` flags of the running code to `flags`. Returns nonzero if any flag is set
/// afterwards.
///
/// # Safety
/// The calling thread is attached; `flags` is readable and writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyEval_MergeCompilerFlags(flags: *mut ffi::PyCompilerFlags) -> c_int {
    // SAFETY: the thread is attached, so its current frame is live; `flags` is writable (caller).
    unsafe {
        if let Some(frame) = ThreadState::current().current_frame() {
            (*flags).cf_flags |= (*frame.code().as_ptr()).co_flags & ffi::PyCF_MASK as c_int;
        }
        c_int::from((*flags).cf_flags != 0)
    }
}

/// Reserves an index into the extra data of code objects and returns it; -1 without an exception if none is
/// left. `free` (may be NULL) is called with the data when its code object is destroyed.
///
/// # Safety
/// The calling thread is attached; `free` is NULL or may be called with any data that is stored under the
/// index.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyUnstable_Eval_RequestCodeExtraIndex(free: ffi::freefunc) -> ffi::Py_ssize_t {
    // SAFETY: the thread is attached (caller), so its interpreter is live.
    unsafe { settings::request_code_extra_index(ThreadState::current().interp(), free) }.unwrap_or(-1)
}

// --- trace and profile functions ------------------------------------------------------------

/// Sets the profile function of the calling thread to `func` (NULL removes it), called with `arg` (may be
/// NULL). Takes a new reference to `arg`. An exception of an audit hook is reported as unraisable.
///
/// # Safety
/// The calling thread is attached; `arg` is live or NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyEval_SetProfile(func: ffi::Py_tracefunc, arg: *mut PyObject) {
    // SAFETY: the thread is attached and `arg` live or null (caller); an exception is set where one is
    // reported.
    unsafe {
        if legacy_tracing::set_profile(ThreadState::current(), func, arg).is_err() {
            ffi::PyErr_FormatUnraisable(c"Exception ignored in PyEval_SetProfile".as_ptr());
        }
    }
}

/// Like `PyEval_SetProfile`, for every thread of the interpreter.
///
/// # Safety
/// As for `PyEval_SetProfile`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyEval_SetProfileAllThreads(func: ffi::Py_tracefunc, arg: *mut PyObject) {
    // SAFETY: the thread is attached and `arg` live or null (caller); an exception is set where one is
    // reported.
    unsafe {
        if legacy_tracing::set_profile_of_all(ThreadState::current().interp(), func, arg).is_err() {
            ffi::PyErr_FormatUnraisable(c"Exception ignored in PyEval_SetProfileAllThreads".as_ptr());
        }
    }
}

/// Sets the trace function of the calling thread to `func` (NULL removes it), called with `arg` (may be NULL).
/// Takes a new reference to `arg`. An exception of an audit hook is reported as unraisable.
///
/// # Safety
/// The calling thread is attached; `arg` is live or NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyEval_SetTrace(func: ffi::Py_tracefunc, arg: *mut PyObject) {
    // SAFETY: the thread is attached and `arg` live or null (caller); an exception is set where one is
    // reported.
    unsafe {
        if legacy_tracing::set_trace(ThreadState::current(), func, arg).is_err() {
            ffi::PyErr_FormatUnraisable(c"Exception ignored in PyEval_SetTrace".as_ptr());
        }
    }
}

/// Like `PyEval_SetTrace`, for every thread of the interpreter.
///
/// # Safety
/// As for `PyEval_SetTrace`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyEval_SetTraceAllThreads(func: ffi::Py_tracefunc, arg: *mut PyObject) {
    // SAFETY: the thread is attached and `arg` live or null (caller); an exception is set where one is
    // reported.
    unsafe {
        if legacy_tracing::set_trace_of_all(ThreadState::current().interp(), func, arg).is_err() {
            ffi::PyErr_FormatUnraisable(c"Exception ignored in PyEval_SetTraceAllThreads".as_ptr());
        }
    }
}

/// Suspends tracing and profiling in the thread until the matching `PyThreadState_LeaveTracing`.
///
/// # Safety
/// `tstate` is live and its thread attached.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyThreadState_EnterTracing(tstate: *mut ffi::PyThreadState) {
    // SAFETY: `tstate` is live (caller), and only its own thread uses the counter.
    unsafe { (*tstate).tracing += 1 }
}

/// Resumes tracing and profiling in the thread.
///
/// # Safety
/// As for `PyThreadState_EnterTracing`, which this call matches.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyThreadState_LeaveTracing(tstate: *mut ffi::PyThreadState) {
    // SAFETY: `tstate` is live (caller), and only its own thread uses the counter.
    unsafe { (*tstate).tracing -= 1 }
}

/// Calls `func` with the tuple `args`, with tracing enabled even if it is suspended. Borrows both. Returns a
/// new reference, or NULL with an exception set.
///
/// # Safety
/// The calling thread is attached; `func` and the tuple `args` are live.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _PyEval_CallTracing(func: *mut PyObject, args: *mut PyObject) -> *mut PyObject {
    // SAFETY: the callee has the same contract.
    into_host(unsafe { legacy::call_traced(func, args) })
}
