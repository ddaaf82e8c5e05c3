//! The version of the instrumentation in an interpreter and its threads. Source: `pycore_ceval.h`.

use core::sync::atomic::{AtomicUsize, Ordering};

use super::word::{EvalBreaker, Version};
use crate::host::{ThreadState, ffi};

/// The version of the interpreter's monitors.
///
/// # Safety
/// The interpreter is live.
#[inline(always)]
pub(crate) unsafe fn global(interp: *mut ffi::PyInterpreterState) -> Version {
    // SAFETY: the interpreter is live (caller).
    Version::from_field(unsafe { global_field(interp) }.load(Ordering::Relaxed))
}

/// Sets the interpreter's version, and the copies in the eval breakers of its threads: with a GIL, only that of
/// the calling thread, since the others update theirs when they attach.
///
/// # Safety
/// The thread is attached, `tstate` is its state, and the world is stopped.
pub(crate) unsafe fn set_global(tstate: ThreadState, version: Version) {
    // SAFETY: thread state and interpreter are live, since the thread is attached (caller).
    unsafe {
        let interp = tstate.interp();
        global_field(interp).store(version.field(), Ordering::SeqCst);
        // With a GIL, the other threads update their copies when they attach.
        #[cfg(not(py_gil_disabled))]
        EvalBreaker::of(tstate).set_version(version);
        #[cfg(py_gil_disabled)]
        ThreadState::for_each(interp, |thread| EvalBreaker::of(thread).set_version(version));
    }
}

/// Sets the version in a thread's eval breaker to that of its interpreter.
///
/// # Safety
/// The thread state and the interpreter are live.
#[inline]
pub(crate) unsafe fn catch_up(tstate: ThreadState, interp: *mut ffi::PyInterpreterState) {
    // SAFETY: both are live (caller).
    unsafe { EvalBreaker::of(tstate).set_version(global(interp)) }
}

/// The interpreter's field for the version.
///
/// # Safety
/// The interpreter is live, and stays so while the result is used.
#[inline(always)]
unsafe fn global_field<'a>(interp: *mut ffi::PyInterpreterState) -> &'a AtomicUsize {
    // SAFETY: the interpreter is live (caller), and all code changes the field atomically.
    unsafe { AtomicUsize::from_ptr(&raw mut (*interp).ceval.instrumentation_version) }
}
