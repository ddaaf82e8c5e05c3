//! Binary operations that have no form of their own: BINARY_OP_EXTEND runs them by a description in its
//! cache, which has a guard and an action.
//!
//! A guard looks at the operands, which it borrows; an action gives a new reference, or null with
//! MemoryError set.

use core::ffi::c_int;

use crate::host::object::{float_value, is_exact, long_compact_value, long_is_compact};
use crate::host::{PyObject, ffi};

type Description = ffi::_PyBinaryOpSpecializationDescr;

/// What the operation with this operator on operands like these is described by.
///
/// # Safety
/// The operands are live.
pub(super) unsafe fn find(
    left: *mut PyObject,
    right: *mut PyObject,
    operator: c_int,
) -> Option<&'static Description> {
    DESCRIPTIONS.iter().find(|description| {
        // SAFETY: guards look at any live objects.
        description.oparg == operator
            && description.guard.is_some_and(|guard| unsafe { guard(left, right) != 0 })
    })
}

macro_rules! descriptions {
    ($($operator:ident, $guard:ident, $action:ident;)*) => {
        [$(Description { oparg: ffi::$operator as c_int, guard: Some($guard), action: Some($action) }),*]
    };
}

/// For each operator, the guards exclude each other.
static DESCRIPTIONS: [Description; 14] = descriptions! {
    NB_OR, two_ints, int_or_int;
    NB_AND, two_ints, int_and_int;
    NB_XOR, two_ints, int_xor_int;
    NB_INPLACE_OR, two_ints, int_or_int;
    NB_INPLACE_AND, two_ints, int_and_int;
    NB_INPLACE_XOR, two_ints, int_xor_int;

    NB_ADD, float_and_int, float_plus_int;
    NB_SUBTRACT, float_and_int, float_minus_int;
    NB_TRUE_DIVIDE, float_and_nonzero_int, float_by_int;
    NB_MULTIPLY, float_and_int, float_times_int;

    NB_ADD, int_and_float, int_plus_float;
    NB_SUBTRACT, int_and_float, int_minus_float;
    NB_TRUE_DIVIDE, int_and_nonzero_float, int_by_float;
    NB_MULTIPLY, int_and_float, int_times_float;
};

// --- guards ------------------------------------------------------------------------------------

unsafe fn is_compact_int(object: *mut PyObject) -> bool {
    // SAFETY: the object is live.
    unsafe { is_exact(object, &raw mut ffi::PyLong_Type) && long_is_compact(object) }
}

unsafe fn is_number(object: *mut PyObject) -> bool {
    // SAFETY: the object is live.
    unsafe { is_exact(object, &raw mut ffi::PyFloat_Type) && !float_value(object).is_nan() }
}

macro_rules! guards {
    ($($name:ident($left:ident, $right:ident) = $condition:expr;)*) => {$(
        unsafe extern "C" fn $name($left: *mut PyObject, $right: *mut PyObject) -> c_int {
            // SAFETY: the operands are live; what a condition reads it has checked the type of.
            c_int::from(unsafe { $condition })
        }
    )*};
}

guards! {
    two_ints(left, right) = is_compact_int(left) && is_compact_int(right);
    float_and_int(left, right) = is_number(left) && is_compact_int(right);
    int_and_float(left, right) = is_compact_int(left) && is_number(right);
    float_and_nonzero_int(left, right) =
        is_number(left) && is_compact_int(right) && long_compact_value(right) != 0;
    int_and_nonzero_float(left, right) =
        is_compact_int(left) && is_number(right) && float_value(right) != 0.0;
}

// --- actions -----------------------------------------------------------------------------------

/// Operations on two compact ints, with an int as the result.
macro_rules! int_actions {
    ($($name:ident = $operator:tt;)*) => {$(
        unsafe extern "C" fn $name(left: *mut PyObject, right: *mut PyObject) -> *mut PyObject {
            // SAFETY: the guard has seen two compact ints.
            unsafe { ffi::PyLong_FromSsize_t(long_compact_value(left) $operator long_compact_value(right)) }
        }
    )*};
}

int_actions! {
    int_or_int = |;
    int_and_int = &;
    int_xor_int = ^;
}

/// A compact int as a float: it has less digits.
unsafe fn int_value(int: *mut PyObject) -> f64 {
    // SAFETY: the caller's promise.
    unsafe { long_compact_value(int) as f64 }
}

/// Operations on a float and a compact int, with a float as the result.
macro_rules! float_actions {
    ($($name:ident = $left:ident $operator:tt $right:ident;)*) => {$(
        unsafe extern "C" fn $name(left: *mut PyObject, right: *mut PyObject) -> *mut PyObject {
            // SAFETY: the guard has seen operands of these types.
            unsafe { ffi::PyFloat_FromDouble($left(left) $operator $right(right)) }
        }
    )*};
}

float_actions! {
    float_plus_int = float_value + int_value;
    float_minus_int = float_value - int_value;
    float_times_int = float_value * int_value;
    float_by_int = float_value / int_value;
    int_plus_float = int_value + float_value;
    int_minus_float = int_value - float_value;
    int_times_float = int_value * float_value;
    int_by_float = int_value / float_value;
}
