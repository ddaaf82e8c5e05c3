//! Events that C code fires for "code" of its own (`PyMonitoring_*`). Source: `cpython/monitoring.h`.
//!
//! The caller keeps a state per kind of event: which tools want it, as of the last `EnterScope`. The macros
//! of the header call the functions here only if there are any.

use core::ffi::c_int;
use core::ptr::null_mut;

use super::calls::{Reply, call_tool, refuse_disable};
use super::events::{Event, ToolSet};
use super::{tools, version};
use crate::host::{Owned, PyObject, PyResult, ThreadState, ffi};
use crate::raise;

pub(crate) type State = *mut ffi::PyMonitoringState;

/// Brings the `length` states up to date, each for the event of the same place in `events`, unless `*known`, the
/// version that they are of, says that they are.
///
/// # Safety
/// The thread is attached, and both arrays have that many entries.
pub(crate) unsafe fn enter_scope(states: State, known: *mut u64, events: *const u8, length: usize) {
    // SAFETY: the caller's promise.
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

/// The tools that want an event of this number.
unsafe fn wanted_by(interp: *mut ffi::PyInterpreterState, number: u8) -> ToolSet {
    // SAFETY: the interpreter is live and the thread attached.
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

/// The most arguments that a callback can get: code, offset, and two more.
const MOST_ARGUMENTS: usize = 4;

/// Tells the tools in `state` of `event` at `offset`, which they see as `place`, with `values`. Those who
/// disable it are taken out of the state.
///
/// # Safety
/// The thread is attached, `state` is active and of this event, and the objects are live.
pub(crate) unsafe fn fire(
    state: State,
    event: Event,
    codelike: *mut PyObject,
    offset: i32,
    place: c_int,
    values: &[*mut PyObject],
) -> PyResult<()> {
    debug_assert!(values.len() <= MOST_ARGUMENTS - 2);
    // SAFETY: the callers' promise: the thread is attached, and the objects are live.
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

/// Like [`fire`], with the exception that is set as the value. It stays set unless a tool raises.
///
/// # Safety
/// As for [`fire`].
pub(crate) unsafe fn fire_exception(
    state: State,
    event: Event,
    codelike: *mut PyObject,
    offset: i32,
) -> PyResult<()> {
    // SAFETY: the callers' promise.
    unsafe {
        let exception = take_exception(event)?;
        fire(state, event, codelike, offset, offset, &[exception.as_ptr()])?;
        ffi::PyErr_SetRaisedException(exception.into_ptr());
    }
    Ok(())
}

/// Takes the exception that is set off the thread. Fails with ValueError if there is none.
unsafe fn take_exception(event: Event) -> PyResult {
    // SAFETY: the thread is attached.
    unsafe {
        Owned::optional(ffi::PyErr_GetRaisedException()).ok_or_else(|| {
            let number = event.number() as c_int;
            raise!(PyExc_ValueError, c"Firing event %d with no exception set", number)
        })
    }
}

/// Fires STOP_ITERATION for an iteration that ends with `value`: tools get a StopIteration that is made of it.
///
/// # Safety
/// The thread is attached, no exception is set, `state` is active and of this event, and the objects are live.
pub(crate) unsafe fn fire_stop_iteration(
    state: State,
    codelike: *mut PyObject,
    offset: i32,
    value: *mut PyObject,
) -> PyResult<()> {
    // SAFETY: the caller's promise.
    unsafe {
        ffi::PyErr_SetObject(ffi::PyExc_StopIteration, value);
        let exception = take_exception(Event::STOP_ITERATION)?;
        fire(state, Event::STOP_ITERATION, codelike, offset, offset, &[exception.as_ptr()])
    }
}
