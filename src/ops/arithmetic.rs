//! Operators.

use super::tables;
use crate::engine::{BytecodeEngine, BytecodeOp, Engine, Exit, Kept, NextStore, Op, PushedOrStored, Settled};
use crate::host::object::{float_value, long_compact_value, long_tag};
use crate::host::{PyObject, StackRef, ThreadState, ffi, is_small_int, numbers, refcount, small_int};
use crate::seams;

use super::adaptive::specialize;
use super::exact::{Exact, close_exact, settle_exact, settle_exact_object, topmost};
use super::guards::guard;
use super::subscripts::item_of;

/// Looks for a specialized form of `left op right` when the counter says so.
#[inline(always)]
pub(crate) unsafe fn specialize_binary_op<E: BytecodeEngine>(
    e: &mut E,
    counter: u16,
    []: [StackRef; 0],
) -> BytecodeOp {
    // SAFETY: the instruction has two inputs.
    unsafe {
        specialize(e, counter, |e| {
            let locals = e.frame().local_slot(0);
            seams::specialize::binary_op(e.peek(2), e.peek(1), e.this_instr(), e.oparg(), locals);
        })
    }
}

/// `left op right` by the operator's general function.
#[inline(always)]
pub(crate) unsafe fn binary_op<E: Engine>(e: &mut E, [left, right]: [StackRef; 2]) -> Op<Settled<1>> {
    // SAFETY: the argument is an index into the table of operators; the inputs are ours.
    unsafe {
        e.publish();
        let result = if e.oparg() == ffi::NB_SUBSCR as usize {
            item_of(left.object(), right.object())
        } else {
            let operator = *tables::BINARY_OPERATORS.get_unchecked(e.oparg());
            operator(left.object(), right.object())
        };
        if result.is_null() {
            return Err(Exit::ErrorNoPop);
        }
        let [right, left] = topmost::<E, 2>(e);
        e.settle([left, right], [StackRef::steal(result)])
    }
}

/// `~value`.
#[inline(always)]
pub(crate) unsafe fn unary_invert<E: Engine>(e: &mut E, [value]: [StackRef; 1]) -> Op<Settled<1>> {
    // SAFETY: the input is ours.
    unsafe {
        e.publish();
        let result = ffi::PyNumber_Invert(value.object());
        e.settle_object(topmost::<E, 1>(e), result)
    }
}

/// `-value`.
#[inline(always)]
pub(crate) unsafe fn unary_negative<E: Engine>(e: &mut E, [value]: [StackRef; 1]) -> Op<Settled<1>> {
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
pub(crate) unsafe fn guard_binary_op_extend<E: Engine>(
    e: &mut E,
    descriptor: *mut PyObject,
    Kept([left, right]): Kept<[StackRef; 2]>,
) -> Op {
    // SAFETY: the specializer has put a complete description into the cache.
    unsafe {
        e.publish();
        let applies = (*specialization(descriptor)).guard.unwrap_unchecked();
        guard(applies(left.object(), right.object()) != 0)
    }
}

/// `left op right` by the specialization's own function.
#[inline(always)]
pub(crate) unsafe fn binary_op_extend<E: Engine>(
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
pub(crate) unsafe fn binary_op_add_unicode<E: Engine>(
    e: &mut E,
    [left, right]: [StackRef; 2],
) -> Op<Settled<1>> {
    // SAFETY: guards have shown that both inputs, which are ours, are strings.
    unsafe {
        e.publish();
        let result = ffi::PyUnicode_Concat(left.object(), right.object());
        settle_exact_object(e, Exact::Str, result)
    }
}

/// `left = left + right` for a string in a local variable: does the work of the STORE_FAST that follows
/// too. With the reference on the stack out of the way, the string can often grow where it is.
#[inline(always)]
pub(crate) unsafe fn binary_op_inplace_add_unicode<E: Engine>(e: &mut E, [left, right]: [StackRef; 2]) -> Op {
    // SAFETY: guards have shown that both inputs, which are ours, are strings; the specializer has seen
    // that the next instruction is a STORE_FAST, whose argument is a local of the frame. That local
    // keeps the left string alive.
    unsafe {
        let variable = e.frame().local_slot(e.following_store());
        guard((*variable).object() == left.object())?;
        close_exact(e, left, Exact::Str);
        e.publish_at(e.sp().sub(2));
        if !append(variable, right) {
            return Err(Exit::Error);
        }
        e.skip_next();
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

// --- numbers in place --------------------------------------------------------------------------

/// Whether nobody else could see the object change: the stack slot holds the only reference there is.
#[inline(always)]
unsafe fn is_temporary(value: StackRef) -> bool {
    // SAFETY: the reference is live.
    unsafe { value.is_counted() && refcount::is_unique(value.object()) }
}

/// The next instruction, if it is a STORE_FAST that replaces `value`: a reference borrowed from the variable,
/// which owns the only one there is. (A parameter may itself be borrowed from a variable of the caller.)
#[inline(always)]
unsafe fn store_replacing<E: Engine>(e: &E, value: StackRef) -> Option<E::NextStore> {
    // SAFETY: the reference is live; STORE_FAST names a local of the frame.
    unsafe {
        if value.is_counted() || !refcount::is_unique(value.object()) {
            return None;
        }
        e.next_store()
            .filter(|store| e.frame().local(store.local()) == StackRef::steal_mortal(value.object()))
    }
}

/// An int or a float, on the stack or in the variable that the next instruction would have stored it to.
type Number<E> = PushedOrStored<Settled<1>, <E as Engine>::NextStore>;

/// The value of a number object that could be changed in place.
trait NumberValue: Copy {
    const KIND: Exact;
    /// Makes this the value of an object of the kind that nobody else knows.
    unsafe fn set(self, object: *mut PyObject);
    /// A new object with this value; null with an exception set. The frame is published.
    unsafe fn make(self, tstate: ThreadState) -> *mut PyObject;
}

impl NumberValue for f64 {
    const KIND: Exact = Exact::Float;
    #[inline(always)]
    unsafe fn set(self, object: *mut PyObject) {
        // SAFETY: the object is a float.
        unsafe { (*object.cast::<ffi::PyFloatObject>()).ob_fval = self }
    }
    #[inline(always)]
    unsafe fn make(self, tstate: ThreadState) -> *mut PyObject {
        // SAFETY: the thread is attached.
        unsafe { numbers::new_float(tstate, self) }
    }
}

/// The value of a compact int that is not small.
#[derive(Clone, Copy)]
struct Compact(isize);

impl NumberValue for Compact {
    const KIND: Exact = Exact::Int;
    #[inline(always)]
    unsafe fn set(self, object: *mut PyObject) {
        // SAFETY: the object is an int, and the value fits.
        unsafe { numbers::set_compact(object, self.0) }
    }
    #[inline(always)]
    unsafe fn make(self, tstate: ThreadState) -> *mut PyObject {
        // SAFETY: the thread is attached, and the value fits.
        unsafe { numbers::new_int(tstate, self.0) }
    }
}

/// Puts a number in the place of two, the topmost values: one of them, if nobody can see it change, or a
/// new one. For a variable that changes, the work of the STORE_FAST that follows is done too.
#[inline(always)]
unsafe fn settle_number<E: Engine, N: NumberValue>(
    e: &mut E,
    [left, right]: [StackRef; 2],
    value: N,
) -> Op<Number<E>> {
    // SAFETY: both inputs are such numbers, and ours; those that are changed are known to nobody else.
    unsafe {
        if is_temporary(left) {
            return Ok(reuse(e, left, right, value));
        }
        if is_temporary(right) {
            return Ok(reuse(e, right, left, value));
        }
        if let Some(store) = store_replacing(e, left) {
            return Ok(change(e, store, left, right, value));
        }
        if let Some(store) = store_replacing(e, right) {
            return Ok(change(e, store, right, left, value));
        }
        e.publish();
        let result = value.make(e.tstate());
        settle_exact_object(e, N::KIND, result).map(PushedOrStored::Pushed)
    }
}

/// Makes a temporary the result, and gives up the other input.
#[inline(always)]
unsafe fn reuse<E: Engine, N: NumberValue>(e: &E, reused: StackRef, other: StackRef, value: N) -> Number<E> {
    // SAFETY: nobody else knows the temporary, which takes the lower input's slot.
    unsafe {
        value.set(reused.object());
        e.poke(2, reused);
        close_exact(e, other, N::KIND);
        PushedOrStored::Pushed(Settled::new())
    }
}

/// Changes the number that a variable holds, which is all that the STORE_FAST would do, and gives up the other
/// input.
#[inline(always)]
unsafe fn change<E: Engine, N: NumberValue>(
    e: &E,
    store: E::NextStore,
    variable: StackRef,
    other: StackRef,
    value: N,
) -> Number<E> {
    // SAFETY: nobody but the variable knows the number.
    unsafe {
        value.set(variable.object());
        close_exact(e, other, N::KIND);
    }
    PushedOrStored::Stored(store)
}

// --- floats ------------------------------------------------------------------------------------

macro_rules! float_operators {
    ($($(#[$doc:meta])* $name:ident = $operator:tt;)*) => {
        $(
            $(#[$doc])*
            #[inline(always)]
            pub(crate) unsafe fn $name<E: Engine>(e: &mut E, inputs: [StackRef; 2]) -> Op<Number<E>> {
                // SAFETY: guards have shown that both inputs are floats.
                unsafe {
                    let [left, right] = inputs.map(|input| float_value(input.object()));
                    settle_number(e, inputs, left $operator right)
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

/// Whether both ints are compact: the digit count is above all else in the tag, so one look at both tags
/// tells.
#[inline(always)]
pub(super) unsafe fn are_compact(left: StackRef, right: StackRef) -> bool {
    // SAFETY: both inputs are ints.
    unsafe { (long_tag(left.object()) | long_tag(right.object())) < 2 << ffi::NON_SIZE_BITS }
}

/// An int in the place of two compact ints.
#[inline(always)]
unsafe fn compact_result<E: Engine>(e: &mut E, inputs: [StackRef; 2], value: isize) -> Op<Number<E>> {
    // SAFETY: both inputs are compact ints and ours; small ints are immortal.
    unsafe {
        if is_small_int(value) {
            let result = StackRef::immortal(small_int(value));
            return Ok(PushedOrStored::Pushed(settle_exact::<E, 2>(e, Exact::Int, result)));
        }
        if numbers::is_compact(value) {
            return settle_number(e, inputs, Compact(value));
        }
        e.publish();
        settle_exact_object(e, Exact::Int, ffi::PyLong_FromSsize_t(value)).map(PushedOrStored::Pushed)
    }
}

macro_rules! int_operators {
    ($($(#[$doc:meta])* $name:ident = $operator:tt, $general:ident;)*) => {
        $(
            $(#[$doc])*
            #[inline(always)]
            pub(crate) unsafe fn $name<E: Engine>(e: &mut E, [left, right]: [StackRef; 2]) -> Op<Number<E>> {
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
                    settle_exact_object(e, Exact::Int, result).map(PushedOrStored::Pushed)
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
