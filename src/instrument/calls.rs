//! Calls the tools: what instrumented instructions do. Source: `pycore_instruments.h`, PEP 669.
//!
//! Callers: `exports` (`_Py_call_instrumentation*`, which the evaluator calls through [`crate::seams`]),
//! [`super::c_code`], [`super::legacy`], and `ops` for [`under_line`].

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

/// Calls the callback of one tool for an event. Meanwhile no events fire in this thread. `arguments` begins
/// with a slot that the callee may overwrite (`PY_VECTORCALL_ARGUMENTS_OFFSET`), followed by borrowed
/// references. Fails with the callback's exception.
///
/// # Safety
/// The thread is attached and not tracing, `tstate` is its state, its frames are published, and the objects
/// are live.
#[inline(always)]
pub(crate) unsafe fn call_tool(
    tstate: ThreadState,
    tool: Tool,
    event: Event,
    arguments: &mut [*mut PyObject],
) -> PyResult<Reply> {
    debug_assert!(arguments.len() > 1);
    // SAFETY: the thread is attached, and the objects are live for the call (caller).
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

/// Runs `action` as a reaction to `event`: with `tracing` raised, so that no events fire in this thread
/// meanwhile.
///
/// # Safety
/// `tstate` is the state of the running thread, which is attached.
#[inline(always)]
unsafe fn suspended<T>(tstate: ThreadState, event: Event, action: impl FnOnce() -> T) -> T {
    // SAFETY: `tstate` is live, and no other thread writes these two fields (caller).
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

/// Raises ValueError because a tool has disabled an event that cannot be disabled, and removes its callback,
/// so that this does not repeat.
///
/// # Safety
/// The thread is attached to `interp`.
#[cold]
pub(crate) unsafe fn refuse_disable(
    interp: *mut ffi::PyInterpreterState,
    tool: Tool,
    event: Event,
) -> Raised {
    // SAFETY: the thread is attached to `interp` (caller).
    unsafe {
        let name = event.name().as_ptr();
        let raised = raise!(PyExc_ValueError, c"Cannot disable %s events. Callback removed.", name);
        tools::remove_callback(interp, tool, event);
        raised
    }
}

/// Calls the tools `told` for an event at code unit `index` of `code`. Disables the event at this location
/// for those that return DISABLE.
///
/// # Safety
/// As for [`call_tool`]; `code` is live, an instruction begins at `index`, and `event` is an event of this
/// instruction or not a local one.
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
        // SAFETY: the requirements of both callees are among those of this function.
        unsafe {
            if call_tool(tstate, tool, event, arguments)? == Reply::Disable {
                disable(tstate, code, index, event, tool)?;
            }
        }
    }
    Ok(())
}

/// Disables `event` at code unit `index` of `code` for `tool`. Fails with ValueError if it is not a local
/// event.
///
/// # Safety
/// The thread is attached, `tstate` is its state, `code` is live, an instruction begins at `index`, and
/// `event` is an event of this instruction or not a local one.
#[cold]
unsafe fn disable(tstate: ThreadState, code: Code, index: usize, event: Event, tool: Tool) -> PyResult<()> {
    // SAFETY: `code` is live, with an instruction at `index` (caller); the world is stopped for
    // `writer::disable`.
    unsafe {
        let interp = tstate.interp();
        if !event.is_local() {
            return Err(refuse_disable(interp, tool, event));
        }
        with_world_stopped(interp, || writer::disable(interp, code, index, event, tool));
        Ok(())
    }
}

/// The offset of a code unit in bytes, as an `int`.
///
/// # Safety
/// The thread is attached, `tstate` is its state, and `unit` is in the bytecode that begins at `bytecode`.
#[inline(always)]
unsafe fn offset_object(tstate: ThreadState, unit: CodeUnit, bytecode: CodeUnit) -> PyResult {
    // SAFETY: both pointers are into the same bytecode, and the thread is attached (caller).
    unsafe {
        let offset = unit.offset_from(bytecode) * size_of::<ffi::_Py_CODEUNIT>() as isize;
        Owned::from_host(numbers::int(tstate, offset))
    }
}

/// The tools to notify of `event` at code unit `index`. Not for LINE and INSTRUCTION, see [`told_at`].
///
/// # Safety
/// The thread is attached, `tstate` is its state, `code` is live, and `index` is less than its number of code
/// units.
#[inline(always)]
unsafe fn told(tstate: ThreadState, code: Code, index: usize, event: Event) -> ToolSet {
    let event = event.watched_as();
    // SAFETY: `code` and the interpreter are live (caller).
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

/// Calls the tools for an event of the instruction `instr`, unless the thread is tracing. Callbacks get
/// `code`, the offset of `seen`, and the elements of `arguments` from the fourth on; the first three are
/// filled in here.
///
/// # Safety
/// As for [`event`]; `seen` is in the frame's bytecode, and the arguments are live.
#[inline(always)]
unsafe fn fire<const N: usize>(
    tstate: ThreadState,
    event: c_int,
    frame: Frame,
    instr: CodeUnit,
    seen: CodeUnit,
    mut arguments: [*mut PyObject; N],
) -> PyResult<()> {
    // SAFETY: the frame is live and published, both units are in its bytecode, and the arguments are live
    // (caller). The thread is not tracing.
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

/// Calls the tools for an event of `instr` that has no arguments. Fails with a callback's exception.
///
/// # Safety
/// The thread is attached and `tstate` is its state; no exception is set; `frame` is current and published,
/// and `instr` is an instruction in its bytecode; `event` is an event of this instruction, or not a local
/// event.
pub(crate) unsafe fn event(tstate: ThreadState, event: c_int, frame: Frame, instr: CodeUnit) -> PyResult<()> {
    // SAFETY: `fire` requires what this function requires: `seen` is `instr`, and there are no arguments.
    unsafe { fire(tstate, event, frame, instr, instr, [null_mut(); 3]) }
}

/// As [`event`], with one argument, a borrowed reference.
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
    // SAFETY: `fire` requires what this function requires; `argument` is live (caller).
    unsafe { fire(tstate, event, frame, instr, instr, arguments) }
}

/// As [`event`], with two arguments, borrowed references.
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
    // SAFETY: `fire` requires what this function requires; the arguments are live (caller).
    unsafe { fire(tstate, event, frame, instr, instr, arguments) }
}

/// As [`event_with_two`], with an exception set. It stays set unless a callback raises another one.
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
    // SAFETY: the arguments are live, and the frame is current and published (caller). The exception is taken
    // off the thread for the call, so none is set then.
    unsafe {
        let Ok(exception) = Owned::from_host(ffi::_PyErr_GetRaisedException(tstate.as_ptr())) else { return };
        if event_with_two(tstate, event, frame, instr, arguments).is_ok() {
            ffi::_PyErr_SetRaisedException(tstate.as_ptr(), exception.into_ptr());
        }
    }
}

/// Calls the tools for the step of `instr` from `source` to `target`. Returns the next instruction: `target`,
/// or the one to which a callback has moved the frame. Fails with a callback's exception.
///
/// # Safety
/// As for [`event`]; `source` and `target` are in the frame's bytecode.
pub(crate) unsafe fn jump(
    tstate: ThreadState,
    event: c_int,
    frame: Frame,
    instr: CodeUnit,
    source: CodeUnit,
    target: CodeUnit,
) -> PyResult<CodeUnit> {
    // SAFETY: `fire` requires what this function requires; `source` and `target` are in the frame's bytecode
    // (caller).
    unsafe {
        let offset = offset_object(tstate, target, frame.bytecode())?;
        let here = frame.instr();
        let arguments = [null_mut(), null_mut(), null_mut(), offset.as_ptr()];
        fire(tstate, event, frame, instr, source, arguments)?;
        Ok(if frame.instr() == here { target } else { frame.instr() })
    }
}

// --- lines and instructions --------------------------------------------------------------------

/// The tools to notify of LINE or INSTRUCTION at code unit `index`.
///
/// # Safety
/// The thread is attached, and `tstate` is its state.
#[inline(always)]
unsafe fn told_at(
    tstate: ThreadState,
    data: &Monitoring,
    kind: TableKind,
    index: usize,
    event: Event,
) -> ToolSet {
    // SAFETY: the thread is attached, so its interpreter is live (caller).
    let global = || unsafe { tools::tools_for(tstate.interp(), event) };
    data.told(kind, index).unwrap_or_else(|| global().union(data.local().tools(event)))
}

/// The number of a line; -1 if there is none.
///
/// # Safety
/// `code` is live, and `line` is from its table of lines.
#[inline(always)]
pub(crate) unsafe fn line_number(code: Code, line: Line) -> c_int {
    // SAFETY: `code` is live (caller).
    line.distance().map_or(-1, |distance| unsafe { (*code.as_ptr()).co_firstlineno } + distance)
}

/// The opcode below the line event of the instruction `unit`.
///
/// # Safety
/// `frame` is live, `unit` is an instruction in its bytecode, and it has (or had) a line event, so that its
/// code has a table of lines.
#[inline]
pub(crate) unsafe fn under_line(frame: Frame, unit: CodeUnit) -> u8 {
    // SAFETY: `frame` is live, and its code has a table of lines, which is never removed (caller).
    unsafe {
        let lines = Monitoring::of(frame.code()).and_then(|data| data.lines()).unwrap_unchecked();
        lines.opcode(unit.offset_from(frame.bytecode()) as usize)
    }
}

/// Calls the tools for the line that begins at `instr`, unless `previous` is on the same line. Returns the
/// opcode below the line event. Fails with a callback's exception.
///
/// # Safety
/// As for [`event`]; the thread is not tracing, `previous` is in the frame's bytecode, and the code has a
/// table of lines (it has one if `instr` has, or had, a line event).
pub(crate) unsafe fn line(
    tstate: ThreadState,
    frame: Frame,
    instr: CodeUnit,
    previous: CodeUnit,
) -> PyResult<u8> {
    // SAFETY: the code has a table of lines, and both units are in its bytecode (caller).
    unsafe {
        let code = frame.code();
        let bytecode = frame.bytecode();
        let index = instr.offset_from(bytecode) as usize;
        let data = Monitoring::of(code).unwrap_unchecked();
        let lines = data.lines().unwrap_unchecked();
        // RESUME never begins a line. So the instruction after it does, even if it is on the same line.
        let line = lines.line(index);
        let same_line = line == lines.line(previous.offset_from(bytecode) as usize)
            && !matches!(previous.opcode(), RESUME | INSTRUMENTED_RESUME);
        if !same_line {
            begin_line(tstate, frame, &data, index, line_number(code, line))?;
        }
        // A callback may have turned instruction events on: the table of lines does not tell whether it has.
        if instr.opcode() == INSTRUMENTED_INSTRUCTION {
            return Ok(INSTRUMENTED_INSTRUCTION);
        }
        Ok(lines.opcode(index))
    }
}

/// Calls the tools for `line`, which begins at code unit `index`.
///
/// # Safety
/// As for [`line()`]; `data` is the data of the frame's code.
#[inline(always)]
unsafe fn begin_line(
    tstate: ThreadState,
    frame: Frame,
    data: &Monitoring,
    index: usize,
    line: c_int,
) -> PyResult<()> {
    // SAFETY: the thread is attached and not tracing, `frame` is current and published (caller).
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

/// Calls the thread's trace function for a line. The tool's callback would get the line as an `int` object,
/// only to unpack it.
///
/// # Safety
/// As for [`line()`].
unsafe fn trace_line(tstate: ThreadState, frame: Frame, line: c_int) -> PyResult<()> {
    // SAFETY: the thread is attached, and `frame` is current and published (caller). The frame object is kept
    // alive for the call; the trace function was checked above.
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

/// Calls the tools for the instruction event of `instr`, unless the thread is tracing. Returns the opcode
/// below the instruction event. Fails with a callback's exception.
///
/// # Safety
/// As for [`event`]; the code has a table of opcodes (it has one if `instr` has, or had, an instruction
/// event).
pub(crate) unsafe fn instruction(tstate: ThreadState, frame: Frame, instr: CodeUnit) -> PyResult<u8> {
    // SAFETY: the code has a table of opcodes, and `instr` is in its bytecode (caller).
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
