//! Calling tools: what instrumented instructions do. Source: `pycore_instruments.h`, PEP 669.

use core::ffi::c_int;
use core::ptr::null_mut;

use super::data::{Monitoring, TableKind, line_table};
use super::events::{Event, Tool, ToolSet};
use super::lines::Line;
use super::{tools, writer};
use crate::bytecode::opcode::{INSTRUMENTED_INSTRUCTION, INSTRUMENTED_RESUME, RESUME};
use crate::host::function::vectorcall;
use crate::host::lock::with_world_stopped;
use crate::host::object::{size, static_head};
use crate::host::{
    Code, CodeUnit, Frame, Owned, PyObject, PyResult, Raised, ThreadState, ffi, none, numbers,
};
use crate::raise;

/// `sys.monitoring.DISABLE`, immortal: a tool that returns it is not told of an event at this location any
/// more. Stands for the host's symbol of this name (`pycore_instruments.h`).
#[unsafe(no_mangle)]
pub static mut _PyInstrumentation_DISABLE: PyObject = static_head(&raw mut ffi::PyBaseObject_Type);

/// `sys.monitoring.MISSING`, immortal: stands for an argument that a call does not have. Stands for the
/// host's symbol of this name (`pycore_instruments.h`).
#[unsafe(no_mangle)]
pub static mut _PyInstrumentation_MISSING: PyObject = static_head(&raw mut ffi::PyBaseObject_Type);

/// Whether a tool has returned `DISABLE`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Reply {
    Done,
    Disable,
}

/// Tells one tool of an event, with everything about events suspended in the thread meanwhile. `arguments`
/// begins with a slot that the callee may use, and goes on with borrowed objects. Fails with the tool's
/// exception.
///
/// # Safety
/// The thread is attached, not tracing, and its frames are published; the objects are live.
#[inline(always)]
pub unsafe fn call_tool(
    tstate: ThreadState,
    tool: Tool,
    event: Event,
    arguments: &mut [*mut PyObject],
) -> PyResult<Reply> {
    debug_assert!(arguments.len() > 1);
    // SAFETY: the caller's promise.
    unsafe {
        let Some(callback) = tools::callback(tstate.interp(), tool, event) else { return Ok(Reply::Done) };
        let result = suspended(tstate, event, || {
            let objects = arguments.as_mut_ptr().add(1);
            vectorcall(tstate, callback.object(), objects, arguments.len() - 1, null_mut())
        });
        callback.close();
        let result = Owned::from_host(result)?;
        if result.as_ptr() == &raw mut _PyInstrumentation_DISABLE {
            Ok(Reply::Disable)
        } else {
            Ok(Reply::Done)
        }
    }
}

/// Runs `action` as a tool's reaction to `event`: no events are told of what it does in this thread.
#[inline(always)]
unsafe fn suspended<T>(tstate: ThreadState, event: Event, action: impl FnOnce() -> T) -> T {
    // SAFETY: the callers' promise: the thread state is live and its thread the current one.
    unsafe {
        let thread = tstate.as_ptr();
        let outer = core::mem::replace(&mut (*thread).what_event, event.number() as c_int);
        (*thread).tracing += 1;
        let result = action();
        (*thread).tracing -= 1;
        (*thread).what_event = outer;
        result
    }
}

/// Sets ValueError for a tool that has disabled an event which has no location, and takes its callback
/// away, lest that happens for ever.
///
/// # Safety
/// The thread is attached.
#[cold]
pub unsafe fn refuse_disable(interp: *mut ffi::PyInterpreterState, tool: Tool, event: Event) -> Raised {
    // SAFETY: the caller's promise.
    unsafe {
        let name = event.name().as_ptr();
        let raised = raise!(PyExc_ValueError, c"Cannot disable %s events. Callback removed.", name);
        tools::remove_callback(interp, tool, event);
        raised
    }
}

/// Tells `told` of a local event at code unit `index` of `code`; those who disable it are not told again.
#[inline(always)]
unsafe fn call_tools_here(
    tstate: ThreadState,
    told: ToolSet,
    code: Code,
    index: usize,
    event: Event,
    arguments: &mut [*mut PyObject],
) -> PyResult<()> {
    for tool in told {
        // SAFETY: the callers' promise.
        unsafe {
            if call_tool(tstate, tool, event, arguments)? == Reply::Disable {
                disable(tstate, code, index, event, tool)?;
            }
        }
    }
    Ok(())
}

#[cold]
unsafe fn disable(tstate: ThreadState, code: Code, index: usize, event: Event, tool: Tool) -> PyResult<()> {
    // SAFETY: the callers' promise.
    unsafe {
        let interp = tstate.interp();
        if !event.is_local() {
            return Err(refuse_disable(interp, tool, event));
        }
        with_world_stopped(interp, || writer::disable(interp, code, index, event, tool));
        Ok(())
    }
}

/// The offset that Python code sees, as an `int`.
#[inline(always)]
unsafe fn offset_object(tstate: ThreadState, unit: CodeUnit, bytecode: CodeUnit) -> PyResult {
    // SAFETY: the callers' promise: both are in the same bytecode, and the thread is attached.
    unsafe {
        let offset = unit.offset_from(bytecode) * size_of::<ffi::_Py_CODEUNIT>() as isize;
        Owned::from_host(numbers::int(tstate, offset))
    }
}

/// Who is told of `event` at a location; not of line and instruction events.
#[inline(always)]
unsafe fn told(tstate: ThreadState, code: Code, index: usize, event: Event) -> ToolSet {
    let event = event.watched_as();
    // SAFETY: the callers' promise: the code object is live.
    unsafe {
        if !event.is_local() {
            return tools::tools_for(tstate.interp(), event);
        }
        let data = Monitoring::of(code);
        data.map_or(ToolSet::NONE, |data| {
            data.told(TableKind::Tools, index).unwrap_or(data.active().tools(event))
        })
    }
}

/// Tells tools of an event of the instruction `instr`, which they see at `seen`, with the objects after the
/// third of `arguments`.
#[inline(always)]
unsafe fn fire<const N: usize>(
    tstate: ThreadState,
    event: c_int,
    frame: Frame,
    instr: CodeUnit,
    seen: CodeUnit,
    mut arguments: [*mut PyObject; N],
) -> PyResult<()> {
    // SAFETY: the callers' promise: the frame is live and published, and the units are in its bytecode.
    unsafe {
        if (*tstate.as_ptr()).tracing != 0 {
            return Ok(());
        }
        debug_assert!(Event::from_number(event).is_some());
        let Some(event) = Event::from_number(event) else { return Ok(()) };
        let code = frame.code();
        let bytecode = frame.bytecode();
        let offset = offset_object(tstate, seen, bytecode)?;
        arguments[1] = code.object();
        arguments[2] = offset.as_ptr();
        let index = instr.offset_from(bytecode) as usize;
        let told = told(tstate, code, index, event);
        call_tools_here(tstate, told, code, index, event, &mut arguments)
    }
}

fn status(result: PyResult<()>) -> c_int {
    if result.is_ok() { 0 } else { -1 }
}

// --- events of instructions --------------------------------------------------------------------

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
    // SAFETY: the caller's promise.
    status(unsafe { fire(tstate, event, frame, instr, instr, [null_mut(); 3]) })
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
    let arguments = [null_mut(), null_mut(), null_mut(), arg];
    // SAFETY: the caller's promise.
    status(unsafe { fire(tstate, event, frame, instr, instr, arguments) })
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
    let arguments = [null_mut(), null_mut(), null_mut(), arg0, arg1];
    // SAFETY: the caller's promise.
    status(unsafe { fire(tstate, event, frame, instr, instr, arguments) })
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
    // SAFETY: the caller's promise; what is taken off the thread is ours until it is set again.
    unsafe {
        let Ok(exception) = Owned::from_host(ffi::_PyErr_GetRaisedException(tstate)) else { return };
        if _Py_call_instrumentation_2args(tstate, event, frame, instr, arg0, arg1) == 0 {
            ffi::_PyErr_SetRaisedException(tstate, exception.into_ptr());
        }
    }
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
    // SAFETY: the caller's promise.
    unsafe {
        let Ok(target) = offset_object(tstate, CodeUnit::from_ptr(dest), frame.bytecode()) else {
            return null_mut();
        };
        let here = frame.instr();
        let arguments = [null_mut(), null_mut(), null_mut(), target.as_ptr()];
        match fire(tstate, event, frame, instr, CodeUnit::from_ptr(src), arguments) {
            Err(Raised) => null_mut(),
            Ok(()) if frame.instr() != here => frame.instr().as_ptr(),
            Ok(()) => dest,
        }
    }
}

// --- lines and instructions --------------------------------------------------------------------

/// Who is told of line or instruction events at a location.
#[inline(always)]
unsafe fn told_at(
    tstate: ThreadState,
    data: &Monitoring,
    kind: TableKind,
    index: usize,
    event: Event,
) -> ToolSet {
    // SAFETY: the callers' promise: the interpreter is live.
    let global = || unsafe { tools::tools_for(tstate.interp(), event) };
    data.told(kind, index).unwrap_or_else(|| global().union(data.local().tools(event)))
}

/// The number of a line; -1 for none.
///
/// # Safety
/// The code object is live, and the line is of its table.
#[inline(always)]
pub unsafe fn line_number(code: Code, line: Line) -> c_int {
    // SAFETY: the caller's promise.
    line.distance().map_or(-1, |distance| unsafe { (*code.as_ptr()).co_firstlineno } + distance)
}

/// What is under the line event of the instruction `unit`.
///
/// # Safety
/// The frame is live and runs the instruction, which has a line event.
#[inline]
pub unsafe fn under_line(frame: Frame, unit: CodeUnit) -> u8 {
    // SAFETY: the caller's promise; a line event was put there with a table of lines.
    unsafe {
        let lines = Monitoring::of(frame.code()).and_then(|data| data.lines()).unwrap_unchecked();
        lines.opcode(unit.offset_from(frame.bytecode()) as usize)
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
    // SAFETY: the caller's promise.
    unsafe {
        let lines = line_table(line_data, size(code.cast()) as usize);
        line_number(Code::from_ptr(code), lines.line(index as usize))
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
    // SAFETY: the caller's promise; a line event was put there with a table of lines.
    unsafe {
        let code = frame.code();
        let bytecode = frame.bytecode();
        let index = instr.offset_from(bytecode) as usize;
        let data = Monitoring::of(code).unwrap_unchecked();
        let lines = data.lines().unwrap_unchecked();
        let prev = CodeUnit::from_ptr(prev);
        // RESUME never begins a line, so what follows it on the same one does.
        let line = lines.line(index);
        let same_line = line == lines.line(prev.offset_from(bytecode) as usize)
            && !matches!(prev.opcode(), RESUME | INSTRUMENTED_RESUME);
        if !same_line && begin_line(tstate, frame, &data, index, line_number(code, line)).is_err() {
            return -1;
        }
        // A tool may have put an instruction event there that the table does not know of.
        if instr.opcode() == INSTRUMENTED_INSTRUCTION {
            return c_int::from(INSTRUMENTED_INSTRUCTION);
        }
        c_int::from(lines.opcode(index))
    }
}

/// Tells tools that `line` begins at code unit `index`.
#[inline(always)]
unsafe fn begin_line(
    tstate: ThreadState,
    frame: Frame,
    data: &Monitoring,
    index: usize,
    line: c_int,
) -> PyResult<()> {
    // SAFETY: the caller's promise.
    unsafe {
        let mut told = told_at(tstate, data, TableKind::LineTools, index, Event::LINE);
        if told.contains(Tool::SYS_TRACE) {
            trace_line(tstate, frame, line)?;
            told = told.difference(ToolSet::of(Tool::SYS_TRACE));
        }
        if told.is_empty() {
            return Ok(());
        }
        let line = Owned::from_host(numbers::int(tstate, line as isize))?;
        let code = frame.code();
        let mut arguments = [null_mut(), code.object(), line.as_ptr()];
        call_tools_here(tstate, told, code, index, Event::LINE, &mut arguments)
    }
}

/// Tells the trace function of a line. As a tool it would get the number as an object, only to unpack it.
unsafe fn trace_line(tstate: ThreadState, frame: Frame, line: c_int) -> PyResult<()> {
    // SAFETY: the caller's promise.
    unsafe {
        let thread = tstate.as_ptr();
        if (*thread).c_tracefunc.is_none() {
            return Ok(());
        }
        let object = frame.frame_object();
        if object.is_null() {
            return Err(Raised);
        }
        if (*object).f_trace_lines == 0 {
            return Ok(());
        }
        let kept = Owned::new_ref(object.cast());
        let failed = suspended(tstate, Event::LINE, || {
            (*object).f_lineno = line;
            let trace = (*thread).c_tracefunc.unwrap_unchecked();
            let failed = trace((*thread).c_traceobj, object, ffi::PyTrace_LINE as c_int, none());
            (*object).f_lineno = 0;
            failed
        });
        drop(kept);
        if failed == 0 { Ok(()) } else { Err(Raised) }
    }
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
    // SAFETY: the caller's promise; an instruction event was put there with a table of opcodes.
    unsafe {
        let code = frame.code();
        let bytecode = frame.bytecode();
        let index = instr.offset_from(bytecode) as usize;
        let data = Monitoring::of(code).unwrap_unchecked();
        let opcodes = data.table(TableKind::InstructionOpcodes).unwrap_unchecked();
        let original = c_int::from(opcodes[index].load(core::sync::atomic::Ordering::Relaxed));
        if (*tstate.as_ptr()).tracing != 0 {
            return original;
        }
        let told = told_at(tstate, &data, TableKind::InstructionTools, index, Event::INSTRUCTION);
        let Ok(offset) = offset_object(tstate, instr, bytecode) else { return -1 };
        let mut arguments = [null_mut(), code.object(), offset.as_ptr()];
        match call_tools_here(tstate, told, code, index, Event::INSTRUCTION, &mut arguments) {
            Ok(()) => original,
            Err(Raised) => -1,
        }
    }
}
