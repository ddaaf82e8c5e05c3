//! Building strings, lists, tuples, sets, dicts, slices, templates; formatting; adding to containers.

use core::mem::MaybeUninit;
use core::ptr::null_mut;

use super::exact::topmost;
use super::{calls, tables};
use crate::engine::{Count, Engine, Exit, Kept, Many, Op, Oparg, Settled};
use crate::host::object::{self, is_exact, type_of};
use crate::host::{FREE_THREADED, PyObject, PyResult, Raised, StackRef, ThreadState, ffi, refcount};
use crate::raise;

// --- helpers -----------------------------------------------------------------------------------

/// Ends a micro-op that takes many values and leaves one: gives the values up, the topmost first, and puts
/// `result`, which may be null with an exception set, in their place.
#[inline(always)]
unsafe fn replace<E: Engine, C: Count>(e: &E, values: Many<C>, result: *mut PyObject) -> Op<Settled<1>> {
    // SAFETY: the values are the topmost ones and ours, and so is the result.
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

/// Ends a micro-op whose host function took over the values, unless it returned null with an exception set:
/// puts `result` in their place.
#[inline(always)]
unsafe fn replace_stolen<C: Count>(values: Many<C>, result: *mut PyObject) -> Op<Settled<1>> {
    // SAFETY: the values were the topmost ones, and the result is ours.
    unsafe {
        if result.is_null() {
            return Err(Exit::ErrorNoPop);
        }
        *values.base() = StackRef::steal(result);
        Ok(Settled::new())
    }
}

/// Ends a micro-op that adds the topmost value to a container below: gives it up, and fails if the host's
/// `status` is negative.
#[inline(always)]
unsafe fn settle_status<E: Engine>(e: &E, value: StackRef, status: core::ffi::c_int) -> Op<Settled<0>> {
    // SAFETY: the value is the topmost one and ours.
    unsafe {
        e.consume([value]);
        if status < 0 { Err(Exit::Error) } else { Ok(Settled::new()) }
    }
}

/// More objects than this do not fit into the memory that the caller of
/// `_PyObjectArray_FromStackRefArray` lends (`MAX_STACKREF_SCRATCH`).
const SCRATCH: usize = 10;

/// Calls `action` with `count` values as an array of objects. Null with an exception set if memory is
/// short.
///
/// # Safety
/// The values are live and stay so; the thread is attached.
#[inline(always)]
unsafe fn with_objects(
    values: *mut StackRef,
    count: usize,
    action: impl FnOnce(*mut *mut PyObject) -> *mut PyObject,
) -> *mut PyObject {
    let mut scratch = [const { MaybeUninit::<*mut PyObject>::uninit() }; SCRATCH + 1];
    let scratch = scratch.as_mut_ptr().cast::<*mut PyObject>();
    // SAFETY: the scratch memory has the size that the host wants, with a place before the first object
    // that callees may use; what it returns is given back with that place.
    unsafe {
        let Ok(objects) = borrow_array(values, count, scratch.add(1)) else {
            return core::ptr::null_mut();
        };
        let result = action(objects);
        free_array(objects.sub(1), scratch);
        result
    }
}

// --- containers --------------------------------------------------------------------------------

/// A list of the `oparg` topmost values.
#[inline(always)]
pub(crate) unsafe fn build_list<E: Engine>(e: &mut E, values: Many<Oparg>) -> Op<Settled<1>> {
    let count = values.count();
    // SAFETY: the values are ours.
    unsafe {
        e.publish();
        let list = ffi::_PyList_FromStackRefStealOnSuccess(values.base().cast(), count as isize);
        replace_stolen(values, list)
    }
}

/// A tuple of the `oparg` topmost values.
#[inline(always)]
pub(crate) unsafe fn build_tuple<E: Engine>(e: &mut E, values: Many<Oparg>) -> Op<Settled<1>> {
    let count = values.count();
    // SAFETY: the values are ours.
    unsafe {
        e.publish();
        let tuple = ffi::_PyTuple_FromStackRefStealOnSuccess(values.base().cast(), count as isize);
        replace_stolen(values, tuple)
    }
}

/// A set of the `oparg` topmost values.
#[inline(always)]
pub(crate) unsafe fn build_set<E: Engine>(e: &mut E, values: Many<Oparg>) -> Op<Settled<1>> {
    let count = values.count();
    // SAFETY: the values are ours.
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

/// Moves `count` values into a set, in order. Fails without a set, too; after a failure the rest is given up.
#[inline(never)]
unsafe fn fill_set(set: *mut PyObject, values: *mut StackRef, count: usize) -> Result<(), Raised> {
    let mut result = if set.is_null() { Err(Raised) } else { Ok(()) };
    for index in 0..count {
        // SAFETY: the values are on the published stack, where each slot is empty once its value is out.
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

/// A dict of the `oparg` topmost pairs of key and value.
#[inline(always)]
pub(crate) unsafe fn build_map<E: Engine>(e: &mut E, values: Many<Pairs>) -> Op<Settled<1>> {
    // SAFETY: the values are ours.
    unsafe {
        e.publish();
        let map = map_of(values.base(), values.count() / 2);
        replace(e, values, map)
    }
}

/// As many pairs as the argument says.
pub(crate) struct Pairs;

impl Count for Pairs {
    #[inline(always)]
    fn of(oparg: usize) -> usize {
        2 * oparg
    }
}

#[inline(never)]
unsafe fn map_of(values: *mut StackRef, pairs: usize) -> *mut PyObject {
    // SAFETY: the caller's promise: so many pairs on the published stack.
    unsafe {
        with_objects(values, 2 * pairs, |objects| {
            ffi::_PyDict_FromItems(objects, 2, objects.add(1), 2, pairs as isize)
        })
    }
}

/// A slice of two or three values.
#[inline(always)]
pub(crate) unsafe fn build_slice<E: Engine>(e: &mut E, values: Many<Oparg>) -> Op<Settled<1>> {
    let count = values.count();
    // SAFETY: the values are ours.
    unsafe {
        let step = if count == 3 { e.peek(1).object() } else { null_mut() };
        let (start, stop) = (e.peek(count).object(), e.peek(count - 1).object());
        e.publish();
        let slice = ffi::PySlice_New(start, stop, step);
        replace(e, values, slice)
    }
}

// --- adding to containers ----------------------------------------------------------------------

// The container is the `oparg`-th value below those that are added.

/// Appends the topmost value to a list of a comprehension or display.
#[inline(always)]
pub(crate) unsafe fn list_append<E: Engine>(
    e: &mut E,
    (Kept(_), [value]): (Kept<Many<Oparg>>, [StackRef; 1]),
) -> Op<Settled<0>> {
    // SAFETY: the input is ours; nobody else knows the list yet, which takes it over.
    unsafe {
        let list = e.peek(1 + e.oparg()).object();
        if FREE_THREADED {
            e.publish_at(e.sp().sub(1));
        }
        match object::list_append(list, value.into_object()) {
            Ok(()) => Ok(Settled::new()),
            Err(Raised) => Err(Exit::Error),
        }
    }
}

/// Appends the items of an iterable to a list.
#[inline(always)]
pub(crate) unsafe fn list_extend<E: Engine>(
    e: &mut E,
    (Kept(_), [iterable]): (Kept<Many<Oparg>>, [StackRef; 1]),
) -> Op<Settled<0>> {
    // SAFETY: the input is ours. The result is None, which is immortal.
    unsafe {
        e.publish();
        let list = e.peek(1 + e.oparg()).object();
        if ffi::_PyList_Extend(list.cast(), iterable.object()).is_null() {
            explain_star(e.tstate(), iterable.object());
            return settle_status(e, iterable, -1);
        }
        settle_status(e, iterable, 0)
    }
}

/// After a failure to extend a list by `*iterable`: says what is expected there.
#[cold]
#[inline(never)]
unsafe fn explain_star(tstate: ThreadState, iterable: *mut PyObject) {
    // SAFETY: the object is live and the thread attached; an exception is set.
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

/// Adds the topmost value to a set of a comprehension or display.
#[inline(always)]
pub(crate) unsafe fn set_add<E: Engine>(
    e: &mut E,
    (Kept(_), [value]): (Kept<Many<Oparg>>, [StackRef; 1]),
) -> Op<Settled<0>> {
    // SAFETY: the input is ours; a set takes it over, off the stack.
    unsafe {
        let set = e.peek(1 + e.oparg()).object();
        if !is_exact(set, &raw mut ffi::PySet_Type) {
            e.publish();
            raise_not_a_set(set);
            return settle_status(e, value, -1);
        }
        e.publish_at(e.sp().sub(1));
        if ffi::_PySet_AddTakeRef(set.cast(), value.into_object()) != 0 {
            return Err(Exit::Error);
        }
        Ok(Settled::new())
    }
}

#[cold]
#[inline(never)]
unsafe fn raise_not_a_set(object: *mut PyObject) {
    // SAFETY: the object is live.
    unsafe {
        raise!(PyExc_TypeError, c"'%T' object is not a set", object);
    }
}

/// Adds the items of an iterable to a set.
#[inline(always)]
pub(crate) unsafe fn set_update<E: Engine>(
    e: &mut E,
    (Kept(_), [iterable]): (Kept<Many<Oparg>>, [StackRef; 1]),
) -> Op<Settled<0>> {
    // SAFETY: the input is ours.
    unsafe {
        e.publish();
        let status = ffi::_PySet_Update(e.peek(1 + e.oparg()).object(), iterable.object());
        settle_status(e, iterable, status)
    }
}

/// Sets the two topmost values as key and value in a dict of a comprehension or display.
#[inline(always)]
pub(crate) unsafe fn map_add<E: Engine>(
    e: &mut E,
    (Kept(_), [key, value]): (Kept<Many<Oparg>>, [StackRef; 2]),
) -> Op {
    // SAFETY: the inputs are ours; the dict takes them over, off the stack.
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
#[inline(always)]
pub(crate) unsafe fn dict_update<E: Engine>(
    e: &mut E,
    (Kept(_), [mapping]): (Kept<Many<Oparg>>, [StackRef; 1]),
) -> Op<Settled<0>> {
    // SAFETY: the input is ours.
    unsafe {
        e.publish();
        let status = ffi::PyDict_Update(e.peek(1 + e.oparg()).object(), mapping.object());
        if status < 0 {
            explain_mapping(e.tstate(), mapping.object());
        }
        settle_status(e, mapping, status)
    }
}

/// After a failure to update a dict from `mapping`: says so if it is no mapping.
#[cold]
#[inline(never)]
unsafe fn explain_mapping(tstate: ThreadState, mapping: *mut PyObject) {
    // SAFETY: the object is live and the thread attached; an exception is set.
    unsafe {
        if ffi::_PyErr_ExceptionMatches(tstate.as_ptr(), ffi::PyExc_AttributeError) != 0 {
            raise!(PyExc_TypeError, c"'%.200s' object is not a mapping", (*type_of(mapping)).tp_name);
        }
    }
}

/// Updates the dict of a call's keyword arguments from a mapping with other keys. The callable, three
/// values below the dict, is for the message.
#[inline(always)]
pub(crate) unsafe fn dict_merge<E: Engine>(
    e: &mut E,
    (Kept(_), [mapping]): (Kept<Many<DownToCallable>>, [StackRef; 1]),
) -> Op<Settled<0>> {
    /// Asks the host to raise for a key that is there already.
    const NO_DUPLICATES: core::ffi::c_int = 2;
    // SAFETY: the input is ours.
    unsafe {
        e.publish();
        let dict = e.peek(1 + e.oparg()).object();
        let status = ffi::_PyDict_MergeEx(dict, mapping.object(), NO_DUPLICATES);
        if status < 0 {
            let callable = e.peek(4 + e.oparg()).object();
            calls::spread::explain_keywords_error(callable, mapping.object());
        }
        settle_status(e, mapping, status)
    }
}

/// What DICT_MERGE has below the mapping, down to the callable.
pub(crate) struct DownToCallable;

impl Count for DownToCallable {
    #[inline(always)]
    fn of(oparg: usize) -> usize {
        3 + oparg
    }
}

// --- strings and templates ---------------------------------------------------------------------

/// The `oparg` topmost strings as one.
#[inline(always)]
pub(crate) unsafe fn build_string<E: Engine>(e: &mut E, values: Many<Oparg>) -> Op<Settled<1>> {
    let count = values.count();
    // SAFETY: the values are strings, and ours.
    unsafe {
        e.publish();
        let string = join(values.base(), count);
        replace(e, values, string)
    }
}

#[inline(never)]
unsafe fn join(strings: *mut StackRef, count: usize) -> *mut PyObject {
    // SAFETY: the caller's promise: so many strings on the published stack.
    unsafe {
        with_objects(strings, count, |objects| {
            ffi::_PyUnicode_JoinArray(str_constant!(_py_empty), objects, count as isize)
        })
    }
}

/// `format(value)`; a string stays as it is.
#[inline(always)]
pub(crate) unsafe fn format_simple<E: Engine>(e: &mut E, [value]: [StackRef; 1]) -> Op<Settled<1>> {
    // SAFETY: the input is ours.
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
#[inline(always)]
pub(crate) unsafe fn format_with_spec<E: Engine>(e: &mut E, [value, spec]: [StackRef; 2]) -> Op<Settled<1>> {
    // SAFETY: the inputs are ours.
    unsafe {
        e.publish();
        let result = ffi::PyObject_Format(value.object(), spec.object());
        e.settle_object(topmost::<E, 2>(e), result)
    }
}

/// `str(value)`, `repr(value)` or `ascii(value)`, as the argument says.
#[inline(always)]
pub(crate) unsafe fn convert_value<E: Engine>(e: &mut E, [value]: [StackRef; 1]) -> Op<Settled<1>> {
    // SAFETY: the argument is the index of a conversion; the input is ours.
    unsafe {
        e.publish();
        let convert = tables::CONVERSIONS.get_unchecked(e.oparg()).unwrap_unchecked();
        let result = convert(value.object());
        e.settle_object(topmost::<E, 1>(e), result)
    }
}

/// An interpolation of a template: value, expression, and a format specification if the argument's lowest
/// bit says so. The bits from the third on are the conversion.
#[inline(always)]
pub(crate) unsafe fn build_interpolation<E: Engine>(
    e: &mut E,
    values: Many<InterpolationParts>,
) -> Op<Settled<1>> {
    let (has_format, conversion) = (e.oparg() & 1, e.oparg() >> 2);
    // SAFETY: the values are ours.
    unsafe {
        let format = if has_format == 1 { e.peek(1).object() } else { str_constant!(_py_empty) };
        let expression = e.peek(1 + has_format).object();
        let value = e.peek(2 + has_format).object();
        e.publish();
        let interpolation = ffi::_PyInterpolation_Build(value, expression, conversion as _, format);
        replace(e, values, interpolation)
    }
}

/// Value and expression, and a format specification if the argument's lowest bit says so.
pub(crate) struct InterpolationParts;

impl Count for InterpolationParts {
    #[inline(always)]
    fn of(oparg: usize) -> usize {
        2 + (oparg & 1)
    }
}

/// A template of a tuple of strings and a tuple of interpolations.
#[inline(always)]
pub(crate) unsafe fn build_template<E: Engine>(
    e: &mut E,
    [strings, interpolations]: [StackRef; 2],
) -> Op<Settled<1>> {
    // SAFETY: the inputs are ours.
    unsafe {
        e.publish();
        let template = ffi::_PyTemplate_Build(strings.object(), interpolations.object());
        e.settle_object(topmost::<E, 2>(e), template)
    }
}

// --- arrays of objects -------------------------------------------------------------------------

/// How many arguments an instruction has room for on the C stack (`MAX_STACKREF_SCRATCH`).
const MAX_STACKREF_SCRATCH: usize = 10;

/// The objects that `count` stack references name, borrowed, as an array for a vectorcall: `scratch` if they fit,
/// else new memory, with a writable slot before the first one. Fails with MemoryError. The slot before the array
/// goes to [`free_array`].
///
/// # Safety
/// The thread is attached; `input` holds that many references, and `scratch` has room for ten objects and one
/// more before.
pub(crate) unsafe fn borrow_array(
    input: *const StackRef,
    count: usize,
    scratch: *mut *mut PyObject,
) -> PyResult<*mut *mut PyObject> {
    // SAFETY: the caller's promise.
    unsafe {
        let mut array = scratch;
        if count > MAX_STACKREF_SCRATCH {
            let memory = ffi::PyMem_Malloc((count + 1) * size_of::<*mut PyObject>());
            if memory.is_null() {
                ffi::PyErr_NoMemory();
                return Err(Raised);
            }
            array = memory.cast::<*mut PyObject>().add(1);
        }
        for index in 0..count {
            *array.add(index) = (*input.add(index)).object();
        }
        Ok(array)
    }
}

/// Frees `array`, the memory that [`borrow_array`] has returned a part of, unless it is `scratch`.
///
/// # Safety
/// The thread is attached; both are the start of the memory, one slot before the first object.
pub(crate) unsafe fn free_array(array: *mut *mut PyObject, scratch: *mut *mut PyObject) {
    if array != scratch {
        // SAFETY: the caller's promise.
        unsafe { ffi::PyMem_Free(array.cast()) }
    }
}
