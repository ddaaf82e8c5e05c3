//! Unary and binary operators.

use super::{operators, tables};
use crate::engine::{BytecodeEngine, BytecodeOp, Engine, Exit, Kept, NextStore, Op, PushedOrStored, Settled};
#[cfg(not(py_gil_disabled))]
use crate::host::object::has_feature;
use crate::host::object::{float_value, long_compact_value, long_tag};
use crate::host::{PyObject, StackRef, ThreadState, ffi, numbers, refcount, small_int};
use crate::seams;

use super::adaptive::specializing;
use super::exact::{Exact, close_exact, settle_exact, settle_exact_object, topmost};
use super::guards::guard;
use super::subscripts::item_of;
#[cfg(not(py_gil_disabled))]
use super::trampolines;

specializing! {
    specialize_binary_op: BINARY_OP = |e| {
        let locals = e.frame().local_slot(0);
        seams::specialize::binary_op(e.peek(2), e.peek(1), e.this_instr(), e.oparg(), locals);
    }
}

/// `left op right` with the operator's generic function. If that calls a Python function, tier 1 enters its frame instead.
///
/// # Safety
/// As [`crate::engine`] says for every micro-op.
#[inline(always)]
pub(crate) unsafe fn binary_op<E: Engine>(e: &mut E, [left, right]: [StackRef; 2]) -> Op<Settled<1>> {
    // SAFETY: the argument is an index of the table of operators. The inputs are live and owned by this
    // micro-op.
    unsafe {
        e.publish();
        let result = if e.oparg() == ffi::NB_SUBSCR as usize {
            item_of(left.object(), right.object())
        } else {
            match operators::of_numbers(e.tstate(), e.oparg(), left.object(), right.object()) {
                Some(result) => result,
                None => {
                    #[cfg(not(py_gil_disabled))]
                    if E::ENTERS_METHODS
                        && [left, right]
                            .iter()
                            .any(|operand| has_feature(operand.object(), ffi::Py_TPFLAGS_HEAPTYPE))
                        && e.is_warm()
                        && let Some(entered) = trampolines::enter_operator(e)
                    {
                        return entered;
                    }
                    let operator = *tables::BINARY_OPERATORS.get_unchecked(e.oparg());
                    operator(left.object(), right.object())
                }
            }
        };
        if result.is_null() {
            return Err(Exit::ErrorNoPop);
        }
        let [right, left] = topmost::<E, 2>(e);
        e.settle([left, right], [StackRef::steal(result)])
    }
}

/// `~value`.
///
/// # Safety
/// As [`crate::engine`] says for every micro-op.
#[inline(always)]
pub(crate) unsafe fn unary_invert<E: Engine>(e: &mut E, [value]: [StackRef; 1]) -> Op<Settled<1>> {
    // SAFETY: the input is live and owned by this micro-op.
    unsafe {
        e.publish();
        let result = ffi::PyNumber_Invert(value.object());
        e.settle_object(topmost::<E, 1>(e), result)
    }
}

/// `-value`.
///
/// # Safety
/// As [`crate::engine`] says for every micro-op.
#[inline(always)]
pub(crate) unsafe fn unary_negative<E: Engine>(e: &mut E, [value]: [StackRef; 1]) -> Op<Settled<1>> {
    // SAFETY: the input is live and owned by this micro-op.
    unsafe {
        e.publish();
        let result = ffi::PyNumber_Negative(value.object());
        e.settle_object(topmost::<E, 1>(e), result)
    }
}

// --- specializations for pairs of types --------------------------------------------------------

/// The host's descriptor of an operator for two types: a guard and an action.
///
/// # Safety
/// `descriptor` is the operand of a BINARY_OP_EXTEND. (The function itself only casts it.)
#[inline(always)]
unsafe fn specialization(descriptor: *mut PyObject) -> *const ffi::_PyBinaryOpSpecializationDescr {
    descriptor.cast_const().cast()
}

/// The specialization applies to both inputs.
///
/// # Safety
/// As [`crate::engine`] says for every micro-op.
#[inline(always)]
pub(crate) unsafe fn guard_binary_op_extend<E: Engine>(
    e: &mut E,
    descriptor: *mut PyObject,
    Kept([left, right]): Kept<[StackRef; 2]>,
) -> Op {
    // SAFETY: the specializer has written a pointer to a complete descriptor to the cache.
    unsafe {
        e.publish();
        let applies = (*specialization(descriptor)).guard.unwrap_unchecked();
        guard(applies(left.object(), right.object()) != 0)
    }
}

/// `left op right` with the action of the specialization.
///
/// # Safety
/// As [`crate::engine`] says for every micro-op. `guard_binary_op_extend` has run before.
#[inline(always)]
pub(crate) unsafe fn binary_op_extend<E: Engine>(
    e: &mut E,
    descriptor: *mut PyObject,
    [left, right]: [StackRef; 2],
) -> Op<Settled<1>> {
    // SAFETY: the specializer has written a pointer to a complete descriptor to the cache, and its guard has
    // accepted the inputs. They are live and owned by this micro-op.
    unsafe {
        e.publish();
        let action = (*specialization(descriptor)).action.unwrap_unchecked();
        let result = action(left.object(), right.object());
        e.settle_object(topmost::<E, 2>(e), result)
    }
}

// --- strings -----------------------------------------------------------------------------------

/// `left + right` for strings.
///
/// # Safety
/// As [`crate::engine`] says for every micro-op. `guard_tos_unicode` and `guard_nos_unicode` have run before.
#[inline(always)]
pub(crate) unsafe fn binary_op_add_unicode<E: Engine>(
    e: &mut E,
    [left, right]: [StackRef; 2],
) -> Op<Settled<1>> {
    // SAFETY: guards have checked that both inputs are strings. They are live and owned by this micro-op.
    unsafe {
        e.publish();
        let result = ffi::PyUnicode_Concat(left.object(), right.object());
        settle_exact_object(e, Exact::Str, result)
    }
}

/// `left = left + right` for a str in a local variable. Also does the work of the STORE_FAST that follows.
/// The reference on the stack is released first, so that the str can often grow in place.
///
/// # Safety
/// As [`crate::engine`] says for every micro-op. `guard_tos_unicode` and `guard_nos_unicode` have run before.
#[inline(always)]
pub(crate) unsafe fn binary_op_inplace_add_unicode<E: Engine>(e: &mut E, [left, right]: [StackRef; 2]) -> Op {
    // SAFETY: guards have checked that both inputs are strings. The specializer has checked that a STORE_FAST
    // follows, whose argument is the index of a local variable. That variable holds `left` (checked), so it
    // keeps the str alive.
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

/// Appends a str, which it consumes, to the one in `variable`. On failure returns false with an exception
/// set, and the variable is empty.
///
/// # Safety
/// The thread is attached, and its frame is published. `variable` is a slot with a live str; `right` is a
/// live str and owned by the caller.
#[inline(never)]
unsafe fn append(variable: *mut StackRef, right: StackRef) -> bool {
    // SAFETY: both are live strings (caller). The host function consumes the left one and replaces it by the
    // result.
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

/// Whether the stack slot holds the only reference to the object. Then nothing else can observe a change of it.
///
/// # Safety
/// The reference is live.
#[inline(always)]
unsafe fn is_temporary(value: StackRef) -> bool {
    // SAFETY: the reference is live (caller).
    unsafe { value.is_counted() && refcount::is_unique(value.object()) }
}

/// Returns the next instruction if it is a STORE_FAST that replaces `value`, where `value` is borrowed from
/// the variable, and the variable owns the only reference. (A parameter may itself be borrowed from a
/// variable of the caller.)
///
/// # Safety
/// The reference is live.
#[inline(always)]
unsafe fn store_replacing<E: Engine>(e: &E, value: StackRef) -> Option<E::NextStore> {
    // SAFETY: the reference is live (caller). The argument of a STORE_FAST is the index of a local variable.
    unsafe {
        if value.is_counted() || !refcount::is_unique(value.object()) {
            return None;
        }
        e.next_store()
            .filter(|store| e.frame().local(store.local()) == StackRef::steal_mortal(value.object()))
    }
}

/// An int or a float, either on the stack, or already in the variable of the STORE_FAST that follows.
type Number<E> = PushedOrStored<Settled<1>, <E as Engine>::NextStore>;

/// The value of a number object that can be changed in place.
trait NumberValue: Copy {
    const KIND: Exact;
    /// Changes an object of this kind to this value.
    ///
    /// # Safety
    /// `object` is live, exactly of type `KIND`, and nothing else can observe the change.
    unsafe fn set(self, object: *mut PyObject);
    /// Returns a new object with this value, or null with an exception set.
    ///
    /// # Safety
    /// The thread is attached, `tstate` is its state, and its frame is published.
    unsafe fn make(self, tstate: ThreadState) -> *mut PyObject;
}

impl NumberValue for f64 {
    const KIND: Exact = Exact::Float;
    #[inline(always)]
    unsafe fn set(self, object: *mut PyObject) {
        // SAFETY: the object is a float, and only the caller uses it (caller).
        unsafe { (*object.cast::<ffi::PyFloatObject>()).ob_fval = self }
    }
    #[inline(always)]
    unsafe fn make(self, tstate: ThreadState) -> *mut PyObject {
        // SAFETY: the thread is attached (caller).
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
        // SAFETY: the object is an int, and only the caller uses it (caller). The value is compact.
        unsafe { numbers::set_compact(object, self.0) }
    }
    #[inline(always)]
    unsafe fn make(self, tstate: ThreadState) -> *mut PyObject {
        // SAFETY: the thread is attached (caller). The value is compact.
        unsafe { numbers::new_int(tstate, self.0) }
    }
}

/// Replaces the two topmost values, numbers, by a number: changes one of them in place if nothing else can
/// observe that, otherwise makes a new one. If that number is in a variable, also does the work of the
/// STORE_FAST that follows.
///
/// # Safety
/// The thread is attached. `left` and `right` are the two topmost values of the engine's stack, exactly of
/// type `N::KIND`, and not used again. If the kind is int, both are compact.
#[inline(always)]
unsafe fn settle_number<E: Engine, N: NumberValue>(
    e: &mut E,
    [left, right]: [StackRef; 2],
    value: N,
) -> Op<Number<E>> {
    // SAFETY: both inputs are numbers of this kind and not used again (caller). A number is changed only if
    // nothing else refers to it.
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

/// Changes a temporary to the result, and releases the other input.
///
/// # Safety
/// As for [`settle_number`]. `reused` and `other` are its inputs, and `reused` is a temporary
/// ([`is_temporary`]).
#[inline(always)]
unsafe fn reuse<E: Engine, N: NumberValue>(e: &E, reused: StackRef, other: StackRef, value: N) -> Number<E> {
    // SAFETY: only the stack refers to the temporary (caller), which moves to the lower slot.
    unsafe {
        value.set(reused.object());
        e.poke(2, reused);
        close_exact(e, other, N::KIND);
        PushedOrStored::Pushed(Settled::new())
    }
}

/// Changes the number that a variable holds, which is the complete effect of the STORE_FAST, and releases the
/// other input.
///
/// # Safety
/// As for [`settle_number`]. `variable` and `other` are its inputs, and `store` is what [`store_replacing`]
/// returned for `variable`.
#[inline(always)]
unsafe fn change<E: Engine, N: NumberValue>(
    e: &E,
    store: E::NextStore,
    variable: StackRef,
    other: StackRef,
    value: N,
) -> Number<E> {
    // SAFETY: only the variable refers to the number (caller).
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
            ///
            /// # Safety
            /// As [`crate::engine`] says for every micro-op. `guard_tos_float` and
            /// `guard_nos_float` have run before.
            #[inline(always)]
            pub(crate) unsafe fn $name<E: Engine>(e: &mut E, inputs: [StackRef; 2]) -> Op<Number<E>> {
                // SAFETY: guards have checked that both inputs are floats. They are live and owned by this
                // micro-op.
                unsafe {
                    let [left, right] = inputs.map(|input| float_value(input.object()));
                    settle_number(e, inputs, left $operator right)
                }
            }
        )*
    };
}

float_operators! {
    /// `left + right` for floats.
    binary_op_add_float = +;
    /// `left - right` for floats.
    binary_op_subtract_float = -;
    /// `left * right` for floats.
    binary_op_multiply_float = *;
}

// --- ints --------------------------------------------------------------------------------------

/// Whether both ints are compact. The number of digits is in the highest bits of the tag, so one comparison
/// checks both tags.
///
/// # Safety
/// `left` and `right` are live ints.
#[inline(always)]
pub(super) unsafe fn are_compact(left: StackRef, right: StackRef) -> bool {
    // SAFETY: both are live ints (caller).
    unsafe { (long_tag(left.object()) | long_tag(right.object())) < 2 << ffi::NON_SIZE_BITS }
}

/// Replaces the two topmost values, compact ints, by an int.
///
/// # Safety
/// The thread is attached. `inputs` are the two topmost values of the engine's stack, compact ints, and not
/// used again.
#[inline(always)]
unsafe fn compact_result<E: Engine>(e: &mut E, inputs: [StackRef; 2], value: isize) -> Op<Number<E>> {
    // SAFETY: the inputs are compact ints and not used again (caller). Small ints are immortal.
    unsafe {
        if let Some(int) = small_int(value) {
            let result = StackRef::immortal(int);
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
            ///
            /// # Safety
            /// As [`crate::engine`] says for every micro-op. `guard_tos_int` and
            /// `guard_nos_int` have run before.
            #[inline(always)]
            pub(crate) unsafe fn $name<E: Engine>(e: &mut E, [left, right]: [StackRef; 2]) -> Op<Number<E>> {
                // SAFETY: guards have checked that both inputs are ints. Compact values have at most 30 bits,
                // so the operators cannot overflow.
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
    /// `left + right` for ints.
    binary_op_add_int = +, _PyLong_Add;
    /// `left - right` for ints.
    binary_op_subtract_int = -, _PyLong_Subtract;
    /// `left * right` for ints.
    binary_op_multiply_int = *, _PyLong_Multiply;
}
