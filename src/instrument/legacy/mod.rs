//! `sys.settrace` and `sys.setprofile`: two tools, whose callbacks call the trace and the profile
//! function of the thread in which an event happens.
//!
//! Replaces `legacy_tracing.o`. Called by the host (`sys`, frame objects), and by C programs
//! through `PyEval_SetTrace` and its like.
//!
//! The functions belong to threads, the two tools to the interpreter: the tool's callbacks are
//! registered once, and its events are on while any thread has a function.

pub(crate) mod handler;
mod profile;
pub(crate) mod trace;

use core::ffi::{CStr, c_int, c_void};
use core::sync::atomic::{AtomicU8, Ordering};

use self::handler::Subscription;
use super::events::{Event, EventSet, Tool};
use crate::host::lock::with_world_stopped;
use crate::host::owned::check;
use crate::host::{Owned, PyObject, PyResult, Raised, ThreadState, ffi};
use crate::seams;

/// One of the two kinds of functions, with all in which they differ.
pub(crate) trait Kind {
    /// The tool through which the functions hear of events.
    const TOOL: Tool;
    /// The name of the audit event of installing a function.
    const AUDIT: &CStr;
    /// The tool's callbacks.
    const SUBSCRIPTIONS: &[Subscription];
    /// Events that are not wanted everywhere, but in code objects that ask for them.
    const ON_DEMAND: EventSet;
    /// Events that are wanted everywhere while a thread has a function.
    const EVERYWHERE: EventSet = global_events(Self::SUBSCRIPTIONS, Self::ON_DEMAND);

    /// The thread's function and the object that it is called with.
    fn slots(tstate: *mut ffi::PyThreadState) -> (*mut ffi::Py_tracefunc, *mut *mut PyObject);
    /// How many threads of the interpreter have a function.
    fn users(interp: *mut ffi::PyInterpreterState) -> *mut ffi::Py_ssize_t;
    /// Whether the callbacks have been registered.
    fn registered(interp: *mut ffi::PyInterpreterState) -> *mut ffi::_PyOnceFlag;

    /// What else a thread needs that has a function now.
    ///
    /// # Safety
    /// The world is stopped, and the thread's frames are published.
    unsafe fn prepare_thread(tstate: ThreadState) -> PyResult<()>;
}

/// `sys.setprofile`.
pub(crate) struct Profile;

impl Kind for Profile {
    const TOOL: Tool = Tool::SYS_PROFILE;
    const AUDIT: &CStr = c"sys.setprofile";
    const SUBSCRIPTIONS: &[Subscription] = profile::SUBSCRIPTIONS;
    const ON_DEMAND: EventSet = EventSet::NONE;

    fn slots(tstate: *mut ffi::PyThreadState) -> (*mut ffi::Py_tracefunc, *mut *mut PyObject) {
        // SAFETY: addresses of fields only.
        unsafe { (&raw mut (*tstate).c_profilefunc, &raw mut (*tstate).c_profileobj) }
    }

    fn users(interp: *mut ffi::PyInterpreterState) -> *mut ffi::Py_ssize_t {
        // SAFETY: the address of a field only.
        unsafe { &raw mut (*interp).sys_profiling_threads }
    }

    fn registered(interp: *mut ffi::PyInterpreterState) -> *mut ffi::_PyOnceFlag {
        // SAFETY: the address of a field only.
        unsafe { &raw mut (*interp).sys_profile_once_flag }
    }

    unsafe fn prepare_thread(_tstate: ThreadState) -> PyResult<()> {
        Ok(())
    }
}

/// `sys.settrace`.
pub(crate) struct Trace;

impl Kind for Trace {
    const TOOL: Tool = Tool::SYS_TRACE;
    const AUDIT: &CStr = c"sys.settrace";
    const SUBSCRIPTIONS: &[Subscription] = trace::SUBSCRIPTIONS;
    const ON_DEMAND: EventSet = EventSet::NONE.with(Event::INSTRUCTION);

    fn slots(tstate: *mut ffi::PyThreadState) -> (*mut ffi::Py_tracefunc, *mut *mut PyObject) {
        // SAFETY: addresses of fields only.
        unsafe { (&raw mut (*tstate).c_tracefunc, &raw mut (*tstate).c_traceobj) }
    }

    fn users(interp: *mut ffi::PyInterpreterState) -> *mut ffi::Py_ssize_t {
        // SAFETY: the address of a field only.
        unsafe { &raw mut (*interp).sys_tracing_threads }
    }

    fn registered(interp: *mut ffi::PyInterpreterState) -> *mut ffi::_PyOnceFlag {
        // SAFETY: the address of a field only.
        unsafe { &raw mut (*interp).sys_trace_once_flag }
    }

    unsafe fn prepare_thread(tstate: ThreadState) -> PyResult<()> {
        // SAFETY: the caller's promise.
        unsafe { trace::want_opcodes_of_innermost_frame(tstate) }
    }
}

/// The events that a tool with these callbacks is told of everywhere. C_RETURN and C_RAISE are not
/// asked for: they come with CALL.
const fn global_events(subscriptions: &[Subscription], on_demand: EventSet) -> EventSet {
    let mut registered = EventSet::NONE;
    let mut everywhere = EventSet::NONE;
    let mut remaining = subscriptions;
    while let [subscription, others @ ..] = remaining {
        let mut events = subscription.events;
        while let [event, rest @ ..] = events {
            assert!(!registered.contains(*event), "an event has one callback");
            registered = registered.with(*event);
            if event.watched_as().number() == event.number() && !on_demand.contains(*event) {
                everywhere = everywhere.with(*event);
            }
            events = rest;
        }
        remaining = others;
    }
    everywhere
}

/// Tells the audit hooks, and registers the callbacks if this is the first function of its kind.
unsafe fn begin<K: Kind>(interp: *mut ffi::PyInterpreterState) -> PyResult<()> {
    unsafe extern "C" fn register<K: Kind>(_: *mut c_void) -> c_int {
        // SAFETY: the thread is attached while it sets a function.
        match unsafe { handler::register_all(K::TOOL, K::SUBSCRIPTIONS) } {
            Ok(()) => 0,
            Err(Raised) => -1,
        }
    }
    // SAFETY: the interpreter is live; the host's once flag runs one registration at a time.
    unsafe {
        let no_arguments = core::ptr::null::<core::ffi::c_char>();
        check(ffi::_PySys_Audit(ThreadState::current().as_ptr(), K::AUDIT.as_ptr(), no_arguments))?;
        let flag = K::registered(interp);
        let done = AtomicU8::from_ptr(&raw mut (*flag).v).load(Ordering::SeqCst);
        if u32::from(done) != ffi::_Py_ONCE_INITIALIZED {
            check(ffi::_PyOnceFlag_CallOnceSlow(flag, Some(register::<K>), core::ptr::null_mut()))?;
        }
    }
    Ok(())
}

/// Puts `function` and `object` (either may be null) into the thread's slots and gives the object that was
/// there.
unsafe fn exchange<K: Kind>(
    tstate: ThreadState,
    function: ffi::Py_tracefunc,
    object: *mut PyObject,
) -> Option<Owned> {
    // SAFETY: the world is stopped and the thread is live; the slot owns what it holds.
    unsafe {
        let (function_slot, object_slot) = K::slots(tstate.as_ptr());
        let before = core::mem::replace(&mut *function_slot, function);
        *K::users(tstate.interp()) += isize::from(function.is_some()) - isize::from(before.is_some());
        let object = if object.is_null() { object } else { Owned::new_ref(object).into_ptr() };
        Owned::optional(core::mem::replace(&mut *object_slot, object))
    }
}

/// Turns the tool's events on if any thread has a function, else off.
unsafe fn update_events<K: Kind>(interp: *mut ffi::PyInterpreterState) -> PyResult<()> {
    // SAFETY: the world is stopped, and the interpreter is the attached thread's.
    unsafe {
        let events = match *K::users(interp) {
            0 => EventSet::NONE,
            _ => K::EVERYWHERE,
        };
        seams::instrumentation::set_events(K::TOOL.number(), events.bits())?;
    }
    Ok(())
}

/// Sets the function of one thread.
///
/// # Safety
/// The calling thread is attached, `tstate` is live and of the same interpreter, `object` is live or null.
pub(crate) unsafe fn set<K: Kind>(
    tstate: ThreadState,
    function: ffi::Py_tracefunc,
    object: *mut PyObject,
) -> PyResult<()> {
    // SAFETY: the caller's promise; the old object goes when the world runs again, for that may run
    // Python code.
    unsafe {
        let interp = tstate.interp();
        begin::<K>(interp)?;
        let (_old, result) = with_world_stopped(interp, || {
            let old = exchange::<K>(tstate, function, object);
            let result = update_events::<K>(interp).and_then(|()| match *K::users(interp) {
                0 => Ok(()),
                _ => K::prepare_thread(tstate),
            });
            (old, result)
        });
        result
    }
}

/// Sets the functions of all threads of the interpreter, or of none if memory is short.
///
/// # Safety
/// The thread is attached to the interpreter; `object` is live or null.
pub(crate) unsafe fn set_all<K: Kind>(
    interp: *mut ffi::PyInterpreterState,
    function: ffi::Py_tracefunc,
    object: *mut PyObject,
) -> PyResult<()> {
    let mut old = Vec::new();
    // SAFETY: as for `set`. Nothing that is done while the list of threads is locked waits for a thread.
    unsafe {
        begin::<K>(interp)?;
        with_world_stopped(interp, || {
            ThreadState::with_all(interp, |threads| {
                if old.try_reserve_exact(threads.clone().count()).is_err() {
                    ffi::PyErr_NoMemory();
                    return Err(Raised);
                }
                old.extend(threads.clone().map(|thread| exchange::<K>(thread, function, object)));
                if *K::users(interp) == 0 {
                    return Ok(());
                }
                threads.into_iter().try_for_each(|thread| K::prepare_thread(thread))
            })?;
            update_events::<K>(interp)
        })
    }
}

/// Calls `function` with the tuple `arguments`, traced even if tracing is suspended.
///
/// # Safety
/// The thread is attached; `function` and the tuple `arguments` are live.
pub(crate) unsafe fn call_traced(function: *mut PyObject, arguments: *mut PyObject) -> PyResult {
    // SAFETY: the contract of this function.
    unsafe {
        let tstate = ThreadState::current().as_ptr();
        let suspended = core::mem::replace(&mut (*tstate).tracing, 0);
        let result = ffi::PyObject_Call(function, arguments, core::ptr::null_mut());
        (*tstate).tracing = suspended;
        Owned::from_host(result)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn events<K: Kind>() -> Vec<Event> {
        Event::all().filter(|&event| K::EVERYWHERE.contains(event)).collect()
    }

    #[test]
    fn profile_functions_hear_of_calls_and_returns() {
        let expected = [
            Event::PY_START,
            Event::PY_RESUME,
            Event::PY_RETURN,
            Event::PY_YIELD,
            Event::CALL,
            Event::PY_UNWIND,
            Event::PY_THROW,
        ];
        assert_eq!(events::<Profile>(), expected);
    }

    #[test]
    fn trace_functions_hear_of_lines_and_exceptions() {
        let expected = [
            Event::PY_START,
            Event::PY_RESUME,
            Event::PY_RETURN,
            Event::PY_YIELD,
            Event::LINE,
            Event::JUMP,
            Event::STOP_ITERATION,
            Event::RAISE,
            Event::PY_UNWIND,
            Event::PY_THROW,
        ];
        assert_eq!(events::<Trace>(), expected);
    }
}
