//! Taking and dropping the GIL for a thread state. Source: `pycore_gil.h`, `ceval.h`.

use core::ffi::CStr;

use super::gil::{Gil, Holder, NotLocked};
use super::host_gil::{Host, HostGil, must_exit};
#[cfg(not(py_gil_disabled))]
use super::pending;
use super::requests::ensure_not_null;
#[cfg(not(py_gil_disabled))]
use super::version;
use super::word::{EvalBreaker, Request};
use crate::host::{ThreadState, ffi};

/// Makes the calling thread sleep until the process ends: its callers have no way to handle that it cannot
/// attach (`_PyThreadState_HangThread`).
///
/// # Safety
/// `tstate` is the calling thread's state.
#[cold]
unsafe fn hang(tstate: ThreadState) -> ! {
    // SAFETY: the first function drops the thread's reference to its state, which the thread does not use any
    // more, and does not return. The second one does not return either.
    unsafe {
        ffi::_PyThreadState_HangThread(tstate.as_ptr());
        ffi::PyThread_hang_thread()
    }
}

/// Takes the interpreter's lock for the calling thread. Preserves `errno`. Does not return if the interpreter
/// is being finalized.
///
/// # Safety
/// `tstate` is the calling thread's state and live; no thread is attached with it, and the calling thread holds
/// no other such lock.
pub(crate) unsafe fn take_gil(tstate: ThreadState) {
    // SAFETY: the thread state is live (caller), and so are its interpreter and lock: finalization waits for
    // this thread, or never frees them.
    unsafe {
        if must_exit(tstate) {
            hang(tstate);
        }
        tstate.check();
        let interp = tstate.interp();
        let gil = HostGil::of(interp);
        #[cfg(py_gil_disabled)]
        if !gil.is_enabled() {
            return;
        }
        let lock = gil.lock();
        if lock.take(Holder::of(tstate)).is_err() {
            hang(tstate);
        }
        #[cfg(py_gil_disabled)]
        if !gil.is_enabled() {
            // It was enabled before: the last holder has disabled it and woken the waiting threads.
            give_up(lock);
            return;
        }
        if must_exit(tstate) {
            give_up(lock);
            hang(tstate);
        }
        (*tstate.as_ptr()).holds_gil = 1;
        EvalBreaker::of(tstate).clear(Request::GIL_DROP_REQUEST);
        #[cfg(not(py_gil_disabled))]
        catch_up(interp, tstate);
    }
}

/// Updates the eval breaker of a thread that attaches: pending calls, and the version of the instrumentation.
/// (On free-threaded hosts, all threads are updated at once.)
///
/// # Safety
/// Interpreter and thread state are live, and the calling thread holds the lock.
#[cfg(not(py_gil_disabled))]
#[inline]
unsafe fn catch_up(interp: *mut ffi::PyInterpreterState, tstate: ThreadState) {
    // SAFETY: interpreter and thread state are live (caller).
    unsafe {
        if pending::are_calls_for(interp) {
            EvalBreaker::of(tstate).set(Request::CALLS_TO_DO);
        }
        version::catch_up(tstate, interp);
    }
}

/// Drops a lock that was taken but is not needed.
///
/// # Safety
/// The calling thread holds the lock; otherwise the process ends.
unsafe fn give_up(lock: Gil<'static, Host>) {
    if lock.drop_finally() == Err(NotLocked) {
        // SAFETY: the process may end, since the lock is not held (caller).
        unsafe { not_locked() }
    }
}

/// Releases the lock of `interp`; does nothing if a free-threaded host has disabled it. If another thread has
/// requested the lock, returns after a thread has taken it. If `finally`, thread state and interpreter may be
/// freed as soon as the lock is released.
///
/// # Safety
/// The interpreter is live. `tstate` is the state of the calling thread, which holds the lock unless the lock
/// is disabled.
pub(crate) unsafe fn drop_gil(interp: *mut ffi::PyInterpreterState, tstate: ThreadState, finally: bool) {
    // SAFETY: interpreter and state are live until the lock is dropped (caller). After that only `not_locked`
    // may run, which uses neither.
    unsafe {
        let gil = HostGil::of(interp);
        #[cfg(py_gil_disabled)]
        if (*tstate.as_ptr()).holds_gil == 0 {
            return;
        }
        (*tstate.as_ptr()).holds_gil = 0;
        let lock = gil.lock();
        let dropped = if finally { lock.drop_finally() } else { lock.drop_by(Holder::of(tstate)) };
        if dropped == Err(NotLocked) {
            not_locked();
        }
    }
}

/// Ends the process, because the lock to be dropped is not held.
///
/// # Safety
/// The process may end here.
#[cold]
unsafe fn not_locked() -> ! {
    // SAFETY: both arguments are C strings; the function does not return.
    unsafe { ffi::_Py_FatalErrorFunc(c"drop_gil".as_ptr(), c"drop_gil: GIL is not locked".as_ptr()) }
}

/// Attaches the calling thread with the state `tstate`. Ends the process, with a message in the name of
/// `caller`, if that is null.
///
/// # Safety
/// `tstate` is null, or live and the calling thread's; the thread is not attached.
pub(crate) unsafe fn attach(tstate: ThreadState, caller: &CStr) {
    // SAFETY: not null at the second call, so live and the calling thread's (caller).
    unsafe {
        ensure_not_null(tstate, caller);
        ffi::_PyThreadState_Attach(tstate.as_ptr());
    }
}

/// As [`attach`]. On Windows, also preserves what `GetLastError` returns, which callers check only after they have
/// attached: looking up a thread-local variable there changes it.
///
/// # Safety
/// As for [`attach`].
pub(crate) unsafe fn attach_again(tstate: ThreadState, caller: &CStr) {
    #[cfg(windows)]
    let error = super::system_error::SystemError::last();
    // SAFETY: the callee has the same contract.
    unsafe { attach(tstate, caller) };
    #[cfg(windows)]
    error.restore();
}
