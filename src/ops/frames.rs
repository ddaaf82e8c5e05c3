//! Entering frames of Python functions.

use super::guards::guard;
use crate::calls::recursion;
use crate::engine::{BytecodeExit, BytecodeOp, Engine, Op};
use crate::host::{Frame, StackRef};

/// No evaluator but the default one is installed (PEP 523), so Python calls may stay in it.
#[inline(always)]
pub(crate) unsafe fn check_pep_523<E: Engine>(e: &mut E, []: [StackRef; 0]) -> Op {
    // SAFETY: the thread is attached.
    unsafe { guard(!e.tstate().has_custom_eval_frame()) }
}

/// Remembers where the callee returns to.
#[inline(always)]
pub(crate) unsafe fn save_return_offset<E: Engine>(e: &mut E, []: [StackRef; 0]) -> Op {
    // SAFETY: the frame is live; instructions are short.
    unsafe {
        (*e.frame().as_ptr()).return_offset = e.units() as u16;
    }
    Ok([])
}

/// Links the frame that this instruction has made, and goes on in it. A check before has made sure that a
/// call more is not too deep.
#[inline(always)]
pub(crate) unsafe fn push_frame<E: Engine>(e: &mut E, []: [StackRef; 0]) -> Op {
    // SAFETY: the instruction has just made the frame.
    unsafe {
        let frame = e.take_frame();
        link(e, frame);
        e.tstate().enter_python_call();
    }
    Ok([])
}

/// Links `frame`, which was pushed for a call, and goes on in it, or drops it with RecursionError.
/// The way in for instructions that have not checked the depth.
///
/// # Safety
/// `frame` is a complete new frame whose previous one is the engine's; nothing of the call is left on
/// the stack, and the return offset is set.
#[inline(always)]
pub(super) unsafe fn enter_frame<E: Engine, T>(e: &mut E, frame: Frame) -> BytecodeOp<T> {
    // SAFETY: the caller's promise.
    unsafe {
        link(e, frame);
        if e.tstate().enter_python_call() && recursion::check_python_recursion(e.tstate()).is_err() {
            return Err(BytecodeExit::DropFrame);
        }
    }
    Err(BytecodeExit::Dispatch)
}

/// Publishes the engine's frame and makes `frame` the current one.
#[inline(always)]
unsafe fn link<E: Engine>(e: &mut E, frame: Frame) {
    // SAFETY: the callers' promise.
    unsafe {
        e.publish();
        // The frame of `__init__` has another one below it, which returns the instance.
        debug_assert!(frame.previous() == e.frame() || frame.previous().previous() == e.frame());
        e.tstate().set_current_frame(frame);
        e.switch_frame(frame, frame.instr());
    }
}
