//! Instrumented forms: the plain bodies, and the events that `sys.monitoring` tools want to know of.
//!
//! An event calls Python code, which may raise, and may move the frame to another instruction (a
//! debugger's jump). Events on calls are in [`super::calls`].

use super::control::{record_branch, run_original};
use super::{attributes, generators, iteration};
use crate::engine::{BytecodeEngine, BytecodeExit, BytecodeOp, Engine, Exit, Kept, Op, Settled};
use crate::host::generator::is_generator;
use crate::host::object::is_exact;
use crate::host::{CodeUnit, StackRef, ffi};
use crate::instrument::calls::under_line;
use crate::instrument::exceptions;
use crate::seams;

// --- jumps and branches ------------------------------------------------------------------------

/// Goes on at `target`, after telling the tools that control goes from `source` to it, unless one of
/// them runs just now.
#[inline(always)]
unsafe fn jump<E: BytecodeEngine>(e: &mut E, event: u32, source: CodeUnit, target: CodeUnit) -> BytecodeOp {
    // SAFETY: both are in the frame's bytecode.
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
            // The exception is raised where the jump would have led: a tool that has moved the frame
            // before it raised wants that.
            e.set_next(target.add(1));
            return Err(Exit::ErrorNoPop.into());
        };
        e.set_next(next);
    }
    Ok([])
}

/// A jump ahead.
#[inline(always)]
pub(crate) unsafe fn instrumented_jump_forward<E: BytecodeEngine>(
    e: &mut E,
    []: [StackRef; 0],
) -> BytecodeOp {
    // SAFETY: the argument leads to another instruction.
    unsafe {
        let target = e.next().add(e.oparg() as isize);
        jump(e, ffi::PY_MONITORING_EVENT_JUMP, e.this_instr(), target)
    }
}

/// A jump back, after the periodic check.
#[inline(always)]
pub(crate) unsafe fn monitor_jump_backward<E: BytecodeEngine>(e: &mut E, []: [StackRef; 0]) -> BytecodeOp {
    // SAFETY: the argument leads to another instruction.
    unsafe {
        let target = e.next().add(-(e.oparg() as isize));
        jump(e, ffi::PY_MONITORING_EVENT_JUMP, e.this_instr(), target)
    }
}

/// A branch, whose condition is off the stack already. The other way is NOT_TAKEN's event.
#[inline(always)]
unsafe fn branch<E: BytecodeEngine>(e: &mut E, taken: bool) -> BytecodeOp {
    // SAFETY: the argument leads to another instruction.
    unsafe {
        record_branch(e, taken);
        if !taken {
            return Ok([]);
        }
        let target = e.next().add(e.oparg() as isize);
        jump(e, ffi::PY_MONITORING_EVENT_BRANCH_RIGHT, e.this_instr(), target)
    }
}

/// A branch on True.
#[inline(always)]
pub(crate) unsafe fn instrumented_pop_jump_if_true<E: BytecodeEngine>(
    e: &mut E,
    []: [StackRef; 0],
) -> BytecodeOp {
    // SAFETY: the instruction has one input, a bool, which needs no closing.
    unsafe {
        let condition = e.pop();
        branch(e, condition.is_true())
    }
}

/// A branch on False.
#[inline(always)]
pub(crate) unsafe fn instrumented_pop_jump_if_false<E: BytecodeEngine>(
    e: &mut E,
    []: [StackRef; 0],
) -> BytecodeOp {
    // SAFETY: the instruction has one input, a bool, which needs no closing.
    unsafe {
        let condition = e.pop();
        branch(e, condition.is_false())
    }
}

/// A branch on None.
#[inline(always)]
pub(crate) unsafe fn instrumented_pop_jump_if_none<E: BytecodeEngine>(
    e: &mut E,
    []: [StackRef; 0],
) -> BytecodeOp {
    // SAFETY: the instruction has one input.
    unsafe {
        let is_none = pop_is_none(e);
        branch(e, is_none)
    }
}

/// A branch on anything but None.
#[inline(always)]
pub(crate) unsafe fn instrumented_pop_jump_if_not_none<E: BytecodeEngine>(
    e: &mut E,
    []: [StackRef; 0],
) -> BytecodeOp {
    // SAFETY: the instruction has one input.
    unsafe {
        let is_none = pop_is_none(e);
        branch(e, !is_none)
    }
}

/// Pops a value and says whether it is None.
#[inline(always)]
unsafe fn pop_is_none<E: Engine>(e: &mut E) -> bool {
    // SAFETY: the stack is not empty.
    unsafe {
        let value = e.pop();
        e.close_at(value, e.sp());
        value.is_none()
    }
}

/// The way of a branch that goes straight on; the branch is the instruction before.
#[inline(always)]
pub(crate) unsafe fn instrumented_not_taken<E: BytecodeEngine>(e: &mut E, []: [StackRef; 0]) -> BytecodeOp {
    // SAFETY: both are in the frame's bytecode.
    unsafe { jump(e, ffi::PY_MONITORING_EVENT_BRANCH_LEFT, e.previous_instr(), e.next()) }
}

// --- loops -------------------------------------------------------------------------------------

/// The start of a turn of a loop, or its end, which is POP_ITER's event.
#[inline(always)]
pub(crate) unsafe fn instrumented_for_iter<E: BytecodeEngine>(
    e: &mut E,
    Kept([iterator]): Kept<[StackRef; 1]>,
) -> BytecodeOp {
    // SAFETY: the instruction has an input, and its effect covers the item, which is in its place
    // before a tool runs.
    unsafe {
        let [item] = iteration::for_iter(e, Kept([iterator]))?;
        e.push(item);
        jump(e, ffi::PY_MONITORING_EVENT_BRANCH_LEFT, e.this_instr(), e.next())
    }
}

/// The end of a loop, left from the instruction before: its FOR_ITER.
#[inline(always)]
pub(crate) unsafe fn instrumented_pop_iter<E: BytecodeEngine>(e: &mut E, []: [StackRef; 0]) -> BytecodeOp {
    // SAFETY: the instruction has one input.
    unsafe {
        jump(e, ffi::PY_MONITORING_EVENT_BRANCH_RIGHT, e.previous_instr(), e.next())?;
        let iterator = e.pop();
        e.close_at(iterator, e.sp());
    }
    Ok([])
}

/// The end of an asynchronous loop, left from the END_SEND that the argument leads back to.
#[inline(always)]
pub(crate) unsafe fn monitor_end_async_for<E: BytecodeEngine>(e: &mut E, []: [StackRef; 0]) -> BytecodeOp {
    // SAFETY: the compiler has put the distance there.
    unsafe {
        let source = e.next().add(-(e.oparg() as isize));
        jump(e, ffi::PY_MONITORING_EVENT_BRANCH_RIGHT, source, e.next())
    }
}

/// A generator's return value at the end of a loop: the StopIteration that was not raised.
#[inline(always)]
pub(crate) unsafe fn instrumented_end_for<E: Engine>(
    e: &mut E,
    (Kept([iterator]), [value]): (Kept<[StackRef; 1]>, [StackRef; 1]),
) -> Op<Settled<0>> {
    // SAFETY: the iterator is below the value.
    unsafe {
        e.stay_at_previous_instr();
        if is_generator(iterator.object()) {
            stop_iteration(e, value)?;
        }
        e.settle([value], [])
    }
}

/// A generator's return value at the end of `yield from` or `await`: the StopIteration that was not
/// raised.
#[inline(always)]
pub(crate) unsafe fn instrumented_end_send<E: Engine>(e: &mut E, inputs: [StackRef; 2]) -> Op<Settled<1>> {
    // SAFETY: the inputs are ours.
    unsafe {
        let [receiver, value] = inputs;
        let receiver = receiver.object();
        if is_generator(receiver) || is_exact(receiver, &raw mut ffi::PyCoro_Type) {
            stop_iteration(e, value)?;
        }
        generators::end_send(e, inputs)
    }
}

#[inline(always)]
unsafe fn stop_iteration<E: Engine>(e: &mut E, value: StackRef) -> Op {
    // SAFETY: the value is on the stack.
    unsafe {
        e.publish();
        exceptions::stop_iteration(e.tstate(), e.frame(), e.this_instr(), value.object())
            .map_or(Err(Exit::ErrorNoPop), |()| Ok([]))
    }
}

// --- frames ------------------------------------------------------------------------------------

/// A frame begins, or goes on after a `yield`.
#[inline(always)]
pub(crate) unsafe fn monitor_resume<E: BytecodeEngine>(e: &mut E, []: [StackRef; 0]) -> BytecodeOp {
    const { assert!(ffi::PY_MONITORING_EVENT_PY_START == 0 && ffi::PY_MONITORING_EVENT_PY_RESUME == 1) }
    // SAFETY: the frame is published.
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

/// Goes on where a tool has moved the frame to, if one has.
#[inline(always)]
unsafe fn follow<E: BytecodeEngine>(e: &mut E) -> BytecodeOp {
    // SAFETY: the frame is live.
    unsafe {
        if e.frame().instr() != e.this_instr() {
            e.set_next(e.frame().instr());
            return Err(BytecodeExit::Dispatch);
        }
    }
    Ok([])
}

/// Tells the tools of an event with the topmost value.
#[inline(always)]
unsafe fn value_event<E: Engine>(e: &mut E, value: StackRef, event: u32) -> Op {
    // SAFETY: the instruction has an input, which stays.
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

/// The frame returns the topmost value.
#[inline(always)]
pub(crate) unsafe fn return_value_event<E: Engine>(e: &mut E, Kept([value]): Kept<[StackRef; 1]>) -> Op {
    // SAFETY: the instruction has an input.
    unsafe { value_event(e, value, ffi::PY_MONITORING_EVENT_PY_RETURN) }
}

/// The frame yields the topmost value.
#[inline(always)]
pub(crate) unsafe fn yield_value_event<E: BytecodeEngine>(
    e: &mut E,
    Kept([value]): Kept<[StackRef; 1]>,
) -> BytecodeOp {
    // SAFETY: the instruction has an input.
    unsafe {
        value_event(e, value, ffi::PY_MONITORING_EVENT_PY_YIELD)?;
        follow(e)
    }
}

// --- super -------------------------------------------------------------------------------------

/// An attribute of `super(...)`, whose call is an event.
#[inline(always)]
pub(crate) unsafe fn instrumented_load_super_attr<E: Engine>(
    e: &mut E,
    inputs: [StackRef; 3],
) -> Op<[StackRef; 1]> {
    // SAFETY: the inputs are those of the plain form.
    unsafe { attributes::load_super(e, inputs, true) }
}

// --- lines and instructions --------------------------------------------------------------------

/// A new line, perhaps: then runs the instruction that was here.
#[inline(always)]
pub(crate) unsafe fn instrumented_line<E: BytecodeEngine>(e: &mut E, []: [StackRef; 0]) -> BytecodeOp {
    // SAFETY: the code has data about its lines, since this is what was put here.
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

/// An instruction begins: then runs the one that was here.
#[inline(always)]
pub(crate) unsafe fn instrumented_instruction<E: BytecodeEngine>(e: &mut E, []: [StackRef; 0]) -> BytecodeOp {
    // SAFETY: the frame is published.
    unsafe {
        e.publish();
        let original = seams::instrumentation::instruction(e.tstate(), e.frame(), e.this_instr());
        e.reload_sp();
        let Ok(original) = original else { return Err(Exit::ErrorNoPop.into()) };
        run_original(e, original)
    }
}
