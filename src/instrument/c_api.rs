//! Events that C code fires for "code" of its own (`PyMonitoring_*`). Source: `cpython/monitoring.h`.
//!
//! The caller keeps a state per kind of event: which tools want it, as of the last `EnterScope`. The macros
//! of the header call the functions here only if there are any.

use core::ffi::c_int;
use core::ptr::null_mut;

use super::calls::{Reply, call_tool, refuse_disable};
use super::events::{Event, ToolSet};
use super::{tools, version};
use crate::host::{Owned, PyObject, PyResult, Raised, ThreadState, ffi};
use crate::raise;

type State = *mut ffi::PyMonitoringState;

/// Brings states up to date: `state_array[i]` for `event_types[i]`, unless `*version` says that they are.
/// Cannot fail; gives 0. Stands for the host's symbol of this name (`cpython/monitoring.h`).
///
/// # Safety
/// The thread is attached, and both arrays have `length` entries.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyMonitoring_EnterScope(
    state_array: *mut ffi::PyMonitoringState,
    version: *mut u64,
    event_types: *const u8,
    length: ffi::Py_ssize_t,
) -> c_int {
    // SAFETY: the caller's promise.
    unsafe {
        let interp = ThreadState::current().interp();
        let current = version::global(interp).field() as u64;
        if current != *version {
            for index in 0..length.max(0) as usize {
                let told = wanted_by(interp, *event_types.add(index));
                (*state_array.add(index)).active = told.bits();
            }
            *version = current;
        }
    }
    0
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

/// Ends what `PyMonitoring_EnterScope` began: nothing today. Gives 0. Stands for the host's symbol of this
/// name (`cpython/monitoring.h`).
#[unsafe(no_mangle)]
pub extern "C" fn PyMonitoring_ExitScope() -> c_int {
    0
}

// --- firing ------------------------------------------------------------------------------------

/// The most arguments that a callback can get: code, offset, and two more.
const MOST_ARGUMENTS: usize = 4;

/// Tells the tools in `state` of `event` at `offset`, which they see as `place`, with `values`. Those who
/// disable it are taken out of the state.
unsafe fn fire(
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
unsafe fn fire_exception(state: State, event: Event, codelike: *mut PyObject, offset: i32) -> PyResult<()> {
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

fn status(result: PyResult<()>) -> c_int {
    match result {
        Ok(()) => 0,
        Err(Raised) => -1,
    }
}

macro_rules! events {
    ($($(#[$doc:meta])* $name:ident($($value:ident),*) = $event:ident;)*) => {$(
        $(#[$doc])*
        ///
        /// Borrows all objects. Gives 0, or -1 with an exception: a tool's, or ValueError for an offset
        /// below zero. Stands for the host's symbol of this name (`cpython/monitoring.h`).
        ///
        /// # Safety
        /// The thread is attached, `state` is active and of this event, and the objects are live.
        #[unsafe(no_mangle)]
        pub unsafe extern "C" fn $name(
            state: State,
            codelike: *mut PyObject,
            offset: i32,
            $($value: *mut PyObject,)*
        ) -> c_int {
            // SAFETY: the caller's promise.
            status(unsafe { fire(state, Event::$event, codelike, offset, offset, &[$($value),*]) })
        }
        // Both have one signature.
        const _: [unsafe extern "C" fn(State, *mut PyObject, i32 $(, events!(@type $value))*) -> c_int; 2] =
            [$name, ffi::$name];
    )*};
    (@type $value:ident) => { *mut PyObject };
}

events! {
    /// A function begins.
    _PyMonitoring_FirePyStartEvent() = PY_START;
    /// A generator goes on.
    _PyMonitoring_FirePyResumeEvent() = PY_RESUME;
    /// A function returns `retval`.
    _PyMonitoring_FirePyReturnEvent(retval) = PY_RETURN;
    /// A generator yields `retval`.
    _PyMonitoring_FirePyYieldEvent(retval) = PY_YIELD;
    /// `callable` is called, with `arg0` first (`sys.monitoring.MISSING` if there is none).
    _PyMonitoring_FireCallEvent(callable, arg0) = CALL;
    /// A jump to `target_offset`.
    _PyMonitoring_FireJumpEvent(target_offset) = JUMP;
    /// A branch, to `target_offset`: of old, when branches had one event.
    _PyMonitoring_FireBranchEvent(target_offset) = BRANCH_RIGHT;
    /// A branch goes right, to `target_offset`.
    _PyMonitoring_FireBranchRightEvent(target_offset) = BRANCH_RIGHT;
    /// A branch goes left, to `target_offset`.
    _PyMonitoring_FireBranchLeftEvent(target_offset) = BRANCH_LEFT;
    /// A C function has returned `retval`.
    _PyMonitoring_FireCReturnEvent(retval) = C_RETURN;
}

macro_rules! exception_events {
    ($($(#[$doc:meta])* $name:ident = $event:ident;)*) => {$(
        $(#[$doc])*
        ///
        /// Tools get the exception that is set, and it stays set. Borrows `codelike`. Gives 0, or -1 with
        /// another exception: a tool's, or ValueError for an offset below zero or if none was set. Stands
        /// for the host's symbol of this name (`cpython/monitoring.h`).
        ///
        /// # Safety
        /// The thread is attached, `state` is active and of this event, and `codelike` is live.
        #[unsafe(no_mangle)]
        pub unsafe extern "C" fn $name(state: State, codelike: *mut PyObject, offset: i32) -> c_int {
            // SAFETY: the caller's promise.
            status(unsafe { fire_exception(state, Event::$event, codelike, offset) })
        }
        // Both have one signature.
        const _: [unsafe extern "C" fn(State, *mut PyObject, i32) -> c_int; 2] = [$name, ffi::$name];
    )*};
}

exception_events! {
    /// An exception was thrown into a generator.
    _PyMonitoring_FirePyThrowEvent = PY_THROW;
    /// An exception is raised.
    _PyMonitoring_FireRaiseEvent = RAISE;
    /// A C function has raised an exception.
    _PyMonitoring_FireCRaiseEvent = C_RAISE;
    /// An exception is raised once more.
    _PyMonitoring_FireReraiseEvent = RERAISE;
    /// An exception is handled.
    _PyMonitoring_FireExceptionHandledEvent = EXCEPTION_HANDLED;
    /// An exception leaves a function.
    _PyMonitoring_FirePyUnwindEvent = PY_UNWIND;
}

/// A line begins.
///
/// Borrows `codelike`. Gives 0, or -1 with an exception: a tool's, or ValueError for an offset below zero.
/// Stands for the host's symbol of this name (`cpython/monitoring.h`).
///
/// # Safety
/// The thread is attached, `state` is active and of this event, and `codelike` is live.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _PyMonitoring_FireLineEvent(
    state: *mut ffi::PyMonitoringState,
    codelike: *mut PyObject,
    offset: i32,
    lineno: c_int,
) -> c_int {
    // SAFETY: the caller's promise.
    status(unsafe { fire(state, Event::LINE, codelike, offset, lineno, &[]) })
}

/// An iteration ends with `value`, without the StopIteration that stands for it being raised: tools get
/// one that is made of it.
///
/// Borrows the objects. Gives 0, or -1 with an exception: a tool's, or ValueError for an offset below zero.
/// Stands for the host's symbol of this name (`cpython/monitoring.h`).
///
/// # Safety
/// The thread is attached, no exception is set, `state` is active and of this event, and the objects are
/// live.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _PyMonitoring_FireStopIterationEvent(
    state: *mut ffi::PyMonitoringState,
    codelike: *mut PyObject,
    offset: i32,
    value: *mut PyObject,
) -> c_int {
    // SAFETY: the caller's promise.
    unsafe {
        ffi::PyErr_SetObject(ffi::PyExc_StopIteration, value);
        let result = take_exception(Event::STOP_ITERATION).and_then(|exception| {
            fire(state, Event::STOP_ITERATION, codelike, offset, offset, &[exception.as_ptr()])
        });
        status(result)
    }
}
