//! Arithmetic, strings and comparisons: types of results, and results of constants.

use super::super::analysis::{Analysis, Stop};
use super::super::class::Class;
use super::super::symbols::{Constant, Fact, Symbol};
use crate::bytecode::micro_op;
use crate::host::{Owned, PyObject, ffi, object};

/// Pops two inputs. Returns their objects if both are known and of type `class`.
fn pop_constants(a: &mut Analysis, class: Class) -> Option<[*mut PyObject; 2]> {
    let (right, left) = (a.pop(), a.pop());
    let object = |value: Symbol| {
        let constant = a.symbols.constant(value)?;
        (constant.class() == class).then_some(constant.object())
    };
    Some([object(left)?, object(right)?])
}

/// The result of a call into the host with constants: a new reference, or an exception.
///
/// # Safety
/// The thread is attached, and its frames are published. `result` is an owned reference, or null with an
/// exception set.
unsafe fn computed(result: *mut PyObject) -> Result<Owned, Stop> {
    // SAFETY: as the caller promises.
    unsafe {
        Owned::from_host(result).map_err(|_| {
            // Memory is short. The trace runs without this.
            ffi::PyErr_Clear();
            Stop::End
        })
    }
}

fn push_computed(a: &mut Analysis, result: &Owned) -> Result<(), Stop> {
    // SAFETY: the reference lives until the symbol has one of its own.
    let constant = unsafe { Constant::new(result.as_ptr()) };
    a.push_new(Fact::Value(constant))
}

type OfLongs = unsafe extern "C" fn(*mut ffi::PyLongObject, *mut ffi::PyLongObject) -> *mut PyObject;

/// An operation on two ints that results in an int.
pub(super) fn fold_ints(a: &mut Analysis, compute: OfLongs) -> Result<(), Stop> {
    let Some([left, right]) = pop_constants(a, Class::int()) else {
        return a.push_new(Fact::Class(Class::int()));
    };
    // SAFETY: both are live ints; the thread is attached and published during the analysis.
    let result = unsafe { computed(compute(left.cast(), right.cast()))? };
    push_computed(a, &result)
}

/// An operation on two floats that results in a float.
pub(super) fn fold_floats(a: &mut Analysis, compute: fn(f64, f64) -> f64) -> Result<(), Stop> {
    let Some([left, right]) = pop_constants(a, Class::float()) else {
        return a.push_new(Fact::Class(Class::float()));
    };
    // SAFETY: both are live floats; the thread is attached and published during the analysis.
    let result = unsafe {
        let value = compute(object::float_value(left), object::float_value(right));
        computed(ffi::PyFloat_FromDouble(value))?
    };
    push_computed(a, &result)
}

/// `left + right` of two strings.
pub(super) fn concatenate(a: &mut Analysis) -> Result<(), Stop> {
    let Some([left, right]) = pop_constants(a, Class::str()) else {
        return a.push_new(Fact::Class(Class::str()));
    };
    // SAFETY: both are live strings; the thread is attached and published during the analysis.
    let result = unsafe { computed(ffi::PyUnicode_Concat(left, right))? };
    push_computed(a, &result)
}

/// `variable += right` of two strings: stores the result as well. The operand is the index of the variable.
pub(super) fn concatenate_into_local(a: &mut Analysis) -> Result<(), Stop> {
    concatenate(a)?;
    let result = a.pop();
    a.set_local(a.uop().operand0 as usize, result);
    Ok(())
}

/// An operation on any values: the type of its result, if both are ints or floats.
pub(super) fn binary_op(a: &mut Analysis) -> Result<(), Stop> {
    let (right, left) = (a.pop(), a.pop());
    let class = match (kind(a, left), kind(a, right)) {
        (Some(left_kind), Some(right_kind)) => match a.oparg() as u32 {
            ffi::NB_POWER | ffi::NB_INPLACE_POWER => power(a, left_kind, right_kind, right),
            ffi::NB_TRUE_DIVIDE | ffi::NB_INPLACE_TRUE_DIVIDE => Some(Class::float()),
            _ if left_kind == Kind::Int && right_kind == Kind::Int => Some(Class::int()),
            _ => Some(Class::float()),
        },
        _ => None,
    };
    a.push_new(class.map_or(Fact::NonNull, Fact::Class))
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Int,
    Float,
}

fn kind(a: &Analysis, value: Symbol) -> Option<Kind> {
    let class = a.symbols.class(value)?;
    if class == Class::int() { Some(Kind::Int) } else { (class == Class::float()).then_some(Kind::Float) }
}

/// The type of `left ** right`. A negative base may give a complex number, a negative exponent a float.
fn power(a: &Analysis, left: Kind, right: Kind, exponent: Symbol) -> Option<Class> {
    match (left, right) {
        (_, Kind::Float) => None,
        (Kind::Float, Kind::Int) => Some(Class::float()),
        (Kind::Int, Kind::Int) => {
            let exponent = a.symbols.constant(exponent)?.object();
            // SAFETY: a live int.
            let negative = unsafe { object::long_is_negative(exponent) };
            Some(if negative { Class::float() } else { Class::int() })
        }
    }
}

/// The argument of COMPARE_OP has this bit if the result becomes a bool.
const COMPARE_TO_BOOL: usize = 16;

pub(super) fn compare(a: &mut Analysis) -> Result<(), Stop> {
    let to_bool = a.oparg() & COMPARE_TO_BOOL != 0;
    a.results(if to_bool { Fact::Class(Class::bool()) } else { Fact::NonNull })
}

/// Compares two ints. Of constants, the result is known.
pub(super) fn compare_ints(a: &mut Analysis) -> Result<(), Stop> {
    let Some([left, right]) = pop_constants(a, Class::int()) else {
        return a.push_new(Fact::Class(Class::bool()));
    };
    let comparison = (a.oparg() >> 5) as core::ffi::c_int;
    // SAFETY: both are live ints; the thread is attached and published during the analysis.
    let result = unsafe { computed(ffi::PyObject_RichCompare(left, right, comparison))? };
    // SAFETY: the result is a bool, which is immortal.
    let constant = unsafe { Constant::new(result.as_ptr()) };
    let load = micro_op::pop_two_load_const_inline_borrow;
    a.replace_by_constant(load, load, constant);
    a.push_new(Fact::Value(constant))
}
