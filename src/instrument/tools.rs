//! The interpreter's state about tools (names, events, callbacks), and the functions that change it. Source:
//! `pycore_instruments.h`, PEP 669.
//!
//! Callers: `exports` (`_PyMonitoring_*`), and `module`, `calls` and `c_code` in this room.

use core::ffi::c_int;
use core::ptr::null_mut;
use core::sync::atomic::{AtomicPtr, Ordering};

use super::data::Monitoring;
use super::events::{Event, EventSet, Tool, ToolSet, UNGROUPED_EVENTS};
use super::monitors::{self, GlobalMonitors};
use super::{branches, version, writer};
use crate::host::lock::with_world_stopped;
use crate::host::object::size;
use crate::host::{Code, Owned, PyObject, PyResult, StackRef, ThreadState, ffi, refcount};
use crate::raise;

type Interpreter = *mut ffi::PyInterpreterState;

// --- the interpreter's monitors ----------------------------------------------------------------

/// The tools that watch `event` everywhere.
///
/// # Safety
/// The thread is attached to `interp`; `event` is an ungrouped event.
#[inline(always)]
pub(crate) unsafe fn tools_for(interp: Interpreter, event: Event) -> ToolSet {
    debug_assert!(event.number() < UNGROUPED_EVENTS);
    // SAFETY: `interp` is live, and the monitors stay as they are while the thread is attached (caller).
    unsafe { monitors::of_interpreter(interp).tools(event) }
}

/// The events that `tool` watches everywhere.
///
/// # Safety
/// The thread is attached to `interp`.
pub(crate) unsafe fn events_of(interp: Interpreter, tool: Tool) -> EventSet {
    // SAFETY: `interp` is live, and the monitors stay as they are while the thread is attached (caller).
    unsafe { monitors::of_interpreter(interp).events(tool) }
}

/// The events that `tool` watches in `code` only, besides those that it watches everywhere.
///
/// # Safety
/// The thread is attached and `code` is live.
pub(crate) unsafe fn local_events_of(code: Code, tool: Tool) -> EventSet {
    // SAFETY: `code` is live (caller).
    unsafe { Monitoring::of(code).map_or(EventSet::NONE, |data| data.local().load().events(tool)) }
}

/// The slot of the tool's name: an owned string, or null if the tool is not in use. Threads reserve tools at
/// any time, and release them while the world is stopped.
///
/// # Safety
/// `interp` is live.
pub(crate) unsafe fn name_slot<'a>(interp: Interpreter, tool: Tool) -> &'a AtomicPtr<PyObject> {
    // SAFETY: `interp` is live (caller), there is a slot for each tool, and all accesses are atomic.
    unsafe { AtomicPtr::from_ptr(&raw mut (*interp).monitoring_tool_names[tool.number()]) }
}

/// Fails with ValueError if the tool must be in use and is not.
///
/// # Safety
/// The thread is attached to `interp`.
unsafe fn check_in_use(interp: Interpreter, tool: Tool) -> PyResult<()> {
    // SAFETY: `interp` is live, and the thread is attached (caller).
    unsafe {
        if tool.is_for_programs() && name_slot(interp, tool).load(Ordering::Relaxed).is_null() {
            return Err(raise!(PyExc_ValueError, c"tool %d is not in use", tool.number() as c_int));
        }
    }
    Ok(())
}

/// Sets the events that `tool` watches everywhere, and instruments all code that is running. Fails with
/// ValueError if the tool is not in use, with OverflowError if there are no more versions, and with
/// MemoryError.
///
/// # Safety
/// The thread is attached, `tstate` is its state, the world is stopped, and `events` are ungrouped events.
pub(crate) unsafe fn set_events(tstate: ThreadState, tool: Tool, events: EventSet) -> PyResult<()> {
    // SAFETY: the world is stopped, so no other thread uses the monitors (caller).
    unsafe {
        let interp = tstate.interp();
        check_in_use(interp, tool)?;
        if events_of(interp, tool) == events {
            return Ok(());
        }
        let version = version::next(interp, 1)?;
        (*(&raw mut (*interp).monitors).cast::<GlobalMonitors>()).set_events(tool, events);
        version::set_global(tstate, version);
        #[cfg(py_tier2)]
        crate::seams::optimizer::invalidate_all(interp);
        writer::instrument_all_running(interp)
    }
}

/// Sets the events that `tool` watches in `code`, and instruments `code`. Fails with SystemError if `code` is
/// a shim of the host, with ValueError if the tool is not in use, and with MemoryError.
///
/// # Safety
/// The thread is attached to `interp`, the world is stopped, `code` is live, and `events` are local events.
pub(crate) unsafe fn set_local_events(
    interp: Interpreter,
    code: Code,
    tool: Tool,
    events: EventSet,
) -> PyResult<()> {
    // SAFETY: `code` is live, and the stopped world is exclusive access to it (caller).
    unsafe {
        let object = code.as_ptr();
        if (*object)._co_firsttraceable as isize >= size(code.object()) {
            return Err(raise!(
                PyExc_SystemError,
                c"cannot instrument shim code object '%U'",
                (*object).co_name
            ));
        }
        check_in_use(interp, tool)?;
        let data = Monitoring::get_or_create(code)?;
        data.set_tool_version(tool, (*interp).monitoring_tool_versions[tool.number()]);
        let mut local = data.local().load();
        if local.events(tool) == events {
            return Ok(());
        }
        local.set_events(tool, events);
        data.local().store(local);
        writer::instrument(code, interp)
    }
}

/// Removes all events of `tool`, in single code objects too, and its callbacks. Fails with OverflowError if
/// there are no more versions, and with MemoryError.
///
/// # Safety
/// The thread is attached, `tstate` is its state, and it has not stopped the world.
pub(crate) unsafe fn clear(tstate: ThreadState, tool: Tool) -> PyResult<()> {
    // SAFETY: `tstate` is the state of this thread, which is attached (caller). The closure runs while the
    // world is stopped.
    unsafe {
        let interp = tstate.interp();
        for event in Event::all() {
            drop(register_callback(interp, tool, event, null_mut())?);
        }
        with_world_stopped(interp, || {
            set_events(tstate, tool, EventSet::NONE)?;
            let version = version::next(interp, 1)?;
            // The tool's events in single code objects are outdated by this.
            (*interp).monitoring_tool_versions[tool.number()] = version.field();
            version::set_global(tstate, version);
            writer::instrument_all_running(interp)
        })
    }
}

/// Restores all events that were disabled at single locations. Fails with OverflowError if there are no more
/// versions, and with MemoryError.
///
/// # Safety
/// As for [`clear`].
pub(crate) unsafe fn restart_events(tstate: ThreadState) -> PyResult<()> {
    // SAFETY: `tstate` is the state of this thread, which is attached (caller). The closure runs while the
    // world is stopped.
    unsafe {
        let interp = tstate.interp();
        with_world_stopped(interp, || {
            // Greater than the versions of all code objects, and less than the version that they get.
            let restart = version::next(interp, 1)?;
            let version = version::next(interp, 2)?;
            (*interp).last_restart_version = restart.field();
            version::set_global(tstate, version);
            writer::instrument_all_running(interp)
        })
    }
}

// --- callbacks ---------------------------------------------------------------------------------

/// The slot of the callback of `tool` for `event`: an owned reference or null.
///
/// # Safety
/// `interp` is live.
unsafe fn callback_slot(interp: Interpreter, tool: Tool, event: Event) -> *mut *mut PyObject {
    // SAFETY: `interp` is live (caller), and the numbers are within the table.
    unsafe { &raw mut (*interp).monitoring_callables[tool.number()][event.number()] }
}

/// The callback of `tool` for `event`, if there is one. It is a new reference: while the callback runs, it or
/// another thread may register another one.
///
/// # Safety
/// The thread is attached to `interp`.
#[inline(always)]
pub(crate) unsafe fn callback(interp: Interpreter, tool: Tool, event: Event) -> Option<StackRef> {
    // SAFETY: `interp` is live (caller). The slot changes only while the world is stopped, and until then it
    // keeps the callback alive.
    unsafe {
        let callback = *callback_slot(interp, tool, event);
        (!callback.is_null()).then(|| StackRef::new(callback))
    }
}

/// Replaces the callback by `new`, and returns the one before.
///
/// # Safety
/// The thread is attached to `interp`, and the world is stopped. `new` is an owned reference, or null; this
/// function takes it over.
unsafe fn swap_callback(interp: Interpreter, tool: Tool, event: Event, new: *mut PyObject) -> Option<Owned> {
    // SAFETY: the world is stopped, so the slot is not in use. It owned its reference, and now owns `new`
    // (caller).
    unsafe { Owned::optional(core::ptr::replace(callback_slot(interp, tool, event), new)) }
}

/// Removes the callback.
///
/// # Safety
/// The thread is attached to `interp`, and has not stopped the world.
pub(crate) unsafe fn remove_callback(interp: Interpreter, tool: Tool, event: Event) {
    // SAFETY: the world is stopped for the swap. The old callback is dropped afterwards: its destructor may
    // run Python code.
    unsafe { drop(with_world_stopped(interp, || swap_callback(interp, tool, event, null_mut()))) }
}

/// Registers `callback` (borrowed; null: removes the callback), and returns the one before. BRANCH registers
/// a handler for each of BRANCH_LEFT and BRANCH_RIGHT. Fails with MemoryError.
///
/// # Safety
/// The thread is attached to `interp`, and has not stopped the world; `callback` is live or null.
pub(crate) unsafe fn register_callback(
    interp: Interpreter,
    tool: Tool,
    event: Event,
    callback: *mut PyObject,
) -> PyResult<Option<Owned>> {
    // SAFETY: `callback` is live or null (caller). `swap_callback` gets a new reference, and runs while the
    // world is stopped.
    let before = unsafe {
        if event == Event::BRANCH {
            let (left, right) = branches::handlers(callback)?;
            let (before, other) = with_world_stopped(interp, || {
                let other = swap_callback(interp, tool, Event::BRANCH_RIGHT, right);
                (swap_callback(interp, tool, Event::BRANCH_LEFT, left), other)
            });
            drop(other);
            before
        } else {
            refcount::xincref(callback);
            with_world_stopped(interp, || swap_callback(interp, tool, event, callback))
        }
    };
    Ok(before.map(branches::unwrap_handler))
}

/// The events that `tool` watches in `code`. Fails with ValueError if the tool is not in use.
///
/// # Safety
/// The thread is attached to `interp`, and `code` is live.
pub(crate) unsafe fn checked_local_events(interp: Interpreter, code: Code, tool: Tool) -> PyResult<EventSet> {
    // SAFETY: the thread is attached, and `interp` and `code` are live (caller).
    unsafe {
        check_in_use(interp, tool)?;
        Ok(local_events_of(code, tool))
    }
}
