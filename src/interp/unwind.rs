//! Unwinding after an exception: traceback entries, events, the exception table, leaving frames. Stands for the
//! error labels of the host's `ceval.o`. Used by the dispatch of tier 1.

use core::ffi::c_int;

use crate::calls::frames;
use crate::host::exception_table::ExceptionTable;
use crate::host::{CodeUnit, Frame, StackRef, ThreadState, ffi};
use crate::instrument::exceptions;
use crate::ops::{consumers, trampolines};

/// Where the interpreter continues.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Resume {
    /// At this instruction of this frame, which is current and published.
    At(Frame, CodeUnit),
    /// In the C caller, with the exception set.
    Leave,
}

/// Handles an exception raised by the instruction before `next`: adds the traceback entry, notifies the tools,
/// and looks for a handler, leaving frames until there is one.
///
/// # Safety
/// `tstate` is the attached thread's, and an exception is set. `frame` is its current frame, published, with an
/// entry frame below it. `next` is in the frame's bytecode, after its first instruction.
pub(crate) unsafe fn error(tstate: ThreadState, frame: Frame, next: CodeUnit) -> Resume {
    // SAFETY: the contract of both functions is the same (caller).
    unsafe {
        record(tstate, frame, next);
        exception_unwind(tstate, frame, next)
    }
}

/// Looks for a handler of the exception raised by the instruction before `next`, leaving frames until there is
/// one. The traceback entry of `frame` and its RAISE event are complete. In a calling frame, `next` is the
/// calling instruction itself, as in the host, unless a special method was called.
///
/// # Safety
/// As for [`error`].
pub(crate) unsafe fn exception_unwind(tstate: ThreadState, frame: Frame, next: CodeUnit) -> Resume {
    let (mut frame, mut next) = (frame, next);
    // SAFETY: `frame` is current and published (caller). After `leave`, its caller is, and the exception is
    // still set.
    unsafe {
        loop {
            if let Some(handler) = enter_handler(tstate, frame, next) {
                return Resume::At(frame, handler);
            }
            let Some(caller) = leave(tstate, frame) else { return Resume::Leave };
            (frame, next) = caller;
            record(tstate, frame, next);
        }
    }
}

/// Leaves `frame`, which has not begun to run, with the exception set, and unwinds from the calling frame.
///
/// # Safety
/// As for [`error`], except that `_next` does not matter.
pub(crate) unsafe fn drop_frame(tstate: ThreadState, frame: Frame, _next: CodeUnit) -> Resume {
    // SAFETY: `frame` is current and published (caller). After `leave`, its caller is.
    unsafe {
        match leave(tstate, frame) {
            Some((caller, next)) => error(tstate, caller, next),
            None => Resume::Leave,
        }
    }
}

/// Adds the traceback entry for the exception raised before `next` and fires its RAISE event. Sets SystemError
/// if no exception is set.
///
/// # Safety
/// As for [`error`], except that the exception may be missing.
unsafe fn record(tstate: ThreadState, frame: Frame, next: CodeUnit) {
    // SAFETY: `frame` is current and published (caller), and an exception is set after the first check. A frame
    // that gets a frame object is complete.
    unsafe {
        if tstate.raised().is_null() {
            ffi::PyErr_SetString(ffi::PyExc_SystemError, c"error return without exception set".as_ptr());
        }
        if !frame.is_incomplete() {
            let object = frame.frame_object();
            if !object.is_null() {
                ffi::PyTraceBack_Here(object);
            }
        }
        exceptions::raise(tstate, frame, next.add(-1));
    }
}

/// Prepares `frame` to run its handler for the exception raised before `next`: cuts the stack, pushes the
/// exception, fires EXCEPTION_HANDLED. Returns the handler's first instruction. If there is no handler, empties
/// the stack, fires PY_UNWIND, and returns `None`.
///
/// # Safety
/// As for [`error`].
unsafe fn enter_handler(tstate: ThreadState, frame: Frame, next: CodeUnit) -> Option<CodeUnit> {
    let mut next = next;
    // SAFETY: `frame` is current and published, and an exception is set (caller). The depth and the target of
    // an entry of the exception table are within the frame's stack and bytecode.
    unsafe {
        loop {
            let offset = next.offset_from(frame.bytecode()) - 1;
            let Some(handler) = ExceptionTable::of(frame.code()).find(offset as usize) else {
                close_stack_down_to(frame, frame.stack_base());
                exceptions::unwind(tstate, frame, next.add(-1));
                return None;
            };
            close_stack_down_to(frame, frame.stack_base().add(handler.depth));
            if handler.push_lasti {
                let lasti = frame.instr().offset_from(frame.bytecode());
                push(frame, StackRef::tag_int(lasti));
            }
            let exception = ffi::PyErr_GetRaisedException();
            push(frame, StackRef::steal(exception));
            next = frame.bytecode().add(handler.target as isize);
            // If a tool raises, look for a handler of its exception, from the unit before this handler.
            if exceptions::handled(tstate, frame, next, exception).is_ok() {
                return Some(next);
            }
        }
    }
}

/// Unlinks `frame` from the thread and clears it. Returns the calling frame and `next` there, or `None` if the caller was C.
///
/// # Safety
/// `tstate` is the attached thread's. `frame` is its current frame, published, with an entry frame below it.
unsafe fn leave(tstate: ThreadState, frame: Frame) -> Option<(Frame, CodeUnit)> {
    // SAFETY: `frame` is current and has a caller, at least the entry frame (caller). An entry frame is
    // unlinked here, so its only local is released once.
    unsafe {
        if consumers::is_consumer(frame) {
            return Some(consumers::unwind(tstate, frame));
        }
        tstate.leave_python_call();
        let caller = frame.caller();
        // Destructors must not see the frame.
        tstate.set_current_frame(Some(caller));
        frames::clear_and_pop(tstate, frame);
        if trampolines::is_trampoline(caller) {
            return Some(trampolines::unwind(tstate, caller));
        }
        (*caller.as_ptr()).return_offset = 0;
        if !caller.is_entry() {
            return Some((caller, caller.instr()));
        }
        tstate.set_current_frame(caller.previous());
        frames::restore_executor(tstate, caller);
        None
    }
}

/// Pushes `value` onto the stack of a published frame.
///
/// # Safety
/// The frame is live and published, its stack has room for one more value, and the caller owns `value`.
unsafe fn push(frame: Frame, value: StackRef) {
    // SAFETY: the frame's stack has room (caller); the compiler reserves it for what a handler expects.
    unsafe {
        let sp = frame.stack_pointer();
        *sp = value;
        frame.set_stack_pointer(sp.add(1));
    }
}

/// Releases the values above `bottom`, from the topmost one down. Each is taken off the stack before its
/// destructor can run.
///
/// # Safety
/// The thread is attached. The frame is live and published, and `bottom` is in its stack or at its end.
unsafe fn close_stack_down_to(frame: Frame, bottom: *mut StackRef) {
    // SAFETY: the frame is published and its stack contains `bottom` (caller). Each value is released once.
    unsafe {
        while frame.stack_pointer() > bottom {
            let sp = frame.stack_pointer().sub(1);
            frame.set_stack_pointer(sp);
            (*sp).close();
        }
    }
}

/// Sets SystemError for an opcode that does not exist. Publishes the stack pointer.
///
/// # Safety
/// The thread is attached, and `frame` is its current frame. Its stack ends at `sp`, and `instr` is in its
/// bytecode.
#[cold]
pub(crate) unsafe fn unknown_opcode(frame: Frame, sp: *mut StackRef, instr: CodeUnit) {
    // SAFETY: the frame is current (caller), so its code is live; the arguments match the format.
    unsafe {
        frame.set_stack_pointer(sp);
        ffi::PyErr_Format(
            ffi::PyExc_SystemError,
            c"%U:%d: unknown opcode %d".as_ptr(),
            (*frame.code().as_ptr()).co_filename,
            ffi::PyUnstable_InterpreterFrame_GetLine(frame.as_ptr()),
            c_int::from(instr.opcode()),
        );
    }
}
