//! Comparisons, membership, identity and truth.

use super::adaptive::specializing;
use super::arithmetic::are_compact;
use super::exact::{Exact, settle_exact, topmost};
use super::guards::{guard, guard_either};
use crate::engine::{BytecodeEngine, BytecodeOp, Engine, Exit, Kept, Op, Settled};
use crate::host::dict::Dict;
use crate::host::dict_lookup::Lookup;
use crate::host::object::{float_value, is_exact, known_length, long_compact_value, long_tag, size};
use crate::host::{PyObject, StackRef, false_, ffi, refcount, true_};
use crate::seams;
use core::ffi::c_int;

// --- truth -------------------------------------------------------------------------------------

specializing! {
    specialize_to_bool: TO_BOOL = |e| seams::specialize::to_bool(e.peek(1), e.this_instr())
}

/// `bool(value)`.
///
/// # Safety
/// As [`crate::engine`] says for every micro-op.
#[inline(always)]
pub(crate) unsafe fn to_bool<E: Engine>(e: &mut E, [value]: [StackRef; 1]) -> Op<Settled<1>> {
    // SAFETY: the input is live and owned by this micro-op.
    unsafe {
        e.publish();
        let truth = match known_length(value.object()) {
            Some(length) => c_int::from(length != 0),
            None => ffi::PyObject_IsTrue(value.object()),
        };
        settle_answer::<E, 1>(e, truth, false)
    }
}

/// Replaces a value of a type whose instances are always true by True.
///
/// # Safety
/// As [`crate::engine`] says for every micro-op. `guard_type_version` has run before.
#[inline(always)]
pub(crate) unsafe fn replace_with_true<E: Engine>(e: &mut E, [value]: [StackRef; 1]) -> Op<Settled<1>> {
    // SAFETY: the input is live and owned by this micro-op.
    unsafe { e.settle([value], [StackRef::bool(true)]) }
}

/// The value is a bool, and stays as it is.
///
/// # Safety
/// As [`crate::engine`] says for every micro-op.
#[inline(always)]
pub(crate) unsafe fn to_bool_bool<E: Engine>(_e: &mut E, Kept([value]): Kept<[StackRef; 1]>) -> Op {
    guard_either(value.is_true(), || value.is_false())
}

/// `value != 0` for an int.
///
/// # Safety
/// As [`crate::engine`] says for every micro-op.
#[inline(always)]
pub(crate) unsafe fn to_bool_int<E: Engine>(e: &mut E, [value]: [StackRef; 1]) -> Op<Settled<1>> {
    // SAFETY: the input is live and owned by this micro-op. It is an int (checked), and its tag is read
    // before it is released.
    unsafe {
        guard(is_exact(value.object(), &raw mut ffi::PyLong_Type))?;
        let is_zero = long_tag(value.object()) & ffi::SIGN_MASK as usize == ffi::SIGN_ZERO as usize;
        Ok(settle_exact::<E, 1>(e, Exact::Int, StackRef::bool(!is_zero)))
    }
}

/// `bool(value)` for a list: whether it has items.
///
/// # Safety
/// As [`crate::engine`] says for every micro-op. `guard_tos_list` has run before.
#[inline(always)]
pub(crate) unsafe fn to_bool_list<E: Engine>(e: &mut E, [value]: [StackRef; 1]) -> Op<Settled<1>> {
    // SAFETY: a guard has checked that the input is a list. It is live and owned by this micro-op.
    unsafe { e.settle([value], [StackRef::bool(size(value.object()) != 0)]) }
}

/// The value is None, which is false.
///
/// # Safety
/// As [`crate::engine`] says for every micro-op.
#[inline(always)]
pub(crate) unsafe fn to_bool_none<E: Engine>(_e: &mut E, [value]: [StackRef; 1]) -> Op<[StackRef; 1]> {
    guard(value.is_none())?;
    Ok([StackRef::bool(false)])
}

/// `bool(value)` for a str: whether it is not empty.
///
/// # Safety
/// As [`crate::engine`] says for every micro-op. `guard_tos_unicode` has run before.
#[inline(always)]
pub(crate) unsafe fn to_bool_str<E: Engine>(e: &mut E, [value]: [StackRef; 1]) -> Op<Settled<1>> {
    // SAFETY: a guard has checked that the input is a str. It is live and owned by this micro-op. There is
    // only one empty str.
    unsafe {
        let is_empty = value.object() == str_constant!(_py_empty);
        Ok(settle_exact::<E, 1>(e, Exact::Str, StackRef::bool(!is_empty)))
    }
}

/// `not value` for a bool.
///
/// # Safety
/// As [`crate::engine`] says for every micro-op.
#[inline(always)]
pub(crate) unsafe fn unary_not<E: Engine>(_e: &mut E, [value]: [StackRef; 1]) -> Op<[StackRef; 1]> {
    Ok([StackRef::bool(value.is_false())])
}

/// Ends a micro-op that called a predicate of the host with the N topmost values: replaces them by `answer`
/// as a bool, or by its opposite if `inverted`. A negative answer means failure.
///
/// # Safety
/// The thread is attached. The engine's stack has N values, which are not used again. If `answer` is
/// negative, an exception is set.
#[inline(always)]
unsafe fn settle_answer<E: Engine, const N: usize>(e: &E, answer: c_int, inverted: bool) -> Op<Settled<1>> {
    // SAFETY: the inputs are the topmost values and not used again (caller).
    unsafe {
        let inputs = topmost::<E, N>(e);
        if answer < 0 {
            e.consume(inputs);
            return Err(Exit::Error);
        }
        e.settle(inputs, [StackRef::bool((answer != 0) != inverted)])
    }
}

// --- comparisons -------------------------------------------------------------------------------

// The argument of COMPARE_OP consists, from its lowest bit, of: four bits, one for each outcome for which the
// comparison is true; a bit that requests a bool; the operator (`Py_LT` and so on).
const OUTCOMES: usize = 15;
const TO_BOOL: usize = 16;
const OPERATOR_SHIFT: u32 = 5;

/// Whether the comparison of `oparg` is true for these values (`COMPARISON_BIT`).
#[inline(always)]
fn holds<T: PartialOrd>(oparg: usize, left: T, right: T) -> bool {
    const {
        assert!(ffi::COMPARISON_UNORDERED == 1 << 0);
        assert!(ffi::COMPARISON_LESS_THAN == 1 << 1);
        assert!(ffi::COMPARISON_GREATER_THAN == 1 << 2);
        assert!(ffi::COMPARISON_EQUALS == 1 << 3);
    }
    let outcome = 2 * u32::from(left >= right) + u32::from(left <= right);
    oparg & OUTCOMES & (1 << outcome) != 0
}

specializing! {
    specialize_compare_op: COMPARE_OP = |e| seams::specialize::compare_op(e.peek(2), e.peek(1), e.this_instr(), e.oparg())
}

/// Compares with the generic function. Pushes its result or, if the argument requests that, its truth.
///
/// # Safety
/// As [`crate::engine`] says for every micro-op.
#[inline(always)]
pub(crate) unsafe fn compare_op<E: Engine>(e: &mut E, [left, right]: [StackRef; 2]) -> Op<[StackRef; 1]> {
    // SAFETY: the inputs are live and owned by this micro-op. The result is owned, and a bool is immortal.
    unsafe {
        e.publish();
        let operator = (e.oparg() >> OPERATOR_SHIFT) as c_int;
        let result = ffi::PyObject_RichCompare(left.object(), right.object(), operator);
        e.consume(topmost::<E, 2>(e));
        if result.is_null() {
            return Err(Exit::Error);
        }
        if e.oparg() & TO_BOOL == 0 {
            return Ok([StackRef::steal(result)]);
        }
        if result == true_() || result == false_() {
            return Ok([StackRef::immortal(result)]);
        }
        e.publish_at(e.sp().sub(2));
        let truth = truth_of(result);
        if truth < 0 {
            return Err(Exit::Error);
        }
        Ok([StackRef::bool(truth != 0)])
    }
}

/// Returns the truth of the result of a comparison, or -1 with an exception set. Releases the result.
///
/// # Safety
/// The thread is attached, its frame is published, and the caller owns `result`.
#[cold]
#[inline(never)]
unsafe fn truth_of(result: *mut PyObject) -> c_int {
    // SAFETY: the result is owned, and released once (caller).
    unsafe {
        let truth = ffi::PyObject_IsTrue(result);
        refcount::decref(result);
        truth
    }
}

/// Compares floats.
///
/// # Safety
/// As [`crate::engine`] says for every micro-op. `guard_tos_float` and `guard_nos_float` have run before.
#[inline(always)]
pub(crate) unsafe fn compare_op_float<E: Engine>(e: &mut E, [left, right]: [StackRef; 2]) -> Op<Settled<1>> {
    // SAFETY: guards have checked that both inputs are floats. They are live and owned by this micro-op.
    unsafe {
        let holds = holds(e.oparg(), float_value(left.object()), float_value(right.object()));
        Ok(settle_exact::<E, 2>(e, Exact::Float, StackRef::bool(holds)))
    }
}

/// Compares compact ints.
///
/// # Safety
/// As [`crate::engine`] says for every micro-op. `guard_tos_int` and `guard_nos_int` have run before.
#[inline(always)]
pub(crate) unsafe fn compare_op_int<E: Engine>(e: &mut E, [left, right]: [StackRef; 2]) -> Op<Settled<1>> {
    // SAFETY: guards have checked that both inputs are ints. They are live and owned by this micro-op.
    unsafe {
        guard(are_compact(left, right))?;
        let (left, right) = (left.object(), right.object());
        // Most ints are not negative. Then the digits are the values.
        let holds = if (long_tag(left) | long_tag(right)) & ffi::SIGN_NEGATIVE as usize == 0 {
            holds(e.oparg(), long_digit(left), long_digit(right))
        } else {
            holds(e.oparg(), long_compact_value(left), long_compact_value(right))
        };
        Ok(settle_exact::<E, 2>(e, Exact::Int, StackRef::bool(holds)))
    }
}

/// The lowest digit of an int.
///
/// # Safety
/// `int` is a live int.
#[inline(always)]
unsafe fn long_digit(int: *mut PyObject) -> u32 {
    // SAFETY: every int has at least one digit (caller).
    unsafe { (*int.cast::<ffi::PyLongObject>()).long_value.ob_digit[0] }
}

/// `left == right` or `left != right` for strings.
///
/// # Safety
/// As [`crate::engine`] says for every micro-op. `guard_tos_unicode` and `guard_nos_unicode` have run before.
#[inline(always)]
pub(crate) unsafe fn compare_op_str<E: Engine>(e: &mut E, [left, right]: [StackRef; 2]) -> Op<Settled<1>> {
    // SAFETY: guards have checked that both inputs are strings, so the comparison cannot fail. They are live
    // and owned by this micro-op.
    unsafe {
        let equal = left.is(right) || ffi::_PyUnicode_Equal(left.object(), right.object()) != 0;
        let outcomes = if equal { ffi::COMPARISON_EQUALS } else { ffi::COMPARISON_NOT_EQUALS };
        let holds = e.oparg() & outcomes as usize != 0;
        Ok(settle_exact::<E, 2>(e, Exact::Str, StackRef::bool(holds)))
    }
}

// --- membership and identity -------------------------------------------------------------------

specializing! {
    specialize_contains_op: CONTAINS_OP = |e| seams::specialize::contains_op(e.peek(1), e.this_instr())
}

/// `left in right`, or `not in` if the argument is 1.
///
/// # Safety
/// As [`crate::engine`] says for every micro-op.
#[inline(always)]
pub(crate) unsafe fn contains_op<E: Engine>(e: &mut E, [left, right]: [StackRef; 2]) -> Op<Settled<1>> {
    // SAFETY: the inputs are live and owned by this micro-op.
    unsafe {
        e.publish();
        let answer = ffi::PySequence_Contains(right.object(), left.object());
        settle_answer::<E, 2>(e, answer, e.oparg() != 0)
    }
}

/// `left in right` (or `not in`) for a dict.
///
/// # Safety
/// As [`crate::engine`] says for every micro-op. `guard_tos_dict` has run before.
#[inline(always)]
pub(crate) unsafe fn contains_op_dict<E: Engine>(e: &mut E, [left, right]: [StackRef; 2]) -> Op<Settled<1>> {
    // SAFETY: a guard has checked that `right` is a dict. The inputs are live and owned by this micro-op.
    unsafe {
        e.publish();
        let answer = has_key(right.object(), left.object());
        settle_answer::<E, 2>(e, answer, e.oparg() != 0)
    }
}

/// Whether a dict has a key, as a number: negative with an exception set on failure.
///
/// # Safety
/// The thread is attached, its frame is published, and `dict`, a dict, and `key` are live.
#[inline(never)]
unsafe fn has_key(dict: *mut PyObject, key: *mut PyObject) -> c_int {
    // SAFETY: both are live, and the frame is published (caller).
    unsafe {
        match Dict::from_object(dict).find(key) {
            Lookup::Found(_) => 1,
            Lookup::Absent => 0,
            Lookup::Unknown => ffi::PyDict_Contains(dict, key),
        }
    }
}

/// `left in right` (or `not in`) for a set or frozenset.
///
/// # Safety
/// As [`crate::engine`] says for every micro-op. `guard_tos_any_set` has run before.
#[inline(always)]
pub(crate) unsafe fn contains_op_set<E: Engine>(e: &mut E, [left, right]: [StackRef; 2]) -> Op<Settled<1>> {
    // SAFETY: a guard has checked that `right` is a set or frozenset. The inputs are live and owned by this
    // micro-op.
    unsafe {
        e.publish();
        let answer = ffi::_PySet_Contains(right.object().cast(), left.object());
        settle_answer::<E, 2>(e, answer, e.oparg() != 0)
    }
}

/// `left is right`, or `is not` if the argument is 1.
///
/// # Safety
/// As [`crate::engine`] says for every micro-op.
#[inline(always)]
pub(crate) unsafe fn is_op<E: Engine>(e: &mut E, [left, right]: [StackRef; 2]) -> Op<Settled<1>> {
    // SAFETY: the inputs are live and owned by this micro-op.
    unsafe { settle_answer::<E, 2>(e, left.is(right).into(), e.oparg() != 0) }
}
