//! Events that C code fires for code-like objects of its own (`PyMonitoring_*`). Source:
//! `cpython/monitoring.h`.
//!
//! The C code keeps a state per event: the tools that watch it, as of the last `PyMonitoring_EnterScope`. The
//! macros of the header call the functions here only if there are any.
//!
//! Callers: `exports`.

use core::ffi::c_int;

use super::calls::{Arguments, Reply, call_tool, refuse_disable};
use super::events::{Event, ToolSet};
use super::{c_numbers, tools, version};
use crate::host::{Owned, PyObject, PyResult, Raised, ThreadState, ffi};
use crate::raise;

pub(crate) type State = *mut ffi::PyMonitoringState;

/// `PyMonitoring_EnterScope`: updates each of the `length` states to the tools that watch the event at the
/// same index of `events`. Does nothing if `*known`, the version of the states, is the interpreter's version.
/// Fails with SystemError if there is no such event.
///
/// # Safety
/// The thread is attached; `states` and `events` have `length` entries; all pointers are valid, and no other
/// thread uses the states meanwhile.
pub(crate) unsafe fn enter_scope(
    states: State,
    known: *mut u64,
    events: *const u8,
    length: usize,
) -> PyResult<()> {
    // SAFETY: the pointers are valid, and both arrays have `length` entries (caller).
    unsafe {
        let interp = ThreadState::current().interp();
        let current = version::global(interp).field() as u64;
        if current != *known {
            for index in 0..length {
                let event = c_numbers::event((*events.add(index)).into())?;
                (*states.add(index)).active = watching(interp, event).bits();
            }
            *known = current;
        }
    }
    Ok(())
}

/// The tools that watch `event`.
///
/// # Safety
/// The thread is attached to `interp`.
unsafe fn watching(interp: *mut ffi::PyInterpreterState, event: Event) -> ToolSet {
    // SAFETY: the thread is attached to `interp` (caller).
    unsafe {
        match event {
            Event::BRANCH => tools::tools_for(interp, Event::BRANCH_LEFT)
                .union(tools::tools_for(interp, Event::BRANCH_RIGHT)),
            event => tools::tools_for(interp, event.watched_as()),
        }
    }
}

// --- firing ------------------------------------------------------------------------------------

/// Calls the tools of `state` for an event at `offset`, unless the thread is tracing: as for events of
/// bytecode, none fires while a callback runs. Callbacks get `codelike`, `place` and `values`. A tool that
/// returns DISABLE is removed from the state. Fails with ValueError if `offset` is negative or the event
/// cannot be disabled, with SystemError if an exception is set, with MemoryError, and with a callback's
/// exception.
///
/// # Safety
/// The thread is attached, `state` is a valid state of this event, and the objects are live.
pub(crate) unsafe fn fire<const N: usize>(
    state: State,
    event: Event,
    codelike: *mut PyObject,
    offset: i32,
    place: c_int,
    values: [*mut PyObject; N],
) -> PyResult<()> {
    // SAFETY: the thread is attached, the objects are live, and `state` is valid (caller). The thread is not
    // tracing when a tool is called.
    unsafe {
        let tstate = ThreadState::current();
        if offset < 0 {
            return Err(raise!(PyExc_ValueError, c"offset must be non-negative"));
        }
        check_no_exception(tstate, event)?;
        if (*tstate.as_ptr()).tracing != 0 {
            return Ok(());
        }
        let place = Owned::from_host(ffi::PyLong_FromLong(place.into()))?;
        let mut arguments = Arguments::new(codelike, place.as_ptr(), values);
        for tool in ToolSet::from_bits((*state).active) {
            match call_tool(tstate, tool, event, &mut arguments)? {
                Reply::Done => {}
                Reply::Disable if event.is_local() => {
                    (*state).active =
                        ToolSet::from_bits((*state).active).difference(ToolSet::of(tool)).bits();
                }
                Reply::Disable => return Err(refuse_disable(tstate.interp(), tool, event)),
            }
        }
    }
    Ok(())
}

/// Fails with SystemError if an exception is set: callbacks must not run then. The exception is its cause.
///
/// # Safety
/// The thread is attached and `tstate` is its state.
unsafe fn check_no_exception(tstate: ThreadState, event: Event) -> PyResult<()> {
    // SAFETY: the thread is attached (caller); the format has one directive, for an `int`.
    unsafe {
        if tstate.raised().is_null() {
            return Ok(());
        }
        let text = c"Firing event %d with an exception set";
        ffi::_PyErr_FormatFromCause(ffi::PyExc_SystemError, text.as_ptr(), event.number() as c_int);
        Err(Raised)
    }
}

/// As [`fire`], with the exception that is set as the only value. It stays set unless a callback raises
/// another one. Fails with ValueError if no exception is set.
///
/// # Safety
/// As for [`fire`].
pub(crate) unsafe fn fire_exception(
    state: State,
    event: Event,
    codelike: *mut PyObject,
    offset: i32,
) -> PyResult<()> {
    // SAFETY: the state is valid, and `codelike` is live (caller).
    unsafe {
        let exception = take_exception(event)?;
        fire(state, event, codelike, offset, offset, [exception.as_ptr()])?;
        ffi::PyErr_SetRaisedException(exception.into_ptr());
    }
    Ok(())
}

/// Takes the exception that is set off the thread. Fails with ValueError if there is none.
///
/// # Safety
/// The thread is attached.
unsafe fn take_exception(event: Event) -> PyResult {
    // SAFETY: the thread is attached (caller).
    unsafe {
        Owned::optional(ffi::PyErr_GetRaisedException()).ok_or_else(|| {
            let number = event.number() as c_int;
            raise!(PyExc_ValueError, c"Firing event %d with no exception set", number)
        })
    }
}

/// Fires STOP_ITERATION for an iteration that ends with `value`. Callbacks get a new StopIteration with this
/// value, which is not raised. Fails as [`fire`] does.
///
/// # Safety
/// As for [`fire`]; `value` is live.
pub(crate) unsafe fn fire_stop_iteration(
    state: State,
    codelike: *mut PyObject,
    offset: i32,
    value: *mut PyObject,
) -> PyResult<()> {
    // SAFETY: the state is valid, and the objects are live (caller). The exception that is set here is taken
    // off the thread again before the call.
    unsafe {
        check_no_exception(ThreadState::current(), Event::STOP_ITERATION)?;
        ffi::PyErr_SetObject(ffi::PyExc_StopIteration, value);
        let exception = take_exception(Event::STOP_ITERATION)?;
        fire(state, Event::STOP_ITERATION, codelike, offset, offset, [exception.as_ptr()])
    }
}
