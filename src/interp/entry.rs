//! Entering the evaluator from C.

use super::interpret;
use super::unwind::{self, Resume};
use crate::bytecode::opcode;
use crate::calls::{frames, recursion};
use crate::host::{CodeUnit, Frame, PyObject, StackRef, ThreadState, ffi};
use crate::instrument::exceptions;
use crate::seams;

/// The bytecode that entry frames "run", so that returning to C is an instruction like any other:
/// a callee's RETURN_VALUE goes to the unit after the frame's instruction plus its return offset
/// (zero), its YIELD_VALUE one SEND further.
#[repr(transparent)]
struct Trampoline([u16; 5]);

static TRAMPOLINE: Trampoline = Trampoline([
    // Something for the instruction pointer to be past of.
    opcode::NOP as u16,
    // Reached on return.
    opcode::INTERPRETER_EXIT as u16,
    opcode::NOP as u16,
    // Reached on yield.
    opcode::INTERPRETER_EXIT as u16,
    (opcode::RESUME as u16) | ((ffi::RESUME_OPARG_DEPTH1_MASK | ffi::RESUME_AT_FUNC_START) as u16) << 8,
]);

/// The frame that stands for the C caller, with the one stack slot for the result.
#[repr(C)]
struct EntryFrame {
    frame: ffi::_PyInterpreterFrame,
    stack: [StackRef; 1],
}

/// Runs `frame` to its end, or to its next `yield`, and returns its value: the default evaluator of PEP 523.
/// With `throw`, raises the thread's exception at the point where the frame (a generator's) is suspended.
/// Null with an exception set. The frame is cleared and popped when it ends.
///
/// # Safety
/// The thread is attached and `tstate` is its state; `frame` is a complete, published frame that is not
/// linked into the thread's frames yet.
#[inline(always)]
pub(crate) unsafe fn evaluate(tstate: ThreadState, frame: Frame, throw: bool) -> *mut PyObject {
    // SAFETY: the caller's promise. The entry frame outlives the call of `interpret`, which unlinks
    // it before it returns.
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
        (*fields).previous = tstate.current_frame().as_ptr();
        entry_frame.set_stack_pointer(stack);
        entry_frame.set_local(0, StackRef::NULL);
        (*frame.as_ptr()).previous = entry_frame.as_ptr();
        tstate.set_current_frame(frame);
        let executor = (*tstate.as_ptr()).current_executor;
        if !executor.is_null() {
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

/// Where a frame begins that may be too deep, or into which an exception is to be thrown.
///
/// # Safety
/// The thread is attached; `frame` is its current frame, published.
#[inline(never)]
unsafe fn start_otherwise(tstate: ThreadState, frame: Frame, too_deep: bool, throw: bool) -> Resume {
    // SAFETY: the caller's promise.
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
        // The exception takes the place of RESUME, which would have seen to this.
        // If memory is short, the exception goes on all the same.
        let _ = seams::instrumentation::instrument(frame.code(), tstate.interp());
        let next: CodeUnit = frame.instr();
        exceptions::throw(tstate, frame, next);
        unwind::error(tstate, frame, next)
    }
}
