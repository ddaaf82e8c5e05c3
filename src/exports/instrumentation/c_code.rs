//! The symbols of `instrumentation.o` through which C code fires events of its own.

use core::ffi::c_int;

use crate::host::owned::into_status;
use crate::host::{PyObject, ffi};
use crate::instrument::c_code;
use crate::instrument::events::Event;

/// Updates `state_array[i]` for the event `event_types[i]`, unless `*version` says that the states are up to
/// date. Returns 0, or -1 with SystemError set if there is no such event. Declared in `cpython/monitoring.h`.
///
/// # Safety
/// The calling thread is attached; both arrays have `length` entries; `version` is readable and writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyMonitoring_EnterScope(
    state_array: *mut ffi::PyMonitoringState,
    version: *mut u64,
    event_types: *const u8,
    length: ffi::Py_ssize_t,
) -> c_int {
    // SAFETY: the callee has the same contract.
    into_status(unsafe { c_code::enter_scope(state_array, version, event_types, length.max(0) as usize) })
}

/// Ends what `PyMonitoring_EnterScope` began. Does nothing at present; always returns 0. Declared in
/// `cpython/monitoring.h`.
#[unsafe(no_mangle)]
pub extern "C" fn PyMonitoring_ExitScope() -> c_int {
    0
}

macro_rules! events {
    ($($(#[$doc:meta])* $name:ident($($value:ident),*) = $event:ident;)*) => {$(
        $(#[$doc])*
        ///
        /// Borrows all objects. Returns 0, or -1 with an exception set: a tool's, ValueError for a negative
        /// offset, SystemError if an exception was set. Declared in `cpython/monitoring.h`.
        ///
        /// # Safety
        /// The calling thread is attached; `state` belongs to this event; the objects are live.
        #[unsafe(no_mangle)]
        pub unsafe extern "C" fn $name(
            state: *mut ffi::PyMonitoringState,
            codelike: *mut PyObject,
            offset: i32,
            $($value: *mut PyObject,)*
        ) -> c_int {
            // SAFETY: the callee has the same contract.
            into_status(unsafe { c_code::fire(state, Event::$event, codelike, offset, offset, [$($value),*]) })
        }
        // The definition and the host's declaration have the same signature.
        const _: [unsafe extern "C" fn(*mut ffi::PyMonitoringState, *mut PyObject, i32 $(, events!(@type $value))*) -> c_int; 2] =
            [$name, ffi::$name];
    )*};
    (@type $value:ident) => { *mut PyObject };
}

events! {
    /// Fires the event for a function that starts.
    _PyMonitoring_FirePyStartEvent() = PY_START;
    /// Fires the event for a generator that resumes.
    _PyMonitoring_FirePyResumeEvent() = PY_RESUME;
    /// Fires the event for a function that returns `retval`.
    _PyMonitoring_FirePyReturnEvent(retval) = PY_RETURN;
    /// Fires the event for a generator that yields `retval`.
    _PyMonitoring_FirePyYieldEvent(retval) = PY_YIELD;
    /// Fires the event for a call of `callable` with the first argument `arg0` (`sys.monitoring.MISSING` if
    /// there is none).
    _PyMonitoring_FireCallEvent(callable, arg0) = CALL;
    /// Fires the event for a jump to `target_offset`.
    _PyMonitoring_FireJumpEvent(target_offset) = JUMP;
    /// Fires the event for a branch to `target_offset`, for callers that date from when branches had one event.
    _PyMonitoring_FireBranchEvent(target_offset) = BRANCH_RIGHT;
    /// Fires the event for a branch to the right, to `target_offset`.
    _PyMonitoring_FireBranchRightEvent(target_offset) = BRANCH_RIGHT;
    /// Fires the event for a branch to the left, to `target_offset`.
    _PyMonitoring_FireBranchLeftEvent(target_offset) = BRANCH_LEFT;
    /// Fires the event for a C function that has returned `retval`.
    _PyMonitoring_FireCReturnEvent(retval) = C_RETURN;
}

macro_rules! exception_events {
    ($($(#[$doc:meta])* $name:ident = $event:ident;)*) => {$(
        $(#[$doc])*
        ///
        /// Passes the exception that is set to the tools; it stays set. Borrows `codelike`. Returns 0, or -1
        /// with another exception set: a tool's, or ValueError if the offset is negative or no exception was
        /// set. Declared in `cpython/monitoring.h`.
        ///
        /// # Safety
        /// The calling thread is attached; `state` belongs to this event; `codelike` is live.
        #[unsafe(no_mangle)]
        pub unsafe extern "C" fn $name(state: *mut ffi::PyMonitoringState, codelike: *mut PyObject, offset: i32) -> c_int {
            // SAFETY: the callee has the same contract.
            into_status(unsafe { c_code::fire_exception(state, Event::$event, codelike, offset) })
        }
        // The definition and the host's declaration have the same signature.
        const _: [unsafe extern "C" fn(*mut ffi::PyMonitoringState, *mut PyObject, i32) -> c_int; 2] = [$name, ffi::$name];
    )*};
}

exception_events! {
    /// Fires the event for an exception that was thrown into a generator.
    _PyMonitoring_FirePyThrowEvent = PY_THROW;
    /// Fires the event for an exception that is raised.
    _PyMonitoring_FireRaiseEvent = RAISE;
    /// Fires the event for a C function that has raised an exception.
    _PyMonitoring_FireCRaiseEvent = C_RAISE;
    /// Fires the event for an exception that is raised again.
    _PyMonitoring_FireReraiseEvent = RERAISE;
    /// Fires the event for an exception that is handled.
    _PyMonitoring_FireExceptionHandledEvent = EXCEPTION_HANDLED;
    /// Fires the event for an exception that leaves a function.
    _PyMonitoring_FirePyUnwindEvent = PY_UNWIND;
}

/// Fires the event for line `lineno`, which begins.
///
/// Borrows `codelike`. Returns 0, or -1 with an exception set: a tool's, ValueError for a negative offset,
/// SystemError if an exception was set. Declared in `cpython/monitoring.h`.
///
/// # Safety
/// The calling thread is attached; `state` belongs to this event; `codelike` is live.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _PyMonitoring_FireLineEvent(
    state: *mut ffi::PyMonitoringState,
    codelike: *mut PyObject,
    offset: i32,
    lineno: c_int,
) -> c_int {
    // SAFETY: the callee has the same contract.
    into_status(unsafe { c_code::fire(state, Event::LINE, codelike, offset, lineno, []) })
}

/// Fires the event for an iteration that ends with `value` without raising StopIteration. Tools get a
/// StopIteration that is made from `value`.
///
/// Borrows the objects. Returns 0, or -1 with an exception set: a tool's, ValueError for a negative offset,
/// SystemError if an exception was set. Declared in `cpython/monitoring.h`.
///
/// # Safety
/// The calling thread is attached; `state` belongs to this event; the objects are live.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _PyMonitoring_FireStopIterationEvent(
    state: *mut ffi::PyMonitoringState,
    codelike: *mut PyObject,
    offset: i32,
    value: *mut PyObject,
) -> c_int {
    // SAFETY: the callee has the same contract.
    into_status(unsafe { c_code::fire_stop_iteration(state, codelike, offset, value) })
}
