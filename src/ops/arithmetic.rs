//! Operators, comparisons and truth.

use crate::api;
use crate::bytecode::BackoffCounter;
use crate::engine::{Engine, Exit, Op, Settled};
use crate::host::object::{float_value, long_compact_value, long_is_compact};
use crate::host::{PyObject, StackRef, ffi, refcount, small_int};

pub unsafe fn specialize_to_bool<E: Engine>(_e: &mut E, _operand: u16, []: [StackRef; 0]) -> Op {
    unimplemented!()
}

pub unsafe fn to_bool<E: Engine>(_e: &mut E, []: [StackRef; 0]) -> Op {
    unimplemented!()
}

pub unsafe fn replace_with_true<E: Engine>(_e: &mut E, []: [StackRef; 0]) -> Op {
    unimplemented!()
}

pub unsafe fn to_bool_bool<E: Engine>(_e: &mut E, []: [StackRef; 0]) -> Op {
    unimplemented!()
}

pub unsafe fn to_bool_int<E: Engine>(_e: &mut E, []: [StackRef; 0]) -> Op {
    unimplemented!()
}

pub unsafe fn to_bool_list<E: Engine>(_e: &mut E, []: [StackRef; 0]) -> Op {
    unimplemented!()
}

pub unsafe fn to_bool_none<E: Engine>(_e: &mut E, []: [StackRef; 0]) -> Op {
    unimplemented!()
}

pub unsafe fn to_bool_str<E: Engine>(_e: &mut E, []: [StackRef; 0]) -> Op {
    unimplemented!()
}

pub unsafe fn unary_invert<E: Engine>(_e: &mut E, []: [StackRef; 0]) -> Op {
    unimplemented!()
}

pub unsafe fn unary_negative<E: Engine>(_e: &mut E, []: [StackRef; 0]) -> Op {
    unimplemented!()
}

pub unsafe fn unary_not<E: Engine>(_e: &mut E, []: [StackRef; 0]) -> Op {
    unimplemented!()
}

pub unsafe fn binary_op_inplace_add_unicode<E: Engine>(_e: &mut E, []: [StackRef; 0]) -> Op {
    unimplemented!()
}

pub unsafe fn binary_op_add_unicode<E: Engine>(_e: &mut E, []: [StackRef; 0]) -> Op {
    unimplemented!()
}

pub unsafe fn guard_binary_op_extend<E: Engine>(
    _e: &mut E,
    _operand: *mut PyObject,
    []: [StackRef; 0],
) -> Op {
    unimplemented!()
}

pub unsafe fn binary_op_extend<E: Engine>(_e: &mut E, _operand: *mut PyObject, []: [StackRef; 0]) -> Op {
    unimplemented!()
}

pub unsafe fn specialize_compare_op<E: Engine>(_e: &mut E, _operand: u16, []: [StackRef; 0]) -> Op {
    unimplemented!()
}

pub unsafe fn compare_op<E: Engine>(_e: &mut E, []: [StackRef; 0]) -> Op {
    unimplemented!()
}

pub unsafe fn compare_op_float<E: Engine>(_e: &mut E, []: [StackRef; 0]) -> Op {
    unimplemented!()
}

pub unsafe fn compare_op_int<E: Engine>(_e: &mut E, []: [StackRef; 0]) -> Op {
    unimplemented!()
}

pub unsafe fn compare_op_str<E: Engine>(_e: &mut E, []: [StackRef; 0]) -> Op {
    unimplemented!()
}

pub unsafe fn specialize_contains_op<E: Engine>(_e: &mut E, _operand: u16, []: [StackRef; 0]) -> Op {
    unimplemented!()
}

pub unsafe fn contains_op<E: Engine>(_e: &mut E, []: [StackRef; 0]) -> Op {
    unimplemented!()
}

pub unsafe fn contains_op_dict<E: Engine>(_e: &mut E, []: [StackRef; 0]) -> Op {
    unimplemented!()
}

pub unsafe fn contains_op_set<E: Engine>(_e: &mut E, []: [StackRef; 0]) -> Op {
    unimplemented!()
}

pub unsafe fn is_op<E: Engine>(_e: &mut E, []: [StackRef; 0]) -> Op {
    unimplemented!()
}

/// Looks for a specialized form of `left op right` when the counter says so.
#[inline(always)]
pub unsafe fn specialize_binary_op<E: Engine>(e: &mut E, counter: u16, []: [StackRef; 0]) -> Op {
    // SAFETY: the instruction has two inputs.
    unsafe {
        if BackoffCounter::from_bits(counter).triggers() {
            e.publish();
            ffi::_Py_Specialize_BinaryOp(
                e.peek(2).raw(),
                e.peek(1).raw(),
                e.this_instr().as_ptr(),
                e.oparg() as _,
                e.frame().local_slot(0).cast(),
            );
            return Err(Exit::Again);
        }
        BackoffCounter::advance_at(e.this_instr());
    }
    Ok([])
}

/// `left op right` by the operator's general function.
#[inline(always)]
pub unsafe fn binary_op<E: Engine>(e: &mut E, [left, right]: [StackRef; 2]) -> Op<Settled<1>> {
    // SAFETY: the argument is an index into the table of operators; the inputs are ours.
    unsafe {
        e.publish();
        let operator = api::tables::_PyEval_BinaryOps[e.oparg()];
        let result = operator(left.object(), right.object());
        if result.is_null() {
            return Err(Exit::ErrorNoPop);
        }
        e.settle([left, right], [StackRef::steal(result)])
    }
}

/// Gives `object` to the caller if nobody else could see it change: the stack slot holds the only
/// reference there is. Never in free-threaded hosts, where other threads may have borrowed it.
#[inline(always)]
unsafe fn is_temporary(value: StackRef) -> bool {
    // SAFETY: the reference is live.
    unsafe { !cfg!(py_gil_disabled) && value.is_counted() && refcount::is_unique(value.object()) }
}

/// A float result in place of two float inputs. A temporary among them becomes the result.
#[inline(always)]
unsafe fn float_result<E: Engine>(e: &mut E, [left, right]: [StackRef; 2], value: f64) -> Op<Settled<1>> {
    // SAFETY: both inputs are floats and ours.
    unsafe {
        for (reused, other) in [(left, right), (right, left)] {
            if is_temporary(reused) {
                (*reused.object().cast::<ffi::PyFloatObject>()).ob_fval = value;
                e.poke(2, reused);
                e.close_at(other, e.sp().sub(1));
                return Ok(Settled::new());
            }
        }
        e.publish();
        let result = ffi::PyFloat_FromDouble(value);
        e.settle_object([left, right], result)
    }
}

macro_rules! float_operators {
    ($($(#[$doc:meta])* $name:ident = $operator:tt;)*) => {
        $(
            $(#[$doc])*
            #[inline(always)]
            pub unsafe fn $name<E: Engine>(e: &mut E, inputs: [StackRef; 2]) -> Op<Settled<1>> {
                // SAFETY: guards have shown that both inputs are floats.
                unsafe {
                    let [left, right] = inputs.map(|input| float_value(input.object()));
                    float_result(e, inputs, left $operator right)
                }
            }
        )*
    };
}

float_operators! {
    /// left + right for floats.
    binary_op_add_float = +;
    /// left - right for floats.
    binary_op_subtract_float = -;
    /// left * right for floats.
    binary_op_multiply_float = *;
}

/// The number of bits of an int's digit.
const DIGIT_BITS: u32 = ffi::PyLong_SHIFT;

/// An int result in place of two int inputs, if it is a small int (which exists already) or fits into
/// a temporary among the inputs.
#[inline(always)]
unsafe fn compact_result<E: Engine>(
    e: &mut E,
    [left, right]: [StackRef; 2],
    value: isize,
) -> Option<Op<Settled<1>>> {
    // SAFETY: both inputs are compact ints and ours; small ints are immortal.
    unsafe {
        if (-(ffi::_PY_NSMALLNEGINTS as isize)..ffi::_PY_NSMALLPOSINTS as isize).contains(&value) {
            return Some(e.settle([left, right], [StackRef::immortal(small_int(value))]));
        }
        if value.unsigned_abs() >> DIGIT_BITS == 0 && is_temporary(left) {
            let long = &raw mut (*left.object().cast::<ffi::PyLongObject>()).long_value;
            let sign = if value < 0 { ffi::SIGN_NEGATIVE as usize } else { 0 };
            (*long).lv_tag = 1 << ffi::NON_SIZE_BITS | sign;
            (*long).ob_digit[0] = value.unsigned_abs() as _;
            e.poke(2, left);
            e.close_at(right, e.sp().sub(1));
            return Some(Ok(Settled::new()));
        }
        None
    }
}

macro_rules! int_operators {
    ($($(#[$doc:meta])* $name:ident = $operator:tt, $general:ident;)*) => {
        $(
            $(#[$doc])*
            #[inline(always)]
            pub unsafe fn $name<E: Engine>(e: &mut E, [left, right]: [StackRef; 2]) -> Op<Settled<1>> {
                // SAFETY: guards have shown that both inputs are ints. Compact values have at most
                // 30 bits, so the operators cannot overflow.
                unsafe {
                    if long_is_compact(left.object()) && long_is_compact(right.object()) {
                        let value = long_compact_value(left.object()) $operator long_compact_value(right.object());
                        if let Some(result) = compact_result(e, [left, right], value) {
                            return result;
                        }
                    }
                    e.publish();
                    let result = ffi::$general(left.object().cast(), right.object().cast());
                    e.settle_object([left, right], result)
                }
            }
        )*
    };
}

int_operators! {
    /// left + right for ints.
    binary_op_add_int = +, _PyLong_Add;
    /// left - right for ints.
    binary_op_subtract_int = -, _PyLong_Subtract;
    /// left * right for ints.
    binary_op_multiply_int = *, _PyLong_Multiply;
}
