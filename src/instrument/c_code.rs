//! Events that C code fires for code-like objects of its own (`PyMonitoring_*`). Source:
//! `cpython/monitoring.h`.
//!
//! The C code keeps a state per event: the tools that watch it, as of the last `PyMonitoring_EnterScope`. The
//! macros of the header call the functions here only if there are any.
//!
//! Callers: `exports`.

use core::ffi::c_int;
use core::ptr::null_mut;

use super::calls::{Reply, call_tool, refuse_disable};
use super::events::{Event, ToolSet};
use super::{tools, version};
use crate::host::{Owned, PyObject, PyResult, ThreadState, ffi};
use crate::raise;

pub(crate) type State = *mut ffi::PyMonitoringState;

/// `PyMonitoring_EnterScope`: updates each of the `length` states to the tools that watch the event at the
/// same index of `events`. Does nothing if `*known`, the version of the states, is the interpreter's version.
///
/// # Safety
/// The thread is attached; `states` and `events` have `length` entries; all pointers are valid, and no other
/// thread uses the states meanwhile.
pub(crate) unsafe fn enter_scope(states: State, known: *mut u64, events: *const u8, length: usize) {
    // SAFETY: the pointers are valid, and both arrays have `length` entries (caller).
    unsafe {
        let interp = ThreadState::current().interp();
        let current = version::global(interp).field() as u64;
        if current != *known {
            for index in 0..length {
                let told = wanted_by(interp, *events.add(index));
                (*states.add(index)).active = told.bits();
            }
            *known = current;
        }
    }
}

/// The tools that watch the event of this number; none if there is no such event.
///
/// # Safety
/// The thread is attached to `interp`.
unsafe fn wanted_by(interp: *mut ffi::PyInterpreterState, number: u8) -> ToolSet {
    // SAFETY: the thread is attached to `interp` (caller).
    unsafe {
        match Event::from_number(number.into()) {
            None => ToolSet::NONE,
            Some(Event::BRANCH) => tools::tools_for(interp, Event::BRANCH_LEFT)
                .union(tools::tools_for(interp, Event::BRANCH_RIGHT)),
            Some(event) => tools::tools_for(interp, event.watched_as()),
        }
    }
}

// --- firing ------------------------------------------------------------------------------------

/// The most arguments that a callback gets: code, offset, and two more.
const MOST_ARGUMENTS: usize = 4;

/// Calls the tools of `state` for an event at `offset`. Callbacks get `codelike`, `place` and `values`. A
/// tool that returns DISABLE is removed from the state. Fails with ValueError if `offset` is negative or the
/// event cannot be disabled, with MemoryError, and with a callback's exception.
///
/// # Safety
/// The thread is attached and not tracing, `state` is a valid state of this event with an active tool, no
/// exception is set, the objects are live, and `values` has two entries at most.
pub(crate) unsafe fn fire(
    state: State,
    event: Event,
    codelike: *mut PyObject,
    offset: i32,
    place: c_int,
    values: &[*mut PyObject],
) -> PyResult<()> {
    debug_assert!(values.len() <= MOST_ARGUMENTS - 2);
    // SAFETY: the thread is attached, the objects are live, and `state` is valid (caller).
    unsafe {
        debug_assert!((*state).active != 0);
        if offset < 0 {
            return Err(raise!(PyExc_ValueError, c"offset must be non-negative"));
        }
        let tstate = ThreadState::current();
        let place = Owned::from_host(ffi::PyLong_FromLong(place.into()))?;
        let mut arguments = [null_mut(); 1 + MOST_ARGUMENTS];
        arguments[1] = codelike;
        arguments[2] = place.as_ptr();
        let count = 3 + values.len();
        arguments[3..count].copy_from_slice(values);
        for tool in ToolSet::from_bits((*state).active) {
            match call_tool(tstate, tool, event, &mut arguments[..count])? {
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

/// As [`fire`], with the exception that is set as the only value. It stays set unless a callback raises
/// another one. Fails with ValueError if no exception is set.
///
/// # Safety
/// As for [`fire`], but an exception may be set.
pub(crate) unsafe fn fire_exception(
    state: State,
    event: Event,
    codelike: *mut PyObject,
    offset: i32,
) -> PyResult<()> {
    // SAFETY: the state is valid, and `codelike` is live (caller). The exception is taken off the thread for
    // the call, so none is set then.
    unsafe {
        let exception = take_exception(event)?;
        fire(state, event, codelike, offset, offset, &[exception.as_ptr()])?;
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
        ffi::PyErr_SetObject(ffi::PyExc_StopIteration, value);
        let exception = take_exception(Event::STOP_ITERATION)?;
        fire(state, Event::STOP_ITERATION, codelike, offset, offset, &[exception.as_ptr()])
    }
}
