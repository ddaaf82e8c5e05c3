//! Entering the frames of Python functions.

use super::guards::guard;
use crate::calls::recursion;
use crate::engine::{BytecodeExit, BytecodeOp, Engine, Op};
use crate::host::{Frame, StackRef};

/// No custom frame evaluator is installed (PEP 523), so this evaluator may run Python calls itself.
///
/// # Safety
/// As [`crate::engine`] says for every micro-op.
#[inline(always)]
pub(crate) unsafe fn check_pep_523<E: Engine>(e: &mut E, []: [StackRef; 0]) -> Op {
    // SAFETY: the thread is attached, so its state and interpreter are live.
    unsafe { guard(!e.tstate().has_custom_eval_frame()) }
}

/// Stores in the frame where the callee returns to: behind the current instruction.
///
/// # Safety
/// As [`crate::engine`] says for every micro-op.
#[inline(always)]
pub(crate) unsafe fn save_return_offset<E: Engine>(e: &mut E, []: [StackRef; 0]) -> Op {
    // SAFETY: the engine's frame is live.
    unsafe { set_return_offset(e.frame(), e.return_offset()) }
    Ok([])
}

/// Stores in `frame` where the callee returns to: `offset` code units behind the current instruction.
///
/// # Safety
/// `frame` is live. `offset` fits in 16 bits and leads to an instruction of the frame's code.
#[inline(always)]
pub(super) unsafe fn set_return_offset(frame: Frame, offset: usize) {
    // SAFETY: the frame is live (caller).
    unsafe { (*frame.as_ptr()).return_offset = offset as u16 }
}

/// Links the frame that an earlier micro-op of this instruction has made, and continues in it. It does not
/// check the recursion limit; where the host has such a check, an earlier micro-op made it.
///
/// # Safety
/// As [`crate::engine`] says for every micro-op. An earlier micro-op of the instruction has made a frame.
#[inline(always)]
pub(crate) unsafe fn push_frame<E: Engine>(e: &mut E, []: [StackRef; 0]) -> Op {
    // SAFETY: an earlier micro-op of the instruction has made the frame, complete and with the engine's frame
    // as its previous one, and has taken its operands from the stack.
    unsafe {
        let frame = e.take_frame();
        link(e, frame);
        e.tstate().enter_python_call();
    }
    Ok([])
}

/// Links `frame`, which was pushed for a call, and continues in it. Drops it with RecursionError if the call
/// exceeds the recursion limit. For instructions that have not checked the limit.
///
/// # Safety
/// The thread is attached. `frame` is a complete new frame whose previous frame is the engine's. The operands
/// of the call are no longer below the engine's stack pointer, and the return offset of the engine's frame is
/// set.
#[inline(always)]
pub(super) unsafe fn enter_frame<E: Engine, T>(e: &mut E, frame: Frame) -> BytecodeOp<T> {
    // SAFETY: `frame` is complete and new, and linked to the engine's frame (caller). Then it is the current
    // frame, which the check may assume.
    unsafe {
        link(e, frame);
        if e.tstate().enter_python_call() && recursion::check_python_recursion(e.tstate()).is_err() {
            return Err(BytecodeExit::DropFrame);
        }
    }
    Err(BytecodeExit::Dispatch)
}

/// Publishes the engine's frame, makes `frame` the current one, and lets the engine continue in it.
///
/// # Safety
/// The thread is attached. `frame` is complete, and the engine's frame is its previous one, or the previous
/// one of the trampoline below it. Every slot below the engine's stack pointer holds a live reference.
#[inline(always)]
unsafe fn link<E: Engine>(e: &mut E, frame: Frame) {
    // SAFETY: both frames are live, and `frame` has an instruction and an empty stack (caller).
    unsafe {
        e.publish();
        // The frame of `__init__` has a trampoline frame below it, which returns the instance.
        debug_assert!(frame.previous() == e.frame() || frame.previous().previous() == e.frame());
        e.tstate().set_current_frame(frame);
        e.switch_frame(frame, frame.instr());
    }
}
