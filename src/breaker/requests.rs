//! Sending requests to threads through their eval breakers, and checks that several modules share. Source:
//! `pycore_ceval.h`.

use core::ffi::CStr;

use super::word::{EvalBreaker, Request};
use crate::host::{ThreadState, ffi};

/// The eval breaker of the main thread.
///
/// # Safety
/// The runtime is initialized, and the main thread's state stays live while the result is used.
#[inline]
pub(crate) unsafe fn main_thread() -> EvalBreaker<'static> {
    // SAFETY: the state is there and stays live (caller).
    unsafe { EvalBreaker::of(ThreadState::from_ptr(ffi::_PyRuntime.main_tstate)) }
}

/// Sets `request` for the calling thread; on free-threaded hosts, for all threads of its interpreter.
///
/// # Safety
/// The thread is attached and `tstate` is its state; it does not hold the runtime's lock on interpreters.
#[inline]
pub(super) unsafe fn set_here(tstate: ThreadState, request: Request) {
    // SAFETY: state and interpreter are live, since the thread is attached (caller).
    unsafe {
        #[cfg(py_gil_disabled)]
        for_all(tstate.interp(), |breaker| breaker.set(request));
        #[cfg(not(py_gil_disabled))]
        EvalBreaker::of(tstate).set(request);
    }
}

/// Clears what [`set_here`] sets.
///
/// # Safety
/// As for [`set_here`].
#[inline]
pub(super) unsafe fn clear_here(tstate: ThreadState, request: Request) {
    // SAFETY: state and interpreter are live, since the thread is attached (caller).
    unsafe {
        #[cfg(py_gil_disabled)]
        for_all(tstate.interp(), |breaker| breaker.clear(request));
        #[cfg(not(py_gil_disabled))]
        EvalBreaker::of(tstate).clear(request);
    }
}

/// Runs `change` on the eval breaker of every thread of the interpreter.
///
/// # Safety
/// The interpreter is live. The calling thread does not hold the runtime's lock on interpreters, and `change`
/// neither takes it nor detaches the thread.
pub(crate) unsafe fn for_all(interp: *mut ffi::PyInterpreterState, change: impl Fn(EvalBreaker)) {
    // SAFETY: the interpreter is live (caller). The lock that `for_each` holds keeps the thread states alive.
    unsafe { ThreadState::for_each(interp, |thread| change(EvalBreaker::of(thread))) }
}

/// Whether the calling thread is the main thread of the process.
#[inline]
pub(super) fn is_main_thread() -> bool {
    // SAFETY: the function has no preconditions.
    unsafe { ffi::_Py_IsMainThread() != 0 }
}

/// Whether `interp` is the main interpreter.
#[inline]
pub(super) fn is_main_interpreter(interp: *mut ffi::PyInterpreterState) -> bool {
    // SAFETY: the function has no preconditions.
    interp == unsafe { ffi::_PyInterpreterState_Main() }
}

/// Ends the process if `tstate` is null, with a message in the name of the C function `caller`
/// (`_Py_EnsureTstateNotNULL`).
///
/// # Safety
/// The process may end here.
#[inline]
pub(crate) unsafe fn ensure_not_null(tstate: ThreadState, caller: &CStr) {
    if tstate.as_ptr().is_null() {
        // SAFETY: both arguments are C strings; the function does not return.
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

/// On debug hosts, ends the process if no thread is attached, with a message in the name of the C function
/// `caller` (`_Py_AssertHoldsTstate`).
///
/// # Safety
/// The process may end here.
#[inline]
pub(super) unsafe fn check_attached(caller: &CStr) {
    if cfg!(py_debug) {
        // SAFETY: the process may end (caller).
        unsafe { ensure_not_null(ThreadState::current(), caller) }
    }
}
