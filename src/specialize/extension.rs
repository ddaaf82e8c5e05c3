//! Binary operations without an opcode of their own. BINARY_OP_EXTEND runs them by a description in its
//! cache, which consists of a guard and an action.
//!
//! `# Safety` of guards: the operands are live. They look at the operands, which they borrow.
//!
//! `# Safety` of actions: the thread is attached, and the description's guard has accepted the operands. They
//! return a new reference, or null with MemoryError set.

use core::ffi::c_int;

use crate::host::object::{float_value, is_exact, long_compact_value, long_is_compact};
use crate::host::{PyObject, ffi};

type Description = ffi::_PyBinaryOpSpecializationDescr;

/// The description of an operation with this operator on such operands; none if there is no such description.
///
/// # Safety
/// The operands are live.
pub(super) unsafe fn find(
    left: *mut PyObject,
    right: *mut PyObject,
    operator: c_int,
) -> Option<&'static Description> {
    DESCRIPTIONS.iter().find(|description| {
        // SAFETY: guards accept all live objects.
        description.oparg == operator
            && description.guard.is_some_and(|guard| unsafe { guard(left, right) != 0 })
    })
}

/// The types that a guard accepts.
#[cfg(feature = "jit")]
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Operands {
    Ints,
    FloatAndInt,
    IntAndFloat,
}

/// The operator of a description, and the types of its operands. `None` if the address is not one that [`find`] has returned.
#[cfg(feature = "jit")]
pub(crate) fn of_description(address: u64) -> Option<(u32, Operands)> {
    let index = DESCRIPTIONS
        .iter()
        .position(|description| core::ptr::from_ref(description).addr() as u64 == address)?;
    Some((DESCRIPTIONS[index].oparg as u32, OPERANDS[index]))
}

macro_rules! descriptions {
    ($($operator:ident, $operands:ident, $guard:ident, $action:ident;)*) => {
        /// At most one description applies: the guards for an operator exclude each other.
        static DESCRIPTIONS: [Description; 14] =
            [$(Description { oparg: ffi::$operator as c_int, guard: Some($guard), action: Some($action) }),*];

        /// The operands of each description.
        #[cfg(feature = "jit")]
        static OPERANDS: [Operands; DESCRIPTIONS.len()] = [$(Operands::$operands),*];
    };
}

descriptions! {
    NB_OR, Ints, two_ints, int_or_int;
    NB_AND, Ints, two_ints, int_and_int;
    NB_XOR, Ints, two_ints, int_xor_int;
    NB_INPLACE_OR, Ints, two_ints, int_or_int;
    NB_INPLACE_AND, Ints, two_ints, int_and_int;
    NB_INPLACE_XOR, Ints, two_ints, int_xor_int;

    NB_ADD, FloatAndInt, float_and_int, float_plus_int;
    NB_SUBTRACT, FloatAndInt, float_and_int, float_minus_int;
    NB_TRUE_DIVIDE, FloatAndInt, float_and_nonzero_int, float_by_int;
    NB_MULTIPLY, FloatAndInt, float_and_int, float_times_int;

    NB_ADD, IntAndFloat, int_and_float, int_plus_float;
    NB_SUBTRACT, IntAndFloat, int_and_float, int_minus_float;
    NB_TRUE_DIVIDE, IntAndFloat, int_and_nonzero_float, int_by_float;
    NB_MULTIPLY, IntAndFloat, int_and_float, int_times_float;
}

// --- guards ------------------------------------------------------------------------------------

/// # Safety
/// `object` is live.
unsafe fn is_compact_int(object: *mut PyObject) -> bool {
    // SAFETY: the object is live (caller).
    unsafe { is_exact(object, &raw mut ffi::PyLong_Type) && long_is_compact(object) }
}

/// Whether the object is a float other than NaN.
///
/// # Safety
/// `object` is live.
unsafe fn is_number(object: *mut PyObject) -> bool {
    // SAFETY: the object is live (caller).
    unsafe { is_exact(object, &raw mut ffi::PyFloat_Type) && !float_value(object).is_nan() }
}

macro_rules! guards {
    ($($name:ident($left:ident, $right:ident) = $condition:expr;)*) => {$(
        /// # Safety
        /// As the module says.
        unsafe extern "C" fn $name($left: *mut PyObject, $right: *mut PyObject) -> c_int {
            // SAFETY: the operands are live (caller); a condition checks the type before it reads the value.
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

/// Operations on two compact ints with an int as the result.
macro_rules! int_actions {
    ($($name:ident = $operator:tt;)*) => {$(
        /// # Safety
        /// As the module says.
        unsafe extern "C" fn $name(left: *mut PyObject, right: *mut PyObject) -> *mut PyObject {
            // SAFETY: the guard has checked that both operands are compact ints; the thread is attached
            // (caller).
            unsafe { ffi::PyLong_FromSsize_t(long_compact_value(left) $operator long_compact_value(right)) }
        }
    )*};
}

int_actions! {
    int_or_int = |;
    int_and_int = &;
    int_xor_int = ^;
}

/// The value of a compact int, which a float represents exactly: it has fewer bits than a mantissa.
///
/// # Safety
/// `int` is a live compact int.
unsafe fn int_value(int: *mut PyObject) -> f64 {
    // SAFETY: `int` is a live compact int (caller).
    unsafe { long_compact_value(int) as f64 }
}

/// Operations on a float and a compact int with a float as the result.
macro_rules! float_actions {
    ($($name:ident = $left:ident $operator:tt $right:ident;)*) => {$(
        /// # Safety
        /// As the module says.
        unsafe extern "C" fn $name(left: *mut PyObject, right: *mut PyObject) -> *mut PyObject {
            // SAFETY: the guard has checked the types of the operands; the thread is attached (caller).
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
