//! Versions of the instrumentation: they grow with every change of what tools watch. Source:
//! `pycore_ceval.h`. Those of the interpreter and its threads are in [`crate::breaker::version`].

use core::sync::atomic::{AtomicUsize, Ordering};

pub(crate) use crate::breaker::version::{catch_up, global, set_global};
pub(crate) use crate::breaker::word::Version;
use crate::host::{Code, PyResult, ffi};
use crate::raise;

/// The version after the present one (`steps` after it). Fails with OverflowError if there is none.
///
/// # Safety
/// The interpreter is live, the thread attached.
pub(crate) unsafe fn next(interp: *mut ffi::PyInterpreterState, steps: u32) -> PyResult<Version> {
    // SAFETY: the caller's promise.
    unsafe {
        match global(interp).later(steps) {
            Some(version) => Ok(version),
            None => Err(raise!(PyExc_OverflowError, c"events set too many times")),
        }
    }
}

/// The version that the bytecode was written for. Who sees it sees the bytecode.
///
/// # Safety
/// The code object is live.
#[inline(always)]
pub(crate) unsafe fn of_code(code: Code) -> Version {
    // SAFETY: the caller's promise.
    Version::from_field(unsafe { field_of_code(code) }.load(Ordering::Acquire))
}

/// Publishes the bytecode, and everything else about `code`, as of `version`.
///
/// # Safety
/// The code object is live, and nobody else instruments it.
pub(crate) unsafe fn set_of_code(code: Code, version: Version) {
    // SAFETY: the caller's promise.
    unsafe { field_of_code(code) }.store(version.field(), Ordering::Release);
}

#[inline(always)]
unsafe fn field_of_code<'a>(code: Code) -> &'a AtomicUsize {
    // SAFETY: the code object is live; everybody changes the field atomically.
    unsafe { AtomicUsize::from_ptr(&raw mut (*code.as_ptr())._co_instrumentation_version) }
}
