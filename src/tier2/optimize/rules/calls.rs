//! Calls: what is called, and with which arguments.

use super::super::analysis::{Analysis, Stop};
use super::super::class::Class;
use super::super::symbols::{Constant, Fact};
use super::attributes;
use crate::bytecode::micro_op;
use crate::host::function::Function;
use crate::host::thread::has_custom_evaluator;

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
    let CallSlots { callable: depth, .. } = slots(a, 0);
    let callable = a.peek(depth);
    let is_function = a.symbols.is_a(callable, Class::function());
    if let Some(function) = a.symbols.constant(callable).filter(|_| is_function) {
        let version = a.uop().operand0;
        let uop = &mut a.trace[a.at];
        uop.replace(micro_op::check_function_version_inline, 0, version);
        uop.operand1 = function.object().addr() as u64;
    }
    check_function(a, depth)
}

/// The value that has `depth` values on top of it is a function. Its version may be checked as well.
pub(super) fn check_function(a: &mut Analysis, depth: usize) -> Result<(), Stop> {
    let callable = a.peek(depth);
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

pub(super) fn function_of(callable: Constant) -> Option<Function> {
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

/// An object becomes the first argument of its `__call__`.
pub(super) fn expand_instance(a: &mut Analysis) -> Result<(), Stop> {
    let CallSlots { callable, receiver } = slots(a, 0);
    let (object, null) = (a.peek(callable), a.peek(receiver));
    a.learn(null, Fact::Null)?;
    attributes::learn_type_version(a, object)?;
    // SAFETY: what the operands of a trace refer to is live during the analysis.
    let function = unsafe { Constant::new(a.uop().operand1 as *mut _) };
    let function = a.symbols.with(Fact::Value(function))?;
    a.poke(callable, function);
    a.poke(receiver, object);
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

/// The arguments of `callable(*arguments, **keywords)` become a tuple.
pub(super) fn make_arguments_a_tuple(a: &mut Analysis) -> Result<(), Stop> {
    let arguments = a.peek(1);
    if a.symbols.is_a(arguments, Class::tuple()) {
        a.remove();
        return Ok(());
    }
    let tuple = a.symbols.with(Fact::Class(Class::tuple()))?;
    a.poke(1, tuple);
    Ok(())
}

/// Setting another evaluator invalidates all executors.
pub(super) fn check_default_evaluator(a: &mut Analysis) -> Result<(), Stop> {
    // SAFETY: the interpreter is live.
    if !unsafe { has_custom_evaluator(a.interp) } {
        a.remove();
    }
    Ok(())
}
