//! Events of exceptions: they are raised, leave frames, are handled. These functions are parts of `ceval.o`, so they call
//! the tools, which is the part of `instrumentation.o`, through [`crate::seams`].
//!
//! A tool that raises puts its exception in the place of the one it was told about. Only [`handled`]
//! and [`stop_iteration`], which may go on without an exception, say so.

use crate::host::{CodeUnit, Frame, Owned, PyObject, Raised, ThreadState, ffi};
use crate::seams;

macro_rules! exception_events {
    ($($(#[$doc:meta])* $name:ident = $event:ident;)*) => {$(
        $(#[$doc])*
        ///
        /// # Safety
        /// The thread is attached, an exception is set, and `frame` is current and published.
        #[inline]
        pub(crate) unsafe fn $name(tstate: ThreadState, frame: Frame, instr: CodeUnit) {
            // SAFETY: the caller's promise.
            unsafe {
                if is_watched(tstate, ffi::$event) {
                    // If a tool has raised, that is the exception now.
                    let _ = report(tstate, frame, instr, ffi::$event);
                }
            }
        }
    )*};
}

exception_events! {
    /// Fires RAISE: `instr` has raised the exception.
    raise = PY_MONITORING_EVENT_RAISE;
    /// Fires RERAISE: `instr` has raised the exception once more.
    reraise = PY_MONITORING_EVENT_RERAISE;
    /// Fires PY_UNWIND: the exception leaves `frame`.
    unwind = PY_MONITORING_EVENT_PY_UNWIND;
    /// Fires PY_THROW: the exception was thrown into the generator that `frame` belongs to.
    throw = PY_MONITORING_EVENT_PY_THROW;
}

/// Fires EXCEPTION_HANDLED: `exception`, which is not set any more, has found the handler that begins
/// at `instr`. Fails if a tool raises.
///
/// # Safety
/// The thread is attached, `exception` is live, and `frame` is current and published.
#[inline]
pub(crate) unsafe fn handled(
    tstate: ThreadState,
    frame: Frame,
    instr: CodeUnit,
    exception: *mut PyObject,
) -> Result<(), Raised> {
    // SAFETY: the caller's promise.
    unsafe {
        if !is_watched(tstate, ffi::PY_MONITORING_EVENT_EXCEPTION_HANDLED) {
            return Ok(());
        }
        call_tools(tstate, frame, instr, ffi::PY_MONITORING_EVENT_EXCEPTION_HANDLED, exception)
    }
}

/// Fires STOP_ITERATION: a generator has returned `value` to the loop or `yield from` at `instr`, where
/// the StopIteration that stands for it was never raised. Fails if a tool raises.
///
/// # Safety
/// The thread is attached, no exception is set, `value` is live, and `frame` is current and published.
pub(crate) unsafe fn stop_iteration(
    tstate: ThreadState,
    frame: Frame,
    instr: CodeUnit,
    value: *mut PyObject,
) -> Result<(), Raised> {
    // SAFETY: the caller's promise.
    unsafe {
        if !is_watched_in(tstate, frame, ffi::PY_MONITORING_EVENT_STOP_ITERATION) {
            return Ok(());
        }
        ffi::PyErr_SetObject(ffi::PyExc_StopIteration, value);
        report(tstate, frame, instr, ffi::PY_MONITORING_EVENT_STOP_ITERATION)?;
        ffi::_PyErr_Clear(tstate.as_ptr());
        Ok(())
    }
}

/// Whether some tool wants `event` wherever it happens in the interpreter.
///
/// # Safety
/// The thread is attached and `tstate` its state; `event` is an ungrouped one.
#[inline(always)]
pub(crate) unsafe fn is_watched(tstate: ThreadState, event: u32) -> bool {
    // SAFETY: the interpreter is live, and the table has an entry for every ungrouped event.
    unsafe { (*tstate.interp()).monitors.tools[event as usize] != 0 }
}

/// Whether some tool wants `event`, a local one, when it happens in the code of `frame`.
#[inline(always)]
unsafe fn is_watched_in(tstate: ThreadState, frame: Frame, event: u32) -> bool {
    // SAFETY: the frame runs code, whose data about tools is null or complete.
    unsafe {
        let monitoring = (*frame.code().as_ptr())._co_monitoring;
        if monitoring.is_null() {
            return is_watched(tstate, event);
        }
        (*monitoring).active_monitors.tools[event as usize] != 0
    }
}

/// Tells the tools of the exception that is set, and sets it again; if a tool raises, that is the
/// exception which stays.
#[cold]
unsafe fn report(tstate: ThreadState, frame: Frame, instr: CodeUnit, event: u32) -> Result<(), Raised> {
    // SAFETY: an exception is set, and what was taken off the thread is ours until it is set again.
    unsafe {
        if (*frame.code().as_ptr()).co_flags as u32 & ffi::CO_NO_MONITORING_EVENTS != 0 {
            return Ok(());
        }
        let exception = Owned::from_host(ffi::PyErr_GetRaisedException())?;
        call_tools(tstate, frame, instr, event, exception.as_ptr())?;
        ffi::PyErr_SetRaisedException(exception.into_ptr());
        Ok(())
    }
}

/// Calls the tools that want `event` with one argument.
unsafe fn call_tools(
    tstate: ThreadState,
    frame: Frame,
    instr: CodeUnit,
    event: u32,
    argument: *mut PyObject,
) -> Result<(), Raised> {
    // SAFETY: the callers' promise.
    unsafe { seams::instrumentation::event_with(tstate, event, frame, instr, argument) }
}
