//! The symbols of `instrumentation.o`: firing the events of `sys.monitoring`, instrumenting code objects, and
//! the settings of tools. The implementation is [`crate::instrument`].
//!
//! A number of a tool or an event, or a set of events, that the host does not define is an error of the C
//! caller: SystemError, and nothing changes. See [`c_numbers`].

use core::ffi::c_int;

use crate::host::object::{size, static_head};
use crate::host::owned::{into_host, into_status};
use crate::host::{Code, CodeUnit, Owned, PyObject, PyResult, ThreadState, ffi};
use crate::instrument::calls::Origin;
use crate::instrument::data::line_table;
use crate::instrument::events::{Event, LOCAL_EVENTS, UNGROUPED_EVENTS};
use crate::instrument::{branches, c_code, c_numbers, calls, module, tools, writer};

/// `sys.monitoring.DISABLE`, immortal. A callback that returns it is not called again for that event at this
/// location. Declared in `pycore_instruments.h`.
#[unsafe(no_mangle)]
pub static mut _PyInstrumentation_DISABLE: PyObject = static_head(&raw mut ffi::PyBaseObject_Type);

/// `sys.monitoring.MISSING`, immortal: stands for the first argument of a call without arguments. Declared in
/// `pycore_instruments.h`.
#[unsafe(no_mangle)]
pub static mut _PyInstrumentation_MISSING: PyObject = static_head(&raw mut ffi::PyBaseObject_Type);

/// Notifies tools of an event of `instr` that has no argument. Declared in `pycore_instruments.h`.
///
/// Returns 0, or -1 with an exception set: a tool's, or SystemError if instructions do not fire `event` this
/// way.
///
/// # Safety
/// The calling thread is attached and `tstate` is its state; no exception is set; `frame` is current and
/// published; `instr` is in its bytecode and was instrumented for events of this kind.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _Py_call_instrumentation(
    tstate: *mut ffi::PyThreadState,
    event: c_int,
    frame: *mut ffi::_PyInterpreterFrame,
    instr: *mut ffi::_Py_CODEUNIT,
) -> c_int {
    // SAFETY: the frame is live (caller).
    let origin = unsafe { Origin::from_host(tstate, frame, instr) };
    // SAFETY: the callee has the same contract.
    attempt(|| unsafe { calls::event(origin, c_numbers::fired_event(event)?, []) })
}

/// Notifies tools of an event of `instr` with one argument, borrowed. Declared in `pycore_instruments.h`.
///
/// Returns 0, or -1 with an exception set: a tool's, or SystemError if instructions do not fire `event` this
/// way.
///
/// # Safety
/// As for `_Py_call_instrumentation`; `arg` is live.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _Py_call_instrumentation_arg(
    tstate: *mut ffi::PyThreadState,
    event: c_int,
    frame: *mut ffi::_PyInterpreterFrame,
    instr: *mut ffi::_Py_CODEUNIT,
    arg: *mut PyObject,
) -> c_int {
    // SAFETY: the frame is live (caller).
    let origin = unsafe { Origin::from_host(tstate, frame, instr) };
    // SAFETY: the callee has the same contract.
    attempt(|| unsafe { calls::event(origin, c_numbers::fired_event(event)?, [arg]) })
}

/// Notifies tools of an event of `instr` with two arguments, borrowed. Declared in `pycore_instruments.h`.
///
/// Returns 0, or -1 with an exception set: a tool's, or SystemError if instructions do not fire `event` this
/// way.
///
/// # Safety
/// As for `_Py_call_instrumentation`; `arg0` and `arg1` are live.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _Py_call_instrumentation_2args(
    tstate: *mut ffi::PyThreadState,
    event: c_int,
    frame: *mut ffi::_PyInterpreterFrame,
    instr: *mut ffi::_Py_CODEUNIT,
    arg0: *mut PyObject,
    arg1: *mut PyObject,
) -> c_int {
    // SAFETY: the frame is live (caller).
    let origin = unsafe { Origin::from_host(tstate, frame, instr) };
    // SAFETY: the callee has the same contract.
    attempt(|| unsafe { calls::event(origin, c_numbers::fired_event(event)?, [arg0, arg1]) })
}

/// Notifies tools of an event with two arguments, borrowed, while an exception is set. The exception stays set
/// unless a tool's replaces it, or SystemError as for `_Py_call_instrumentation`. Declared in
/// `pycore_instruments.h`.
///
/// # Safety
/// As for `_Py_call_instrumentation_2args`, but an exception is set.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _Py_call_instrumentation_exc2(
    tstate: *mut ffi::PyThreadState,
    event: c_int,
    frame: *mut ffi::_PyInterpreterFrame,
    instr: *mut ffi::_Py_CODEUNIT,
    arg0: *mut PyObject,
    arg1: *mut PyObject,
) {
    // SAFETY: the frame is live (caller).
    let origin = unsafe { Origin::from_host(tstate, frame, instr) };
    // SAFETY: the callee has the same contract. SystemError replaces the exception, as a tool's would.
    unsafe {
        if let Ok(event) = c_numbers::fired_event(event) {
            calls::event_with_exception(origin, event, [arg0, arg1]);
        }
    }
}

/// Notifies tools that `instr` jumps from `src` to `dest`. Declared in `pycore_instruments.h`.
///
/// Returns the instruction to continue at: `dest`, or the one that a tool has moved the frame to. Returns NULL
/// with an exception set: a tool's, or SystemError as for `_Py_call_instrumentation`.
///
/// # Safety
/// As for `_Py_call_instrumentation`; `src` and `dest` are in the frame's bytecode.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _Py_call_instrumentation_jump(
    instr: *mut ffi::_Py_CODEUNIT,
    tstate: *mut ffi::PyThreadState,
    event: c_int,
    frame: *mut ffi::_PyInterpreterFrame,
    src: *mut ffi::_Py_CODEUNIT,
    dest: *mut ffi::_Py_CODEUNIT,
) -> *mut ffi::_Py_CODEUNIT {
    // SAFETY: the frame is live (caller).
    let origin = unsafe { Origin::from_host(tstate, frame, instr) };
    let (source, target) = (CodeUnit::from_ptr(src), CodeUnit::from_ptr(dest));
    // SAFETY: the callee has the same contract.
    let next =
        unsafe { c_numbers::fired_event(event).and_then(|event| calls::jump(origin, event, source, target)) };
    next.map_or(core::ptr::null_mut(), CodeUnit::as_ptr)
}

/// Returns the line number of code unit `index` according to `line_data`; -1 if it has none. Declared in
/// `pycore_instruments.h`.
///
/// # Safety
/// `code` is live, `line_data` is its line table, and `index` is a code unit of it.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _Py_Instrumentation_GetLine(
    code: *mut ffi::PyCodeObject,
    line_data: *mut ffi::_PyCoLineInstrumentationData,
    index: c_int,
) -> c_int {
    // SAFETY: the table belongs to the code object and so has an entry for each of its units (caller).
    unsafe {
        let lines = line_table(line_data, size(code.cast()) as usize);
        calls::line_number(Code::from_ptr(code), lines.line(index as usize))
    }
}

/// Notifies tools that a line begins at `instr`, unless `prev`, the instruction executed before, is on the same
/// line. Declared in `pycore_instruments.h`.
///
/// Returns the opcode to execute, or -1 with a tool's exception set.
///
/// # Safety
/// The calling thread is attached, not tracing, and `tstate` is its state; no exception is set; `frame` is
/// current and published; `instr` and `prev` are in its bytecode, and `instr` has a line event.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _Py_call_instrumentation_line(
    tstate: *mut ffi::PyThreadState,
    frame: *mut ffi::_PyInterpreterFrame,
    instr: *mut ffi::_Py_CODEUNIT,
    prev: *mut ffi::_Py_CODEUNIT,
) -> c_int {
    // SAFETY: the frame is live (caller).
    let origin = unsafe { Origin::from_host(tstate, frame, instr) };
    // SAFETY: the callee has the same contract.
    opcode_or_error(unsafe { calls::line(origin, CodeUnit::from_ptr(prev)) })
}

/// Notifies tools that the instruction `instr` begins. Declared in `pycore_instruments.h`.
///
/// Returns the opcode to execute, or -1 with a tool's exception set.
///
/// # Safety
/// The calling thread is attached and `tstate` is its state; no exception is set; `frame` is current and
/// published; `instr` is in its bytecode and has an instruction event.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _Py_call_instrumentation_instruction(
    tstate: *mut ffi::PyThreadState,
    frame: *mut ffi::_PyInterpreterFrame,
    instr: *mut ffi::_Py_CODEUNIT,
) -> c_int {
    // SAFETY: the callee has the same contract.
    opcode_or_error(unsafe { calls::instruction(Origin::from_host(tstate, frame, instr)) })
}

/// Runs the body of a function that returns 0, or -1 with an exception set.
#[inline(always)]
fn attempt(body: impl FnOnce() -> PyResult<()>) -> c_int {
    into_status(body())
}

/// Converts an opcode to the C convention: -1 if an exception is set.
fn opcode_or_error(opcode: PyResult<u8>) -> c_int {
    opcode.map_or(-1, c_int::from)
}

// --- settings of tools ----------------------------------------------------------------------

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

// --- code objects ---------------------------------------------------------------------------

/// Returns an iterator over the branches of `code`, borrowed: the result of `co_branches()`. Declared in
/// `pycore_code.h`.
///
/// Returns a new reference, or NULL with MemoryError set.
///
/// # Safety
/// The calling thread is attached; `code` is live.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _PyInstrumentation_BranchesIterator(code: *mut ffi::PyCodeObject) -> *mut PyObject {
    // SAFETY: the callee has the same contract.
    into_host(unsafe { branches::iterator(Code::from_ptr(code)) })
}

/// Brings the instrumentation of `code`, borrowed, up to date with the events that tools watch. Declared in
/// `pycore_code.h`.
///
/// Returns 0, or -1 with MemoryError set. Afterwards the thread's eval breaker has the interpreter's version of
/// the instrumentation, whatever it had before, so that the next comparison of versions finds no difference.
///
/// # Safety
/// The calling thread is attached to `interp` and has not stopped the world; `code` is live.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _Py_Instrument(
    code: *mut ffi::PyCodeObject,
    interp: *mut ffi::PyInterpreterState,
) -> c_int {
    // SAFETY: the callee has the same contract.
    into_status(unsafe { writer::bring_up_to_date(Code::from_ptr(code), interp) })
}

/// Returns the instruction at code unit `offset` of `code`, borrowed, without instrumentation, specialization
/// and executors. Declared in `pycore_code.h`; cannot fail.
///
/// # Safety
/// `code` is live and has an instruction at `offset`; no other thread instruments it meanwhile.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _Py_GetBaseCodeUnit(
    code: *mut ffi::PyCodeObject,
    offset: c_int,
) -> ffi::_Py_CODEUNIT {
    // SAFETY: the instruction is there and stays as it is (caller). Zeros are a valid code unit.
    unsafe {
        let base = writer::location(Code::from_ptr(code), offset as usize).base;
        let mut unit: ffi::_Py_CODEUNIT = core::mem::zeroed();
        unit.op.code = base.opcode;
        unit.op.arg = base.argument;
        unit
    }
}

/// Returns the length of the instruction at code unit `offset` of `code`, borrowed, in code units, including
/// its caches. Declared in `pycore_code.h`; cannot fail.
///
/// # Safety
/// As for `_Py_GetBaseCodeUnit`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _PyInstruction_GetLength(code: *mut ffi::PyCodeObject, offset: c_int) -> c_int {
    // SAFETY: the callee has the same contract.
    unsafe { writer::location(Code::from_ptr(code), offset as usize).base.length as c_int }
}

// --- sys.monitoring -------------------------------------------------------------------------

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

// --- events of C code -----------------------------------------------------------------------

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
