//! Attributes.

use super::super::analysis::{Analysis, Stop};
use super::super::class::Class;
use super::super::symbols::{Constant, Fact, Symbol};
use super::super::watchers;
use crate::host::{PyObject, ffi};

/// The value has a type of this version.
pub(super) fn guard_type_version(a: &mut Analysis, depth: usize) -> Result<(), Stop> {
    let value = a.peek(depth);
    if learn_type_version(a, value)? {
        a.remove();
    }
    Ok(())
}

/// `value` has a type of the version that is the operand. From then on, the trace relies on the type. Returns
/// whether it was known.
pub(super) fn learn_type_version(a: &mut Analysis, value: Symbol) -> Result<bool, Stop> {
    let version = a.uop().operand0 as u32;
    let known = a.symbols.class(value).filter(|_| a.symbols.has_type_version(value, version));
    let Some(class) = known.or_else(|| of_version(version)) else { return Ok(false) };
    watch(a, class);
    a.learn(value, Fact::TypeVersion(version))
}

/// The topmost value is the type that has this version.
pub(super) fn check_class(a: &mut Analysis) -> Result<(), Stop> {
    let version = a.uop().operand0 as u32;
    let value = a.peek(0);
    let known = a.symbols.constant(value).and_then(Constant::as_class);
    let known = known.filter(|class| class.version() == version);
    let Some(class) = known.or_else(|| of_version(version)) else { return Ok(()) };
    watch(a, class);
    a.guard(0, Fact::Value(Constant::class_object(class)))
}

/// The type of a version. None if it has changed since, or if another type has replaced it in the host's table.
fn of_version(version: u32) -> Option<Class> {
    // SAFETY: the thread is attached during the analysis.
    unsafe { Class::by_version(version) }
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
    let method = of_type(a, a.symbols.class(receiver));
    a.push_new(method)?;
    a.push(receiver)
}

/// An attribute of the type of the topmost value.
pub(super) fn attribute_of_type(a: &mut Analysis) -> Result<(), Stop> {
    let owner = a.pop();
    let attribute = of_type(a, a.symbols.class(owner));
    a.push_new(attribute)
}

/// An attribute of a type on top of the stack.
pub(super) fn attribute_of_class(a: &mut Analysis) -> Result<(), Stop> {
    let owner = a.pop();
    let class = a.symbols.constant(owner).and_then(Constant::as_class);
    let attribute = of_type(a, class);
    a.push_new(attribute)
}

/// What is known of an attribute in the inline cache, which was found in `class`. The trace relies on the class if
/// the attribute is still there.
fn of_type(a: &mut Analysis, class: Option<Class>) -> Fact {
    let uop = a.uop();
    let cached = uop.operand0 as *mut PyObject;
    let is_current = |class: &Class| {
        // SAFETY: code and type are live, the thread is attached; the code has the name that its instruction
        // loads. The cached object may be dead, and is only compared.
        unsafe { ffi::_PyType_Lookup(class.as_ptr(), a.code().name(usize::from(uop.oparg) >> 1)) == cached }
    };
    let Some(class) = class.filter(is_current) else { return Fact::NonNull };
    watch(a, class);
    // SAFETY: the type has just returned it, and does not change during the analysis.
    Fact::Value(unsafe { Constant::new(cached) })
}
