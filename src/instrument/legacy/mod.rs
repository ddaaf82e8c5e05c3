//! `sys.settrace` and `sys.setprofile`: two tools whose callbacks call the trace or profile function of the
//! thread in which an event fires.
//!
//! Stands for `legacy_tracing.o`. Callers: `exports`, for the C symbols, which the host (`sys`, frame
//! objects) and C programs (`PyEval_SetTrace` and similar) call. The code here calls `instrumentation.o` and
//! `ceval.o` through [`crate::seams`].
//!
//! The functions belong to threads, the two tools to the interpreter. A tool's callbacks are registered once,
//! and its events are on while any thread has a function.

pub(crate) mod callback;
mod profile;
pub(crate) mod trace;

use core::ffi::{CStr, c_int, c_void};
use core::sync::atomic::{AtomicU8, Ordering};

use self::callback::Subscription;
use super::events::{Event, EventSet, Tool};
use crate::host::lock::with_world_stopped;
use crate::host::owned::check;
use crate::host::{Owned, PyObject, PyResult, Raised, ThreadState, ffi};
use crate::seams;

/// One of the two kinds of functions: all that differs between them.
pub(crate) trait Kind {
    /// The tool whose callbacks call the functions.
    const TOOL: Tool;
    /// The name of the audit event for setting a function.
    const AUDIT: &CStr;
    /// The tool's callbacks.
    const SUBSCRIPTIONS: &[Subscription];
    /// Events that are on only in code objects for which they are requested.
    const ON_DEMAND: EventSet;
    /// Events that are on everywhere while a thread has a function.
    const EVERYWHERE: EventSet = global_events(Self::SUBSCRIPTIONS, Self::ON_DEMAND);

    /// The fields of the thread's function and of the object that is passed to it.
    fn slots(tstate: *mut ffi::PyThreadState) -> (*mut ffi::Py_tracefunc, *mut *mut PyObject);
    /// The field with the number of threads of the interpreter that have a function.
    fn users(interp: *mut ffi::PyInterpreterState) -> *mut ffi::Py_ssize_t;
    /// The flag that says whether the callbacks have been registered.
    fn registered(interp: *mut ffi::PyInterpreterState) -> *mut ffi::_PyOnceFlag;

    /// Prepares a thread that now has a function. Fails with MemoryError.
    ///
    /// # Safety
    /// The calling thread is attached and has stopped the world; `tstate` is live, of the same interpreter,
    /// and its frames are published.
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
        // SAFETY: only the addresses of fields are taken.
        unsafe { (&raw mut (*tstate).c_profilefunc, &raw mut (*tstate).c_profileobj) }
    }

    fn users(interp: *mut ffi::PyInterpreterState) -> *mut ffi::Py_ssize_t {
        // SAFETY: only the address of a field is taken.
        unsafe { &raw mut (*interp).sys_profiling_threads }
    }

    fn registered(interp: *mut ffi::PyInterpreterState) -> *mut ffi::_PyOnceFlag {
        // SAFETY: only the address of a field is taken.
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
        // SAFETY: only the addresses of fields are taken.
        unsafe { (&raw mut (*tstate).c_tracefunc, &raw mut (*tstate).c_traceobj) }
    }

    fn users(interp: *mut ffi::PyInterpreterState) -> *mut ffi::Py_ssize_t {
        // SAFETY: only the address of a field is taken.
        unsafe { &raw mut (*interp).sys_tracing_threads }
    }

    fn registered(interp: *mut ffi::PyInterpreterState) -> *mut ffi::_PyOnceFlag {
        // SAFETY: only the address of a field is taken.
        unsafe { &raw mut (*interp).sys_trace_once_flag }
    }

    unsafe fn prepare_thread(tstate: ThreadState) -> PyResult<()> {
        // SAFETY: the world is stopped, and `tstate` is live with its frames published (the trait's
        // contract).
        unsafe { trace::want_opcodes_of_innermost_frame(tstate) }
    }
}

/// The events that a tool with these callbacks must watch everywhere. C_RETURN and C_RAISE are left out: they
/// come with CALL.
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

/// Runs the audit hooks, and registers the callbacks if this is the first function of its kind. Fails with a
/// hook's exception, or MemoryError.
///
/// # Safety
/// The thread is attached to `interp`, and has not stopped the world.
unsafe fn begin<K: Kind>(interp: *mut ffi::PyInterpreterState) -> PyResult<()> {
    /// # Safety
    /// The thread is attached.
    unsafe extern "C" fn register<K: Kind>(_: *mut c_void) -> c_int {
        // SAFETY: the thread is attached (caller).
        match unsafe { callback::register_all(K::TOOL, K::SUBSCRIPTIONS) } {
            Ok(()) => 0,
            Err(Raised) => -1,
        }
    }
    // SAFETY: the thread is attached to `interp` (caller); the host's once flag runs one registration at a
    // time.
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

/// Sets the function and the object (borrowed; both may be null) of the thread `tstate`, and returns its
/// former object.
///
/// # Safety
/// The calling thread is attached and has stopped the world; `tstate` is live and of the same interpreter;
/// `object` is live or null.
unsafe fn exchange<K: Kind>(
    tstate: ThreadState,
    function: ffi::Py_tracefunc,
    object: *mut PyObject,
) -> Option<Owned> {
    // SAFETY: `tstate` is live, and its thread does not run (caller). The slot owns what it holds.
    unsafe {
        let (function_slot, object_slot) = K::slots(tstate.as_ptr());
        let before = core::mem::replace(&mut *function_slot, function);
        *K::users(tstate.interp()) += isize::from(function.is_some()) - isize::from(before.is_some());
        let object = if object.is_null() { object } else { Owned::new_ref(object).into_ptr() };
        Owned::optional(core::mem::replace(&mut *object_slot, object))
    }
}

/// Turns the tool's events on if any thread has a function, otherwise off. Fails with OverflowError or
/// MemoryError.
///
/// # Safety
/// The thread is attached to `interp`, and has stopped the world.
unsafe fn update_events<K: Kind>(interp: *mut ffi::PyInterpreterState) -> PyResult<()> {
    // SAFETY: the thread is attached to `interp`, and the world is stopped (caller).
    unsafe {
        let events = match *K::users(interp) {
            0 => EventSet::NONE,
            _ => K::EVERYWHERE,
        };
        seams::instrumentation::set_events(K::TOOL.number(), events.bits())?;
    }
    Ok(())
}

/// Sets the function of the thread `tstate`. Fails with an audit hook's exception, OverflowError or
/// MemoryError.
///
/// # Safety
/// The calling thread is attached and has not stopped the world; `tstate` is live and of the same
/// interpreter; `object` is live or null.
pub(crate) unsafe fn set<K: Kind>(
    tstate: ThreadState,
    function: ffi::Py_tracefunc,
    object: *mut PyObject,
) -> PyResult<()> {
    // SAFETY: `tstate` is live (caller), and the world is stopped for all that changes it. The old object is
    // dropped when the world runs again: its destructor may run Python code.
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

/// Sets the functions of all threads of the interpreter. Fails as [`set`] does. If there is no memory to keep
/// the old objects, no function changes. If memory is short later, the functions are set, and as in [`set`], the
/// tool's events before those that single code objects request.
///
/// # Safety
/// The calling thread is attached to `interp` and has not stopped the world; `object` is live or null.
pub(crate) unsafe fn set_all<K: Kind>(
    interp: *mut ffi::PyInterpreterState,
    function: ffi::Py_tracefunc,
    object: *mut PyObject,
) -> PyResult<()> {
    let mut old = Vec::new();
    // SAFETY: as for `set`. Nothing waits for another thread while the list of threads is locked.
    unsafe {
        begin::<K>(interp)?;
        with_world_stopped(interp, || {
            ThreadState::with_all(interp, |threads| {
                if old.try_reserve_exact(threads.clone().count()).is_err() {
                    ffi::PyErr_NoMemory();
                    return Err(Raised);
                }
                old.extend(threads.map(|thread| exchange::<K>(thread, function, object)));
                Ok(())
            })?;
            update_events::<K>(interp)?;
            ThreadState::with_all(interp, |mut threads| match *K::users(interp) {
                0 => Ok(()),
                _ => threads.try_for_each(|thread| K::prepare_thread(thread)),
            })
        })
    }
}

/// Calls `function` with the tuple `arguments`, with events on even if they are suspended in this thread.
///
/// # Safety
/// The thread is attached; `function` and the tuple `arguments` are live.
pub(crate) unsafe fn call_traced(function: *mut PyObject, arguments: *mut PyObject) -> PyResult {
    // SAFETY: the thread is attached, and both objects are live (caller).
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
