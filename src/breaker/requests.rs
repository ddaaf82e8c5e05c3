//! Asking threads for something, by their eval breakers. Source: `pycore_ceval.h`.

use core::ffi::CStr;

use super::word::{EvalBreaker, Event};
use crate::host::{ThreadState, ffi};

/// The breaker of the main thread.
///
/// # Safety
/// The runtime is initialized, and the main thread's state stays live.
#[inline]
pub(crate) unsafe fn main_thread() -> EvalBreaker<'static> {
    // SAFETY: the caller's promise.
    unsafe { EvalBreaker::of(ThreadState::from_ptr(ffi::_PyRuntime.main_tstate)) }
}

/// Sets `event` for the calling thread or, without a GIL, for all threads of its interpreter.
///
/// # Safety
/// The thread is attached and `tstate` is its state.
#[inline]
pub(super) unsafe fn set_here(tstate: ThreadState, event: Event) {
    // SAFETY: the caller's promise.
    unsafe {
        #[cfg(py_gil_disabled)]
        for_all(tstate.interp(), |breaker| breaker.set(event));
        #[cfg(not(py_gil_disabled))]
        EvalBreaker::of(tstate).set(event);
    }
}

/// Undoes [`set_here`].
///
/// # Safety
/// As for [`set_here`].
#[inline]
pub(super) unsafe fn clear_here(tstate: ThreadState, event: Event) {
    // SAFETY: the caller's promise.
    unsafe {
        #[cfg(py_gil_disabled)]
        for_all(tstate.interp(), |breaker| breaker.clear(event));
        #[cfg(not(py_gil_disabled))]
        EvalBreaker::of(tstate).clear(event);
    }
}

/// Runs `change` on the breaker of every thread of the interpreter.
///
/// # Safety
/// The interpreter is live.
pub(crate) unsafe fn for_all(interp: *mut ffi::PyInterpreterState, change: impl Fn(EvalBreaker)) {
    // SAFETY: the caller's promise; threads do not go while they are visited.
    unsafe { ThreadState::for_each(interp, |thread| change(EvalBreaker::of(thread))) }
}

/// Whether the thread is the program's main one.
#[inline]
pub(super) fn is_main_thread() -> bool {
    // SAFETY: has no preconditions.
    unsafe { ffi::_Py_IsMainThread() != 0 }
}

/// Whether the interpreter is the main one.
#[inline]
pub(super) fn is_main_interpreter(interp: *mut ffi::PyInterpreterState) -> bool {
    // SAFETY: has no preconditions.
    interp == unsafe { ffi::_PyInterpreterState_Main() }
}

/// Ends the process if `tstate` is null, in the name of the C function `caller`
/// (`_Py_EnsureTstateNotNULL`).
///
/// # Safety
/// The process may end here.
#[inline]
pub(crate) unsafe fn ensure_not_null(tstate: ThreadState, caller: &CStr) {
    if tstate.as_ptr().is_null() {
        // SAFETY: C strings; does not return.
        unsafe {
            ffi::_Py_FatalErrorFunc(
                caller.as_ptr(),
                c"the function must be called with the GIL held, after Python initialization and before \
                  Python finalization, but the GIL is released (the current Python thread state is NULL)"
                    .as_ptr(),
            )
        }
    }
}

/// On debug hosts, ends the process in the name of the C function `caller` if no thread is attached
/// (`_Py_AssertHoldsTstate`).
///
/// # Safety
/// The process may end here.
#[inline]
pub(super) unsafe fn check_attached(caller: &CStr) {
    if cfg!(py_debug) {
        // SAFETY: a C string.
        unsafe { ensure_not_null(ThreadState::current(), caller) }
    }
}
