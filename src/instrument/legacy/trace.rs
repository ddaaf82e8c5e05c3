//! What trace functions are told.

use core::ffi::c_int;

use super::handler::{Answer, Call, Handler, Subscription, current_frame, tell};
use crate::host::lock::with_world_stopped;
use crate::host::object::type_of;
use crate::host::{Code, Frame, Owned, PyObject, PyResult, ThreadState, ffi, none};
use crate::instrument::calls::line_number;
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
    Subscription::new::<Instruction>(ffi::PyTrace_OPCODE, &[Event::INSTRUCTION]),
];

/// The calling thread's state, if it has a trace function.
unsafe fn traced_thread() -> Option<*mut ffi::PyThreadState> {
    // SAFETY: the thread is attached.
    unsafe {
        let tstate = ThreadState::current().as_ptr();
        (*tstate).c_tracefunc.is_some().then_some(tstate)
    }
}

unsafe fn traced_frame() -> PyResult<*mut ffi::PyFrameObject> {
    // SAFETY: as for `Handler::handle`.
    unsafe { current_frame(c"Missing frame when calling trace function.") }
}

/// Calls the thread's trace function. The frame has a line number of its own only meanwhile, even if the
/// function assigns one.
unsafe fn call_function(
    tstate: *mut ffi::PyThreadState,
    frame: *mut ffi::PyFrameObject,
    what: c_int,
    argument: *mut PyObject,
) -> PyResult<Answer> {
    // SAFETY: as for `Handler::handle`; the frame is kept until its line number is gone.
    unsafe {
        let _kept = Owned::new_ref(frame.cast());
        let answer = tell(((*tstate).c_tracefunc, (*tstate).c_traceobj), frame, what, argument);
        (*frame).f_lineno = 0;
        answer
    }
}

/// Tells the thread's trace function, if it has one, of an event other than lines and instructions; and
/// turns on instruction events for a frame that has been asked for them.
unsafe fn tell_tracer(call: &Call, argument: *mut PyObject) -> PyResult<Answer> {
    // SAFETY: as for `Handler::handle`.
    unsafe {
        let Some(tstate) = traced_thread() else { return Ok(Answer::Continue) };
        let frame = traced_frame()?;
        if (*frame).f_trace_opcodes != 0 {
            want_opcodes(frame, true)?;
        }
        call_function(tstate, frame, call.what, argument)
    }
}

/// Tells the trace function that `line` begins, unless the frame wants no lines or there is none.
unsafe fn tell_line(
    call: &Call,
    tstate: *mut ffi::PyThreadState,
    frame: *mut ffi::PyFrameObject,
    line: c_int,
) -> PyResult<Answer> {
    // SAFETY: as for `Handler::handle`.
    unsafe {
        if (*frame).f_trace_lines == 0 || line < 0 {
            return Ok(Answer::Continue);
        }
        (*frame).f_lineno = line;
        call_function(tstate, frame, call.what, none())
    }
}

/// A frame begins, or goes on.
struct Entered;
impl Handler for Entered {
    unsafe fn handle(call: Call) -> PyResult<Answer> {
        // SAFETY: the caller's promise.
        unsafe { tell_tracer(&call, none()) }
    }
}

/// A frame gives a value.
struct Left;
impl Handler for Left {
    unsafe fn handle(call: Call) -> PyResult<Answer> {
        // SAFETY: the caller's promise.
        unsafe { tell_tracer(&call, call.value()) }
    }
}

/// A frame is left by an exception.
struct Unwound;
impl Handler for Unwound {
    unsafe fn handle(call: Call) -> PyResult<Answer> {
        // SAFETY: the caller's promise.
        unsafe { tell_tracer(&call, core::ptr::null_mut()) }
    }
}

/// An exception is raised, or stands for the end of an iteration: told as type, exception, traceback.
struct Exception;
impl Handler for Exception {
    unsafe fn handle(call: Call) -> PyResult<Answer> {
        // SAFETY: the caller's promise; the tuple takes references of its own.
        unsafe {
            let exception = call.value();
            let type_: *mut PyObject = type_of(exception).cast();
            let traceback = Owned::optional(ffi::PyException_GetTraceback(exception))
                .unwrap_or_else(|| Owned::new_ref(none()));
            let triple = ffi::PyTuple_Pack(3, type_, exception, traceback.as_ptr());
            drop(traceback);
            let triple = Owned::from_host(triple)?;
            tell_tracer(&call, triple.as_ptr())
        }
    }
}

/// A line begins.
struct Line;
impl Handler for Line {
    unsafe fn handle(call: Call) -> PyResult<Answer> {
        // SAFETY: the caller's promise: the event has the line instead of an offset.
        unsafe {
            let Some(tstate) = traced_thread() else { return Ok(Answer::Continue) };
            let line = ffi::PyLong_AsInt(call.argument(1));
            tell_line(&call, tstate, traced_frame()?, line)
        }
    }
}

/// A jump: trace functions are told of a line again when a loop jumps back within it. Jumps that can never
/// do that need not be watched.
struct Jump;
impl Handler for Jump {
    unsafe fn handle(call: Call) -> PyResult<Answer> {
        // SAFETY: the caller's promise: the event has code object, offset and target.
        unsafe {
            let Some(tstate) = traced_thread() else { return Ok(Answer::Continue) };
            let unit = |offset| ffi::PyLong_AsInt(offset) as usize / size_of::<ffi::_Py_CODEUNIT>();
            let (from, to) = (unit(call.argument(1)), unit(call.argument(2)));
            if to > from {
                return Ok(Answer::Disable);
            }
            let code = Code::from_ptr(call.argument(0).cast());
            // Who watches jumps watches lines, so the code has a table of them.
            let Some(lines) = Monitoring::of(code).and_then(|data| data.lines()) else {
                return Ok(Answer::Continue);
            };
            let line = lines.line(to);
            if line != lines.line(from) {
                // The line event of the target will tell.
                return Ok(Answer::Disable);
            }
            tell_line(&call, tstate, traced_frame()?, line_number(code, line))
        }
    }
}

/// An instruction begins: told in frames that ask for it. The others of the same code turn the events off
/// again.
struct Instruction;
impl Handler for Instruction {
    unsafe fn handle(call: Call) -> PyResult<Answer> {
        // SAFETY: the caller's promise.
        unsafe {
            let frame = traced_frame()?;
            match traced_thread() {
                Some(tstate) if (*frame).f_trace_opcodes != 0 => {
                    call_function(tstate, frame, call.what, none())
                }
                _ => {
                    want_opcodes(frame, false)?;
                    Ok(Answer::Continue)
                }
            }
        }
    }
}

// --- events of instructions --------------------------------------------------------------------

/// The events a code object is to have besides the global ones; none if they are those that it has.
fn with_opcodes(events: EventSet, enable: bool) -> Option<EventSet> {
    let wanted = if enable { events.with(Event::INSTRUCTION) } else { events.without(Event::INSTRUCTION) };
    (wanted != events).then_some(wanted)
}

/// Turns events for the instructions of the code that `frame` runs on or off.
///
/// # Safety
/// The thread is attached, and `frame` is live.
pub(crate) unsafe fn want_opcodes(frame: *mut ffi::PyFrameObject, enable: bool) -> PyResult<()> {
    // SAFETY: the caller's promise.
    unsafe {
        let code = Frame::from_ptr((*frame).f_frame).code();
        with_world_stopped(ThreadState::current().interp(), || want_opcodes_in(code, enable))
    }
}

/// Turns events for instructions on in the code that the thread runs, if the frame asks for them.
///
/// # Safety
/// The world is stopped, and the thread's frames are published.
pub(super) unsafe fn want_opcodes_of_innermost_frame(tstate: ThreadState) -> PyResult<()> {
    // SAFETY: the caller's promise.
    unsafe {
        let frame = tstate.current_frame();
        if frame.is_null() {
            return Ok(());
        }
        let object = (*frame.as_ptr()).frame_obj;
        if object.is_null() || (*object).f_trace_opcodes == 0 {
            return Ok(());
        }
        want_opcodes_in(frame.code(), true)
    }
}

/// # Safety
/// The world is stopped.
unsafe fn want_opcodes_in(code: Code, enable: bool) -> PyResult<()> {
    // SAFETY: the code object is live.
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
