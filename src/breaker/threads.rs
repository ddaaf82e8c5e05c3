//! Taking and dropping the GIL for a thread state. Source: `pycore_gil.h`, `ceval.h`.

use core::ffi::CStr;

use super::gil::{Gil, Holder, NotLocked};
use super::host_gil::{Host, HostGil, must_exit};
#[cfg(not(py_gil_disabled))]
use super::pending;
use super::requests::ensure_not_null;
#[cfg(not(py_gil_disabled))]
use super::version;
use super::word::{EvalBreaker, Event};
use crate::host::{ThreadState, ffi};

/// Ends what the calling thread can do: it sleeps until the process ends, as nobody above it on its
/// stack could be told (`_PyThreadState_HangThread`).
#[cold]
unsafe fn hang(tstate: ThreadState) -> ! {
    // SAFETY: the first, which gives up the thread's share of its state, does not return either.
    unsafe {
        ffi::_PyThreadState_HangThread(tstate.as_ptr());
        ffi::PyThread_hang_thread()
    }
}

/// Takes the interpreter's lock for the calling thread, whose state `tstate` is. Keeps `errno`. If the
/// program is ending, does not return.
///
/// # Safety
/// The thread state is live; no thread is attached with it, and the calling thread has no other lock.
pub(crate) unsafe fn take(tstate: ThreadState) {
    // SAFETY: the caller's promise. What the host ends waits for this thread, or is never freed.
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
            // It was, until the last holder let everybody go.
            give_up(lock);
            return;
        }
        if must_exit(tstate) {
            give_up(lock);
            hang(tstate);
        }
        (*tstate.as_ptr()).holds_gil = 1;
        EvalBreaker::of(tstate).clear(Event::GIL_DROP_REQUEST);
        #[cfg(not(py_gil_disabled))]
        catch_up(interp, tstate);
    }
}

/// Tells a thread that attaches what it may have missed: pending calls, and the version of the
/// instrumentation. (In free-threaded hosts all threads are told at once.)
#[cfg(not(py_gil_disabled))]
#[inline]
unsafe fn catch_up(interp: *mut ffi::PyInterpreterState, tstate: ThreadState) {
    // SAFETY: the thread is about to be attached, and holds the lock.
    unsafe {
        if pending::are_calls_for(interp) {
            EvalBreaker::of(tstate).set(Event::CALLS_TO_DO);
        }
        version::catch_up(tstate, interp);
    }
}

unsafe fn give_up(lock: Gil<'static, Host>) {
    if lock.drop_finally() == Err(NotLocked) {
        // SAFETY: C strings.
        unsafe { not_locked() }
    }
}

/// Drops the lock of `interp`, which the calling thread holds; if it was asked to, after another thread
/// has got it. If `finally`, the thread state or the interpreter may be gone as soon as the lock is.
///
/// # Safety
/// The interpreter is live, and `tstate` is the state of the calling thread.
pub(crate) unsafe fn drop(interp: *mut ffi::PyInterpreterState, tstate: ThreadState, finally: bool) {
    // SAFETY: the caller's promise.
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

#[cold]
unsafe fn not_locked() -> ! {
    // SAFETY: C strings; does not return.
    unsafe { ffi::_Py_FatalErrorFunc(c"drop_gil".as_ptr(), c"drop_gil: GIL is not locked".as_ptr()) }
}

/// Attaches the calling thread to `tstate`, or ends the process in the name of `caller` if that is null.
///
/// # Safety
/// `tstate` is null, or live and the calling thread's; the thread is not attached.
pub(crate) unsafe fn attach(tstate: ThreadState, caller: &CStr) {
    // SAFETY: the caller's promise.
    unsafe {
        ensure_not_null(tstate, caller);
        ffi::_PyThreadState_Attach(tstate.as_ptr());
    }
}
