//! Entering the evaluator from C: the part of `ceval.o` before and after the loop. Called by `exports`.

use super::interpret;
use super::unwind::{self, Resume};
use crate::bytecode::opcode;
use crate::calls::{frames, recursion};
use crate::host::{CodeUnit, Frame, PyObject, StackRef, ThreadState, ffi};
use crate::instrument::exceptions;
use crate::seams;

/// The bytecode of entry frames. It makes returning to C an instruction like any other: the callee's
/// RETURN_VALUE continues at the entry frame's instruction plus its return offset (zero), its YIELD_VALUE one
/// SEND further.
#[repr(transparent)]
struct Trampoline([u16; 5]);

static TRAMPOLINE: Trampoline = Trampoline([
    // Something before the instruction pointer.
    opcode::NOP as u16,
    // Reached by a return.
    opcode::INTERPRETER_EXIT as u16,
    opcode::NOP as u16,
    // Reached by a yield.
    opcode::INTERPRETER_EXIT as u16,
    (opcode::RESUME as u16) | ((ffi::RESUME_OPARG_DEPTH1_MASK | ffi::RESUME_AT_FUNC_START) as u16) << 8,
]);

/// The frame that stands for the C caller, with one stack slot for the result.
#[repr(C)]
struct EntryFrame {
    frame: ffi::_PyInterpreterFrame,
    stack: [StackRef; 1],
}

/// Runs `frame` until it returns or yields, and returns its value as a new reference: the default evaluator of
/// PEP 523. Returns null with an exception set. With `throw`, raises the thread's exception at the point where
/// the frame, a generator's, is suspended. The frame is cleared and popped when it ends.
///
/// # Safety
/// `tstate` is the attached thread's. `frame` is live, complete and published, but not linked into the thread
/// yet. With `throw`, an exception is set and a generator owns the frame.
#[inline(always)]
pub(crate) unsafe fn evaluate(tstate: ThreadState, frame: Frame, throw: bool) -> *mut PyObject {
    // SAFETY: `frame` is live and not linked (caller). The entry frame is unlinked, by INTERPRETER_EXIT or by
    // unwinding, before this function returns, so no link to it remains.
    unsafe {
        if recursion::enter_recursive_call(tstate, c"".as_ptr()) {
            frames::clear_and_pop(tstate, frame);
            return core::ptr::null_mut();
        }
        let mut entry: EntryFrame = core::mem::zeroed();
        let entry_frame = Frame::from_ptr(&raw mut entry.frame);
        // The stack of the entry frame is the slot after its only local.
        let stack = (&raw mut entry.stack).cast::<StackRef>();
        *stack = StackRef::NULL;
        let fields = entry_frame.as_ptr();
        (*fields).f_executable = StackRef::none().raw();
        (*fields).instr_ptr = (&raw const TRAMPOLINE.0[1]).cast::<ffi::_Py_CODEUNIT>().cast_mut();
        (*fields).owner = ffi::FRAME_OWNED_BY_INTERPRETER as _;
        entry_frame.set_previous(tstate.current_frame());
        entry_frame.set_stack_pointer(stack);
        entry_frame.set_local(0, StackRef::NULL);
        frame.set_previous(Some(entry_frame));
        tstate.set_current_frame(Some(frame));
        let executor = (*tstate.as_ptr()).current_executor;
        if cfg!(py_tier2) && !executor.is_null() {
            entry_frame.set_local(0, StackRef::new(executor));
            (*tstate.as_ptr()).current_executor = core::ptr::null_mut();
        }
        let too_deep = tstate.enter_python_call();
        let (frame, instr) = if too_deep || throw {
            match start_otherwise(tstate, frame, too_deep, throw) {
                Resume::At(frame, instr) => (frame, instr),
                Resume::Leave => return core::ptr::null_mut(),
            }
        } else {
            (frame, frame.instr())
        };
        interpret(tstate, frame, instr)
    }
}

/// Determines where to start a frame that may exceed the recursion limit, or into which an exception is thrown.
///
/// # Safety
/// `tstate` is the attached thread's, `frame` is its current frame, published, above an entry frame. With
/// `throw`, an exception is set.
#[inline(never)]
unsafe fn start_otherwise(tstate: ThreadState, frame: Frame, too_deep: bool, throw: bool) -> Resume {
    // SAFETY: `frame` is current and published (caller). An exception is set when `drop_frame` and `error` are
    // called.
    unsafe {
        if too_deep && recursion::check_python_recursion(tstate).is_err() {
            return unwind::drop_frame(tstate, frame, frame.instr());
        }
        if !throw {
            return Resume::At(frame, frame.instr());
        }
        #[cfg(py_gil_disabled)]
        if crate::tlbc::frames::use_own_copy(tstate, frame).is_err() {
            return unwind::drop_frame(tstate, frame, frame.instr());
        }
        // The exception takes the place of RESUME, which would instrument the code. If that fails for want of
        // memory, the exception is raised all the same.
        let _ = seams::instrumentation::instrument(frame.code(), tstate.interp());
        let next: CodeUnit = frame.instr();
        exceptions::throw(tstate, frame, next);
        unwind::error(tstate, frame, next)
    }
}
