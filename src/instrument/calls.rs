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

/// Where an event fires.
///
/// The functions that take one require that the thread is attached and `tstate` is its state, `frame` is current
/// and published, and `instr` is an instruction in its bytecode.
#[derive(Clone, Copy)]
pub(crate) struct Origin {
    tstate: ThreadState,
    frame: Frame,
    instr: CodeUnit,
}

impl Origin {
    /// The place where C code fires an event.
    ///
    /// # Safety
    /// The frame is live.
    #[inline(always)]
    pub(crate) unsafe fn from_host(
        tstate: *mut ffi::PyThreadState,
        frame: *mut ffi::_PyInterpreterFrame,
        instr: *mut ffi::_Py_CODEUNIT,
    ) -> Origin {
        Origin {
            tstate: ThreadState::from_ptr(tstate),
            // SAFETY: the frame is live (caller), so its address is not null.
            frame: unsafe { Frame::from_ptr(frame) },
            instr: CodeUnit::from_ptr(instr),
        }
    }
}

/// The most values that a callback gets besides code object and place.
const MOST_VALUES: usize = 2;

/// The arguments of a callback, borrowed: code object, place (offset or line), and values. Before them is a slot
/// that the callee may overwrite (`PY_VECTORCALL_ARGUMENTS_OFFSET`).
pub(crate) struct Arguments {
    slots: [*mut PyObject; 3 + MOST_VALUES],
    count: usize,
}

impl Arguments {
    #[inline(always)]
    pub(crate) fn new<const N: usize>(
        code: *mut PyObject,
        place: *mut PyObject,
        values: [*mut PyObject; N],
    ) -> Arguments {
        const { assert!(N <= MOST_VALUES) };
        let mut slots = [null_mut(); 3 + MOST_VALUES];
        (slots[1], slots[2]) = (code, place);
        slots[3..3 + N].copy_from_slice(&values);
        Arguments { slots, count: 2 + N }
    }
}

/// Calls the callback of one tool for an event. Meanwhile no events fire in this thread. Fails with the
/// callback's exception.
///
/// # Safety
/// The thread is attached and not tracing, `tstate` is its state, its frames are published, and the objects
/// are live.
#[inline(always)]
pub(crate) unsafe fn call_tool(
    tstate: ThreadState,
    tool: Tool,
    event: Event,
    arguments: &mut Arguments,
) -> PyResult<Reply> {
    // SAFETY: the thread is attached, and the objects are live for the call (caller).
    unsafe {
        let Some(callback) = tools::callback(tstate.interp(), tool, event) else { return Ok(Reply::Done) };
        let result = suspended(tstate, event, || {
            let objects = arguments.slots.as_mut_ptr().add(1);
            vectorcall(tstate, callback.object(), objects, arguments.count, null_mut())
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
    arguments: &mut Arguments,
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

/// Calls the tools for an event of the origin's instruction, unless the thread is tracing. Callbacks get the
/// code object, the offset of `seen`, and `values`.
///
/// # Safety
/// As for [`event`]; `seen` is in the frame's bytecode.
#[inline(always)]
unsafe fn fire<const N: usize>(
    Origin { tstate, frame, instr }: Origin,
    event: Event,
    seen: CodeUnit,
    values: [*mut PyObject; N],
) -> PyResult<()> {
    // SAFETY: the origin and the values are as required, and `seen` is in the frame's bytecode (caller). The
    // thread is not tracing.
    unsafe {
        if (*tstate.as_ptr()).tracing != 0 {
            return Ok(());
        }
        let code = frame.code();
        let bytecode = frame.bytecode();
        let offset = offset_object(tstate, seen, bytecode)?;
        let mut arguments = Arguments::new(code.object(), offset.as_ptr(), values);
        let index = instr.offset_from(bytecode) as usize;
        let told = told(tstate, code, index, event);
        call_tools_here(tstate, told, code, index, event, &mut arguments)
    }
}

// --- events of instructions --------------------------------------------------------------------

/// Calls the tools for an event of the origin's instruction. Callbacks get the code object, the offset of the
/// instruction, and `values`, borrowed references. Fails with a callback's exception.
///
/// # Safety
/// The origin is as [`Origin`] says; no exception is set; `event` is an event of this instruction, or not a
/// local event; it is neither LINE nor INSTRUCTION nor BRANCH; `values` are live.
pub(crate) unsafe fn event<const N: usize>(
    origin: Origin,
    event: Event,
    values: [*mut PyObject; N],
) -> PyResult<()> {
    // SAFETY: `fire` requires what this function requires: `seen` is the origin's instruction.
    unsafe { fire(origin, event, origin.instr, values) }
}

/// As [`event`], with an exception set. It stays set unless a callback raises another one.
///
/// # Safety
/// As for [`event`], but an exception is set.
pub(crate) unsafe fn event_with_exception<const N: usize>(
    origin: Origin,
    event: Event,
    values: [*mut PyObject; N],
) {
    // SAFETY: origin and values are as required (caller). The exception is taken off the thread for the call, so
    // none is set then.
    unsafe {
        let tstate = origin.tstate.as_ptr();
        let Ok(exception) = Owned::from_host(ffi::_PyErr_GetRaisedException(tstate)) else { return };
        if fire(origin, event, origin.instr, values).is_ok() {
            ffi::_PyErr_SetRaisedException(tstate, exception.into_ptr());
        }
    }
}

/// Calls the tools for the step of the origin's instruction from `source` to `target`. Returns the next
/// instruction: `target`, or the one to which a callback has moved the frame. Fails with a callback's exception.
///
/// # Safety
/// As for [`event`]; `source` and `target` are in the frame's bytecode.
pub(crate) unsafe fn jump(
    origin: Origin,
    event: Event,
    source: CodeUnit,
    target: CodeUnit,
) -> PyResult<CodeUnit> {
    // SAFETY: `fire` requires what this function requires; `source` and `target` are in the frame's bytecode
    // (caller).
    unsafe {
        let frame = origin.frame;
        let offset = offset_object(origin.tstate, target, frame.bytecode())?;
        let here = frame.instr();
        fire(origin, event, source, [offset.as_ptr()])?;
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

/// Calls the tools for the line that begins at the origin's instruction, unless `previous` is on the same line.
/// Returns the opcode below the line event. Fails with a callback's exception.
///
/// # Safety
/// The origin is as [`Origin`] says; no exception is set; the thread is not tracing, `previous` is in the
/// frame's bytecode, and the code has a table of lines (it has one if the instruction has, or had, a line
/// event).
pub(crate) unsafe fn line(Origin { tstate, frame, instr }: Origin, previous: CodeUnit) -> PyResult<u8> {
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
        let mut arguments = Arguments::new(code.object(), line.as_ptr(), []);
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

/// Calls the tools for the instruction event of the origin's instruction, unless the thread is tracing. Returns
/// the opcode below the instruction event. Fails with a callback's exception.
///
/// # Safety
/// The origin is as [`Origin`] says; no exception is set; the code has a table of opcodes (it has one if the
/// instruction has, or had, an instruction event).
pub(crate) unsafe fn instruction(Origin { tstate, frame, instr }: Origin) -> PyResult<u8> {
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
        let mut arguments = Arguments::new(code.object(), offset.as_ptr(), []);
        call_tools_here(tstate, told, code, index, Event::INSTRUCTION, &mut arguments)?;
        Ok(original)
    }
}
