//! Versions of the instrumentation: they grow with every change of what tools watch. Source:
//! `pycore_ceval.h`.

use core::sync::atomic::{AtomicUsize, Ordering};

use crate::breaker::word::EvalBreaker;
pub use crate::breaker::word::Version;
use crate::host::{Code, PyResult, ThreadState, ffi};
use crate::raise;

/// The version of the interpreter's monitors.
///
/// # Safety
/// The interpreter is live.
#[inline(always)]
pub unsafe fn global(interp: *mut ffi::PyInterpreterState) -> Version {
    // SAFETY: the caller's promise.
    Version::from_field(unsafe { global_field(interp) }.load(Ordering::Relaxed))
}

/// The version after the present one (`steps` after it). Fails with OverflowError if there is none.
///
/// # Safety
/// The interpreter is live, the thread attached.
pub unsafe fn next(interp: *mut ffi::PyInterpreterState, steps: u32) -> PyResult<Version> {
    // SAFETY: the caller's promise.
    unsafe {
        match global(interp).later(steps) {
            Some(version) => Ok(version),
            None => Err(raise!(PyExc_OverflowError, c"events set too many times")),
        }
    }
}

/// Makes `version` the interpreter's, and the one that threads see in their eval breaker.
///
/// # Safety
/// The thread is attached and the world is stopped.
pub unsafe fn set_global(tstate: ThreadState, version: Version) {
    // SAFETY: the caller's promise.
    unsafe {
        let interp = tstate.interp();
        global_field(interp).store(version.field(), Ordering::SeqCst);
        // With a GIL the others take it over when they attach.
        #[cfg(not(py_gil_disabled))]
        EvalBreaker::of(tstate).set_version(version);
        #[cfg(py_gil_disabled)]
        ThreadState::for_each(interp, |thread| EvalBreaker::of(thread).set_version(version));
    }
}

/// Gives a thread its interpreter's version.
///
/// # Safety
/// The thread state and the interpreter are live.
#[inline]
pub unsafe fn catch_up(tstate: ThreadState, interp: *mut ffi::PyInterpreterState) {
    // SAFETY: the caller's promise.
    unsafe { EvalBreaker::of(tstate).set_version(global(interp)) }
}

/// The version that the bytecode was written for. Who sees it sees the bytecode.
///
/// # Safety
/// The code object is live.
#[inline(always)]
pub unsafe fn of_code(code: Code) -> Version {
    // SAFETY: the caller's promise.
    Version::from_field(unsafe { field_of_code(code) }.load(Ordering::Acquire))
}

/// Publishes the bytecode, and everything else about `code`, as of `version`.
///
/// # Safety
/// The code object is live, and nobody else instruments it.
pub unsafe fn set_of_code(code: Code, version: Version) {
    // SAFETY: the caller's promise.
    unsafe { field_of_code(code) }.store(version.field(), Ordering::Release);
}

#[inline(always)]
unsafe fn global_field<'a>(interp: *mut ffi::PyInterpreterState) -> &'a AtomicUsize {
    // SAFETY: the interpreter is live; everybody changes the field atomically.
    unsafe { AtomicUsize::from_ptr(&raw mut (*interp).ceval.instrumentation_version) }
}

#[inline(always)]
unsafe fn field_of_code<'a>(code: Code) -> &'a AtomicUsize {
    // SAFETY: the code object is live; everybody changes the field atomically.
    unsafe { AtomicUsize::from_ptr(&raw mut (*code.as_ptr())._co_instrumentation_version) }
}
