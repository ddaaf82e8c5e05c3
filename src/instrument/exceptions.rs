//! Events of exceptions: raised, reraised, leaving a frame, thrown in, handled. These functions are a part of
//! `ceval.o`: `ops` and `interp` call them directly, and they call the tools, a part of `instrumentation.o`,
//! through [`crate::seams`].
//!
//! If a callback raises, its exception replaces the one that it was notified of. Only [`handled`] and
//! [`stop_iteration`] return an error then: the others run while an exception is propagating anyway.

use crate::host::{CodeUnit, Frame, Owned, PyObject, Raised, ThreadState, ffi};
use crate::seams;

macro_rules! exception_events {
    ($($(#[$doc:meta])* $name:ident = $event:ident;)*) => {$(
        $(#[$doc])*
        ///
        /// # Safety
        /// The thread is attached and `tstate` is its state, an exception is set, `frame` is current and
        /// published, and `instr` is in its bytecode.
        #[inline]
        pub(crate) unsafe fn $name(tstate: ThreadState, frame: Frame, instr: CodeUnit) {
            // SAFETY: an exception is set, and the frame is current and published (caller).
            unsafe {
                if is_watched(tstate, ffi::$event) {
                    // If a callback has raised, its exception is the one that is set now.
                    let _ = report(tstate, frame, instr, ffi::$event);
                }
            }
        }
    )*};
}

exception_events! {
    /// Fires RAISE: `instr` has raised the exception that is set.
    raise = PY_MONITORING_EVENT_RAISE;
    /// Fires RERAISE: `instr` has raised the exception again.
    reraise = PY_MONITORING_EVENT_RERAISE;
    /// Fires PY_UNWIND: the exception is about to leave `frame`.
    unwind = PY_MONITORING_EVENT_PY_UNWIND;
    /// Fires PY_THROW: the exception was thrown into the generator of `frame`.
    throw = PY_MONITORING_EVENT_PY_THROW;
}

/// Fires EXCEPTION_HANDLED: the handler that begins at `instr` has caught `exception`, which is not set any
/// more. Fails with a callback's exception.
///
/// # Safety
/// The thread is attached and `tstate` is its state, no exception is set, `exception` is live, `frame` is
/// current and published, and `instr` is in its bytecode.
#[inline]
pub(crate) unsafe fn handled(
    tstate: ThreadState,
    frame: Frame,
    instr: CodeUnit,
    exception: *mut PyObject,
) -> Result<(), Raised> {
    // SAFETY: no exception is set, `exception` is live, and the frame is current and published (caller).
    unsafe {
        if !is_watched(tstate, ffi::PY_MONITORING_EVENT_EXCEPTION_HANDLED) {
            return Ok(());
        }
        call_tools(tstate, frame, instr, ffi::PY_MONITORING_EVENT_EXCEPTION_HANDLED, exception)
    }
}

/// Fires STOP_ITERATION: a generator has returned `value` to the `for` loop or `yield from` at `instr`,
/// without raising StopIteration. Callbacks get a StopIteration that is made for them. Fails with a
/// callback's exception.
///
/// # Safety
/// The thread is attached and `tstate` is its state, no exception is set, `value` is live, `frame` is current
/// and published, and `instr` is in its bytecode.
pub(crate) unsafe fn stop_iteration(
    tstate: ThreadState,
    frame: Frame,
    instr: CodeUnit,
    value: *mut PyObject,
) -> Result<(), Raised> {
    // SAFETY: the frame is current and published, and `value` is live (caller); `PyErr_SetObject` sets an
    // exception for `report`.
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

/// Whether some tool watches `event` everywhere.
///
/// # Safety
/// The thread is attached and `tstate` is its state; `event` is an ungrouped event.
#[inline(always)]
pub(crate) unsafe fn is_watched(tstate: ThreadState, event: u32) -> bool {
    // SAFETY: the interpreter is live, and its monitors change only while the world is stopped; the table has
    // an entry for every ungrouped event (caller).
    unsafe { (*tstate.interp()).monitors.tools[event as usize] != 0 }
}

/// Whether some tool watches `event` in the code of `frame`.
///
/// # Safety
/// The thread is attached and `tstate` is its state; `frame` is live and runs code; `event` is a local event.
#[inline(always)]
unsafe fn is_watched_in(tstate: ThreadState, frame: Frame, event: u32) -> bool {
    // SAFETY: the frame's code is live, and its monitoring data is null or complete.
    unsafe {
        let monitoring = (*frame.code().as_ptr())._co_monitoring;
        if monitoring.is_null() {
            return is_watched(tstate, event);
        }
        (*monitoring).active_monitors.tools[event as usize] != 0
    }
}

/// Calls the tools for the exception that is set, and sets it again afterwards. If a callback raises, its
/// exception stays set instead, and this fails. Does nothing for code without monitoring events.
///
/// # Safety
/// The thread is attached and `tstate` is its state, an exception is set, `frame` is current and published,
/// and `instr` is in its bytecode.
#[cold]
unsafe fn report(tstate: ThreadState, frame: Frame, instr: CodeUnit, event: u32) -> Result<(), Raised> {
    // SAFETY: an exception is set (caller). It is owned here while it is off the thread, and given back to
    // the thread at the end.
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

/// Calls the tools that watch `event`, with one argument (borrowed). Fails with a callback's exception.
///
/// # Safety
/// As for [`report`], except that no exception is set; `argument` is live.
unsafe fn call_tools(
    tstate: ThreadState,
    frame: Frame,
    instr: CodeUnit,
    event: u32,
    argument: *mut PyObject,
) -> Result<(), Raised> {
    // SAFETY: the requirements of `event_with` are those of this function.
    unsafe { seams::instrumentation::event_with(tstate, event, frame, instr, argument) }
}
