//! The events of `sys.settrace`, and what trace functions get for them. Used by [`super`], and by `exports`
//! for `_PyEval_SetOpcodeTrace`.

use core::ffi::c_int;

use super::callback::{Notification, Reaction, Subscription, current_frame, notify};
use crate::host::lock::with_world_stopped;
use crate::host::object::type_of;
use crate::host::{Code, Frame, Owned, PyObject, PyResult, ThreadState, ffi, none};
use crate::instrument::calls::{Reply, line_number};
use crate::instrument::data::Monitoring;
use crate::instrument::events::{Event, EventSet, Tool};
use crate::seams;

pub(super) const SUBSCRIPTIONS: &[Subscription] = &[
    Subscription::new::<Entered>(ffi::PyTrace_CALL, &[Event::PY_START, Event::PY_RESUME, Event::PY_THROW]),
    Subscription::new::<Left>(ffi::PyTrace_RETURN, &[Event::PY_RETURN, Event::PY_YIELD]),
    Subscription::new::<Unwound>(ffi::PyTrace_RETURN, &[Event::PY_UNWIND]),
    Subscription::new::<Exception>(ffi::PyTrace_EXCEPTION, &[Event::RAISE, Event::STOP_ITERATION]),
    Subscription::new::<Line>(ffi::PyTrace_LINE, &[Event::LINE]),
    Subscription::new::<Jump>(ffi::PyTrace_LINE, &[Event::JUMP]),
    Subscription::new::<InstructionStart>(ffi::PyTrace_OPCODE, &[Event::INSTRUCTION]),
];

/// The state of this thread, if it has a trace function.
///
/// # Safety
/// The thread is attached.
unsafe fn traced_thread() -> Option<*mut ffi::PyThreadState> {
    // SAFETY: the thread is attached (caller).
    unsafe {
        let tstate = ThreadState::current().as_ptr();
        (*tstate).c_tracefunc.is_some().then_some(tstate)
    }
}

/// The frame object of the current frame. Fails with SystemError if there is none.
///
/// # Safety
/// The thread is attached, and its frames are published.
unsafe fn traced_frame() -> PyResult<*mut ffi::PyFrameObject> {
    // SAFETY: the thread is attached, and its frames are published (caller).
    unsafe { current_frame(c"Missing frame when calling trace function.") }
}

/// Calls the thread's trace function. Resets the frame's line number afterwards, even if the function has
/// assigned one.
///
/// # Safety
/// As for [`Reaction::react`]; `tstate` is this thread's state, `frame` is live, and `argument` is live or
/// null.
unsafe fn call_function(
    tstate: *mut ffi::PyThreadState,
    frame: *mut ffi::PyFrameObject,
    what: c_int,
    argument: *mut PyObject,
) -> PyResult<Reply> {
    // SAFETY: the thread is attached, and `frame` is live (caller); it is kept alive until its line number is
    // reset.
    unsafe {
        let _kept = Owned::new_ref(frame.cast());
        let reply = notify(((*tstate).c_tracefunc, (*tstate).c_traceobj), frame, what, argument);
        (*frame).f_lineno = 0;
        reply
    }
}

/// Calls the thread's trace function, if it has one, for events other than lines and instructions. First
/// turns on instruction events if the frame requests them (`f_trace_opcodes`). Fails with the function's
/// exception, or MemoryError.
///
/// # Safety
/// As for [`Reaction::react`]; `argument` is live or null.
unsafe fn notify_tracer(event: &Notification, argument: *mut PyObject) -> PyResult<Reply> {
    // SAFETY: the thread is attached, and its frames are published (caller). The current frame keeps its
    // frame object alive.
    unsafe {
        let Some(tstate) = traced_thread() else { return Ok(Reply::Done) };
        let frame = traced_frame()?;
        if (*frame).f_trace_opcodes != 0 {
            want_opcodes(frame, true)?;
        }
        call_function(tstate, frame, event.what, argument)
    }
}

/// Calls the trace function for `line`, unless the frame wants no line events (`f_trace_lines`) or `line` is
/// negative.
///
/// # Safety
/// As for [`Reaction::react`]; `tstate` is this thread's state, and `frame` is live.
unsafe fn notify_of_line(
    event: &Notification,
    tstate: *mut ffi::PyThreadState,
    frame: *mut ffi::PyFrameObject,
    line: c_int,
) -> PyResult<Reply> {
    // SAFETY: the thread is attached, and `frame` is live (caller).
    unsafe {
        if (*frame).f_trace_lines == 0 || line < 0 {
            return Ok(Reply::Done);
        }
        (*frame).f_lineno = line;
        call_function(tstate, frame, event.what, none())
    }
}

/// A frame starts or resumes.
struct Entered;
impl Reaction for Entered {
    unsafe fn react(event: Notification) -> PyResult<Reply> {
        // SAFETY: the thread is attached, and its frames are published (the trait's contract).
        unsafe { notify_tracer(&event, none()) }
    }
}

/// A frame returns or yields a value.
struct Left;
impl Reaction for Left {
    unsafe fn react(event: Notification) -> PyResult<Reply> {
        // SAFETY: the thread is attached, its frames are published, and these events have a value (the trait's
        // contract).
        unsafe { notify_tracer(&event, event.value()) }
    }
}

/// An exception leaves a frame.
struct Unwound;
impl Reaction for Unwound {
    unsafe fn react(event: Notification) -> PyResult<Reply> {
        // SAFETY: the thread is attached, and its frames are published (the trait's contract).
        unsafe { notify_tracer(&event, core::ptr::null_mut()) }
    }
}

/// An exception is raised, or ends an iteration. Trace functions get type, exception and traceback.
struct Exception;
impl Reaction for Exception {
    unsafe fn react(event: Notification) -> PyResult<Reply> {
        // SAFETY: the thread is attached, and its frames are published (the trait's contract); the value of
        // these events is an exception. The tuple takes references of its own.
        unsafe {
            let exception = event.value();
            let type_: *mut PyObject = type_of(exception).cast();
            let traceback = Owned::optional(ffi::PyException_GetTraceback(exception))
                .unwrap_or_else(|| Owned::new_ref(none()));
            let triple = ffi::PyTuple_Pack(3, type_, exception, traceback.as_ptr());
            drop(traceback);
            let triple = Owned::from_host(triple)?;
            notify_tracer(&event, triple.as_ptr())
        }
    }
}

/// A line begins.
struct Line;
impl Reaction for Line {
    unsafe fn react(event: Notification) -> PyResult<Reply> {
        // SAFETY: the thread is attached, and its frames are published (the trait's contract); the event has
        // the line instead of an offset.
        unsafe {
            let Some(tstate) = traced_thread() else { return Ok(Reply::Done) };
            let line = ffi::PyLong_AsInt(event.argument(1));
            notify_of_line(&event, tstate, traced_frame()?, line)
        }
    }
}

/// A jump. Trace functions are notified of a line again when a loop jumps back within it. Other jumps return
/// DISABLE.
struct Jump;
impl Reaction for Jump {
    unsafe fn react(event: Notification) -> PyResult<Reply> {
        // SAFETY: the thread is attached, and its frames are published (the trait's contract); the event has
        // code object, offset and target.
        unsafe {
            let Some(tstate) = traced_thread() else { return Ok(Reply::Done) };
            let unit = |offset| ffi::PyLong_AsInt(offset) as usize / size_of::<ffi::_Py_CODEUNIT>();
            let (from, to) = (unit(event.argument(1)), unit(event.argument(2)));
            if to > from {
                return Ok(Reply::Disable);
            }
            let code = Code::from_ptr(event.argument(0).cast());
            // The tool watches lines whenever it watches jumps, so the code has a table of lines.
            let Some(lines) = Monitoring::of(code).and_then(|data| data.lines()) else {
                return Ok(Reply::Done);
            };
            let line = lines.line(to);
            if line != lines.line(from) {
                // The target fires a line event.
                return Ok(Reply::Disable);
            }
            notify_of_line(&event, tstate, traced_frame()?, line_number(code, line))
        }
    }
}

/// An instruction begins. Trace functions are notified in frames that request it (`f_trace_opcodes`). Any
/// other frame of the same code turns the event off again.
struct InstructionStart;
impl Reaction for InstructionStart {
    unsafe fn react(event: Notification) -> PyResult<Reply> {
        // SAFETY: the thread is attached, and its frames are published (the trait's contract). The current
        // frame keeps its frame object alive.
        unsafe {
            let frame = traced_frame()?;
            match traced_thread() {
                Some(tstate) if (*frame).f_trace_opcodes != 0 => {
                    call_function(tstate, frame, event.what, none())
                }
                _ => {
                    want_opcodes(frame, false)?;
                    Ok(Reply::Done)
                }
            }
        }
    }
}

// --- events of instructions --------------------------------------------------------------------

/// The local events with INSTRUCTION added or removed; none if that changes nothing.
fn with_opcodes(events: EventSet, enable: bool) -> Option<EventSet> {
    let wanted = if enable { events.with(Event::INSTRUCTION) } else { events.without(Event::INSTRUCTION) };
    (wanted != events).then_some(wanted)
}

/// Turns instruction events on or off for the code of `frame`. Fails with MemoryError.
///
/// # Safety
/// The thread is attached and has not stopped the world; `frame` is live, and so is the frame it stands for.
pub(crate) unsafe fn want_opcodes(frame: *mut ffi::PyFrameObject, enable: bool) -> PyResult<()> {
    // SAFETY: `frame` is live (caller), and the world is stopped for the change.
    unsafe {
        let code = Frame::from_ptr((*frame).f_frame).code();
        with_world_stopped(ThreadState::current().interp(), || want_opcodes_in(code, enable))
    }
}

/// Turns instruction events on for the code of the thread's innermost frame, if its frame object requests
/// them. Fails with MemoryError.
///
/// # Safety
/// The calling thread is attached and has stopped the world; `tstate` is live, and its frames are published.
pub(super) unsafe fn want_opcodes_of_innermost_frame(tstate: ThreadState) -> PyResult<()> {
    // SAFETY: `tstate` is live, and its frames stay as they are while the world is stopped (caller).
    unsafe {
        let Some(frame) = tstate.current_frame() else { return Ok(()) };
        let object = (*frame.as_ptr()).frame_obj;
        if object.is_null() || (*object).f_trace_opcodes == 0 {
            return Ok(());
        }
        want_opcodes_in(frame.code(), true)
    }
}

/// Turns instruction events on or off for `code`. Fails with MemoryError.
///
/// # Safety
/// The thread is attached and has stopped the world; `code` is live.
unsafe fn want_opcodes_in(code: Code, enable: bool) -> PyResult<()> {
    // SAFETY: `code` is live, and the world is stopped (caller).
    unsafe {
        let tool = Tool::SYS_TRACE.number();
        let events = EventSet::from_bits(seams::instrumentation::local_events(code, tool)?);
        if let Some(wanted) = with_opcodes(events, enable) {
            seams::instrumentation::set_local_events(code, tool, wanted.bits())?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_of_instructions_come_and_go_alone() {
        let others = EventSet::NONE.with(Event::LINE).with(Event::CALL);
        let all = others.with(Event::INSTRUCTION);
        assert_eq!(with_opcodes(others, true), Some(all));
        assert_eq!(with_opcodes(all, true), None);
        assert_eq!(with_opcodes(all, false), Some(others));
        assert_eq!(with_opcodes(others, false), None);
    }
}
