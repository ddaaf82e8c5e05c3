//! The symbols of `instrumentation.o`.

use core::ffi::c_int;

use crate::host::object::{size, static_head};
use crate::host::owned::{into_host, status};
use crate::host::{Code, CodeUnit, Frame, Owned, PyObject, PyResult, ThreadState, ffi};
use crate::instrument::data::line_table;
use crate::instrument::events::{Event, EventSet, Tool};
use crate::instrument::{branches, c_code, calls, module, tools, writer};

/// `sys.monitoring.DISABLE`, immortal: a tool that returns it is not told of an event at this location any
/// more. Stands for the host's symbol of this name (`pycore_instruments.h`).
#[unsafe(no_mangle)]
pub static mut _PyInstrumentation_DISABLE: PyObject = static_head(&raw mut ffi::PyBaseObject_Type);

/// `sys.monitoring.MISSING`, immortal: stands for an argument that a call does not have. Stands for the
/// host's symbol of this name (`pycore_instruments.h`).
#[unsafe(no_mangle)]
pub static mut _PyInstrumentation_MISSING: PyObject = static_head(&raw mut ffi::PyBaseObject_Type);

/// Tells tools of an event of `instr` that has no argument. Stands for the host's symbol of this name
/// (`pycore_instruments.h`).
///
/// 0, or -1 with a tool's exception.
///
/// # Safety
/// The thread is attached and `tstate` its state; no exception is set; `frame` is current and published, and
/// `instr` in its bytecode; `event` is of a kind that the instruction was instrumented for.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _Py_call_instrumentation(
    tstate: *mut ffi::PyThreadState,
    event: c_int,
    frame: *mut ffi::_PyInterpreterFrame,
    instr: *mut ffi::_Py_CODEUNIT,
) -> c_int {
    let (tstate, frame, instr) =
        (ThreadState::from_ptr(tstate), Frame::from_ptr(frame), CodeUnit::from_ptr(instr));
    // SAFETY: the contract of this function.
    status(unsafe { calls::event(tstate, event, frame, instr) })
}

/// Tells tools of an event of `instr` with one argument, borrowed. Stands for the host's symbol of this name
/// (`pycore_instruments.h`).
///
/// 0, or -1 with a tool's exception.
///
/// # Safety
/// As for [`_Py_call_instrumentation`]; `arg` is live.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _Py_call_instrumentation_arg(
    tstate: *mut ffi::PyThreadState,
    event: c_int,
    frame: *mut ffi::_PyInterpreterFrame,
    instr: *mut ffi::_Py_CODEUNIT,
    arg: *mut PyObject,
) -> c_int {
    let (tstate, frame, instr) =
        (ThreadState::from_ptr(tstate), Frame::from_ptr(frame), CodeUnit::from_ptr(instr));
    // SAFETY: the contract of this function.
    status(unsafe { calls::event_with(tstate, event, frame, instr, arg) })
}

/// Tells tools of an event of `instr` with two arguments, borrowed. Stands for the host's symbol of this name
/// (`pycore_instruments.h`).
///
/// 0, or -1 with a tool's exception.
///
/// # Safety
/// As for [`_Py_call_instrumentation`]; `arg0` and `arg1` are live.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _Py_call_instrumentation_2args(
    tstate: *mut ffi::PyThreadState,
    event: c_int,
    frame: *mut ffi::_PyInterpreterFrame,
    instr: *mut ffi::_Py_CODEUNIT,
    arg0: *mut PyObject,
    arg1: *mut PyObject,
) -> c_int {
    let (tstate, frame, instr) =
        (ThreadState::from_ptr(tstate), Frame::from_ptr(frame), CodeUnit::from_ptr(instr));
    // SAFETY: the contract of this function.
    status(unsafe { calls::event_with_two(tstate, event, frame, instr, [arg0, arg1]) })
}

/// Tells tools of an event with two arguments, borrowed, while an exception is set, which stays set unless a
/// tool's takes its place. Stands for the host's symbol of this name (`pycore_instruments.h`).
///
/// # Safety
/// As for [`_Py_call_instrumentation_2args`], but an exception is set.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _Py_call_instrumentation_exc2(
    tstate: *mut ffi::PyThreadState,
    event: c_int,
    frame: *mut ffi::_PyInterpreterFrame,
    instr: *mut ffi::_Py_CODEUNIT,
    arg0: *mut PyObject,
    arg1: *mut PyObject,
) {
    let (tstate, frame, instr) =
        (ThreadState::from_ptr(tstate), Frame::from_ptr(frame), CodeUnit::from_ptr(instr));
    // SAFETY: the contract of this function.
    unsafe { calls::event_with_exception(tstate, event, frame, instr, [arg0, arg1]) }
}

/// Tells tools that `instr` goes from `src` to `dest`. Stands for the host's symbol of this name
/// (`pycore_instruments.h`).
///
/// Gives where to go on: `dest`, or where a tool has moved the frame to; null with a tool's exception.
///
/// # Safety
/// As for [`_Py_call_instrumentation`]; `src` and `dest` are in the frame's bytecode, too.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _Py_call_instrumentation_jump(
    instr: *mut ffi::_Py_CODEUNIT,
    tstate: *mut ffi::PyThreadState,
    event: c_int,
    frame: *mut ffi::_PyInterpreterFrame,
    src: *mut ffi::_Py_CODEUNIT,
    dest: *mut ffi::_Py_CODEUNIT,
) -> *mut ffi::_Py_CODEUNIT {
    let (tstate, frame, instr) =
        (ThreadState::from_ptr(tstate), Frame::from_ptr(frame), CodeUnit::from_ptr(instr));
    let (source, target) = (CodeUnit::from_ptr(src), CodeUnit::from_ptr(dest));
    // SAFETY: the contract of this function.
    unsafe {
        calls::jump(tstate, event, frame, instr, source, target)
            .map_or(core::ptr::null_mut(), CodeUnit::as_ptr)
    }
}

/// The line of code unit `index` as `line_data` has it; -1 if it has none. Stands for the host's symbol of
/// this name (`pycore_instruments.h`).
///
/// # Safety
/// `code` is live, `line_data` is its table of lines, and it has that code unit.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _Py_Instrumentation_GetLine(
    code: *mut ffi::PyCodeObject,
    line_data: *mut ffi::_PyCoLineInstrumentationData,
    index: c_int,
) -> c_int {
    // SAFETY: the contract of this function.
    unsafe {
        let lines = line_table(line_data, size(code.cast()) as usize);
        calls::line_number(Code::from_ptr(code), lines.line(index as usize))
    }
}

/// Tells tools that a line begins at `instr`, if the frame comes from another one at `prev`. Stands for the
/// host's symbol of this name (`pycore_instruments.h`).
///
/// Gives the opcode to run then; -1 with a tool's exception.
///
/// # Safety
/// The thread is attached, not tracing, and `tstate` its state; no exception is set; `frame` is current and
/// published, `instr` is in its bytecode and has a line event, and `prev` is in it, too.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _Py_call_instrumentation_line(
    tstate: *mut ffi::PyThreadState,
    frame: *mut ffi::_PyInterpreterFrame,
    instr: *mut ffi::_Py_CODEUNIT,
    prev: *mut ffi::_Py_CODEUNIT,
) -> c_int {
    let (tstate, frame, instr) =
        (ThreadState::from_ptr(tstate), Frame::from_ptr(frame), CodeUnit::from_ptr(instr));
    // SAFETY: the contract of this function.
    opcode_or_error(unsafe { calls::line(tstate, frame, instr, CodeUnit::from_ptr(prev)) })
}

/// Tells tools that the instruction `instr` begins. Stands for the host's symbol of this name
/// (`pycore_instruments.h`).
///
/// Gives the opcode to run then; -1 with a tool's exception.
///
/// # Safety
/// The thread is attached and `tstate` its state; no exception is set; `frame` is current and published, and
/// `instr` is in its bytecode and has an instruction event.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _Py_call_instrumentation_instruction(
    tstate: *mut ffi::PyThreadState,
    frame: *mut ffi::_PyInterpreterFrame,
    instr: *mut ffi::_Py_CODEUNIT,
) -> c_int {
    let (tstate, frame, instr) =
        (ThreadState::from_ptr(tstate), Frame::from_ptr(frame), CodeUnit::from_ptr(instr));
    // SAFETY: the contract of this function.
    opcode_or_error(unsafe { calls::instruction(tstate, frame, instr) })
}

/// The C convention of an opcode: -1 if an exception is set.
fn opcode_or_error(opcode: PyResult<u8>) -> c_int {
    opcode.map_or(-1, c_int::from)
}

// --- what tools want ------------------------------------------------------------------------

/// Makes `events` those that a tool watches wherever they happen. Stands for the host's symbol of this
/// name (`pycore_instruments.h`).
///
/// 0, or -1 with an exception: ValueError if the tool is not in use, OverflowError, MemoryError.
///
/// # Safety
/// The thread is attached, the world is stopped, and there are such tools and events.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _PyMonitoring_SetEvents(
    tool_id: c_int,
    events: ffi::_PyMonitoringEventSet,
) -> c_int {
    // SAFETY: the contract of this function.
    status(unsafe {
        tools::set_events(ThreadState::current(), host_tool(tool_id), EventSet::from_bits(events))
    })
}

/// Makes `events` those that a tool watches in `code`, borrowed. Stands for the host's symbol of this
/// name (`pycore_instruments.h`).
///
/// 0, or -1 with an exception: SystemError for code of the host that nobody may watch, ValueError if the
/// tool is not in use, MemoryError.
///
/// # Safety
/// The thread is attached, the world is stopped, `code` is live, and there are such tools and local
/// events.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _PyMonitoring_SetLocalEvents(
    code: *mut ffi::PyCodeObject,
    tool_id: c_int,
    events: ffi::_PyMonitoringEventSet,
) -> c_int {
    // SAFETY: the contract of this function.
    unsafe {
        let (interp, code) = (ThreadState::current().interp(), Code::from_ptr(code));
        status(tools::set_local_events(interp, code, host_tool(tool_id), EventSet::from_bits(events)))
    }
}

/// Stores the events that a tool watches in `code`, borrowed. Stands for the host's symbol of this name
/// (`pycore_instruments.h`).
///
/// 0, or -1 with ValueError if the tool is not in use.
///
/// # Safety
/// The thread is attached, `code` is live, `events` can be written, and there is such a tool.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _PyMonitoring_GetLocalEvents(
    code: *mut ffi::PyCodeObject,
    tool_id: c_int,
    events: *mut ffi::_PyMonitoringEventSet,
) -> c_int {
    // SAFETY: the contract of this function.
    unsafe {
        let (interp, code) = (ThreadState::current().interp(), Code::from_ptr(code));
        let found = tools::checked_local_events(interp, code, host_tool(tool_id));
        status(found.map(|found| *events = found.bits()))
    }
}

/// Makes `obj` (borrowed; null: nobody) the callback of a tool for an event. Stands for the host's symbol
/// of this name (`pycore_instruments.h`).
///
/// Gives a new reference to the callback before; null if there was none, or with an exception set.
///
/// # Safety
/// The thread is attached, `obj` is live or null, and there are such tools and events.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _PyMonitoring_RegisterCallback(
    tool_id: c_int,
    event_id: c_int,
    obj: *mut PyObject,
) -> *mut PyObject {
    debug_assert!(Event::from_number(event_id).is_some());
    let Some(event) = Event::from_number(event_id) else { return core::ptr::null_mut() };
    // SAFETY: the contract of this function.
    unsafe {
        let before =
            tools::register_callback(ThreadState::current().interp(), host_tool(tool_id), event, obj);
        before.ok().flatten().map_or(core::ptr::null_mut(), Owned::into_ptr)
    }
}

/// Ends what a tool watches everywhere, and its callbacks. Stands for the host's symbol of this name
/// (`instrumentation.c`).
///
/// 0, or -1 with an exception: ValueError if the tool is not in use, OverflowError, MemoryError.
///
/// # Safety
/// The thread is attached, and there is such a tool.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _PyMonitoring_ClearToolId(tool_id: c_int) -> c_int {
    // SAFETY: the contract of this function.
    status(unsafe { tools::clear(ThreadState::current(), host_tool(tool_id)) })
}

/// The tool of this number, which the host has checked.
fn host_tool(number: c_int) -> Tool {
    debug_assert!(Tool::from_number(number).is_some());
    Tool::from_number(number).unwrap_or(Tool::SYS_TRACE)
}

// --- code objects ---------------------------------------------------------------------------

/// An iterator over the branches of `code` (borrowed): `co_branches()`. Stands for the host's symbol of this
/// name (`pycore_code.h`).
///
/// A new reference; null with MemoryError.
///
/// # Safety
/// The thread is attached, `code` is live.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _PyInstrumentation_BranchesIterator(code: *mut ffi::PyCodeObject) -> *mut PyObject {
    // SAFETY: the contract of this function.
    into_host(unsafe { branches::iterator(Code::from_ptr(code)) })
}

/// Brings `code` (borrowed) up to date with what the interpreter's tools want. Stands for the host's
/// symbol of this name (`pycore_code.h`).
///
/// 0, or -1 with MemoryError. Afterwards the thread sees the interpreter's version, whatever it saw before:
/// whoever compares versions next finds no difference between the two.
///
/// # Safety
/// The thread is attached, `code` is live, `interp` is the thread's, and the world is not stopped.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _Py_Instrument(
    code: *mut ffi::PyCodeObject,
    interp: *mut ffi::PyInterpreterState,
) -> c_int {
    // SAFETY: the contract of this function.
    status(unsafe { writer::bring_up_to_date(Code::from_ptr(code), interp) })
}

/// The instruction at code unit `offset` of `code` (borrowed) without instrumentation, specialization and
/// executors. Stands for the host's symbol of this name (`pycore_code.h`); cannot fail.
///
/// # Safety
/// `code` is live and has an instruction there; nobody instruments it meanwhile.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _Py_GetBaseCodeUnit(
    code: *mut ffi::PyCodeObject,
    offset: c_int,
) -> ffi::_Py_CODEUNIT {
    // SAFETY: the contract of this function.
    unsafe {
        let base = writer::location(Code::from_ptr(code), offset as usize).base;
        let mut unit: ffi::_Py_CODEUNIT = core::mem::zeroed();
        unit.op.code = base.opcode;
        unit.op.arg = base.argument;
        unit
    }
}

/// The code units of the instruction at code unit `offset` of `code` (borrowed), its caches included.
/// Stands for the host's symbol of this name (`pycore_code.h`); cannot fail.
///
/// # Safety
/// As for [`_Py_GetBaseCodeUnit`].
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _PyInstruction_GetLength(code: *mut ffi::PyCodeObject, offset: c_int) -> c_int {
    // SAFETY: the contract of this function.
    unsafe { writer::location(Code::from_ptr(code), offset as usize).base.length as c_int }
}

// --- sys.monitoring -------------------------------------------------------------------------

/// Makes the module `sys.monitoring`, a new reference; null with an exception set if memory is short. Stands
/// for the host's symbol of this name (`sysmodule.c`).
///
/// # Safety
/// The thread is attached, and the interpreter is being set up.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _Py_CreateMonitoringObject() -> *mut PyObject {
    // SAFETY: the contract of this function.
    into_host(unsafe { module::create() })
}

// --- events of C code -----------------------------------------------------------------------

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
    // SAFETY: the contract of this function.
    unsafe { c_code::enter_scope(state_array, version, event_types, length.max(0) as usize) };
    0
}

/// Ends what `PyMonitoring_EnterScope` began: nothing today. Gives 0. Stands for the host's symbol of this
/// name (`cpython/monitoring.h`).
#[unsafe(no_mangle)]
pub extern "C" fn PyMonitoring_ExitScope() -> c_int {
    0
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
            state: *mut ffi::PyMonitoringState,
            codelike: *mut PyObject,
            offset: i32,
            $($value: *mut PyObject,)*
        ) -> c_int {
            // SAFETY: the contract of this function.
            status(unsafe { c_code::fire(state, Event::$event, codelike, offset, offset, &[$($value),*]) })
        }
        // Both have one signature.
        const _: [unsafe extern "C" fn(*mut ffi::PyMonitoringState, *mut PyObject, i32 $(, events!(@type $value))*) -> c_int; 2] =
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
        pub unsafe extern "C" fn $name(state: *mut ffi::PyMonitoringState, codelike: *mut PyObject, offset: i32) -> c_int {
            // SAFETY: the contract of this function.
            status(unsafe { c_code::fire_exception(state, Event::$event, codelike, offset) })
        }
        // Both have one signature.
        const _: [unsafe extern "C" fn(*mut ffi::PyMonitoringState, *mut PyObject, i32) -> c_int; 2] = [$name, ffi::$name];
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
    // SAFETY: the contract of this function.
    status(unsafe { c_code::fire(state, Event::LINE, codelike, offset, lineno, &[]) })
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
    // SAFETY: the contract of this function.
    status(unsafe { c_code::fire_stop_iteration(state, codelike, offset, value) })
}
