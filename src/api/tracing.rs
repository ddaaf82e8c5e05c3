//! Installing trace and profile functions. Source: `ceval.c`. The functions themselves are called
//! through monitoring events, which the host's `legacy_tracing.c` subscribes to.

use crate::host::{PyObject, ThreadState, ffi};

/// Makes `func` (null: none) the profile function of the calling thread, called with `arg` (null:
/// none), of which it takes a reference. An exception of an audit hook is reported as unraisable.
/// Stands for the host's symbol of this name (`ceval.c`).
///
/// # Safety
/// The thread is attached; `arg` is live or null.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyEval_SetProfile(func: ffi::Py_tracefunc, arg: *mut PyObject) {
    // SAFETY: the caller's promise.
    unsafe {
        if ffi::_PyEval_SetProfile(ThreadState::current().as_ptr(), func, arg) < 0 {
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
    // SAFETY: the caller's promise.
    unsafe {
        if ffi::_PyEval_SetProfileAllThreads(ThreadState::current().interp(), func, arg) < 0 {
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
    // SAFETY: the caller's promise.
    unsafe {
        if ffi::_PyEval_SetTrace(ThreadState::current().as_ptr(), func, arg) < 0 {
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
    // SAFETY: the caller's promise.
    unsafe {
        if ffi::_PyEval_SetTraceAllThreads(ThreadState::current().interp(), func, arg) < 0 {
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
    // SAFETY: the caller's promise.
    unsafe { (*tstate).tracing += 1 }
}

/// Resumes tracing and profiling in the thread. Stands for the host's symbol of this name (`ceval.c`).
///
/// # Safety
/// As for [`PyThreadState_EnterTracing`], which was called before.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyThreadState_LeaveTracing(tstate: *mut ffi::PyThreadState) {
    // SAFETY: the caller's promise.
    unsafe { (*tstate).tracing -= 1 }
}

/// Calls `func` with the tuple `args`, traced even if tracing is suspended. Gives a new reference, or
/// null with an exception set. Stands for the host's symbol of this name (`ceval.c`).
///
/// # Safety
/// The thread is attached; `func` and the tuple `args` are live.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _PyEval_CallTracing(func: *mut PyObject, args: *mut PyObject) -> *mut PyObject {
    // SAFETY: the caller's promise.
    unsafe {
        let tstate = ThreadState::current().as_ptr();
        let suspended = core::mem::replace(&mut (*tstate).tracing, 0);
        let result = ffi::PyObject_Call(func, args, core::ptr::null_mut());
        (*tstate).tracing = suspended;
        result
    }
}
