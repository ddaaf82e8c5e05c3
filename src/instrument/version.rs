//! Versions of the instrumentation: they grow with every change of what tools watch. Source:
//! `pycore_ceval.h`.
//!
//! A version shares its word with the bits of the eval breaker, so it grows in steps of one past them.

use core::sync::atomic::{AtomicUsize, Ordering};

use crate::host::{Code, PyResult, ThreadState, ffi};
use crate::raise;

const EVENT_BITS: usize = ffi::_PY_EVAL_EVENTS_MASK as usize;
const STEP: u32 = 1 << ffi::_PY_EVAL_EVENTS_BITS;

/// A version as the host keeps it: 24 bits, above those of the eval breaker.
pub type Version = u32;

/// The version `steps` later, if there are as many left.
fn later(version: Version, steps: u32) -> Option<Version> {
    version.checked_add(STEP.checked_mul(steps)?)
}

/// The version of the interpreter's monitors.
///
/// # Safety
/// The interpreter is live.
#[inline(always)]
pub unsafe fn global(interp: *mut ffi::PyInterpreterState) -> Version {
    // SAFETY: the caller's promise; other threads may look at the word.
    unsafe { word(&raw mut (*interp).ceval.instrumentation_version).load(Ordering::Relaxed) as Version }
}

/// The version after the present one (`steps` after it). Fails with OverflowError if there is none.
///
/// # Safety
/// The interpreter is live, the thread attached.
pub unsafe fn next(interp: *mut ffi::PyInterpreterState, steps: u32) -> PyResult<Version> {
    // SAFETY: the caller's promise.
    unsafe {
        match later(global(interp), steps) {
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
        store(&raw mut (*interp).ceval.instrumentation_version, version);
        // With a GIL the others take it over when they attach.
        #[cfg(not(py_gil_disabled))]
        set_of_thread(tstate, version);
        #[cfg(py_gil_disabled)]
        ThreadState::for_each(interp, |thread| set_of_thread(thread, version));
    }
}

/// The version that the thread sees.
///
/// # Safety
/// The thread state is live.
pub unsafe fn of_thread(tstate: ThreadState) -> Version {
    // SAFETY: the caller's promise.
    unsafe { (tstate.eval_breaker() & !EVENT_BITS) as Version }
}

/// # Safety
/// The thread state is live.
pub unsafe fn set_of_thread(tstate: ThreadState, version: Version) {
    // SAFETY: the caller's promise.
    unsafe { store(&raw mut (*tstate.as_ptr()).eval_breaker, version) }
}

/// The version that the bytecode was written for. Who sees it sees the bytecode.
///
/// # Safety
/// The code object is live.
pub unsafe fn of_code(code: Code) -> usize {
    // SAFETY: the caller's promise.
    unsafe { word(&raw mut (*code.as_ptr())._co_instrumentation_version).load(Ordering::Acquire) }
}

/// Publishes the bytecode, and everything else about `code`, as of `version`.
///
/// # Safety
/// The code object is live, and nobody else instruments it.
pub unsafe fn set_of_code(code: Code, version: Version) {
    // SAFETY: the caller's promise.
    unsafe {
        word(&raw mut (*code.as_ptr())._co_instrumentation_version)
            .store(version as usize, Ordering::Release);
    }
}

/// Replaces the version in a word, whatever happens to the event bits meanwhile.
unsafe fn store(location: *mut usize, version: Version) {
    // SAFETY: the callers' promise.
    let word = unsafe { word(location) };
    let replace = |old| Some(old & EVENT_BITS | version as usize);
    let _ = word.fetch_update(Ordering::SeqCst, Ordering::Relaxed, replace);
}

unsafe fn word<'a>(location: *mut usize) -> &'a AtomicUsize {
    // SAFETY: the callers' promise: a live word that is only changed atomically.
    unsafe { AtomicUsize::from_ptr(location) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn storing_a_version_keeps_the_event_bits() {
        for bits in [0, 1, 0x80, EVENT_BITS] {
            for old in [0, STEP as usize, 0xFFFF_FF00] {
                let mut word = old | bits;
                // SAFETY: the word is ours.
                unsafe { store(&raw mut word, 7 * STEP) };
                assert_eq!(word, (7 * STEP as usize) | bits);
            }
        }
    }

    #[test]
    fn versions_end_without_coming_back_to_zero() {
        assert_eq!(later(0, 1), Some(STEP));
        let last = !(STEP - 1);
        assert_eq!(later(last, 1), None);
        assert_eq!(later(last - STEP, 2), None);
        assert_eq!(later(last - STEP, 1), Some(last));
    }
}
