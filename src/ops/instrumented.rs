//! Instrumented instructions: the plain bodies, with the events for `sys.monitoring` tools.
//!
//! An event calls Python code. It may raise, and it may move the frame to another instruction (a debugger's
//! jump). The events of calls are in [`super::calls`].

use super::control::{record_branch, run_original};
use super::{generators, iteration, super_attributes};
use crate::engine::{BytecodeEngine, BytecodeExit, BytecodeOp, Engine, Exit, Kept, Op, Settled};
use crate::host::generator::is_generator;
use crate::host::object::is_exact;
use crate::host::{CodeUnit, StackRef, ffi};
use crate::instrument::calls::under_line;
use crate::instrument::exceptions;
use crate::seams;

// --- jumps and branches ------------------------------------------------------------------------

/// Jumps to `target` after it has fired `event`, a jump from `source` to `target`. Fires nothing while a
/// tool's callback runs.
///
/// # Safety
/// As [`crate::engine`] says for every micro-op. `source` and `target` are instructions in the bytecode of
/// the engine's frame.
#[inline(always)]
unsafe fn jump<E: BytecodeEngine>(e: &mut E, event: u32, source: CodeUnit, target: CodeUnit) -> BytecodeOp {
    // SAFETY: both are in the frame's bytecode (caller). The frame is published before the event, and its
    // stack pointer is reloaded after it.
    unsafe {
        let tstate = e.tstate();
        if (*tstate.as_ptr()).tracing != 0 {
            e.set_next(target);
            return Ok([]);
        }
        e.publish();
        let next = seams::instrumentation::jump(tstate, event, e.frame(), e.this_instr(), source, target);
        e.reload_sp();
        let Ok(next) = next else {
            // The exception is raised at the target of the jump: a tool that moved the frame before it raised
            // expects that.
            e.set_next(target.add(1));
            return Err(Exit::ErrorNoPop.into());
        };
        e.set_next(next);
    }
    Ok([])
}

/// Jumps forward and fires JUMP.
///
/// # Safety
/// As [`crate::engine`] says for every micro-op.
#[inline(always)]
pub(crate) unsafe fn instrumented_jump_forward<E: BytecodeEngine>(
    e: &mut E,
    []: [StackRef; 0],
) -> BytecodeOp {
    // SAFETY: the argument is the distance to an instruction of the same bytecode.
    unsafe {
        let target = e.next().add(e.oparg() as isize);
        jump(e, ffi::PY_MONITORING_EVENT_JUMP, e.this_instr(), target)
    }
}

/// Jumps backward and fires JUMP. The periodic check comes before it.
///
/// # Safety
/// As [`crate::engine`] says for every micro-op.
#[inline(always)]
pub(crate) unsafe fn monitor_jump_backward<E: BytecodeEngine>(e: &mut E, []: [StackRef; 0]) -> BytecodeOp {
    // SAFETY: the argument is the distance to an instruction of the same bytecode.
    unsafe {
        let target = e.next().add(-(e.oparg() as isize));
        jump(e, ffi::PY_MONITORING_EVENT_JUMP, e.this_instr(), target)
    }
}

/// Branches, after the condition has been popped, and fires BRANCH_RIGHT if the branch is taken. NOT_TAKEN
/// fires the event for the other path.
///
/// # Safety
/// As [`crate::engine`] says for every micro-op. The current instruction is an instrumented branch.
#[inline(always)]
unsafe fn branch<E: BytecodeEngine>(e: &mut E, taken: bool) -> BytecodeOp {
    // SAFETY: the argument of a branch is the distance to its target (caller).
    unsafe {
        record_branch(e, taken);
        if !taken {
            return Ok([]);
        }
        let target = e.next().add(e.oparg() as isize);
        jump(e, ffi::PY_MONITORING_EVENT_BRANCH_RIGHT, e.this_instr(), target)
    }
}

/// Branches on True.
///
/// # Safety
/// As [`crate::engine`] says for every micro-op.
#[inline(always)]
pub(crate) unsafe fn instrumented_pop_jump_if_true<E: BytecodeEngine>(
    e: &mut E,
    []: [StackRef; 0],
) -> BytecodeOp {
    // SAFETY: the topmost value is the condition: a bool, which is immortal.
    unsafe {
        let condition = e.pop();
        branch(e, condition.is_true())
    }
}

/// Branches on False.
///
/// # Safety
/// As [`crate::engine`] says for every micro-op.
#[inline(always)]
pub(crate) unsafe fn instrumented_pop_jump_if_false<E: BytecodeEngine>(
    e: &mut E,
    []: [StackRef; 0],
) -> BytecodeOp {
    // SAFETY: the topmost value is the condition: a bool, which is immortal.
    unsafe {
        let condition = e.pop();
        branch(e, condition.is_false())
    }
}

/// Branches on None.
///
/// # Safety
/// As [`crate::engine`] says for every micro-op.
#[inline(always)]
pub(crate) unsafe fn instrumented_pop_jump_if_none<E: BytecodeEngine>(
    e: &mut E,
    []: [StackRef; 0],
) -> BytecodeOp {
    // SAFETY: the topmost value is the condition.
    unsafe {
        let is_none = pop_is_none(e);
        branch(e, is_none)
    }
}

/// Branches on any value other than None.
///
/// # Safety
/// As [`crate::engine`] says for every micro-op.
#[inline(always)]
pub(crate) unsafe fn instrumented_pop_jump_if_not_none<E: BytecodeEngine>(
    e: &mut E,
    []: [StackRef; 0],
) -> BytecodeOp {
    // SAFETY: the topmost value is the condition.
    unsafe {
        let is_none = pop_is_none(e);
        branch(e, !is_none)
    }
}

/// Pops a value and returns whether it is None.
///
/// # Safety
/// The thread is attached, and the engine's stack is not empty.
#[inline(always)]
unsafe fn pop_is_none<E: Engine>(e: &mut E) -> bool {
    // SAFETY: the stack is not empty (caller). After the release, only the bits of the reference are compared.
    unsafe {
        let value = e.pop();
        e.close_at(value, e.sp());
        value.is_none()
    }
}

/// The path on which a branch is not taken. Fires BRANCH_LEFT. The branch is the previous instruction.
///
/// # Safety
/// As [`crate::engine`] says for every micro-op.
#[inline(always)]
pub(crate) unsafe fn instrumented_not_taken<E: BytecodeEngine>(e: &mut E, []: [StackRef; 0]) -> BytecodeOp {
    // SAFETY: both instructions are in the frame's bytecode.
    unsafe { jump(e, ffi::PY_MONITORING_EVENT_BRANCH_LEFT, e.previous_instr(), e.next()) }
}

// --- loops -------------------------------------------------------------------------------------

/// Starts the next iteration of a loop and fires BRANCH_LEFT, or leaves the loop. POP_ITER fires the event
/// for the end.
///
/// # Safety
/// As [`crate::engine`] says for every micro-op.
#[inline(always)]
pub(crate) unsafe fn instrumented_for_iter<E: BytecodeEngine>(
    e: &mut E,
    Kept([iterator]): Kept<[StackRef; 1]>,
) -> BytecodeOp {
    // SAFETY: the iterator is live, and the instruction's stack effect covers the item. It is on the stack
    // before a callback runs.
    unsafe {
        let [item] = iteration::for_iter(e, Kept([iterator]))?;
        e.push(item);
        jump(e, ffi::PY_MONITORING_EVENT_BRANCH_LEFT, e.this_instr(), e.next())
    }
}

/// Ends a loop and fires BRANCH_RIGHT. The source is the previous instruction, the FOR_ITER.
///
/// # Safety
/// As [`crate::engine`] says for every micro-op.
#[inline(always)]
pub(crate) unsafe fn instrumented_pop_iter<E: BytecodeEngine>(e: &mut E, []: [StackRef; 0]) -> BytecodeOp {
    // SAFETY: both instructions are in the frame's bytecode. The iterator is the topmost value.
    unsafe {
        jump(e, ffi::PY_MONITORING_EVENT_BRANCH_RIGHT, e.previous_instr(), e.next())?;
        let iterator = e.pop();
        e.close_at(iterator, e.sp());
    }
    Ok([])
}

/// Fires BRANCH_RIGHT at the end of an asynchronous loop. The source is the END_SEND that the argument refers
/// to.
///
/// # Safety
/// As [`crate::engine`] says for every micro-op.
#[inline(always)]
pub(crate) unsafe fn monitor_end_async_for<E: BytecodeEngine>(e: &mut E, []: [StackRef; 0]) -> BytecodeOp {
    // SAFETY: the compiler has put the distance back to END_SEND into the argument.
    unsafe {
        let source = e.next().add(-(e.oparg() as isize));
        jump(e, ffi::PY_MONITORING_EVENT_BRANCH_RIGHT, source, e.next())
    }
}

/// Drops the return value of a generator at the end of a loop. Fires STOP_ITERATION in place of the
/// StopIteration that was not raised.
///
/// # Safety
/// As [`crate::engine`] says for every micro-op.
#[inline(always)]
pub(crate) unsafe fn instrumented_end_for<E: BytecodeEngine>(
    e: &mut E,
    (Kept([iterator]), [value]): (Kept<[StackRef; 1]>, [StackRef; 1]),
) -> Op<Settled<0>> {
    // SAFETY: the iterator and the value are live. The value is owned by this micro-op.
    unsafe {
        e.stay_at_previous_instr();
        if is_generator(iterator.object()) {
            stop_iteration(e, value)?;
        }
        e.settle([value], [])
    }
}

/// Drops the receiver at the end of `yield from` or `await`. Fires STOP_ITERATION in place of the
/// StopIteration that was not raised.
///
/// # Safety
/// As [`crate::engine`] says for every micro-op.
#[inline(always)]
pub(crate) unsafe fn instrumented_end_send<E: BytecodeEngine>(
    e: &mut E,
    inputs: [StackRef; 2],
) -> Op<Settled<1>> {
    // SAFETY: the inputs are live and owned by this micro-op.
    unsafe {
        let [receiver, value] = inputs;
        let receiver = receiver.object();
        if is_generator(receiver) || is_exact(receiver, &raw mut ffi::PyCoro_Type) {
            stop_iteration(e, value)?;
        }
        generators::end_send(e, inputs)
    }
}

/// Fires STOP_ITERATION with the return value of a generator.
///
/// # Safety
/// As [`crate::engine`] says for every micro-op. `value` is on the engine's stack.
#[inline(always)]
unsafe fn stop_iteration<E: BytecodeEngine>(e: &mut E, value: StackRef) -> Op {
    // SAFETY: the value is live and on the published stack (caller).
    unsafe {
        e.publish();
        exceptions::stop_iteration(e.tstate(), e.frame(), e.this_instr(), value.object())
            .map_or(Err(Exit::ErrorNoPop), |()| Ok([]))
    }
}

// --- frames ------------------------------------------------------------------------------------

/// Fires PY_START at the start of a frame, or PY_RESUME after a `yield`.
///
/// # Safety
/// As [`crate::engine`] says for every micro-op.
#[inline(always)]
pub(crate) unsafe fn monitor_resume<E: BytecodeEngine>(e: &mut E, []: [StackRef; 0]) -> BytecodeOp {
    const { assert!(ffi::PY_MONITORING_EVENT_PY_START == 0 && ffi::PY_MONITORING_EVENT_PY_RESUME == 1) }
    // SAFETY: the frame is published before the event, and its stack pointer is reloaded after it.
    unsafe {
        e.publish();
        let event = u32::from(e.oparg() > 0);
        let result = seams::instrumentation::event(e.tstate(), event, e.frame(), e.this_instr());
        e.reload_sp();
        if result.is_err() {
            return Err(Exit::ErrorNoPop.into());
        }
        follow(e)
    }
}

/// Continues at the instruction to which a tool has moved the frame, if it has.
///
/// # Safety
/// The engine's frame is live, and its instruction pointer is in its bytecode.
#[inline(always)]
unsafe fn follow<E: BytecodeEngine>(e: &mut E) -> BytecodeOp {
    // SAFETY: the frame is live (caller).
    unsafe {
        if e.frame().instr() != e.this_instr() {
            e.set_next(e.frame().instr());
            return Err(BytecodeExit::Dispatch);
        }
    }
    Ok([])
}

/// Fires an event with the topmost value as its argument.
///
/// # Safety
/// As [`crate::engine`] says for every micro-op. `value` is the topmost value of the engine's stack.
#[inline(always)]
unsafe fn value_event<E: BytecodeEngine>(e: &mut E, value: StackRef, event: u32) -> Op {
    // SAFETY: the value is live and stays on the published stack (caller).
    unsafe {
        e.publish();
        let result =
            seams::instrumentation::event_with(e.tstate(), event, e.frame(), e.this_instr(), value.object());
        e.reload_sp();
        if result.is_err() {
            return Err(Exit::ErrorNoPop);
        }
    }
    Ok([])
}

/// Fires PY_RETURN with the topmost value.
///
/// # Safety
/// As [`crate::engine`] says for every micro-op.
#[inline(always)]
pub(crate) unsafe fn return_value_event<E: BytecodeEngine>(
    e: &mut E,
    Kept([value]): Kept<[StackRef; 1]>,
) -> Op {
    // SAFETY: the input is the topmost value, and live.
    unsafe { value_event(e, value, ffi::PY_MONITORING_EVENT_PY_RETURN) }
}

/// Fires PY_YIELD with the topmost value.
///
/// # Safety
/// As [`crate::engine`] says for every micro-op.
#[inline(always)]
pub(crate) unsafe fn yield_value_event<E: BytecodeEngine>(
    e: &mut E,
    Kept([value]): Kept<[StackRef; 1]>,
) -> BytecodeOp {
    // SAFETY: the input is the topmost value, and live.
    unsafe {
        value_event(e, value, ffi::PY_MONITORING_EVENT_PY_YIELD)?;
        follow(e)
    }
}

// --- super -------------------------------------------------------------------------------------

/// Loads an attribute of `super(...)`, and fires the events of that call.
///
/// # Safety
/// As [`crate::engine`] says for every micro-op.
#[inline(always)]
pub(crate) unsafe fn instrumented_load_super_attr<E: BytecodeEngine>(
    e: &mut E,
    inputs: [StackRef; 3],
) -> Op<[StackRef; 1]> {
    // SAFETY: the contract is that of every micro-op, and the inputs are those of the plain instruction.
    unsafe { super_attributes::load_super(e, inputs, true) }
}

// --- lines and instructions --------------------------------------------------------------------

/// Fires LINE if a new line starts here, then runs the original instruction.
///
/// # Safety
/// As [`crate::engine`] says for every micro-op.
#[inline(always)]
pub(crate) unsafe fn instrumented_line<E: BytecodeEngine>(e: &mut E, []: [StackRef; 0]) -> BytecodeOp {
    // SAFETY: the code has line data, since an INSTRUMENTED_LINE has been written to it. The original opcode
    // is from that data.
    unsafe {
        let (frame, this) = (e.frame(), e.this_instr());
        if (*e.tstate().as_ptr()).tracing != 0 {
            return run_original(e, under_line(frame, this));
        }
        e.publish();
        let original = seams::instrumentation::line(e.tstate(), frame, this, e.previous_instr());
        e.reload_sp();
        let Ok(original) = original else { return Err(Exit::ErrorNoPop.into()) };
        follow(e)?;
        run_original(e, original)
    }
}

/// Fires INSTRUCTION, then runs the original instruction.
///
/// # Safety
/// As [`crate::engine`] says for every micro-op.
#[inline(always)]
pub(crate) unsafe fn instrumented_instruction<E: BytecodeEngine>(e: &mut E, []: [StackRef; 0]) -> BytecodeOp {
    // SAFETY: the frame is published before the event, and its stack pointer is reloaded after it. The
    // original opcode is from the code's monitoring data.
    unsafe {
        e.publish();
        let original = seams::instrumentation::instruction(e.tstate(), e.frame(), e.this_instr());
        e.reload_sp();
        let Ok(original) = original else { return Err(Exit::ErrorNoPop.into()) };
        run_original(e, original)
    }
}
