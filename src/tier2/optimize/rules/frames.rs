//! Frames that the trace makes, enters, and returns to.

use super::super::analysis::{Analysis, Stop};
use super::super::class::Class;
use super::super::frames::{AbstractFrame, Namespace, NewFrame, Space};
use super::super::symbols::{Constant, Fact, MAX_ITEMS, Symbol};
use super::calls::function_of;
use crate::bytecode::micro_op;
use crate::host::Code;
use crate::host::function::Function;
use crate::ops::trampolines::{self, OperatorFrames};
use crate::seams;
use crate::tier2::Uop;
use crate::tier2::uop::Entered;

// --- new frames ----------------------------------------------------------------------------------

/// A frame of the callable. Positional arguments become its first variables.
pub(super) fn of_call(a: &mut Analysis) -> Result<(), Stop> {
    let keywords = if a.uop().number() == micro_op::py_frame_kw {
        let names = a.pop();
        a.symbols.tuple_length(names)
    } else {
        Some(0)
    };
    let mut arguments = a.pop_many(a.oparg());
    let (receiver, callable) = (a.pop(), a.pop());
    let positional = keywords.and_then(|count| arguments.len().checked_sub(count)).unwrap_or(0);
    arguments.truncate(positional);
    if a.symbols.is_non_null(receiver) {
        arguments.insert(0, receiver);
    } else if !a.symbols.is_null(receiver) {
        arguments.clear();
    }
    let function = a.symbols.constant(callable).and_then(function_of);
    a.new_frame = Some(NewFrame::Call { arguments, function });
    Ok(())
}

/// A frame of the callable of `callable(*arguments, **keywords)`.
pub(super) fn of_spread_call(a: &mut Analysis) -> Result<(), Stop> {
    let (_keywords, tuple) = (a.pop(), a.pop());
    let (_null, callable) = (a.pop(), a.pop());
    let known = a.symbols.tuple_length(tuple).unwrap_or(0).min(MAX_ITEMS);
    let arguments = (0..known).map(|index| a.symbols.item(tuple, index)).collect::<Result<_, _>>()?;
    let function = a.symbols.constant(callable).and_then(function_of);
    a.new_frame = Some(NewFrame::Call { arguments, function });
    Ok(())
}

/// A frame whose first variables are the inputs.
pub(super) fn of_inputs(a: &mut Analysis, count: usize) -> Result<(), Stop> {
    let arguments = a.pop_many(count);
    a.new_frame = Some(NewFrame::Call { arguments, function: None });
    Ok(())
}

/// The frame of an `__init__`, and below it one that returns the new instance.
pub(super) fn of_init(a: &mut Analysis) -> Result<(), Stop> {
    let arguments = a.pop_many(a.oparg() + 1);
    a.pop();
    let instance = arguments[0];
    enter(a, seams::specialize::init_cleanup(), &[], None)?;
    a.push(instance)?;
    a.new_frame = Some(NewFrame::Call { arguments, function: None });
    Ok(())
}

/// The frame of the method that does the work of a BINARY_OP, and below it one that keeps the operands.
pub(super) fn of_operator(a: &mut Analysis) -> Result<(), Stop> {
    let is_reflected = OperatorFrames::from_operand(a.uop().operand1).is_reflected;
    of_method(a, if is_reflected { [1, 0] } else { [0, 1] })
}

/// The frame of the `__setitem__` that does the work of a STORE_SUBSCR, and below it one that keeps the operands.
pub(super) fn of_store_subscr(a: &mut Analysis) -> Result<(), Stop> {
    of_method(a, [1, 2, 0])
}

/// The frame of a special method, and below it one that keeps the operands. The arguments are the operands in this order.
fn of_method<const N: usize>(a: &mut Analysis, order: [usize; N]) -> Result<(), Stop> {
    let operands = a.pop_many(N);
    // SAFETY: what the operands of a trace refer to is live during the analysis.
    let function = function_of(unsafe { Constant::new(a.uop().operand0 as *mut _) });
    let arguments = order.into_iter().map(|index| operands[index]).collect();
    enter(a, trampolines::code(), &[], None)?;
    for operand in operands {
        a.push(operand)?;
    }
    a.new_frame = Some(NewFrame::Call { arguments, function });
    Ok(())
}

/// The frame of a loop over the generator on top of the stack takes over the operands of the call.
pub(super) fn enter_consumer(a: &mut Analysis) -> Result<(), Stop> {
    let next = Next::of(a.uop())?;
    let operands = a.pop_many(3);
    enter(a, next.code, &[], None)?;
    for operand in operands {
        a.push(operand)?;
    }
    next.expect(a)
}

/// A new int takes the place of the sum below the generator.
pub(super) fn add_to_sum(a: &mut Analysis) -> Result<(), Stop> {
    let values = a.pop_many(3);
    a.push_new(Fact::Class(Class::int()))?;
    a.push(values[1])
}

/// The frame of a generator, which stays on the stack. A loop sends None to it.
pub(super) fn of_iteration(a: &mut Analysis) -> Result<(), Stop> {
    let sent = a.symbols.with(Fact::Value(Constant::none()))?;
    a.new_frame = Some(NewFrame::Generator { sent });
    Ok(())
}

/// The frame of a generator or coroutine, which stays on the stack. The topmost value is sent to it.
pub(super) fn of_send(a: &mut Analysis) -> Result<(), Stop> {
    let sent = a.pop();
    a.new_frame = Some(NewFrame::Generator { sent });
    Ok(())
}

/// Goes on in the innermost of the generators that are resumed. What is below its frame is not known any more.
pub(super) fn enter_innermost(a: &mut Analysis) -> Result<(), Stop> {
    let is_sent = a.uop().number() == micro_op::send_innermost;
    let sent = if is_sent { a.pop() } else { a.symbols.with(Fact::Value(Constant::none()))? };
    let next = Next::of(a.uop())?;
    let mut frame = next.unknown(a, 1)?;
    frame.stack.push(sent);
    a.frames.clear();
    a.frames.push(frame);
    next.expect(a)
}

/// Yields the topmost value to a frame that the trace has not been in.
pub(super) fn pass_on(a: &mut Analysis) -> Result<(), Stop> {
    let value = a.pop();
    a.frames.truncate(1);
    leave(a)?;
    a.push(value)
}

// --- from one frame to another -------------------------------------------------------------------

/// What the operands of a micro-op say about the frame that runs next: an [`Entered`], and the number of values on the
/// frame's stack plus one.
struct Next {
    code: Code,
    /// A function that ran the code when the trace was made.
    function: Option<Function>,
    /// The number of values on its stack, without the result that it gets. None if that is not known.
    stack_entries: Option<usize>,
}

impl Next {
    /// Ends the analysis if nothing is known.
    fn of(uop: Uop) -> Result<Next, Stop> {
        let entered = Entered::from_operand(uop.operand0).ok_or(Stop::End)?;
        // SAFETY: what the operands of a trace refer to is live during the analysis.
        let code = unsafe { entered.code() };
        let stack_entries = (uop.operand1 as usize).checked_sub(1);
        Ok(Next { code, function: entered.function(), stack_entries })
    }

    /// The frame, about which no more is known. The `given` topmost values of its stack are left out.
    fn unknown(&self, a: &mut Analysis, given: usize) -> Result<AbstractFrame, Stop> {
        let entries = self.stack_entries.and_then(|count| count.checked_sub(given)).ok_or(Stop::End)?;
        // SAFETY: as for the code, and the interpreter is live.
        Ok(unsafe { AbstractFrame::unknown(self.code, self.function, entries, a.interp, &mut a.symbols)? })
    }

    /// Ends the analysis if the current frame cannot be this one.
    fn expect(&self, a: &mut Analysis) -> Result<(), Stop> {
        let frame = a.frame();
        let is_expected =
            frame.code == self.code && self.stack_entries.is_none_or(|count| count == frame.stack.len());
        if is_expected { Ok(()) } else { Err(Stop::End) }
    }
}

/// The frame that an earlier micro-op has prepared becomes the current one.
pub(super) fn push_frame(a: &mut Analysis) -> Result<(), Stop> {
    let next = Next::of(a.uop())?;
    match a.new_frame.take().ok_or(Stop::End)? {
        NewFrame::Call { arguments, function } => enter_called(a, &next, &arguments, function)?,
        NewFrame::Generator { sent } => {
            let mut frame = next.unknown(a, 1)?;
            frame.stack.push(sent);
            // Both frames see the same end of the data stack.
            frame.space = a.frame().space;
            a.frames.push(frame);
        }
    }
    next.expect(a)
}

/// The new frame of a call becomes the current one, of `called` if that is known.
fn enter_called(
    a: &mut Analysis,
    next: &Next,
    arguments: &[Symbol],
    called: Option<Function>,
) -> Result<(), Stop> {
    // SAFETY: what the operands of a trace refer to is live during the analysis, and so are constants.
    let (parameters, namespace) = unsafe {
        let called = called.filter(|function| function.code() == next.code);
        let namespace = called.or(next.function).and_then(|function| Namespace::of(function, a.interp));
        let namespace = namespace.map(|namespace| Namespace { is_checked: called.is_some(), ..namespace });
        ((*next.code.as_ptr()).co_argcount as usize, namespace)
    };
    // Arguments without a parameter are in a tuple.
    enter(a, next.code, &arguments[..arguments.len().min(parameters)], namespace)
}

/// A new frame becomes the current one.
fn enter(
    a: &mut Analysis,
    code: Code,
    arguments: &[Symbol],
    namespace: Option<Namespace>,
) -> Result<(), Stop> {
    // SAFETY: what the operands of a trace refer to is live during the analysis.
    let mut frame = unsafe { AbstractFrame::of_call(code, arguments, &mut a.symbols)? };
    frame.namespace = namespace;
    // SAFETY: as above.
    frame.space = share_space_check(a, unsafe { (*code.as_ptr()).co_framesize } as u32);
    a.frames.push(frame);
    Ok(())
}

/// Returns or yields the topmost value.
pub(super) fn return_value(a: &mut Analysis) -> Result<(), Stop> {
    let value = a.pop();
    leave(a)?;
    a.push(value)
}

/// Drops the topmost value, and returns from a trampoline.
pub(super) fn return_store_subscr(a: &mut Analysis) -> Result<(), Stop> {
    leave(a)
}

pub(super) fn return_generator(a: &mut Analysis) -> Result<(), Stop> {
    leave(a)?;
    a.push_new(Fact::NonNull)
}

/// The frame below becomes the current one. If the trace has not been in it yet, nothing is known about it.
fn leave(a: &mut Analysis) -> Result<(), Stop> {
    let next = Next::of(a.uop())?;
    if a.frames.len() > 1 {
        a.frames.pop();
    } else {
        a.frames[0] = next.unknown(a, 0)?;
    }
    next.expect(a)
}

// --- the data stack ------------------------------------------------------------------------------

pub(super) fn check_stack_space(a: &mut Analysis) -> Result<(), Stop> {
    a.space_check = Some(a.at);
    Ok(())
}

/// Makes one check of stack space enough for several frames that exist after it: the check of the first call in a
/// frame covers what is called from there. Returns what it is enough for in the new frame of `size` words.
fn share_space_check(a: &mut Analysis, size: u32) -> Option<Space> {
    let own = a.space_check.take();
    let shared = a.frame().space.and_then(|space| space.with_frame(size));
    // A frame without a check here was made with a check at run time of its own.
    let space = shared.or_else(|| Space::behind(own?).with_frame(size))?;
    match own {
        Some(own) if own == space.check => a.frame().space = Some(Space::behind(own)),
        Some(own) => a.trace[own].replace(micro_op::nop, 0, 0),
        None => {}
    }
    let check = &mut a.trace[space.check];
    check.set_number(micro_op::check_stack_space_operand);
    check.operand0 = check.operand0.max(space.used.into());
    Some(space)
}
