//! Attributes.

use super::super::analysis::{Analysis, Stop};
use super::super::class::Class;
use super::super::symbols::{Constant, Fact, Symbol};
use super::super::watchers;

/// The topmost value has a type of this version.
pub(super) fn guard_type_version(a: &mut Analysis) -> Result<(), Stop> {
    let value = a.peek(0);
    if learn_type_version(a, value)? {
        a.remove();
    }
    Ok(())
}

/// `value` has a type of the version that is the operand. From then on, the trace relies on the type. Returns
/// whether it was known.
pub(super) fn learn_type_version(a: &mut Analysis, value: Symbol) -> Result<bool, Stop> {
    let version = a.uop().operand0 as u32;
    // SAFETY: the thread is attached during the analysis.
    let Some(class) = (unsafe { Class::by_version(version) }) else {
        // The type has changed since, or another one has replaced it in the host's table of versions.
        return Ok(false);
    };
    let was_known = a.learn(value, Fact::TypeVersion(version))?;
    watch(a, class);
    Ok(was_known)
}

/// The topmost value is the type that has this version.
pub(super) fn check_class(a: &mut Analysis) -> Result<(), Stop> {
    // SAFETY: the thread is attached during the analysis.
    let Some(class) = (unsafe { Class::by_version(a.uop().operand0 as u32) }) else { return Ok(()) };
    a.guard(0, Fact::Value(Constant::class_object(class)))?;
    watch(a, class);
    Ok(())
}

fn watch(a: &mut Analysis, class: Class) {
    // SAFETY: the thread is attached and the callbacks are set during the analysis.
    unsafe { watchers::watch_type(class, a.dependencies) }
}

/// An attribute and, if wanted, the object that it is called with, or null.
pub(super) fn attribute_and_receiver(a: &mut Analysis) -> Result<(), Stop> {
    a.results(Fact::NonNull)?;
    if a.oparg() & 1 != 0 {
        let receiver = a.symbols.unknown()?;
        a.poke(0, receiver);
    }
    Ok(())
}

/// A method, and the object that it is called with.
pub(super) fn method(a: &mut Analysis) -> Result<(), Stop> {
    let receiver = a.pop();
    a.push_new(Fact::NonNull)?;
    a.push(receiver)
}
