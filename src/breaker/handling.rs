//! Handling the requests in a thread's eval breaker. Source: `pycore_ceval.h`.

use core::sync::atomic::{AtomicPtr, Ordering};

use super::word::{EvalBreaker, Event, Word};
use super::{pending, remote, signals};
use crate::host::{Owned, Raised, ThreadState, ffi};

/// Handles the thread's requests. Requests that arrive meanwhile wait for the next call. Fails with the
/// exception of a signal handler, a pending call, or another thread.
///
/// # Safety
/// The thread is attached, `tstate` is its state, and its current frame is published.
#[cold]
#[inline(never)]
pub(crate) unsafe fn handle(tstate: ThreadState) -> Result<(), Raised> {
    // SAFETY: `tstate` is the attached thread's state (caller), also after each detour through another state:
    // every suspend or detach is followed by an attach. Python code may run, since the frame is published
    // (caller).
    unsafe {
        let breaker = EvalBreaker::of(tstate);
        let asked = breaker.load();
        if asked.has(Event::PLEASE_STOP) {
            breaker.clear(Event::PLEASE_STOP);
            ffi::_PyThreadState_Suspend(tstate.as_ptr());
            // Returns when the world has been started again.
            ffi::_PyThreadState_Attach(tstate.as_ptr());
        }
        if asked.has(Event::SIGNALS_PENDING) {
            signals::handle(tstate)?;
        }
        if asked.has(Event::CALLS_TO_DO) {
            pending::make(tstate)?;
        }
        #[cfg(py_gil_disabled)]
        if asked.has(Event::EXPLICIT_MERGE) {
            breaker.clear(Event::EXPLICIT_MERGE);
            ffi::_Py_brc_merge_refcounts(tstate.as_ptr());
        }
        #[cfg(py_gil_disabled)]
        if (*(*tstate.implementation()).qsbr).should_process {
            ffi::_PyMem_ProcessDelayed(tstate.as_ptr());
        }
        housekeeping(tstate, asked);
        if asked.has(Event::GIL_DROP_REQUEST) {
            ffi::_PyThreadState_Detach(tstate.as_ptr());
            // Other threads may run here.
            ffi::_PyThreadState_Attach(tstate.as_ptr());
        }
        if asked.has(Event::ASYNC_EXCEPTION) {
            breaker.clear(Event::ASYNC_EXCEPTION);
            raise_sent_exception(tstate)?;
        }
        remote::run_pending_script(tstate);
        Ok(())
    }
}

/// Collects garbage and invalidates cold executors, if requested.
///
/// # Safety
/// As for [`handle`].
unsafe fn housekeeping(tstate: ThreadState, asked: Word) {
    // SAFETY: the thread is attached and its frame published (caller), so the collector may run.
    unsafe {
        let breaker = EvalBreaker::of(tstate);
        if asked.has(Event::GC_SCHEDULED) {
            breaker.clear(Event::GC_SCHEDULED);
            ffi::_Py_RunGC(tstate.as_ptr());
        }
        #[cfg(py_tier2)]
        if asked.has(Event::JIT_INVALIDATE_COLD) {
            breaker.clear(Event::JIT_INVALIDATE_COLD);
            crate::seams::optimizer::invalidate_cold(tstate.interp());
            (*tstate.interp()).trace_run_counter = ffi::JIT_CLEANUP_THRESHOLD as usize;
        }
    }
}

/// Raises the exception that another thread has sent to this one (`PyThreadState_SetAsyncExc`), unless it was
/// withdrawn.
///
/// # Safety
/// The thread is attached and `tstate` is its state.
unsafe fn raise_sent_exception(tstate: ThreadState) -> Result<(), Raised> {
    // SAFETY: the field changes atomically, so the swap makes this thread the only owner of the exception.
    unsafe {
        let field = AtomicPtr::from_ptr(&raw mut (*tstate.as_ptr()).async_exc);
        let sent = field.swap(core::ptr::null_mut(), Ordering::SeqCst);
        let Some(exception) = Owned::optional(sent) else { return Ok(()) };
        ffi::_PyErr_SetNone(tstate.as_ptr(), exception.as_ptr());
        Err(Raised)
    }
}
