//! Operators.

use crate::api;
use crate::bytecode::BackoffCounter;
use crate::engine::{Engine, Exit, Op, Settled};
use crate::host::object::{float_value, long_compact_value, long_tag};
use crate::host::{PyObject, StackRef, ffi, is_small_int, refcount, small_int};

use super::guards::guard;

/// Ends the first micro-op of an adaptive instruction: when the counter says so, `specializer` looks for
/// a specialized form, and the instruction is read again.
#[inline(always)]
pub(super) unsafe fn specialize<E: Engine>(e: &mut E, counter: u16, specializer: impl FnOnce(&E)) -> Op {
    if BackoffCounter::from_bits(counter).triggers() {
        e.publish();
        specializer(e);
        return Err(Exit::Again);
    }
    // SAFETY: the instruction has a counter.
    unsafe { BackoffCounter::advance_at(e.this_instr()) };
    Ok([])
}

/// The N topmost values, the topmost first: the order in which most micro-ops give up their inputs. After
/// a call, reading them from the stack once more is cheaper than having kept them in registers, which
/// each handler would have to save first.
#[inline(always)]
pub(super) unsafe fn topmost<E: Engine, const N: usize>(e: &E) -> [StackRef; N] {
    // SAFETY: the caller's stack has that many values.
    let mut values = unsafe { e.sp().sub(N).cast::<[StackRef; N]>().read() };
    values.reverse();
    values
}

/// Gives up an int, float or string. No code runs when one of them goes, so the frame need not be
/// published; `free` is the host's function for exactly this type.
#[inline(always)]
pub(super) unsafe fn close_exact<E: Engine>(
    e: &E,
    value: StackRef,
    free: unsafe extern "C" fn(*mut PyObject),
) {
    #[cfg(not(any(py_debug, py_gil_disabled)))]
    // SAFETY: a counted reference is a live object and this one owned a count.
    unsafe {
        if value.is_counted() && refcount::decrement(value.object()) {
            if refcount::is_traced() {
                e.publish();
                ffi::_Py_Dealloc(value.object());
            } else {
                free(value.object());
            }
        }
    }
    #[cfg(any(py_debug, py_gil_disabled))]
    // SAFETY: as above; only the host itself can count there, and it wants to see a published frame.
    unsafe {
        let _ = free;
        e.publish();
        value.close();
    }
}

/// Ends a micro-op on ints, floats or strings: puts `result` in the place of the N topmost values, which
/// are all of that type.
#[inline(always)]
pub(super) unsafe fn settle_exact<E: Engine, const N: usize>(
    e: &E,
    free: unsafe extern "C" fn(*mut PyObject),
    result: StackRef,
) -> Settled<1> {
    // SAFETY: the inputs are where they were; each is given up once.
    unsafe {
        let inputs = topmost::<E, N>(e);
        *e.sp().sub(N) = result;
        for input in inputs {
            close_exact(e, input, free);
        }
    }
    Settled::new()
}

/// Like [`settle_exact`] for a new reference, or null with an exception set.
#[inline(always)]
unsafe fn settle_exact_object<E: Engine>(
    e: &E,
    free: unsafe extern "C" fn(*mut PyObject),
    result: *mut PyObject,
) -> Op<Settled<1>> {
    // SAFETY: as above, for two inputs; the result is ours.
    unsafe {
        if result.is_null() {
            return Err(Exit::ErrorNoPop);
        }
        Ok(settle_exact::<E, 2>(e, free, StackRef::steal(result)))
    }
}

/// Looks for a specialized form of `left op right` when the counter says so.
#[inline(always)]
pub unsafe fn specialize_binary_op<E: Engine>(e: &mut E, counter: u16, []: [StackRef; 0]) -> Op {
    // SAFETY: the instruction has two inputs.
    unsafe {
        specialize(e, counter, |e| {
            ffi::_Py_Specialize_BinaryOp(
                e.peek(2).raw(),
                e.peek(1).raw(),
                e.this_instr().as_ptr(),
                e.oparg() as _,
                e.frame().local_slot(0).cast(),
            );
        })
    }
}

/// `left op right` by the operator's general function.
#[inline(always)]
pub unsafe fn binary_op<E: Engine>(e: &mut E, [left, right]: [StackRef; 2]) -> Op<Settled<1>> {
    // SAFETY: the argument is an index into the table of operators; the inputs are ours.
    unsafe {
        e.publish();
        let operator = *api::tables::_PyEval_BinaryOps.get_unchecked(e.oparg());
        let result = operator(left.object(), right.object());
        if result.is_null() {
            return Err(Exit::ErrorNoPop);
        }
        let [right, left] = topmost::<E, 2>(e);
        e.settle([left, right], [StackRef::steal(result)])
    }
}

/// `~value`.
#[inline(always)]
pub unsafe fn unary_invert<E: Engine>(e: &mut E, [value]: [StackRef; 1]) -> Op<Settled<1>> {
    // SAFETY: the input is ours.
    unsafe {
        e.publish();
        let result = ffi::PyNumber_Invert(value.object());
        e.settle_object(topmost::<E, 1>(e), result)
    }
}

/// `-value`.
#[inline(always)]
pub unsafe fn unary_negative<E: Engine>(e: &mut E, [value]: [StackRef; 1]) -> Op<Settled<1>> {
    // SAFETY: the input is ours.
    unsafe {
        e.publish();
        let result = ffi::PyNumber_Negative(value.object());
        e.settle_object(topmost::<E, 1>(e), result)
    }
}

// --- specializations for pairs of types --------------------------------------------------------

/// The host's description of an operator on two types: a guard and an action.
#[inline(always)]
unsafe fn specialization(descriptor: *mut PyObject) -> *const ffi::_PyBinaryOpSpecializationDescr {
    descriptor.cast_const().cast()
}

/// Both inputs are what the specialization is for.
#[inline(always)]
pub unsafe fn guard_binary_op_extend<E: Engine>(
    e: &mut E,
    descriptor: *mut PyObject,
    []: [StackRef; 0],
) -> Op {
    // SAFETY: the specializer has put a complete description into the cache.
    unsafe {
        e.publish();
        let applies = (*specialization(descriptor)).guard.unwrap_unchecked();
        guard(applies(e.peek(2).object(), e.peek(1).object()) != 0)
    }
}

/// `left op right` by the specialization's own function.
#[inline(always)]
pub unsafe fn binary_op_extend<E: Engine>(
    e: &mut E,
    descriptor: *mut PyObject,
    [left, right]: [StackRef; 2],
) -> Op<Settled<1>> {
    // SAFETY: as above, and the guard has said yes; the inputs are ours.
    unsafe {
        e.publish();
        let action = (*specialization(descriptor)).action.unwrap_unchecked();
        let result = action(left.object(), right.object());
        e.settle_object(topmost::<E, 2>(e), result)
    }
}

// --- strings -----------------------------------------------------------------------------------

/// left + right for strings.
#[inline(always)]
pub unsafe fn binary_op_add_unicode<E: Engine>(e: &mut E, [left, right]: [StackRef; 2]) -> Op<Settled<1>> {
    // SAFETY: guards have shown that both inputs, which are ours, are strings.
    unsafe {
        e.publish();
        let result = ffi::PyUnicode_Concat(left.object(), right.object());
        settle_exact_object(e, ffi::_PyUnicode_ExactDealloc, result)
    }
}

/// `left = left + right` for a string in a local variable: does the work of the STORE_FAST that follows
/// too. With the reference on the stack out of the way, the string can often grow where it is.
#[inline(always)]
pub unsafe fn binary_op_inplace_add_unicode<E: Engine>(e: &mut E, [left, right]: [StackRef; 2]) -> Op {
    // SAFETY: guards have shown that both inputs, which are ours, are strings; the specializer has seen
    // that the next instruction is a STORE_FAST, whose argument is a local of the frame. That local
    // keeps the left string alive.
    unsafe {
        let variable = e.frame().local_slot(e.next().decode().1);
        guard((*variable).object() == left.object())?;
        close_exact(e, left, ffi::_PyUnicode_ExactDealloc);
        e.publish_at(e.sp().sub(2));
        if !append(variable, right) {
            return Err(Exit::Error);
        }
        e.set_next(e.next().add(1));
    }
    Ok([])
}

/// Appends a string, which it consumes, to the one in `variable`. False with an exception set, and the
/// variable empty, if memory is short.
#[inline(never)]
unsafe fn append(variable: *mut StackRef, right: StackRef) -> bool {
    // SAFETY: both are live strings; the host takes the left one over and puts the result in its place.
    unsafe {
        let mut string = (*variable).into_object();
        let right = right.into_object();
        ffi::PyUnicode_Append(&mut string, right);
        refcount::decref(right);
        *variable = if string.is_null() { StackRef::NULL } else { StackRef::steal(string) };
        !string.is_null()
    }
}

// --- floats ------------------------------------------------------------------------------------

/// Whether nobody else could see the object change: the stack slot holds the only reference there is.
/// Never in free-threaded hosts, where other threads may have borrowed it.
#[inline(always)]
unsafe fn is_temporary(value: StackRef) -> bool {
    // SAFETY: the reference is live.
    unsafe { !cfg!(py_gil_disabled) && value.is_counted() && refcount::is_unique(value.object()) }
}

/// A float in the place of two floats. A temporary among them becomes the result.
#[inline(always)]
unsafe fn float_result<E: Engine>(e: &mut E, [left, right]: [StackRef; 2], value: f64) -> Op<Settled<1>> {
    // SAFETY: both inputs are floats and ours.
    unsafe {
        if is_temporary(left) {
            return Ok(reuse_float(e, left, right, value));
        }
        if is_temporary(right) {
            return Ok(reuse_float(e, right, left, value));
        }
        e.publish();
        settle_exact_object(e, ffi::_PyFloat_ExactDealloc, ffi::PyFloat_FromDouble(value))
    }
}

/// Makes a temporary the result, and gives up the other input.
#[inline(always)]
unsafe fn reuse_float<E: Engine>(e: &mut E, reused: StackRef, other: StackRef, value: f64) -> Settled<1> {
    // SAFETY: nobody else knows the temporary.
    unsafe {
        (*reused.object().cast::<ffi::PyFloatObject>()).ob_fval = value;
        e.poke(2, reused);
        close_exact(e, other, ffi::_PyFloat_ExactDealloc);
    }
    Settled::new()
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

// --- ints --------------------------------------------------------------------------------------

/// The number of bits of an int's digit.
const DIGIT_BITS: u32 = ffi::PyLong_SHIFT;

/// Whether both ints are compact: the digit count is above all else in the tag, so one look at both tags
/// tells.
#[inline(always)]
pub(super) unsafe fn are_compact(left: StackRef, right: StackRef) -> bool {
    // SAFETY: both inputs are ints.
    unsafe { (long_tag(left.object()) | long_tag(right.object())) < 2 << ffi::NON_SIZE_BITS }
}

/// An int in the place of two compact ints: a small int (which exists already), or a temporary among
/// them if it fits, or a new one.
#[inline(always)]
unsafe fn compact_result<E: Engine>(e: &mut E, [left, right]: [StackRef; 2], value: isize) -> Op<Settled<1>> {
    // SAFETY: both inputs are compact ints and ours; small ints are immortal.
    unsafe {
        if is_small_int(value) {
            let result = StackRef::immortal(small_int(value));
            return Ok(settle_exact::<E, 2>(e, ffi::_PyLong_ExactDealloc, result));
        }
        if value.unsigned_abs() >> DIGIT_BITS == 0 {
            if is_temporary(left) {
                return Ok(reuse_int(e, left, right, value));
            }
            if is_temporary(right) {
                return Ok(reuse_int(e, right, left, value));
            }
        }
        e.publish();
        settle_exact_object(e, ffi::_PyLong_ExactDealloc, ffi::PyLong_FromSsize_t(value))
    }
}

/// Makes a temporary the result, which has one digit, and gives up the other input.
#[inline(always)]
unsafe fn reuse_int<E: Engine>(e: &mut E, reused: StackRef, other: StackRef, value: isize) -> Settled<1> {
    // SAFETY: nobody else knows the temporary.
    unsafe {
        let long = &raw mut (*reused.object().cast::<ffi::PyLongObject>()).long_value;
        let sign = if value < 0 { ffi::SIGN_NEGATIVE as usize } else { 0 };
        (*long).lv_tag = 1 << ffi::NON_SIZE_BITS | sign;
        (*long).ob_digit[0] = value.unsigned_abs() as _;
        e.poke(2, reused);
        close_exact(e, other, ffi::_PyLong_ExactDealloc);
    }
    Settled::new()
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
                    let (left_int, right_int) = (left.object(), right.object());
                    if are_compact(left, right) {
                        let value = long_compact_value(left_int) $operator long_compact_value(right_int);
                        return compact_result(e, [left, right], value);
                    }
                    e.publish();
                    let result = ffi::$general(left_int.cast(), right_int.cast());
                    settle_exact_object(e, ffi::_PyLong_ExactDealloc, result)
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
