//! Calling tools: what instrumented instructions do. Source: `pycore_instruments.h`, PEP 669.

use core::ffi::c_int;
use core::ptr::null_mut;

use super::data::{Monitoring, TableKind};
use super::events::{Event, Tool, ToolSet};
use super::lines::Line;
use super::{tools, writer};
use crate::bytecode::opcode::{INSTRUMENTED_INSTRUCTION, INSTRUMENTED_RESUME, RESUME};
use crate::host::function::vectorcall;
use crate::host::lock::with_world_stopped;
use crate::host::{
    Code, CodeUnit, Frame, Owned, PyObject, PyResult, Raised, ThreadState, ffi, none, numbers,
};
use crate::raise;
use crate::seams;

/// Whether a tool has returned `DISABLE`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Reply {
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
pub(crate) unsafe fn call_tool(
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
        if result.as_ptr() == seams::instrumentation::disable() {
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
pub(crate) unsafe fn refuse_disable(
    interp: *mut ffi::PyInterpreterState,
    tool: Tool,
    event: Event,
) -> Raised {
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

// --- events of instructions --------------------------------------------------------------------

/// Calls the tools for an event of `instr` without an argument. Fails with a tool's exception.
///
/// # Safety
/// The thread is attached and `tstate` its state; no exception is set; `frame` is current and published, and
/// `instr` in its bytecode; `event` is of a kind that the instruction was instrumented for.
pub(crate) unsafe fn event(tstate: ThreadState, event: c_int, frame: Frame, instr: CodeUnit) -> PyResult<()> {
    // SAFETY: the caller's promise.
    unsafe { fire(tstate, event, frame, instr, instr, [null_mut(); 3]) }
}

/// As [`event`], with one argument, borrowed.
///
/// # Safety
/// As for [`event`]; `argument` is live.
pub(crate) unsafe fn event_with(
    tstate: ThreadState,
    event: c_int,
    frame: Frame,
    instr: CodeUnit,
    argument: *mut PyObject,
) -> PyResult<()> {
    let arguments = [null_mut(), null_mut(), null_mut(), argument];
    // SAFETY: the caller's promise.
    unsafe { fire(tstate, event, frame, instr, instr, arguments) }
}

/// As [`event`], with two arguments, borrowed.
///
/// # Safety
/// As for [`event`]; `arguments` are live.
pub(crate) unsafe fn event_with_two(
    tstate: ThreadState,
    event: c_int,
    frame: Frame,
    instr: CodeUnit,
    arguments: [*mut PyObject; 2],
) -> PyResult<()> {
    let arguments = [null_mut(), null_mut(), null_mut(), arguments[0], arguments[1]];
    // SAFETY: the caller's promise.
    unsafe { fire(tstate, event, frame, instr, instr, arguments) }
}

/// As [`event_with_two`], while an exception is set. It stays set unless a tool raises another one.
///
/// # Safety
/// As for [`event_with_two`], but an exception is set.
pub(crate) unsafe fn event_with_exception(
    tstate: ThreadState,
    event: c_int,
    frame: Frame,
    instr: CodeUnit,
    arguments: [*mut PyObject; 2],
) {
    // SAFETY: the caller's promise; what is taken off the thread is ours until it is set again.
    unsafe {
        let Ok(exception) = Owned::from_host(ffi::_PyErr_GetRaisedException(tstate.as_ptr())) else { return };
        if event_with_two(tstate, event, frame, instr, arguments).is_ok() {
            ffi::_PyErr_SetRaisedException(tstate.as_ptr(), exception.into_ptr());
        }
    }
}

/// Calls the tools for the way of `instr` from `source` to `target`. Returns where to go on: `target`, or where
/// a tool has moved the frame to. Fails with a tool's exception.
///
/// # Safety
/// As for [`event`]; `source` and `target` are in the frame's bytecode, too.
pub(crate) unsafe fn jump(
    tstate: ThreadState,
    event: c_int,
    frame: Frame,
    instr: CodeUnit,
    source: CodeUnit,
    target: CodeUnit,
) -> PyResult<CodeUnit> {
    // SAFETY: the caller's promise.
    unsafe {
        let offset = offset_object(tstate, target, frame.bytecode())?;
        let here = frame.instr();
        let arguments = [null_mut(), null_mut(), null_mut(), offset.as_ptr()];
        fire(tstate, event, frame, instr, source, arguments)?;
        Ok(if frame.instr() == here { target } else { frame.instr() })
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
pub(crate) unsafe fn line_number(code: Code, line: Line) -> c_int {
    // SAFETY: the caller's promise.
    line.distance().map_or(-1, |distance| unsafe { (*code.as_ptr()).co_firstlineno } + distance)
}

/// What is under the line event of the instruction `unit`.
///
/// # Safety
/// The frame is live and runs the instruction, which has a line event.
#[inline]
pub(crate) unsafe fn under_line(frame: Frame, unit: CodeUnit) -> u8 {
    // SAFETY: the caller's promise; a line event was put there with a table of lines.
    unsafe {
        let lines = Monitoring::of(frame.code()).and_then(|data| data.lines()).unwrap_unchecked();
        lines.opcode(unit.offset_from(frame.bytecode()) as usize)
    }
}

/// Calls the tools for the line that begins at `instr`, unless `previous` was on the same one. Returns the opcode
/// that is under the line event. Fails with a tool's exception.
///
/// # Safety
/// As for [`event`]; `previous` is in the frame's bytecode, too, and the code object has a table of lines.
pub(crate) unsafe fn line(
    tstate: ThreadState,
    frame: Frame,
    instr: CodeUnit,
    previous: CodeUnit,
) -> PyResult<u8> {
    // SAFETY: the caller's promise; a line event was put there with a table of lines.
    unsafe {
        let code = frame.code();
        let bytecode = frame.bytecode();
        let index = instr.offset_from(bytecode) as usize;
        let data = Monitoring::of(code).unwrap_unchecked();
        let lines = data.lines().unwrap_unchecked();
        // RESUME never begins a line, so what follows it on the same one does.
        let line = lines.line(index);
        let same_line = line == lines.line(previous.offset_from(bytecode) as usize)
            && !matches!(previous.opcode(), RESUME | INSTRUMENTED_RESUME);
        if !same_line {
            begin_line(tstate, frame, &data, index, line_number(code, line))?;
        }
        // A tool may have put an instruction event there that the table does not know of.
        if instr.opcode() == INSTRUMENTED_INSTRUCTION {
            return Ok(INSTRUMENTED_INSTRUCTION);
        }
        Ok(lines.opcode(index))
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

/// Calls the tools for the instruction event of `instr`. Returns the opcode that is under it. Fails with a tool's
/// exception.
///
/// # Safety
/// As for [`event`]; the code object has a table of opcodes.
pub(crate) unsafe fn instruction(tstate: ThreadState, frame: Frame, instr: CodeUnit) -> PyResult<u8> {
    // SAFETY: the caller's promise; an instruction event was put there with a table of opcodes.
    unsafe {
        let code = frame.code();
        let bytecode = frame.bytecode();
        let index = instr.offset_from(bytecode) as usize;
        let data = Monitoring::of(code).unwrap_unchecked();
        let opcodes = data.table(TableKind::InstructionOpcodes).unwrap_unchecked();
        let original = opcodes[index].load(core::sync::atomic::Ordering::Relaxed);
        if (*tstate.as_ptr()).tracing != 0 {
            return Ok(original);
        }
        let told = told_at(tstate, &data, TableKind::InstructionTools, index, Event::INSTRUCTION);
        let offset = offset_object(tstate, instr, bytecode)?;
        let mut arguments = [null_mut(), code.object(), offset.as_ptr()];
        call_tools_here(tstate, told, code, index, Event::INSTRUCTION, &mut arguments)?;
        Ok(original)
    }
}
