//! The `sys.monitoring` module: its methods, and the names of tools. Source: PEP 669; texts of errors and
//! signatures are the host's.
//!
//! Callers: `exports` for `_Py_CreateMonitoringObject`. The host calls the methods. `# Safety` of each method: the
//! thread is attached, and the arguments are live and are passed as the method's flags say.

use core::ffi::{CStr, c_int};
use core::ptr::null_mut;
use core::sync::atomic::{AtomicPtr, Ordering};

use super::events::{EVENTS, Event, EventSet, LOCAL_EVENTS, Tool, UNGROUPED_EVENTS};
use super::tools;
use crate::host::lock::with_world_stopped;
use crate::host::object::{has_feature, is_exact, static_head};
use crate::host::owned::{check, exception_is_set, into_host};
use crate::host::{Code, Owned, PyObject, PyResult, Raised, ThreadState, ffi, none, small_int};
use crate::raise;
use crate::seams;

// --- the module --------------------------------------------------------------------------------

static mut MODULE: ffi::PyModuleDef = {
    // SAFETY: integers, pointers and optional functions, for which zero is a value.
    let mut module: ffi::PyModuleDef = unsafe { core::mem::zeroed() };
    module.m_base.ob_base = static_head(null_mut());
    module.m_name = c"sys.monitoring".as_ptr();
    module.m_size = -1;
    module.m_methods = (&raw mut METHODS).cast();
    module
};

/// The tools with a conventional purpose.
const CONVENTIONAL_TOOLS: [(&CStr, u32); 4] = [
    (c"DEBUGGER_ID", ffi::PY_MONITORING_DEBUGGER_ID),
    (c"COVERAGE_ID", ffi::PY_MONITORING_COVERAGE_ID),
    (c"PROFILER_ID", ffi::PY_MONITORING_PROFILER_ID),
    (c"OPTIMIZER_ID", ffi::PY_MONITORING_OPTIMIZER_ID),
];

/// Creates the module `sys.monitoring`. Fails with MemoryError.
///
/// # Safety
/// The thread is attached.
pub(crate) unsafe fn create() -> PyResult {
    // SAFETY: the thread is attached (caller); the definition of the module is complete and static.
    unsafe {
        let version = ffi::PYTHON_API_VERSION as c_int;
        let module = Owned::from_host(ffi::_PyModule_CreateInitialized(&raw mut MODULE, version))?;
        set_attribute(&module, c"DISABLE", seams::instrumentation::disable())?;
        set_attribute(&module, c"MISSING", seams::instrumentation::missing())?;
        let events = Owned::from_host(ffi::_PyNamespace_New(null_mut()))?;
        set_attribute(&module, c"events", events.as_ptr())?;
        for event in Event::all() {
            set_attribute(&events, event.name(), int(EventSet::NONE.with(event).bits().into())?.as_ptr())?;
        }
        set_attribute(&events, c"NO_EVENTS", int(0)?.as_ptr())?;
        for (name, tool) in CONVENTIONAL_TOOLS {
            set_attribute(&module, name, int(tool.into())?.as_ptr())?;
        }
        Ok(module)
    }
}

/// # Safety
/// The thread is attached, and `value` is live.
unsafe fn set_attribute(object: &Owned, name: &CStr, value: *mut PyObject) -> PyResult<()> {
    // SAFETY: the thread is attached, and `value` is live (caller).
    check(unsafe { ffi::PyObject_SetAttrString(object.as_ptr(), name.as_ptr(), value) })?;
    Ok(())
}

// --- its methods -------------------------------------------------------------------------------

type NoArguments = unsafe extern "C" fn(*mut PyObject, *mut PyObject) -> *mut PyObject;
type OneArgument = NoArguments;
type Arguments = unsafe extern "C" fn(*mut PyObject, *const *mut PyObject, isize) -> *mut PyObject;

const fn method(name: &CStr, entry: ffi::PyCFunction, flags: u32, signature: &CStr) -> ffi::PyMethodDef {
    assert!(starts_with(signature.to_bytes(), name.to_bytes()), "the signature is this method's");
    ffi::PyMethodDef {
        ml_name: name.as_ptr(),
        ml_meth: entry,
        ml_flags: flags as c_int,
        ml_doc: signature.as_ptr(),
    }
}

const fn starts_with(text: &[u8], start: &[u8]) -> bool {
    let mut index = 0;
    while index < start.len() {
        if index >= text.len() || text[index] != start[index] {
            return false;
        }
        index += 1;
    }
    true
}

const fn without(name: &CStr, entry: NoArguments, signature: &CStr) -> ffi::PyMethodDef {
    method(name, Some(entry), ffi::METH_NOARGS, signature)
}

const fn with_one(name: &CStr, entry: OneArgument, signature: &CStr) -> ffi::PyMethodDef {
    method(name, Some(entry), ffi::METH_O, signature)
}

const fn with(name: &CStr, entry: Arguments, signature: &CStr) -> ffi::PyMethodDef {
    // SAFETY: a `PyCFunction` holds functions of all signatures; METH_FASTCALL is the flag of this one.
    let entry = unsafe { core::mem::transmute::<Arguments, ffi::PyCFunction>(entry) };
    method(name, entry, ffi::METH_FASTCALL, signature)
}

/// The methods, in the order in which the module lists them.
static mut METHODS: [ffi::PyMethodDef; 12] = [
    with(USE_TOOL_ID, use_tool_id, c"use_tool_id($module, tool_id, name, /)\n--\n\n"),
    with_one(c"clear_tool_id", clear_tool_id, c"clear_tool_id($module, tool_id, /)\n--\n\n"),
    with_one(c"free_tool_id", free_tool_id, c"free_tool_id($module, tool_id, /)\n--\n\n"),
    with_one(c"get_tool", get_tool, c"get_tool($module, tool_id, /)\n--\n\n"),
    with(
        REGISTER_CALLBACK,
        register_callback,
        c"register_callback($module, tool_id, event, func, /)\n--\n\n",
    ),
    with_one(c"get_events", get_events, c"get_events($module, tool_id, /)\n--\n\n"),
    with(SET_EVENTS, set_events, c"set_events($module, tool_id, event_set, /)\n--\n\n"),
    with(GET_LOCAL_EVENTS, get_local_events, c"get_local_events($module, tool_id, code, /)\n--\n\n"),
    with(
        SET_LOCAL_EVENTS,
        set_local_events,
        c"set_local_events($module, tool_id, code, event_set, /)\n--\n\n",
    ),
    without(c"restart_events", restart_events, c"restart_events($module, /)\n--\n\n"),
    without(c"_all_events", all_events, c"_all_events($module, /)\n--\n\n"),
    ffi::PyMethodDef { ml_name: core::ptr::null(), ml_meth: None, ml_flags: 0, ml_doc: core::ptr::null() },
];

const USE_TOOL_ID: &CStr = c"use_tool_id";
const REGISTER_CALLBACK: &CStr = c"register_callback";
const SET_EVENTS: &CStr = c"set_events";
const GET_LOCAL_EVENTS: &CStr = c"get_local_events";
const SET_LOCAL_EVENTS: &CStr = c"set_local_events";

/// # Safety
/// As the module says.
unsafe extern "C" fn use_tool_id(
    _: *mut PyObject,
    args: *const *mut PyObject,
    count: isize,
) -> *mut PyObject {
    // SAFETY: the thread is attached, and the `count` arguments are live, as the module says.
    answer(|| unsafe {
        let [tool, name] = exactly(USE_TOOL_ID, args, count)?;
        let tool = number(tool)?;
        let tool = program_tool(tool)?;
        if !has_feature(name, ffi::Py_TPFLAGS_UNICODE_SUBCLASS) {
            return Err(raise!(PyExc_ValueError, c"tool name must be a str"));
        }
        reserve(tool, Owned::new_ref(name))?;
        Ok(nothing())
    })
}

/// # Safety
/// As the module says.
unsafe extern "C" fn clear_tool_id(_: *mut PyObject, tool: *mut PyObject) -> *mut PyObject {
    // SAFETY: the thread is attached, and `tool` is live, as the module says.
    answer(|| unsafe {
        clear(program_tool(number(tool)?)?)?;
        Ok(nothing())
    })
}

/// # Safety
/// As the module says.
unsafe extern "C" fn free_tool_id(_: *mut PyObject, tool: *mut PyObject) -> *mut PyObject {
    // SAFETY: the thread is attached, and `tool` is live, as the module says.
    answer(|| unsafe {
        let tool = program_tool(number(tool)?)?;
        clear(tool)?;
        release(tool);
        Ok(nothing())
    })
}

/// # Safety
/// As the module says.
unsafe extern "C" fn get_tool(_: *mut PyObject, tool: *mut PyObject) -> *mut PyObject {
    // SAFETY: the thread is attached, and `tool` is live, as the module says.
    answer(|| unsafe {
        let name = name_slot(program_tool(number(tool)?)?).load(Ordering::Acquire);
        // The name is still live: names are removed only while the world is stopped.
        Ok(Owned::new_ref(if name.is_null() { none() } else { name }))
    })
}

/// # Safety
/// As the module says.
unsafe extern "C" fn register_callback(
    _: *mut PyObject,
    args: *const *mut PyObject,
    count: isize,
) -> *mut PyObject {
    // SAFETY: the thread is attached, and the `count` arguments are live, as the module says.
    answer(|| unsafe {
        let [tool, event, callback] = exactly(REGISTER_CALLBACK, args, count)?;
        let (tool, event) = (number(tool)?, number(event)?);
        let tool = program_tool(tool)?;
        let event = single_event(event)?;
        let format = c"O".as_ptr();
        check(ffi::PySys_Audit(c"sys.monitoring.register_callback".as_ptr(), format, callback))?;
        let callback = if callback == none() { null_mut() } else { callback };
        let before = tools::register_callback(interpreter(), tool, event, callback)?;
        Ok(before.unwrap_or_else(nothing))
    })
}

/// # Safety
/// As the module says.
unsafe extern "C" fn get_events(_: *mut PyObject, tool: *mut PyObject) -> *mut PyObject {
    // SAFETY: the thread is attached, and `tool` is live, as the module says.
    answer(|| unsafe {
        let tool = program_tool(number(tool)?)?;
        int(tools::events_of(interpreter(), tool).bits().into())
    })
}

/// # Safety
/// As the module says.
unsafe extern "C" fn set_events(_: *mut PyObject, args: *const *mut PyObject, count: isize) -> *mut PyObject {
    // SAFETY: the thread is attached, and the `count` arguments are live, as the module says. The
    // world is stopped for `set_events`.
    answer(|| unsafe {
        let [tool, events] = exactly(SET_EVENTS, args, count)?;
        let (tool, bits) = (number(tool)?, number(events)? as u32);
        let tool = program_tool(tool)?;
        // All events are allowed here, C_RETURN, C_RAISE and BRANCH too.
        if EventSet::of_first(EVENTS, bits).is_none() {
            return Err(raise!(PyExc_ValueError, c"invalid event set 0x%x", bits));
        }
        let events = EventSet::from_bits(ungrouped(bits)?);
        let tstate = ThreadState::current();
        with_world_stopped(tstate.interp(), || tools::set_events(tstate, tool, events))?;
        Ok(nothing())
    })
}

/// # Safety
/// As the module says.
unsafe extern "C" fn get_local_events(
    _: *mut PyObject,
    args: *const *mut PyObject,
    count: isize,
) -> *mut PyObject {
    // SAFETY: the thread is attached, and the `count` arguments are live, as the module says.
    answer(|| unsafe {
        let [tool, code] = exactly(GET_LOCAL_EVENTS, args, count)?;
        let tool = number(tool)?;
        let code = code_object(code)?;
        int(tools::local_events_of(code, program_tool(tool)?).bits().into())
    })
}

/// # Safety
/// As the module says.
unsafe extern "C" fn set_local_events(
    _: *mut PyObject,
    args: *const *mut PyObject,
    count: isize,
) -> *mut PyObject {
    // SAFETY: the thread is attached, and the `count` arguments are live, as the module says. The
    // world is stopped for `set_local_events`.
    answer(|| unsafe {
        let [tool, code, events] = exactly(SET_LOCAL_EVENTS, args, count)?;
        let (tool, bits) = (number(tool)?, number(events)? as u32);
        let code = code_object(code)?;
        let tool = program_tool(tool)?;
        let bits = ungrouped(bits)?;
        let Some(events) = EventSet::of_first(LOCAL_EVENTS, bits) else {
            return Err(raise!(PyExc_ValueError, c"invalid local event set 0x%x", bits));
        };
        let interp = interpreter();
        with_world_stopped(interp, || tools::set_local_events(interp, code, tool, events))?;
        Ok(nothing())
    })
}

/// # Safety
/// As the module says.
unsafe extern "C" fn restart_events(_: *mut PyObject, _: *mut PyObject) -> *mut PyObject {
    // SAFETY: the thread is attached, as the module says.
    answer(|| unsafe {
        tools::restart_events(ThreadState::current())?;
        Ok(nothing())
    })
}

/// A dictionary with the tools that watch each event everywhere: the bits of the tools by the name of the
/// event.
///
/// # Safety
/// As the module says.
unsafe extern "C" fn all_events(_: *mut PyObject, _: *mut PyObject) -> *mut PyObject {
    // SAFETY: the thread is attached, as the module says.
    answer(|| unsafe {
        let watched = Owned::from_host(ffi::PyDict_New())?;
        for event in Event::ungrouped() {
            let told = tools::tools_for(interpreter(), event);
            if !told.is_empty() {
                let told = int(told.bits().into())?;
                check(ffi::PyDict_SetItemString(watched.as_ptr(), event.name().as_ptr(), told.as_ptr()))?;
            }
        }
        Ok(watched)
    })
}

// --- names of tools ----------------------------------------------------------------------------

/// The slot of the tool's name in this thread's interpreter.
///
/// # Safety
/// The thread is attached.
unsafe fn name_slot<'a>(tool: Tool) -> &'a AtomicPtr<PyObject> {
    // SAFETY: the thread is attached, so its interpreter is live (caller).
    unsafe { tools::name_slot(interpreter(), tool) }
}

/// Makes `name` the name of the tool. Fails with ValueError if the tool is in use.
///
/// # Safety
/// The thread is attached.
unsafe fn reserve(tool: Tool, name: Owned) -> PyResult<()> {
    // SAFETY: the thread is attached (caller). On success the slot takes over the reference.
    unsafe {
        let exchanged =
            name_slot(tool).compare_exchange(null_mut(), name.as_ptr(), Ordering::AcqRel, Ordering::Relaxed);
        if exchanged.is_err() {
            return Err(raise!(PyExc_ValueError, c"tool %d is already in use", tool.number() as c_int));
        }
    }
    let _ = name.into_ptr();
    Ok(())
}

/// Removes all events and callbacks of the tool, if it is in use.
///
/// # Safety
/// The thread is attached, and has not stopped the world.
unsafe fn clear(tool: Tool) -> PyResult<()> {
    // SAFETY: the thread is attached, and has not stopped the world (caller).
    unsafe {
        if name_slot(tool).load(Ordering::Acquire).is_null() {
            return Ok(());
        }
        tools::clear(ThreadState::current(), tool)
    }
}

/// Removes the name of the tool.
///
/// # Safety
/// The thread is attached, and has not stopped the world.
unsafe fn release(tool: Tool) {
    // SAFETY: the thread is attached (caller). The slot owned the name; with the world stopped, no other
    // thread reads it.
    unsafe {
        let name = with_world_stopped(interpreter(), || name_slot(tool).swap(null_mut(), Ordering::AcqRel));
        drop(Owned::optional(name));
    }
}

// --- arguments ---------------------------------------------------------------------------------

/// Runs the body of a method, and converts its result for the host.
fn answer(method: impl FnOnce() -> PyResult) -> *mut PyObject {
    into_host(method())
}

/// `None`, the result of methods without a value. Only for the bodies of methods.
fn nothing() -> Owned {
    // SAFETY: the thread is attached while a method runs.
    unsafe { Owned::new_ref(none()) }
}

/// This thread's interpreter. Only for the bodies of methods.
fn interpreter() -> *mut ffi::PyInterpreterState {
    // SAFETY: the thread is attached while a method runs.
    unsafe { ThreadState::current().interp() }
}

/// # Safety
/// The thread is attached.
unsafe fn int(value: i64) -> PyResult {
    // SAFETY: the thread is attached (caller).
    unsafe {
        match small_int(value as isize) {
            Some(int) => Ok(Owned::new_ref(int)),
            None => Owned::from_host(ffi::PyLong_FromLongLong(value)),
        }
    }
}

/// The arguments of the method `name`. Fails with TypeError if there are not exactly `N`.
///
/// # Safety
/// The thread is attached, and `args` has `count` entries.
unsafe fn exactly<const N: usize>(
    name: &CStr,
    args: *const *mut PyObject,
    count: isize,
) -> PyResult<[*mut PyObject; N]> {
    // SAFETY: the thread is attached, and there are `N` entries: `count` was checked to be `N` (caller).
    unsafe {
        let expected = N as isize;
        if count != expected && ffi::_PyArg_CheckPositional(name.as_ptr(), count, expected, expected) == 0 {
            return Err(Raised);
        }
        Ok(args.cast::<[*mut PyObject; N]>().read())
    }
}

/// # Safety
/// The thread is attached, and `object` is live.
unsafe fn number(object: *mut PyObject) -> PyResult<c_int> {
    // SAFETY: the object is live and the thread attached (caller).
    unsafe {
        let number = ffi::PyLong_AsInt(object);
        if number == -1 && exception_is_set() { Err(Raised) } else { Ok(number) }
    }
}

/// The tool of this number. Fails with ValueError if programs may not use it.
///
/// # Safety
/// The thread is attached.
unsafe fn program_tool(number: c_int) -> PyResult<Tool> {
    match Tool::from_number(number) {
        Some(tool) if tool.is_for_programs() => Ok(tool),
        // SAFETY: the thread is attached (caller).
        _ => Err(unsafe { raise!(PyExc_ValueError, c"invalid tool %d (must be between 0 and 5)", number) }),
    }
}

/// Fails with TypeError if `object` is not a code object.
///
/// # Safety
/// The thread is attached, and `object` is live.
unsafe fn code_object(object: *mut PyObject) -> PyResult<Code> {
    // SAFETY: the object is live and the thread attached (caller).
    unsafe {
        if !is_exact(object, &raw mut ffi::PyCode_Type) {
            return Err(raise!(PyExc_TypeError, c"code must be a code object"));
        }
        Ok(Code::from_ptr(object.cast()))
    }
}

/// The event of a set with one element. Fails with ValueError if there is not exactly one, or no such event.
///
/// # Safety
/// The thread is attached.
unsafe fn single_event(bits: c_int) -> PyResult<Event> {
    // SAFETY: the thread is attached (caller).
    unsafe {
        if bits.count_ones() != 1 {
            let text = c"The callback can only be set for one event at a time";
            ffi::PyErr_SetString(ffi::PyExc_ValueError, text.as_ptr());
            return Err(Raised);
        }
        match Event::from_number(bits.trailing_zeros() as c_int) {
            Some(event) => Ok(event),
            None => Err(raise!(PyExc_ValueError, c"invalid event %d", bits)),
        }
    }
}

/// Replaces the events of a set that cannot be watched on their own: BRANCH by its two ways, C_RETURN and
/// C_RAISE by nothing, because they come with CALL. Bits without an event stay. Fails with ValueError if the
/// set has C_RETURN or C_RAISE without CALL.
///
/// # Safety
/// The thread is attached.
unsafe fn ungrouped(bits: u32) -> PyResult<u32> {
    // SAFETY: the thread is attached (caller).
    without_ancillary(bits).ok_or_else(|| unsafe {
        raise!(PyExc_ValueError, c"cannot set C_RETURN or C_RAISE events independently")
    })
}

/// As [`ungrouped`], with `None` instead of an error.
const fn without_ancillary(bits: u32) -> Option<u32> {
    const ENDS: u32 = EventSet::NONE.with(Event::C_RETURN).with(Event::C_RAISE).bits();
    const CALLS: u32 = EventSet::from_bits(ENDS).with(Event::CALL).bits();
    const BRANCH: u32 = EventSet::NONE.with(Event::BRANCH).bits();
    const BOTH_WAYS: u32 = EventSet::NONE.with(Event::BRANCH_LEFT).with(Event::BRANCH_RIGHT).bits();
    if bits & ENDS != 0 && bits & CALLS != CALLS {
        return None;
    }
    let bits = bits & !ENDS;
    Some(if bits & BRANCH != 0 { bits & !BRANCH | BOTH_WAYS } else { bits })
}

const _: () = assert!(UNGROUPED_EVENTS <= Event::C_RETURN.number());

#[cfg(test)]
mod tests {
    use super::*;

    fn bits(events: &[Event]) -> u32 {
        events.iter().fold(EventSet::NONE, |set, &event| set.with(event)).bits()
    }

    #[test]
    fn ends_of_calls_come_with_calls_only() {
        use Event as E;
        assert_eq!(without_ancillary(bits(&[E::CALL, E::C_RETURN, E::C_RAISE])), Some(bits(&[E::CALL])));
        assert_eq!(without_ancillary(bits(&[E::CALL])), Some(bits(&[E::CALL])));
        for refused in [&[E::C_RETURN][..], &[E::C_RAISE], &[E::C_RETURN, E::C_RAISE], &[E::CALL, E::C_RAISE]]
        {
            assert_eq!(without_ancillary(bits(refused)), None, "{refused:?}");
        }
    }

    #[test]
    fn branches_have_two_ways() {
        use Event as E;
        let both = bits(&[E::BRANCH_LEFT, E::BRANCH_RIGHT, E::LINE]);
        assert_eq!(without_ancillary(bits(&[E::BRANCH, E::LINE])), Some(both));
        assert_eq!(without_ancillary(bits(&[E::BRANCH_LEFT])), Some(bits(&[E::BRANCH_LEFT])));
    }

    #[test]
    fn bits_without_an_event_stay() {
        assert_eq!(
            without_ancillary(u32::MAX),
            Some(!bits(&[Event::C_RETURN, Event::C_RAISE, Event::BRANCH]))
        );
    }
}
