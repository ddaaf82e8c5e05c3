//! The symbols of `instrumentation.o` behind the functions of `sys.monitoring`, and those that create the module.

use core::ffi::c_int;

use super::attempt;
use crate::host::object::static_head;
use crate::host::owned::into_host;
use crate::host::{Code, Owned, PyObject, ThreadState, ffi};
use crate::instrument::events::{LOCAL_EVENTS, UNGROUPED_EVENTS};
use crate::instrument::{c_numbers, module, tools};

/// `sys.monitoring.DISABLE`, immortal. A callback that returns it is not called again for that event at this
/// location. Declared in `pycore_instruments.h`.
#[unsafe(no_mangle)]
pub static mut _PyInstrumentation_DISABLE: PyObject = static_head(&raw mut ffi::PyBaseObject_Type);

/// `sys.monitoring.MISSING`, immortal: stands for the first argument of a call without arguments. Declared in
/// `pycore_instruments.h`.
#[unsafe(no_mangle)]
pub static mut _PyInstrumentation_MISSING: PyObject = static_head(&raw mut ffi::PyBaseObject_Type);

/// Sets the events that a tool watches in all code to `events`. Declared in `pycore_instruments.h`.
///
/// Returns 0, or -1 with an exception set: SystemError if there is no such tool or event, ValueError if the
/// tool is not in use, OverflowError, MemoryError.
///
/// # Safety
/// The calling thread is attached and the world is stopped.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _PyMonitoring_SetEvents(
    tool_id: c_int,
    events: ffi::_PyMonitoringEventSet,
) -> c_int {
    // SAFETY: the thread is attached and the world stopped (caller).
    attempt(|| unsafe {
        let events = c_numbers::events(events, UNGROUPED_EVENTS)?;
        tools::set_events(ThreadState::current(), c_numbers::tool(tool_id)?, events)
    })
}

/// Sets the events that a tool watches in `code`, borrowed, to `events`. Declared in `pycore_instruments.h`.
///
/// Returns 0, or -1 with an exception set: SystemError if there is no such tool, if `events` has events that
/// are not local, or if `code` is code of the host that must not be instrumented; ValueError if the tool is
/// not in use; MemoryError.
///
/// # Safety
/// The calling thread is attached and the world is stopped; `code` is live.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _PyMonitoring_SetLocalEvents(
    code: *mut ffi::PyCodeObject,
    tool_id: c_int,
    events: ffi::_PyMonitoringEventSet,
) -> c_int {
    // SAFETY: the thread is attached, the world stopped and the code object live (caller).
    attempt(|| unsafe {
        let events = c_numbers::events(events, LOCAL_EVENTS)?;
        tools::set_local_events(interpreter(), Code::from_ptr(code), c_numbers::tool(tool_id)?, events)
    })
}

/// Stores the events that a tool watches in `code`, borrowed, to `*events`. Declared in `pycore_instruments.h`.
///
/// Returns 0, or -1 with an exception set: SystemError if there is no such tool, ValueError if it is not in use.
///
/// # Safety
/// The calling thread is attached; `code` is live; `events` is writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _PyMonitoring_GetLocalEvents(
    code: *mut ffi::PyCodeObject,
    tool_id: c_int,
    events: *mut ffi::_PyMonitoringEventSet,
) -> c_int {
    // SAFETY: the thread is attached, the code object live and `events` writable (caller).
    attempt(|| unsafe {
        let tool = c_numbers::tool(tool_id)?;
        *events = tools::checked_local_events(interpreter(), Code::from_ptr(code), tool)?.bits();
        Ok(())
    })
}

/// Sets the callback of a tool for an event to `obj`, borrowed; NULL removes it. Declared in
/// `pycore_instruments.h`.
///
/// Returns a new reference to the previous callback; NULL without an exception if there was none, NULL with an
/// exception set on failure: SystemError if there is no such tool or event, MemoryError.
///
/// # Safety
/// The calling thread is attached and has not stopped the world; `obj` is live or NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _PyMonitoring_RegisterCallback(
    tool_id: c_int,
    event_id: c_int,
    obj: *mut PyObject,
) -> *mut PyObject {
    // SAFETY: the thread is attached and `obj` live or null (caller).
    let before = unsafe {
        c_numbers::tool(tool_id)
            .and_then(|tool| tools::register_callback(interpreter(), tool, c_numbers::event(event_id)?, obj))
    };
    before.ok().flatten().map_or(core::ptr::null_mut(), Owned::into_ptr)
}

/// Removes all events that a tool watches, those in single code objects included, and its callbacks. Declared
/// in `instrumentation.c` only.
///
/// Returns 0, or -1 with an exception set: SystemError if there is no such tool, ValueError if it is not in use,
/// OverflowError, MemoryError.
///
/// # Safety
/// The calling thread is attached and has not stopped the world.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _PyMonitoring_ClearToolId(tool_id: c_int) -> c_int {
    // SAFETY: the thread is attached and has not stopped the world (caller).
    attempt(|| unsafe { tools::clear(ThreadState::current(), c_numbers::tool(tool_id)?) })
}

/// The interpreter of the calling thread.
///
/// # Safety
/// The thread is attached.
unsafe fn interpreter() -> *mut ffi::PyInterpreterState {
    // SAFETY: the thread is attached, so it has a live state (caller).
    unsafe { ThreadState::current().interp() }
}

/// Creates the module `sys.monitoring`. Returns a new reference, or NULL with an exception set if memory is
/// short. Called by `sysmodule.c`.
///
/// # Safety
/// The calling thread is attached, and its interpreter is being initialized.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _Py_CreateMonitoringObject() -> *mut PyObject {
    // SAFETY: the callee has the same contract.
    into_host(unsafe { module::create() })
}
