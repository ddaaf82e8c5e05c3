//! Events of exceptions: raised, reraised, leaving a frame, thrown in, handled. These functions are a part of
//! `ceval.o`: `ops` and `interp` call them directly, and they call the tools, a part of `instrumentation.o`,
//! through [`crate::seams`].
//!
//! If a callback raises, its exception replaces the one that it was notified of. Only [`handled`] and
//! [`stop_iteration`] return an error then: the others run while an exception is propagating anyway.

use super::data::Monitoring;
use super::events::Event;
use super::tools;
use crate::host::{Code, CodeUnit, Frame, Owned, PyObject, Raised, ThreadState, ffi};
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
                if is_watched(tstate, Event::$event) {
                    // If a callback has raised, its exception is the one that is set now.
                    let _ = report(tstate, frame, instr, Event::$event);
                }
            }
        }
    )*};
}

exception_events! {
    /// Fires RAISE: `instr` has raised the exception that is set.
    raise = RAISE;
    /// Fires RERAISE: `instr` has raised the exception again.
    reraise = RERAISE;
    /// Fires PY_UNWIND: the exception is about to leave `frame`.
    unwind = PY_UNWIND;
    /// Fires PY_THROW: the exception was thrown into the generator of `frame`.
    throw = PY_THROW;
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
        if !is_watched(tstate, Event::EXCEPTION_HANDLED) {
            return Ok(());
        }
        call_tools(tstate, frame, instr, Event::EXCEPTION_HANDLED, exception)
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
        if !is_watched_in(tstate, frame.code(), Event::STOP_ITERATION) {
            return Ok(());
        }
        ffi::PyErr_SetObject(ffi::PyExc_StopIteration, value);
        report(tstate, frame, instr, Event::STOP_ITERATION)?;
        ffi::_PyErr_Clear(tstate.as_ptr());
        Ok(())
    }
}

/// Whether some tool watches `event` everywhere.
///
/// # Safety
/// The thread is attached and `tstate` is its state; `event` is an ungrouped event.
#[inline(always)]
pub(crate) unsafe fn is_watched(tstate: ThreadState, event: Event) -> bool {
    // SAFETY: the thread is attached to this interpreter, and the event is an ungrouped one (caller).
    unsafe { !tools::tools_for(tstate.interp(), event).is_empty() }
}

/// Whether some tool is to be notified of `event` in `code`. Other threads may instrument `code` meanwhile.
///
/// # Safety
/// The thread is attached and `tstate` is its state; `code` is live; `event` is a local event.
#[inline(always)]
pub(crate) unsafe fn is_watched_in(tstate: ThreadState, code: Code, event: Event) -> bool {
    // SAFETY: `code` is live, and the thread is attached (caller). Local events are ungrouped.
    unsafe {
        match Monitoring::of(code) {
            Some(data) => !data.active().tools(event).is_empty(),
            None => is_watched(tstate, event),
        }
    }
}

/// Calls the tools for the exception that is set, and sets it again afterwards. If a callback raises, its
/// exception stays set instead, and this fails. Does nothing for code without monitoring events.
///
/// # Safety
/// The thread is attached and `tstate` is its state, an exception is set, `frame` is current and published,
/// and `instr` is in its bytecode.
#[cold]
unsafe fn report(tstate: ThreadState, frame: Frame, instr: CodeUnit, event: Event) -> Result<(), Raised> {
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
    event: Event,
    argument: *mut PyObject,
) -> Result<(), Raised> {
    // SAFETY: the requirements of `event_with` are those of this function.
    unsafe { seams::instrumentation::event_with(tstate, event.number() as u32, frame, instr, argument) }
}
