//! Entering the frames of Python functions.

use super::guards::guard;
use crate::calls::recursion;
use crate::engine::{BytecodeExit, BytecodeOp, Engine, Op};
use crate::host::{CodeUnit, Frame, StackRef};

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

/// Where `caller` continues when its callee returns.
///
/// # Safety
/// `caller` is live, and has called another frame or resumed a generator.
#[inline(always)]
pub(super) unsafe fn after_return(caller: Frame) -> CodeUnit {
    // SAFETY: the call has set the offset, which leads to an instruction behind it.
    unsafe { caller.instr().add((*caller.as_ptr()).return_offset as isize) }
}

/// The number of code units of FOR_ITER and of SEND. A generator that yields continues after the instruction
/// that resumed it. (The bytecode of entry frames, for calls from C, has the same layout.)
pub(crate) const RESUMER_UNITS: usize = 2;

/// Where `caller` continues when the generator that it has resumed yields.
///
/// # Safety
/// `caller` is live, and has resumed a generator.
#[inline(always)]
pub(crate) unsafe fn after_yield(caller: Frame) -> CodeUnit {
    // SAFETY: it is at the instruction that has resumed the generator, and another one follows.
    unsafe { caller.instr().add(RESUMER_UNITS as isize) }
}

/// Succeeds if `instr`, where `frame` continues, is the instruction that a trace continues with. The trace knows its
/// address, and the version of its code (`co_version`): other code may be at that address in the meantime.
///
/// # Safety
/// `frame` is live, and `instr` is in its bytecode.
#[inline(always)]
pub(crate) unsafe fn guard_continues_at(
    frame: Frame,
    instr: CodeUnit,
    (expected, version): (CodeUnit, u32),
) -> Op {
    // SAFETY: an entry frame, which has no code object, is at an instruction that no trace contains. Any other frame
    // keeps its code alive.
    unsafe { guard(instr == expected && (*frame.code().as_ptr()).co_version == version) }
}

/// The frame below continues with the instruction at an address, in code of a version, when this frame returns.
///
/// # Safety
/// As [`crate::engine`] says for every micro-op. RETURN_VALUE comes next.
#[inline(always)]
pub(crate) unsafe fn guard_returns_to<E: Engine>(
    e: &mut E,
    expected: (CodeUnit, u32),
    []: [StackRef; 0],
) -> Op {
    // SAFETY: a frame that may return has one below it, which has called it or resumed it.
    unsafe {
        let caller = e.frame().caller();
        guard_continues_at(caller, after_return(caller), expected)
    }
}

/// The frame below continues with the instruction at an address, in code of a version, when this generator yields.
///
/// # Safety
/// As [`crate::engine`] says for every micro-op. YIELD_VALUE comes next.
#[inline(always)]
pub(crate) unsafe fn guard_yields_to<E: Engine>(
    e: &mut E,
    expected: (CodeUnit, u32),
    []: [StackRef; 0],
) -> Op {
    // SAFETY: a generator that runs has a frame below it, which has resumed it.
    unsafe {
        let caller = e.frame().caller();
        guard_continues_at(caller, after_yield(caller), expected)
    }
}

/// Links the frame that an earlier micro-op of this instruction has made, and continues in it. It does not
/// check the recursion limit; where the host has such a check, an earlier micro-op made it.
///
/// # Safety
/// As [`crate::engine`] says for every micro-op. An earlier micro-op of the instruction has made a frame.
#[inline(always)]
pub(crate) unsafe fn push_frame<E: Engine>(e: &mut E, []: [StackRef; 0]) -> Op {
    // SAFETY: an earlier micro-op of the instruction has given the engine the frame, complete and with the engine's
    // frame as its previous one, and has taken its operands from the stack.
    unsafe {
        let frame = e.take_frame().unwrap_unchecked();
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
pub(super) unsafe fn link<E: Engine>(e: &mut E, frame: Frame) {
    // SAFETY: both frames are live, and `frame` has an instruction and an empty stack (caller).
    unsafe {
        e.publish();
        // The frame of a special method may have a trampoline frame below it.
        debug_assert!(frame.caller() == e.frame() || frame.caller().caller() == e.frame());
        e.tstate().set_current_frame(Some(frame));
        e.switch_frame(frame, frame.instr());
    }
}
