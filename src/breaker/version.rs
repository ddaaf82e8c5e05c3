//! The version of the instrumentation, as an interpreter and its threads have it. Source: `pycore_ceval.h`.

use core::sync::atomic::{AtomicUsize, Ordering};

use super::word::{EvalBreaker, Version};
use crate::host::{ThreadState, ffi};

/// The version of the interpreter's monitors.
///
/// # Safety
/// The interpreter is live.
#[inline(always)]
pub(crate) unsafe fn global(interp: *mut ffi::PyInterpreterState) -> Version {
    // SAFETY: the caller's promise.
    Version::from_field(unsafe { global_field(interp) }.load(Ordering::Relaxed))
}

/// Makes `version` the interpreter's, and the one that threads see in their eval breaker.
///
/// # Safety
/// The thread is attached and the world is stopped.
pub(crate) unsafe fn set_global(tstate: ThreadState, version: Version) {
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
pub(crate) unsafe fn catch_up(tstate: ThreadState, interp: *mut ffi::PyInterpreterState) {
    // SAFETY: the caller's promise.
    unsafe { EvalBreaker::of(tstate).set_version(global(interp)) }
}

#[inline(always)]
unsafe fn global_field<'a>(interp: *mut ffi::PyInterpreterState) -> &'a AtomicUsize {
    // SAFETY: the interpreter is live; everybody changes the field atomically.
    unsafe { AtomicUsize::from_ptr(&raw mut (*interp).ceval.instrumentation_version) }
}
