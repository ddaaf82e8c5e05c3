//! Calls, and the frames that they make.

use super::super::analysis::{Analysis, Stop};
use super::super::class::Class;
use super::super::frames::{AbstractFrame, Namespace, NewFrame, Space};
use super::super::symbols::{Constant, Fact, Symbol};
use super::attributes;
use crate::bytecode::micro_op;
use crate::host::Code;
use crate::host::function::Function;
use crate::seams;
use crate::tier2::uop::Entered;

// --- built-in callables --------------------------------------------------------------------------

pub(super) fn guard_len(a: &mut Analysis) -> Result<(), Stop> {
    // SAFETY: the interpreter is live, and holds `len`.
    let len = unsafe { Constant::new((*a.interp).callable_cache.len) };
    a.guard(2, Fact::Value(len))
}

/// `type(value)`.
pub(super) fn type_of(a: &mut Analysis) -> Result<(), Stop> {
    let value = a.peek(0);
    let class = a.symbols.class(value);
    a.results(class.map_or(Fact::NonNull, |class| Fact::Value(Constant::class_object(class))))
}

/// `class(value)`, which is the value itself if it has that type.
pub(super) fn convert(a: &mut Analysis, class: Class) -> Result<(), Stop> {
    let value = a.peek(0);
    let unchanged = a.symbols.is_a(value, class);
    a.results(Fact::Class(class))?;
    if unchanged {
        a.poke(0, value);
    }
    Ok(())
}

/// `isinstance(value, class)`. An instance of the class itself is one whatever metaclasses say.
pub(super) fn is_instance(a: &mut Analysis) -> Result<(), Stop> {
    let (class, value) = (a.peek(0), a.peek(1));
    let class = a.symbols.constant(class).map(Constant::object);
    let same = class.is_some() && class == a.symbols.class(value).map(Class::object);
    let fact = if same { Fact::Value(Constant::bool(true)) } else { Fact::Class(Class::bool()) };
    a.results(fact)
}

// --- what is called ------------------------------------------------------------------------------

/// Where the callable of a call and its first argument (or null) are: the numbers of values above them.
struct CallSlots {
    callable: usize,
    receiver: usize,
}

/// Where they are in a call that has `above` values on top of the other arguments.
fn slots(a: &Analysis, above: usize) -> CallSlots {
    let receiver = a.oparg() + above;
    CallSlots { callable: receiver + 1, receiver }
}

/// The callable is a function of this version.
pub(super) fn check_function_version(a: &mut Analysis) -> Result<(), Stop> {
    let callable = a.peek(slots(a, 0).callable);
    let is_function = a.symbols.is_a(callable, Class::function());
    if let Some(function) = a.symbols.constant(callable).filter(|_| is_function) {
        let version = a.uop().operand0;
        let uop = &mut a.trace[a.at];
        uop.replace(micro_op::check_function_version_inline, 0, version);
        uop.operand1 = function.object().addr() as u64;
    }
    a.learn(callable, Fact::Class(Class::function()))?;
    Ok(())
}

/// The function has exactly as many parameters as there are arguments.
pub(super) fn check_exact_arguments(a: &mut Analysis) -> Result<(), Stop> {
    let CallSlots { callable, receiver } = slots(a, 0);
    let (callable, receiver) = (a.peek(callable), a.peek(receiver));
    let Some(function) = a.symbols.constant(callable).and_then(function_of) else { return Ok(()) };
    let arguments = if a.symbols.is_null(receiver) {
        a.oparg()
    } else if a.symbols.is_non_null(receiver) {
        a.oparg() + 1
    } else {
        return Ok(());
    };
    // SAFETY: the function is live, and so is its code.
    if unsafe { (*function.code().as_ptr()).co_argcount } as usize == arguments {
        a.remove();
    }
    Ok(())
}

fn function_of(callable: Constant) -> Option<Function> {
    // SAFETY: constants are live.
    unsafe { Function::cast(callable.object()) }
}

/// The callable is a bound method.
pub(super) fn check_bound_method(a: &mut Analysis) -> Result<(), Stop> {
    let CallSlots { callable, receiver } = slots(a, 0);
    let (callable, receiver) = (a.peek(callable), a.peek(receiver));
    a.learn(receiver, Fact::Null)?;
    a.learn(callable, Fact::Class(Class::method()))?;
    Ok(())
}

/// A bound method becomes its function and the object that it is bound to.
pub(super) fn expand_method(a: &mut Analysis, above: usize) -> Result<(), Stop> {
    let CallSlots { callable, receiver } = slots(a, above);
    for depth in [callable, receiver] {
        let value = a.symbols.with(Fact::NonNull)?;
        a.poke(depth, value);
    }
    Ok(())
}

/// [`expand_method`], if the callable is a bound method.
pub(super) fn maybe_expand_method(a: &mut Analysis, above: usize) -> Result<(), Stop> {
    let CallSlots { callable, receiver } = slots(a, above);
    let bound = a.peek(receiver);
    if a.symbols.is_non_null(bound) {
        return Ok(());
    }
    let value = a.symbols.with(Fact::NonNull)?;
    a.poke(callable, value);
    let value = a.symbols.unknown()?;
    a.poke(receiver, value);
    Ok(())
}

/// The callable is the class of this version. It becomes its `__init__`, and the receiver a new instance.
pub(super) fn allocate_object(a: &mut Analysis) -> Result<(), Stop> {
    let CallSlots { callable, receiver } = slots(a, 0);
    let init = a.symbols.with(Fact::NonNull)?;
    a.poke(callable, init);
    let instance = a.symbols.with(Fact::NonNull)?;
    a.poke(receiver, instance);
    attributes::learn_type_version(a, instance)?;
    Ok(())
}

/// Setting another evaluator invalidates all executors.
pub(super) fn check_default_evaluator(a: &mut Analysis) -> Result<(), Stop> {
    // SAFETY: the interpreter is live.
    if unsafe { (*a.interp).eval_frame.is_none() } {
        a.remove();
    }
    Ok(())
}

pub(super) fn check_stack_space(a: &mut Analysis) -> Result<(), Stop> {
    a.space_check = Some(a.at);
    Ok(())
}

// --- frames --------------------------------------------------------------------------------------

/// A frame of the callable. Positional arguments become its first variables.
pub(super) fn frame(a: &mut Analysis) -> Result<(), Stop> {
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
    a.new_frame = NewFrame { arguments, function };
    Ok(())
}

/// A frame whose first variables are the inputs.
pub(super) fn frame_of_inputs(a: &mut Analysis, count: usize) -> Result<(), Stop> {
    let arguments = a.pop_many(count);
    a.new_frame = NewFrame { arguments, function: None };
    Ok(())
}

/// The frame of an `__init__`, and below it one that returns the new instance.
pub(super) fn init_frame(a: &mut Analysis) -> Result<(), Stop> {
    let arguments = a.pop_many(a.oparg() + 1);
    a.pop();
    let instance = arguments[0];
    enter(a, seams::specialize::init_cleanup(), &[], None)?;
    a.push(instance)?;
    a.new_frame = NewFrame { arguments, function: None };
    Ok(())
}

/// The frame that an earlier micro-op has made becomes the current one. The operand is its function or code.
pub(super) fn push_frame(a: &mut Analysis) -> Result<(), Stop> {
    let entered = Entered::from_operand(a.uop().operand0).ok_or(Stop::End)?;
    let NewFrame { arguments, function: called } = core::mem::take(&mut a.new_frame);
    // SAFETY: what the operands of a trace refer to is live during the analysis, and so are constants.
    let (code, parameters, namespace) = unsafe {
        let code = entered.code();
        let called = called.filter(|function| function.code() == code);
        let namespace = called.or(entered.function()).and_then(|function| {
            Namespace::new(function.globals(), function.builtins(), called.is_some(), a.interp)
        });
        (code, (*code.as_ptr()).co_argcount as usize, namespace)
    };
    // Arguments without a parameter are in a tuple.
    enter(a, code, &arguments[..arguments.len().min(parameters)], namespace)
}

/// A new frame becomes the current one.
fn enter(
    a: &mut Analysis,
    code: Code,
    arguments: &[Symbol],
    namespace: Option<Namespace>,
) -> Result<(), Stop> {
    // SAFETY: what the operands of a trace refer to is live during the analysis.
    let mut frame = unsafe { AbstractFrame::of(code, arguments, &mut a.symbols)? };
    frame.namespace = namespace;
    // SAFETY: as above.
    frame.space = share_space_check(a, unsafe { (*code.as_ptr()).co_framesize } as u32)?;
    a.frames.push(frame);
    Ok(())
}

/// Makes one check of stack space enough for all frames that exist after it: the check of the first call in a
/// frame covers everything that is called from there.
fn share_space_check(a: &mut Analysis, size: u32) -> Result<Option<Space>, Stop> {
    let own = a.space_check.take();
    let space = match (a.frame().space, own) {
        (Some(space), _) => space,
        (None, Some(check)) => Space { check, used: 0 },
        // The frame was made with a check at run time of its own.
        (None, None) => return Ok(None),
    };
    let used = space.used.checked_add(size).filter(|&used| used <= i32::MAX as u32).ok_or(Stop::End)?;
    if let Some(own) = own.filter(|&own| own != space.check) {
        a.trace[own].replace(micro_op::nop, 0, 0);
    }
    a.frame().space = Some(space);
    let check = &mut a.trace[space.check];
    check.set_number(micro_op::check_stack_space_operand);
    check.operand0 = check.operand0.max(used.into());
    Ok(Some(Space { used, ..space }))
}

pub(super) fn return_value(a: &mut Analysis) -> Result<(), Stop> {
    let value = a.pop();
    leave(a)?;
    a.push(value)
}

pub(super) fn return_generator(a: &mut Analysis) -> Result<(), Stop> {
    leave(a)?;
    a.push_new(Fact::NonNull)
}

/// The frame below becomes the current one. The operand is its function or code.
fn leave(a: &mut Analysis) -> Result<(), Stop> {
    if a.frames.len() == 1 {
        return Err(Stop::End);
    }
    a.frames.pop();
    // SAFETY: what the operands of a trace refer to is live during the analysis.
    let expected = Entered::from_operand(a.uop().operand0).map(|entered| unsafe { entered.code() });
    if expected == Some(a.code()) { Ok(()) } else { Err(Stop::End) }
}
