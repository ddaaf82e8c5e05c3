//! Building strings, lists, tuples, sets, dicts, slices and templates; formatting; adding to containers.

use core::ptr::null_mut;

use super::arrays::with_objects;
use super::exact::topmost;
use super::{calls, tables};
use crate::engine::{Count, Engine, Exit, Kept, Many, Op, Oparg, Settled};
use crate::host::object::{self, is_exact, type_of};
use crate::host::{FREE_THREADED, PyObject, Raised, StackRef, ThreadState, ffi, refcount};
use crate::raise;

// --- helpers -----------------------------------------------------------------------------------

/// Ends a micro-op that takes several values and leaves one: releases the values, topmost first, and puts
/// `result` in their place, unless it is null.
///
/// # Safety
/// The thread is attached. `values` are the topmost values of the engine's stack and not used again. The
/// caller owns `result`, or it is null and an exception is set.
#[inline(always)]
unsafe fn replace<E: Engine, C: Count>(e: &E, values: Many<C>, result: *mut PyObject) -> Op<Settled<1>> {
    // SAFETY: the values are live and on top of the stack, and the result is owned (caller). Each value is
    // released above the published part of the stack.
    unsafe {
        let (mut top, base) = (e.sp(), values.base());
        while top != base {
            top = top.sub(1);
            e.close_at(*top, top);
        }
        if result.is_null() {
            return Err(Exit::Error);
        }
        *base = StackRef::steal(result);
        Ok(Settled::new())
    }
}

/// Ends a micro-op that called a host function which consumes the values on success: puts `result` in their
/// place. If it is null, the values are still on the stack.
///
/// # Safety
/// `values` are the topmost values of the stack, live if `result` is null and dead otherwise. The caller owns
/// `result`, or it is null and an exception is set.
#[inline(always)]
unsafe fn replace_stolen<C: Count>(values: Many<C>, result: *mut PyObject) -> Op<Settled<1>> {
    // SAFETY: the slots of the values are free, and the result is owned and not null (caller, checked).
    unsafe {
        if result.is_null() {
            return Err(Exit::ErrorNoPop);
        }
        *values.base() = StackRef::steal(result);
        Ok(Settled::new())
    }
}

// --- containers --------------------------------------------------------------------------------

/// Builds a list of the `oparg` topmost values.
///
/// # Safety
/// As [`crate::engine`] says for every micro-op.
#[inline(always)]
pub(crate) unsafe fn build_list<E: Engine>(e: &mut E, values: Many<Oparg>) -> Op<Settled<1>> {
    let count = values.count();
    // SAFETY: the values are live and owned by this micro-op. The host function consumes them if it succeeds.
    unsafe {
        e.publish();
        let list = ffi::_PyList_FromStackRefStealOnSuccess(values.base().cast(), count as isize);
        replace_stolen(values, list)
    }
}

/// Builds a tuple of the `oparg` topmost values.
///
/// # Safety
/// As [`crate::engine`] says for every micro-op.
#[inline(always)]
pub(crate) unsafe fn build_tuple<E: Engine>(e: &mut E, values: Many<Oparg>) -> Op<Settled<1>> {
    let count = values.count();
    // SAFETY: the values are live and owned by this micro-op. The host function consumes them if it succeeds.
    unsafe {
        e.publish();
        let tuple = ffi::_PyTuple_FromStackRefStealOnSuccess(values.base().cast(), count as isize);
        replace_stolen(values, tuple)
    }
}

/// Builds a set of the `oparg` topmost values.
///
/// # Safety
/// As [`crate::engine`] says for every micro-op.
#[inline(always)]
pub(crate) unsafe fn build_set<E: Engine>(e: &mut E, values: Many<Oparg>) -> Op<Settled<1>> {
    let count = values.count();
    // SAFETY: the values are live and owned by this micro-op. `fill_set` consumes them in any case.
    unsafe {
        e.publish();
        let set = ffi::PySet_New(null_mut());
        let base = values.base();
        if fill_set(set, base, count).is_err() {
            e.publish_at(base);
            refcount::xdecref(set);
            return Err(Exit::Error);
        }
        *base = StackRef::steal_mortal(set);
        Ok(Settled::new())
    }
}

/// Moves `count` values into `set`, in order. Fails if a value cannot be added, or if `set` is null. In that
/// case it releases the remaining values.
///
/// # Safety
/// The thread is attached. `values` are `count` live references on the published stack and not used again.
/// `set` is a new set, or null with an exception set.
#[inline(never)]
unsafe fn fill_set(set: *mut PyObject, values: *mut StackRef, count: usize) -> Result<(), Raised> {
    let mut result = if set.is_null() { Err(Raised) } else { Ok(()) };
    for index in 0..count {
        // SAFETY: the values are live and on the published stack (caller). Each slot is emptied before its
        // value is consumed.
        unsafe {
            let value = values.add(index).replace(StackRef::NULL);
            if result.is_err() {
                value.close();
            } else if ffi::_PySet_AddTakeRef(set.cast(), value.into_object()) < 0 {
                result = Err(Raised);
            }
        }
    }
    result
}

/// Builds a dict of the `oparg` topmost pairs of a key and a value.
///
/// # Safety
/// As [`crate::engine`] says for every micro-op.
#[inline(always)]
pub(crate) unsafe fn build_map<E: Engine>(e: &mut E, values: Many<Pairs>) -> Op<Settled<1>> {
    // SAFETY: the values are live and owned by this micro-op.
    unsafe {
        e.publish();
        let map = map_of(values.base(), values.count() / 2);
        replace(e, values, map)
    }
}

/// `oparg` pairs of values.
pub(crate) struct Pairs;

impl Count for Pairs {
    #[inline(always)]
    fn of(oparg: usize) -> usize {
        2 * oparg
    }
}

/// A new dict of the pairs, or null with an exception set.
///
/// # Safety
/// The thread is attached. `values` are `2 * pairs` live references on the published stack.
#[inline(never)]
unsafe fn map_of(values: *mut StackRef, pairs: usize) -> *mut PyObject {
    // SAFETY: the values are live and on the published stack, which keeps them alive (caller).
    unsafe {
        with_objects(values, 2 * pairs, |objects| {
            ffi::_PyDict_FromItems(objects, 2, objects.add(1), 2, pairs as isize)
        })
    }
}

/// Builds a slice of two or three values.
///
/// # Safety
/// As [`crate::engine`] says for every micro-op.
#[inline(always)]
pub(crate) unsafe fn build_slice<E: Engine>(e: &mut E, values: Many<Oparg>) -> Op<Settled<1>> {
    let count = values.count();
    // SAFETY: the values are live and owned by this micro-op. The slice takes references of its own.
    unsafe {
        let step = if count == 3 { e.peek(1).object() } else { null_mut() };
        let (start, stop) = (e.peek(count).object(), e.peek(count - 1).object());
        e.publish();
        let slice = ffi::PySlice_New(start, stop, step);
        replace(e, values, slice)
    }
}

// --- adding to containers ----------------------------------------------------------------------

// The container is the `oparg`-th value below the values that are added.

/// Appends the topmost value to the list of a comprehension or display.
///
/// # Safety
/// As [`crate::engine`] says for every micro-op.
#[inline(always)]
pub(crate) unsafe fn list_append<E: Engine>(
    e: &mut E,
    (Kept(_), [value]): (Kept<Many<Oparg>>, [StackRef; 1]),
) -> Op<Settled<0>> {
    // SAFETY: the input is live and owned by this micro-op, and the list takes it over. No other code has
    // access to the list yet.
    unsafe {
        let list = e.peek(1 + e.oparg()).object();
        if FREE_THREADED || object::list_is_full(list) {
            e.publish_at(e.sp().sub(1));
        }
        match object::list_append(list, value.into_object()) {
            Ok(()) => Ok(Settled::new()),
            Err(Raised) => Err(Exit::Error),
        }
    }
}

/// Appends the items of an iterable to a list.
///
/// # Safety
/// As [`crate::engine`] says for every micro-op.
#[inline(always)]
pub(crate) unsafe fn list_extend<E: Engine>(
    e: &mut E,
    (Kept(_), [iterable]): (Kept<Many<Oparg>>, [StackRef; 1]),
) -> Op<Settled<0>> {
    // SAFETY: the input is live and owned by this micro-op. The result of the host function is None, which is
    // immortal.
    unsafe {
        e.publish();
        let list = e.peek(1 + e.oparg()).object();
        if ffi::_PyList_Extend(list.cast(), iterable.object()).is_null() {
            explain_star(e.tstate(), iterable.object());
            return e.settle_status([iterable], -1);
        }
        e.settle_status([iterable], 0)
    }
}

/// Replaces the TypeError about `*iterable` by one that says what is expected there, if `iterable` is not
/// iterable.
///
/// # Safety
/// The thread is attached, `tstate` is its state, an exception is set, and `iterable` is live.
#[cold]
#[inline(never)]
unsafe fn explain_star(tstate: ThreadState, iterable: *mut PyObject) {
    // SAFETY: the object is live, and so are its type and the name of the type (caller).
    unsafe {
        if ffi::_PyErr_ExceptionMatches(tstate.as_ptr(), ffi::PyExc_TypeError) != 0
            && (*type_of(iterable)).tp_iter.is_none()
            && ffi::PySequence_Check(iterable) == 0
        {
            ffi::_PyErr_Clear(tstate.as_ptr());
            raise!(
                PyExc_TypeError,
                c"Value after * must be an iterable, not %.200s",
                (*type_of(iterable)).tp_name
            );
        }
    }
}

/// Adds the topmost value to the set of a comprehension or display.
///
/// # Safety
/// As [`crate::engine`] says for every micro-op.
#[inline(always)]
pub(crate) unsafe fn set_add<E: Engine>(
    e: &mut E,
    (Kept(_), [value]): (Kept<Many<Oparg>>, [StackRef; 1]),
) -> Op<Settled<0>> {
    // SAFETY: the input is live and owned by this micro-op. The set takes it over after it has been removed
    // from the published stack.
    unsafe {
        let set = e.peek(1 + e.oparg()).object();
        if !is_exact(set, &raw mut ffi::PySet_Type) {
            e.publish();
            raise_not_a_set(set);
            return e.settle_status([value], -1);
        }
        e.publish_at(e.sp().sub(1));
        if ffi::_PySet_AddTakeRef(set.cast(), value.into_object()) != 0 {
            return Err(Exit::Error);
        }
        Ok(Settled::new())
    }
}

/// Sets TypeError for an object that is not a set.
///
/// # Safety
/// The thread is attached, and `object` is live.
#[cold]
#[inline(never)]
unsafe fn raise_not_a_set(object: *mut PyObject) {
    // SAFETY: the object is live (caller), and the format takes an object.
    unsafe {
        raise!(PyExc_TypeError, c"'%T' object is not a set", object);
    }
}

/// Adds the items of an iterable to a set.
///
/// # Safety
/// As [`crate::engine`] says for every micro-op.
#[inline(always)]
pub(crate) unsafe fn set_update<E: Engine>(
    e: &mut E,
    (Kept(_), [iterable]): (Kept<Many<Oparg>>, [StackRef; 1]),
) -> Op<Settled<0>> {
    // SAFETY: the input is live and owned by this micro-op.
    unsafe {
        e.publish();
        let status = ffi::_PySet_Update(e.peek(1 + e.oparg()).object(), iterable.object());
        e.settle_status([iterable], status)
    }
}

/// Adds the two topmost values, a key and a value, to the dict of a comprehension or display.
///
/// # Safety
/// As [`crate::engine`] says for every micro-op.
#[inline(always)]
pub(crate) unsafe fn map_add<E: Engine>(
    e: &mut E,
    (Kept(_), [key, value]): (Kept<Many<Oparg>>, [StackRef; 2]),
) -> Op {
    // SAFETY: the inputs are live and owned by this micro-op. The dict takes them over after they have been
    // removed from the published stack.
    unsafe {
        let dict = e.peek(2 + e.oparg()).object();
        e.publish_at(e.sp().sub(2));
        match ffi::_PyDict_SetItem_Take2(dict.cast(), key.into_object(), value.into_object()) {
            0 => Ok([]),
            _ => Err(Exit::Error),
        }
    }
}

/// Updates a dict from a mapping.
///
/// # Safety
/// As [`crate::engine`] says for every micro-op.
#[inline(always)]
pub(crate) unsafe fn dict_update<E: Engine>(
    e: &mut E,
    (Kept(_), [mapping]): (Kept<Many<Oparg>>, [StackRef; 1]),
) -> Op<Settled<0>> {
    // SAFETY: the input is live and owned by this micro-op.
    unsafe {
        e.publish();
        let status = ffi::PyDict_Update(e.peek(1 + e.oparg()).object(), mapping.object());
        if status < 0 {
            explain_mapping(e.tstate(), mapping.object());
        }
        e.settle_status([mapping], status)
    }
}

/// Replaces the exception about updating a dict from `mapping` by a TypeError, if `mapping` is not a mapping.
///
/// # Safety
/// The thread is attached, `tstate` is its state, an exception is set, and `mapping` is live.
#[cold]
#[inline(never)]
unsafe fn explain_mapping(tstate: ThreadState, mapping: *mut PyObject) {
    // SAFETY: the object is live, and so are its type and the name of the type (caller).
    unsafe {
        if ffi::_PyErr_ExceptionMatches(tstate.as_ptr(), ffi::PyExc_AttributeError) != 0 {
            raise!(PyExc_TypeError, c"'%.200s' object is not a mapping", (*type_of(mapping)).tp_name);
        }
    }
}

/// Merges a mapping into the dict of the keyword arguments of a call. Fails if a key is in both. The
/// callable, three values below the dict, is for the message.
///
/// # Safety
/// As [`crate::engine`] says for every micro-op.
#[inline(always)]
pub(crate) unsafe fn dict_merge<E: Engine>(
    e: &mut E,
    (Kept(_), [mapping]): (Kept<Many<DownToCallable>>, [StackRef; 1]),
) -> Op<Settled<0>> {
    /// Makes the host raise KeyError for a key that is already there.
    const NO_DUPLICATES: core::ffi::c_int = 2;
    // SAFETY: the input is live and owned by this micro-op.
    unsafe {
        e.publish();
        let dict = e.peek(1 + e.oparg()).object();
        let status = ffi::_PyDict_MergeEx(dict, mapping.object(), NO_DUPLICATES);
        if status < 0 {
            let callable = e.peek(4 + e.oparg()).object();
            calls::spread::explain_keywords_error(callable, mapping.object());
        }
        e.settle_status([mapping], status)
    }
}

/// The values below the mapping of DICT_MERGE, down to the callable.
pub(crate) struct DownToCallable;

impl Count for DownToCallable {
    #[inline(always)]
    fn of(oparg: usize) -> usize {
        3 + oparg
    }
}

// --- strings and templates ---------------------------------------------------------------------

/// Joins the `oparg` topmost strings.
///
/// # Safety
/// As [`crate::engine`] says for every micro-op.
#[inline(always)]
pub(crate) unsafe fn build_string<E: Engine>(e: &mut E, values: Many<Oparg>) -> Op<Settled<1>> {
    let count = values.count();
    // SAFETY: the values are strings, live and owned by this micro-op.
    unsafe {
        e.publish();
        let string = join(values.base(), count);
        replace(e, values, string)
    }
}

/// A new string that joins the others, or null with an exception set.
///
/// # Safety
/// The thread is attached. `strings` are `count` live references to str objects on the published stack.
#[inline(never)]
unsafe fn join(strings: *mut StackRef, count: usize) -> *mut PyObject {
    // SAFETY: the strings are live and on the published stack, which keeps them alive (caller).
    unsafe {
        with_objects(strings, count, |objects| {
            ffi::_PyUnicode_JoinArray(str_constant!(_py_empty), objects, count as isize)
        })
    }
}

/// `format(value)`. A str stays as it is.
///
/// # Safety
/// As [`crate::engine`] says for every micro-op.
#[inline(always)]
pub(crate) unsafe fn format_simple<E: Engine>(e: &mut E, [value]: [StackRef; 1]) -> Op<Settled<1>> {
    // SAFETY: the input is live and owned by this micro-op.
    unsafe {
        if is_exact(value.object(), &raw mut ffi::PyUnicode_Type) {
            return Ok(Settled::new());
        }
        e.publish();
        let result = ffi::PyObject_Format(value.object(), null_mut());
        e.settle_object(topmost::<E, 1>(e), result)
    }
}

/// `format(value, spec)`.
///
/// # Safety
/// As [`crate::engine`] says for every micro-op.
#[inline(always)]
pub(crate) unsafe fn format_with_spec<E: Engine>(e: &mut E, [value, spec]: [StackRef; 2]) -> Op<Settled<1>> {
    // SAFETY: the inputs are live and owned by this micro-op.
    unsafe {
        e.publish();
        let result = ffi::PyObject_Format(value.object(), spec.object());
        e.settle_object(topmost::<E, 2>(e), result)
    }
}

/// `str(value)`, `repr(value)` or `ascii(value)`, depending on the argument.
///
/// # Safety
/// As [`crate::engine`] says for every micro-op.
#[inline(always)]
pub(crate) unsafe fn convert_value<E: Engine>(e: &mut E, [value]: [StackRef; 1]) -> Op<Settled<1>> {
    // SAFETY: the compiler emits only arguments that are a conversion. The input is live and owned by this
    // micro-op.
    unsafe {
        e.publish();
        let convert = tables::CONVERSIONS.get_unchecked(e.oparg()).unwrap_unchecked();
        let result = convert(value.object());
        e.settle_object(topmost::<E, 1>(e), result)
    }
}

/// Builds an interpolation of a template. The values are the value, the expression, and a format
/// specification if the low bit of the argument is set. The argument without its two lowest bits is the
/// conversion.
///
/// # Safety
/// As [`crate::engine`] says for every micro-op.
#[inline(always)]
pub(crate) unsafe fn build_interpolation<E: Engine>(
    e: &mut E,
    values: Many<InterpolationParts>,
) -> Op<Settled<1>> {
    let (has_format, conversion) = (e.oparg() & 1, e.oparg() >> 2);
    // SAFETY: the values are live and owned by this micro-op. The interpolation takes references of its own.
    unsafe {
        let format = if has_format == 1 { e.peek(1).object() } else { str_constant!(_py_empty) };
        let expression = e.peek(1 + has_format).object();
        let value = e.peek(2 + has_format).object();
        e.publish();
        let interpolation = ffi::_PyInterpolation_Build(value, expression, conversion as _, format);
        replace(e, values, interpolation)
    }
}

/// Value and expression, and a format specification if the low bit of the argument is set.
pub(crate) struct InterpolationParts;

impl Count for InterpolationParts {
    #[inline(always)]
    fn of(oparg: usize) -> usize {
        2 + (oparg & 1)
    }
}

/// Builds a template from a tuple of strings and a tuple of interpolations.
///
/// # Safety
/// As [`crate::engine`] says for every micro-op.
#[inline(always)]
pub(crate) unsafe fn build_template<E: Engine>(
    e: &mut E,
    [strings, interpolations]: [StackRef; 2],
) -> Op<Settled<1>> {
    // SAFETY: the inputs are live and owned by this micro-op.
    unsafe {
        e.publish();
        let template = ffi::_PyTemplate_Build(strings.object(), interpolations.object());
        e.settle_object(topmost::<E, 2>(e), template)
    }
}
