//! What tools watch and whom they call back: the interpreter's state, and the host's functions that
//! change it. Source: `pycore_instruments.h`, PEP 669.

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

/// The tools that watch `event`, an ungrouped one, wherever it happens.
///
/// # Safety
/// The interpreter is live and the thread attached.
#[inline(always)]
pub(crate) unsafe fn tools_for(interp: Interpreter, event: Event) -> ToolSet {
    debug_assert!(event.number() < UNGROUPED_EVENTS);
    // SAFETY: the caller's promise.
    unsafe { monitors::of_interpreter(interp).tools(event) }
}

/// The events that `tool` watches wherever they happen.
///
/// # Safety
/// The interpreter is live and the thread attached.
pub(crate) unsafe fn events_of(interp: Interpreter, tool: Tool) -> EventSet {
    // SAFETY: the caller's promise.
    unsafe { monitors::of_interpreter(interp).events(tool) }
}

/// The events that `tool` watches in `code`, besides those.
///
/// # Safety
/// The code object is live and the thread attached.
pub(crate) unsafe fn local_events_of(code: Code, tool: Tool) -> EventSet {
    // SAFETY: the caller's promise.
    unsafe { Monitoring::of(code).map_or(EventSet::NONE, |data| data.local().load().events(tool)) }
}

/// Where the interpreter keeps who has reserved the tool: an owned string, or null. Threads reserve tools at
/// any time, and give them back while the world is stopped.
///
/// # Safety
/// The interpreter is live.
pub(crate) unsafe fn name_slot<'a>(interp: Interpreter, tool: Tool) -> &'a AtomicPtr<PyObject> {
    // SAFETY: the caller's promise; there is a slot for each tool.
    unsafe { AtomicPtr::from_ptr(&raw mut (*interp).monitoring_tool_names[tool.number()]) }
}

/// Fails with ValueError if the tool must be reserved first.
unsafe fn check_in_use(interp: Interpreter, tool: Tool) -> PyResult<()> {
    // SAFETY: the interpreter is live.
    unsafe {
        if tool.is_for_programs() && name_slot(interp, tool).load(Ordering::Relaxed).is_null() {
            return Err(raise!(PyExc_ValueError, c"tool %d is not in use", tool.number() as c_int));
        }
    }
    Ok(())
}

/// Makes `events`, ungrouped ones, those that `tool` watches wherever they happen, and instruments all
/// code that runs.
///
/// # Safety
/// The thread is attached and the world is stopped.
pub(crate) unsafe fn set_events(tstate: ThreadState, tool: Tool, events: EventSet) -> PyResult<()> {
    // SAFETY: the caller's promise.
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
        ffi::_Py_Executors_InvalidateAll(interp, 1);
        writer::instrument_all_running(interp)
    }
}

/// Makes `events`, local ones, those that `tool` watches in `code`, and instruments it.
///
/// # Safety
/// The thread is attached, `code` is live, and the world is stopped.
pub(crate) unsafe fn set_local_events(
    interp: Interpreter,
    code: Code,
    tool: Tool,
    events: EventSet,
) -> PyResult<()> {
    // SAFETY: the caller's promise.
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

/// Ends what `tool` watches everywhere, code objects included, and its callbacks.
///
/// # Safety
/// The thread is attached.
pub(crate) unsafe fn clear(tstate: ThreadState, tool: Tool) -> PyResult<()> {
    // SAFETY: the caller's promise.
    unsafe {
        let interp = tstate.interp();
        for event in Event::all() {
            drop(register_callback(interp, tool, event, null_mut())?);
        }
        with_world_stopped(interp, || {
            set_events(tstate, tool, EventSet::NONE)?;
            let version = version::next(interp, 1)?;
            // Every code object's own events of the tool are outdated by this.
            (*interp).monitoring_tool_versions[tool.number()] = version.field();
            version::set_global(tstate, version);
            writer::instrument_all_running(interp)
        })
    }
}

/// Brings back all events that were disabled at single locations.
///
/// # Safety
/// The thread is attached.
pub(crate) unsafe fn restart_events(tstate: ThreadState) -> PyResult<()> {
    // SAFETY: the caller's promise.
    unsafe {
        let interp = tstate.interp();
        with_world_stopped(interp, || {
            // Between the versions of all code objects and the one that they get.
            let restart = version::next(interp, 1)?;
            let version = version::next(interp, 2)?;
            (*interp).last_restart_version = restart.field();
            version::set_global(tstate, version);
            writer::instrument_all_running(interp)
        })
    }
}

// --- callbacks ---------------------------------------------------------------------------------

/// Where the interpreter keeps whom `tool` wants called for `event`: an owned reference or null.
unsafe fn callback_slot(interp: Interpreter, tool: Tool, event: Event) -> *mut *mut PyObject {
    // SAFETY: the interpreter is live, and the numbers are within its table.
    unsafe { &raw mut (*interp).monitoring_callables[tool.number()][event.number()] }
}

/// Whom to call for `event`, if anybody. The reference is the caller's: while he calls, another thread, or the
/// callback itself, may put another one in its place.
///
/// # Safety
/// The interpreter is live and the thread attached.
#[inline(always)]
pub(crate) unsafe fn callback(interp: Interpreter, tool: Tool, event: Event) -> Option<StackRef> {
    // SAFETY: the caller's promise; what is in the slot stays there at least until the world is stopped.
    unsafe {
        let callback = *callback_slot(interp, tool, event);
        (!callback.is_null()).then(|| StackRef::new(callback))
    }
}

/// Makes `new` (owned, or null for nobody) the callback, while the world is stopped; gives the one before.
unsafe fn swap_callback(interp: Interpreter, tool: Tool, event: Event, new: *mut PyObject) -> Option<Owned> {
    // SAFETY: the caller owns `new`; the slot's reference becomes his.
    unsafe { Owned::optional(core::ptr::replace(callback_slot(interp, tool, event), new)) }
}

/// Takes the callback away.
///
/// # Safety
/// The interpreter is live and the thread attached.
pub(crate) unsafe fn remove_callback(interp: Interpreter, tool: Tool, event: Event) {
    // SAFETY: the caller's promise. What a destructor does comes when the world runs again.
    unsafe { drop(with_world_stopped(interp, || swap_callback(interp, tool, event, null_mut()))) }
}

/// Makes `callback` (null: nobody) the one that is called for `event`; gives the one before. BRANCH is
/// registered for both ways of a branch.
///
/// # Safety
/// The thread is attached; `callback` is live or null.
pub(crate) unsafe fn register_callback(
    interp: Interpreter,
    tool: Tool,
    event: Event,
    callback: *mut PyObject,
) -> PyResult<Option<Owned>> {
    // SAFETY: the caller's promise.
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
/// The thread is attached, and `code` is live.
pub(crate) unsafe fn checked_local_events(interp: Interpreter, code: Code, tool: Tool) -> PyResult<EventSet> {
    // SAFETY: the caller's promise.
    unsafe {
        check_in_use(interp, tool)?;
        Ok(local_events_of(code, tool))
    }
}
