//! Truth values, and guards of conditions.

use super::super::analysis::{Analysis, Stop};
use super::super::class::Class;
use super::super::symbols::{Constant, Fact};
use crate::bytecode::micro_op;

/// `bool(value)`, of a value about which the micro-op establishes `fact`.
pub(super) fn to_bool(a: &mut Analysis, fact: Option<Fact>) -> Result<(), Stop> {
    let value = a.peek(0);
    if a.symbols.is_a(value, Class::bool()) {
        a.remove();
        return Ok(());
    }
    if let Some(truth) = a.symbols.truth(value) {
        return becomes(a, truth);
    }
    a.pop();
    if let Some(fact) = fact {
        a.learn(value, fact)?;
    }
    let truth = a.symbols.truth_of(value, false)?;
    a.push(truth)
}

/// The micro-op is needed only to replace its input by a known truth value.
fn becomes(a: &mut Analysis, truth: bool) -> Result<(), Stop> {
    let truth = Constant::bool(truth);
    a.replace_by_constant(
        micro_op::pop_top_load_const_inline,
        micro_op::pop_top_load_const_inline_borrow,
        truth,
    );
    a.pop();
    a.push_new(Fact::Value(truth))
}

/// `bool(value)` of a type whose instances are always true.
pub(super) fn always_true(a: &mut Analysis) -> Result<(), Stop> {
    becomes(a, true)
}

/// `not value` of a bool.
pub(super) fn not(a: &mut Analysis) -> Result<(), Stop> {
    let value = a.pop();
    a.learn(value, Fact::Class(Class::bool()))?;
    let truth = a.symbols.truth_of(value, true)?;
    a.push(truth)
}

/// The trace goes on only if the popped value is `wanted`.
pub(super) fn guard_value(a: &mut Analysis, wanted: Constant) -> Result<(), Stop> {
    let value = a.pop();
    if a.learn(value, Fact::Value(wanted))? {
        a.replace(micro_op::pop_top);
    }
    Ok(())
}

/// The trace goes on only if the popped value is not None.
pub(super) fn guard_not_none(a: &mut Analysis) -> Result<(), Stop> {
    let value = a.pop();
    if let Some(constant) = a.symbols.constant(value) {
        if constant == Constant::none() {
            return leave(a);
        }
        a.replace(micro_op::pop_top);
    } else if a.symbols.class(value).is_some_and(|class| class != Constant::none().class()) {
        a.replace(micro_op::pop_top);
    }
    Ok(())
}

/// The guard of a condition always fails: the trace ends with its exit.
fn leave(a: &mut Analysis) -> Result<(), Stop> {
    let mut exit = a.uop();
    exit.set_number(micro_op::exit_trace);
    a.replace(micro_op::pop_top);
    a.trace.truncate(a.at + 1);
    a.trace.push(exit);
    Err(Stop::End)
}
