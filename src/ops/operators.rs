//! Operators of generic BINARY_OP for numbers: ints of one digit, and floats. The forms of BINARY_OP are for one pair of
//! types and few operators; for others, and where the types differ from time to time, this is faster than a function of
//! the host.

use crate::host::object::{float_value, is_exact, long_compact_value, long_is_compact};
use crate::host::{PyObject, ThreadState, ffi, numbers};

/// A number, without an object for it.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Number {
    Int(isize),
    Float(f64),
}

/// `left op right` with the operator `oparg` of BINARY_OP, as a new reference. `None` if the operands are not exactly ints
/// of at most one digit or floats, if there is no result (the operator raises), or if it is left to the host. Otherwise
/// null if there is no memory, with MemoryError set.
///
/// # Safety
/// `tstate` is the attached thread's, and its frame is published. Both operands are live.
#[inline(never)]
pub(super) unsafe fn of_numbers(
    tstate: ThreadState,
    oparg: usize,
    left: *mut PyObject,
    right: *mut PyObject,
) -> Option<*mut PyObject> {
    // SAFETY: the operands are live, and the frame is published (caller).
    unsafe {
        Some(match apply(oparg, number(left)?, number(right)?)? {
            Number::Int(value) => numbers::int(tstate, value),
            Number::Float(value) => numbers::new_float(tstate, value),
        })
    }
}

/// The value of an object that is exactly an int of at most one digit or a float.
///
/// # Safety
/// The object is live.
#[inline(always)]
unsafe fn number(object: *mut PyObject) -> Option<Number> {
    // SAFETY: the object is live (caller), and of the type that its accessors need.
    unsafe {
        if is_exact(object, &raw mut ffi::PyLong_Type) {
            long_is_compact(object).then(|| Number::Int(long_compact_value(object)))
        } else if is_exact(object, &raw mut ffi::PyFloat_Type) {
            Some(Number::Float(float_value(object)))
        } else {
            None
        }
    }
}

/// The result, if these functions have it. Ints have at most one digit.
#[inline(always)]
fn apply(oparg: usize, left: Number, right: Number) -> Option<Number> {
    let operator = binary(oparg as u32);
    match (left, right) {
        (Number::Int(left), Number::Int(right)) => of_ints(operator, left, right),
        (Number::Int(left), Number::Float(right)) => of_floats(operator, left as f64, right),
        (Number::Float(left), Number::Int(right)) => of_floats(operator, left, right as f64),
        (Number::Float(left), Number::Float(right)) => of_floats(operator, left, right),
    }
}

/// The operator without assignment: numbers do not change.
pub(crate) fn binary(oparg: u32) -> u32 {
    match oparg {
        ffi::NB_INPLACE_ADD..=ffi::NB_INPLACE_XOR => oparg - ffi::NB_INPLACE_ADD + ffi::NB_ADD,
        _ => oparg,
    }
}

// `binary` counts on the same order of both groups.
static_assertions::const_assert_eq!(ffi::NB_INPLACE_XOR - ffi::NB_INPLACE_ADD, ffi::NB_XOR - ffi::NB_ADD);

/// For two ints of at most one digit. Their products, and what they become by shifts of less than a digit, fit a word.
#[inline(always)]
fn of_ints(operator: u32, left: isize, right: isize) -> Option<Number> {
    Some(Number::Int(match operator {
        ffi::NB_ADD => left + right,
        ffi::NB_SUBTRACT => left - right,
        ffi::NB_MULTIPLY => left * right,
        ffi::NB_AND => left & right,
        ffi::NB_OR => left | right,
        ffi::NB_XOR => left ^ right,
        ffi::NB_LSHIFT if (0..=ffi::PyLong_SHIFT as isize).contains(&right) => left << right,
        ffi::NB_RSHIFT if right >= 0 => left >> right.min(isize::BITS as isize - 1),
        ffi::NB_FLOOR_DIVIDE if right != 0 => {
            let (quotient, remainder) = (left / right, left % right);
            quotient - isize::from(is_below(remainder, right))
        }
        ffi::NB_REMAINDER if right != 0 => {
            let remainder = left % right;
            if is_below(remainder, right) { remainder + right } else { remainder }
        }
        ffi::NB_TRUE_DIVIDE if right != 0 => return Some(Number::Float(left as f64 / right as f64)),
        _ => return None,
    }))
}

/// Whether the remainder of a division that rounds to zero has another sign than the divisor: the quotient that Python
/// rounds down is less by one.
fn is_below(remainder: isize, divisor: isize) -> bool {
    remainder != 0 && (remainder < 0) != (divisor < 0)
}

#[inline(always)]
fn of_floats(operator: u32, left: f64, right: f64) -> Option<Number> {
    Some(Number::Float(match operator {
        ffi::NB_ADD => left + right,
        ffi::NB_SUBTRACT => left - right,
        ffi::NB_MULTIPLY => left * right,
        ffi::NB_TRUE_DIVIDE if right != 0.0 => left / right,
        _ => return None,
    }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const LARGEST: isize = (1 << ffi::PyLong_SHIFT) - 1;

    fn ints(operator: u32, left: isize, right: isize) -> Option<Number> {
        apply(operator as usize, Number::Int(left), Number::Int(right))
    }

    fn int(operator: u32, left: isize, right: isize) -> isize {
        let Some(Number::Int(value)) = ints(operator, left, right) else { panic!("not an int") };
        value
    }

    proptest! {
        #[test]
        fn a_quotient_is_rounded_down(left in -LARGEST..=LARGEST, right in -LARGEST..=LARGEST) {
            prop_assume!(right != 0);
            let (quotient, remainder) =
                (int(ffi::NB_FLOOR_DIVIDE, left, right), int(ffi::NB_REMAINDER, left, right));
            prop_assert_eq!(quotient * right + remainder, left);
            prop_assert!(remainder == 0 || (remainder < 0) == (right < 0));
            prop_assert!(remainder.abs() < right.abs());
        }

        #[test]
        fn shifts_multiply_and_divide(left in -LARGEST..=LARGEST, by in 0..=ffi::PyLong_SHIFT as isize) {
            prop_assert_eq!(int(ffi::NB_LSHIFT, left, by), left * (1 << by));
            prop_assert_eq!(int(ffi::NB_RSHIFT, left, by), int(ffi::NB_FLOOR_DIVIDE, left, 1 << by));
        }
    }

    #[test]
    fn assignments_are_the_same_operators() {
        assert_eq!(int(ffi::NB_INPLACE_ADD, 7, 3), 10);
        assert_eq!(int(ffi::NB_INPLACE_SUBTRACT, 7, 3), 4);
        assert_eq!(int(ffi::NB_INPLACE_MULTIPLY, LARGEST, LARGEST), LARGEST * LARGEST);
        assert_eq!(int(ffi::NB_INPLACE_REMAINDER, -7, 3), 2);
        assert_eq!(int(ffi::NB_INPLACE_FLOOR_DIVIDE, -7, 3), -3);
        assert_eq!(int(ffi::NB_INPLACE_AND, -7, 3), 1);
        assert_eq!(int(ffi::NB_INPLACE_OR, -7, 3), -5);
        assert_eq!(int(ffi::NB_INPLACE_XOR, -7, 3), -6);
        assert_eq!(int(ffi::NB_INPLACE_LSHIFT, -7, 3), -56);
        assert_eq!(int(ffi::NB_INPLACE_RSHIFT, -7, 3), -1);
        assert_eq!(ints(ffi::NB_INPLACE_TRUE_DIVIDE, 7, 2), Some(Number::Float(3.5)));
    }

    #[test]
    fn zero_divided_by_a_negative_int_is_negative() {
        let Some(Number::Float(zero)) = ints(ffi::NB_TRUE_DIVIDE, 0, -5) else { panic!("not a float") };
        assert!(zero == 0.0 && zero.is_sign_negative());
    }

    #[test]
    fn a_shift_by_more_than_a_word_leaves_the_sign() {
        assert_eq!(int(ffi::NB_RSHIFT, -7, LARGEST), -1);
        assert_eq!(int(ffi::NB_RSHIFT, 7, LARGEST), 0);
    }

    #[test]
    fn what_raises_is_left_to_the_host() {
        for operator in [ffi::NB_FLOOR_DIVIDE, ffi::NB_REMAINDER, ffi::NB_TRUE_DIVIDE] {
            assert_eq!(ints(operator, 7, 0), None);
        }
        assert_eq!(ints(ffi::NB_LSHIFT, 7, -1), None);
        assert_eq!(ints(ffi::NB_LSHIFT, 7, ffi::PyLong_SHIFT as isize + 1), None);
        assert_eq!(ints(ffi::NB_RSHIFT, 7, -1), None);
        assert_eq!(ints(ffi::NB_POWER, 7, 2), None);
        assert_eq!(ints(ffi::NB_MATRIX_MULTIPLY, 7, 2), None);
        for zero in [0.0, -0.0] {
            assert_eq!(of_floats(ffi::NB_TRUE_DIVIDE, 7.0, zero), None);
        }
        assert_eq!(of_floats(ffi::NB_REMAINDER, 7.0, 2.0), None);
    }

    #[test]
    fn an_int_and_a_float_give_a_float() {
        let (int, float) = (Number::Int(7), Number::Float(2.0));
        assert_eq!(apply(ffi::NB_SUBTRACT as usize, int, float), Some(Number::Float(5.0)));
        assert_eq!(apply(ffi::NB_TRUE_DIVIDE as usize, float, int), Some(Number::Float(2.0 / 7.0)));
        assert_eq!(apply(ffi::NB_TRUE_DIVIDE as usize, float, Number::Int(0)), None);
    }
}
