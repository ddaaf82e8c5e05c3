//! Subscription and slicing.

use super::adaptive::specialize;
use super::exact::{Exact, close_exact, topmost};
use super::frames::save_return_offset;
use super::guards::guard;
use crate::engine::{BytecodeEngine, BytecodeOp, Engine, Exit, Kept, Op, Settled};
use crate::host::object::{is_exact, list_items, long_compact_value, long_is_compact};
use crate::host::object::{long_is_non_negative_compact, size, tuple_item, tuple_size};
use crate::host::object::{type_flags, type_of};
use crate::host::owned::exception_is_set;
use crate::host::text::{ascii_string, unicode_char, unicode_length};
use crate::host::{Code, FREE_THREADED, Frame, PyObject, StackRef, ffi, lock, none, refcount};
use crate::host::{PyResult, Raised};
use crate::seams;
use core::ffi::CStr;
use core::ffi::c_int;
use core::ptr::null_mut;
use core::sync::atomic::{AtomicPtr, Ordering};

// --- reading -----------------------------------------------------------------------------------

/// The value of an int as an index, if it is compact and not negative.
#[inline(always)]
unsafe fn index_of(int: StackRef) -> Option<usize> {
    // SAFETY: the input is an int.
    unsafe {
        let int = int.object();
        long_is_non_negative_compact(int)
            .then(|| (*int.cast::<ffi::PyLongObject>()).long_value.ob_digit[0] as usize)
    }
}

/// `list[index]`.
#[inline(always)]
pub(crate) unsafe fn binary_op_subscr_list_int<E: Engine>(
    e: &mut E,
    [list, index]: [StackRef; 2],
) -> Op<Settled<1>> {
    // SAFETY: guards have shown that the inputs, which are ours, are a list and an int.
    unsafe {
        let at = index_of(index).ok_or(Exit::Deopt)?;
        #[cfg(not(py_gil_disabled))]
        let item = {
            guard(at < size(list.object()) as usize)?;
            StackRef::new(*list_items(list.object()).add(at))
        };
        #[cfg(py_gil_disabled)]
        let item = {
            e.publish();
            let item = ffi::_PyList_GetItemRef(list.object().cast(), at as isize);
            guard(!item.is_null())?;
            StackRef::steal(item)
        };
        settle_item(e, [list, index], item)
    }
}

/// `tuple[index]`.
#[inline(always)]
pub(crate) unsafe fn binary_op_subscr_tuple_int<E: Engine>(
    e: &mut E,
    [tuple, index]: [StackRef; 2],
) -> Op<Settled<1>> {
    // SAFETY: guards have shown that the inputs, which are ours, are a tuple and an int.
    unsafe {
        let at = index_of(index).ok_or(Exit::Deopt)?;
        guard(at < tuple_size(tuple.object()))?;
        settle_item(e, [tuple, index], StackRef::new(tuple_item(tuple.object(), at)))
    }
}

/// `string[index]`, if that is an ASCII character.
#[inline(always)]
pub(crate) unsafe fn binary_op_subscr_str_int<E: Engine>(
    e: &mut E,
    [string, index]: [StackRef; 2],
) -> Op<Settled<1>> {
    // SAFETY: guards have shown that the inputs, which are ours, are a string and an int.
    unsafe {
        let at = index_of(index).ok_or(Exit::Deopt)?;
        guard(at < unicode_length(string.object()))?;
        let item = ascii_string(unicode_char(string.object(), at)).ok_or(Exit::Deopt)?;
        settle_item(e, [string, index], StackRef::immortal(item))
    }
}

/// Puts an item in the place of container and index, an int.
#[inline(always)]
unsafe fn settle_item<E: Engine>(
    e: &mut E,
    [container, index]: [StackRef; 2],
    item: StackRef,
) -> Op<Settled<1>> {
    // SAFETY: both are the topmost values and ours.
    unsafe {
        e.poke(2, item);
        close_exact(e, index, Exact::Int);
        e.close_seldom_at(container, e.sp().sub(1));
        Ok(Settled::new())
    }
}

/// `list[slice]`.
#[inline(always)]
pub(crate) unsafe fn binary_op_subscr_list_slice<E: Engine>(
    e: &mut E,
    [list, slice]: [StackRef; 2],
) -> Op<Settled<1>> {
    // SAFETY: guards have shown that the inputs, which are ours, are a list and a slice.
    unsafe {
        e.publish();
        let result = item_of(list.object(), slice.object());
        e.settle_object(topmost::<E, 2>(e), result)
    }
}

/// `dict[key]`.
#[inline(always)]
pub(crate) unsafe fn binary_op_subscr_dict<E: Engine>(
    e: &mut E,
    [dict, key]: [StackRef; 2],
) -> Op<Settled<1>> {
    // SAFETY: a guard has shown that `dict` is one; the inputs are ours.
    unsafe {
        e.publish();
        let value = value_of(dict.object(), key.object());
        e.settle_object(topmost::<E, 2>(e), value)
    }
}

/// A new reference to the value of a key, or null with an exception set. Not inlined, for the sake of
/// the out-parameter.
#[inline(never)]
unsafe fn value_of(dict: *mut PyObject, key: *mut PyObject) -> *mut PyObject {
    // SAFETY: both are live, and the frame is published.
    unsafe {
        let mut value = null_mut();
        if ffi::PyDict_GetItemRef(dict, key, &mut value) == 0 {
            ffi::_PyErr_SetKeyError(key);
        }
        value
    }
}

/// `container[start:stop]`.
#[inline(always)]
pub(crate) unsafe fn binary_slice<E: Engine>(
    e: &mut E,
    [container, start, stop]: [StackRef; 3],
) -> Op<[StackRef; 1]> {
    // SAFETY: the inputs are ours; the bounds are given up or move into the slice, and the container stays
    // on the stack meanwhile.
    unsafe {
        e.publish_at(e.sp().sub(2));
        let result = match part_of(container.object(), start.object(), stop.object()) {
            Some(part) => {
                start.close();
                stop.close();
                part
            }
            None => item_by_slice(container.object(), start, stop),
        };
        e.close_at(container, e.sp().sub(3));
        if result.is_null() {
            return Err(Exit::Error);
        }
        Ok([StackRef::steal(result)])
    }
}

/// Part of one of the host's own sequences, without a look at any slice object: a new reference, or null
/// with an exception set. The inputs are borrowed. None for everything else.
#[inline(never)]
unsafe fn part_of(
    container: *mut PyObject,
    start: *mut PyObject,
    stop: *mut PyObject,
) -> Option<*mut PyObject> {
    // SAFETY: all three are live, and the frame is published. A str has its length elsewhere.
    unsafe {
        let is = |type_| is_exact(container, type_);
        if is(&raw mut ffi::PyList_Type) {
            let (low, high) = bounds(start, stop, size(container))?;
            Some(ffi::PyList_GetSlice(container, low, high))
        } else if is(&raw mut ffi::PyUnicode_Type) {
            let (low, high) = bounds(start, stop, unicode_length(container) as isize)?;
            Some(ffi::PyUnicode_Substring(container, low, high))
        } else if is(&raw mut ffi::PyTuple_Type) {
            let (low, high) = bounds(start, stop, size(container))?;
            Some(ffi::PyTuple_GetSlice(container, low, high))
        } else {
            None
        }
    }
}

/// Where a slice with these bounds begins and ends in a sequence of `length` items, if they are ints of
/// one digit or None.
#[inline(always)]
unsafe fn bounds(start: *mut PyObject, stop: *mut PyObject, length: isize) -> Option<(isize, isize)> {
    // SAFETY: both are live.
    unsafe {
        let position = |bound: *mut PyObject, default| {
            if bound == none() {
                return Some(default);
            }
            if !is_exact(bound, &raw mut ffi::PyLong_Type) || !long_is_compact(bound) {
                return None;
            }
            let value = long_compact_value(bound);
            let from_start = if value < 0 { value + length } else { value };
            Some(from_start.clamp(0, length))
        };
        Some((position(start, 0)?, position(stop, length)?))
    }
}

/// The bounds of `key`, borrowed, if it is a slice without a step.
#[inline(always)]
unsafe fn plain_slice(key: *mut PyObject) -> Option<(*mut PyObject, *mut PyObject)> {
    // SAFETY: the key is live.
    unsafe {
        let slice = key.cast::<ffi::PySliceObject>();
        (is_exact(key, &raw mut ffi::PySlice_Type) && (*slice).step == none())
            .then(|| ((*slice).start, (*slice).stop))
    }
}

/// `container[key]` for every kind of both: a new reference, or null with an exception set. The inputs are
/// borrowed.
#[inline(always)]
pub(super) unsafe fn item_of(container: *mut PyObject, key: *mut PyObject) -> *mut PyObject {
    // SAFETY: both are live, and the frame is published.
    unsafe {
        plain_slice(key)
            .and_then(|(start, stop)| part_of(container, start, stop))
            .unwrap_or_else(|| ffi::PyObject_GetItem(container, key))
    }
}

/// `container[slice(start, stop)]`: a new reference, or null with an exception set. The bounds are given
/// up.
#[inline(never)]
unsafe fn item_by_slice(container: *mut PyObject, start: StackRef, stop: StackRef) -> *mut PyObject {
    // SAFETY: all three are live, and the frame is published.
    unsafe {
        let slice = ffi::_PyBuildSlice_ConsumeRefs(start.into_object(), stop.into_object());
        if slice.is_null() {
            return null_mut();
        }
        let result = ffi::PyObject_GetItem(container, slice);
        refcount::decref(slice);
        result
    }
}

// --- reading with __getitem__ ------------------------------------------------------------------

/// The function that the type of `container` has as its `__getitem__`, borrowed, if the specializer found
/// one and it is the same still.
#[inline(always)]
unsafe fn getitem_of(container: StackRef) -> Option<*mut ffi::PyFunctionObject> {
    // SAFETY: the container is live; heap types have such a cache.
    unsafe {
        let class = type_of(container.object());
        if type_flags(class) & u64::from(ffi::Py_TPFLAGS_HEAPTYPE) == 0 {
            return None;
        }
        let cache = &raw mut (*class.cast::<ffi::PyHeapTypeObject>())._spec_cache;
        let (function, version) = read_getitem(cache);
        (!function.is_null() && (*function).func_version == version).then_some(function)
    }
}

/// The cached function and its version. With a GIL the second look at it costs nothing.
#[inline(always)]
unsafe fn read_getitem(cache: *mut ffi::_specialization_cache) -> (*mut ffi::PyFunctionObject, u32) {
    // SAFETY: the cache is that of a live type.
    unsafe {
        #[cfg(not(py_gil_disabled))]
        return ((*cache).getitem.cast(), (*cache).getitem_version);
        #[cfg(py_gil_disabled)]
        {
            use core::sync::atomic::AtomicU32;
            let function = AtomicPtr::from_ptr(&raw mut (*cache).getitem).load(Ordering::Acquire);
            let version = AtomicU32::from_ptr(&raw mut (*cache).getitem_version).load(Ordering::Relaxed);
            (function.cast(), version)
        }
    }
}

/// The container's type has a `__getitem__` that is a Python function, and there is room for its frame.
#[inline(always)]
pub(crate) unsafe fn binary_op_subscr_check_func<E: Engine>(
    e: &mut E,
    Kept([container, _]): Kept<[StackRef; 2]>,
) -> Op {
    // SAFETY: the instruction has two inputs.
    unsafe {
        let function = getitem_of(container).ok_or(Exit::Deopt)?;
        guard_stack_space(e, function)
    }
}

/// There is room for a frame of the function.
#[inline(always)]
unsafe fn guard_stack_space<E: Engine>(e: &E, function: *mut ffi::PyFunctionObject) -> Op {
    // SAFETY: the function is live.
    unsafe {
        let code = Code::from_ptr((*function).func_code.cast());
        guard(e.tstate().has_stack_space((*code.as_ptr()).co_framesize as usize))
    }
}

/// Makes a frame for the call of that function. (The function is looked at
/// again, since the stack has no room to remember it; another thread may have changed the type.)
#[inline(always)]
pub(crate) unsafe fn binary_op_subscr_init_call<E: Engine>(e: &mut E, [container, key]: [StackRef; 2]) -> Op {
    // SAFETY: there is room for the frame, and it takes over the inputs as its first locals.
    unsafe {
        let function = getitem_of(container).ok_or(Exit::Deopt)?;
        if FREE_THREADED {
            guard_stack_space(e, function)?;
        }
        save_return_offset(e, [])?;
        let frame = Frame::push_unchecked(e.tstate(), StackRef::new(function.cast()), 2, e.frame());
        frame.set_local(0, container);
        frame.set_local(1, key);
        e.give_frame(frame);
        Ok([])
    }
}

// --- writing -----------------------------------------------------------------------------------

/// Looks for a specialized form of `container[key] = value` when the counter says so.
#[inline(always)]
pub(crate) unsafe fn specialize_store_subscr<E: BytecodeEngine>(
    e: &mut E,
    counter: u16,
    []: [StackRef; 0],
) -> BytecodeOp {
    // SAFETY: the instruction has three inputs.
    unsafe {
        specialize(e, counter, |e| {
            seams::specialize::store_subscr(e.peek(2), e.peek(1), e.this_instr());
        })
    }
}

/// `container[key] = value`.
#[inline(always)]
pub(crate) unsafe fn store_subscr<E: Engine>(
    e: &mut E,
    [value, container, key]: [StackRef; 3],
) -> Op<Settled<0>> {
    // SAFETY: the inputs are ours.
    unsafe {
        e.publish();
        let status = set_item(container.object(), key.object(), value.object());
        settle_status(e, topmost::<E, 3>(e), status)
    }
}

/// `dict[key] = value`.
#[inline(always)]
pub(crate) unsafe fn store_subscr_dict<E: Engine>(e: &mut E, [value, dict, key]: [StackRef; 3]) -> Op {
    // SAFETY: a guard has shown that `dict` is one. It takes over key and value, which leave the stack
    // first; the dict itself stays there.
    unsafe {
        e.poke(3, StackRef::NULL);
        e.publish_at(e.sp().sub(1));
        let status = ffi::_PyDict_SetItem_Take2(dict.object().cast(), key.into_object(), value.into_object());
        e.close_at(dict, e.sp().sub(3));
        if status != 0 { Err(Exit::Error) } else { Ok([]) }
    }
}

/// `list[index] = value`.
#[inline(always)]
pub(crate) unsafe fn store_subscr_list_int<E: Engine>(e: &mut E, [value, list, index]: [StackRef; 3]) -> Op {
    // SAFETY: guards have shown that `list` and `index` are a list and an int. The list takes over the
    // value, and the item that was there becomes ours.
    unsafe {
        let at = index_of(index).ok_or(Exit::Deopt)?;
        let object = list.object();
        guard(lock::try_lock(object))?;
        if at >= size(object) as usize {
            lock::unlock(object);
            return Err(Exit::Deopt);
        }
        let slot = list_items(object).add(at);
        let old = *slot;
        AtomicPtr::from_ptr(slot).store(value.into_object(), Ordering::Release);
        lock::unlock(object);
        close_exact(e, index, Exact::Int);
        let base = e.sp().sub(3);
        e.close_seldom_at(list, base);
        e.close_at(StackRef::steal(old), base);
    }
    Ok([])
}

/// `container[start:stop] = value`.
#[inline(always)]
pub(crate) unsafe fn store_slice<E: Engine>(e: &mut E, [value, container, start, stop]: [StackRef; 4]) -> Op {
    // SAFETY: the inputs are ours; the bounds are given up or move into the slice, the others stay on the
    // stack meanwhile.
    unsafe {
        e.publish_at(e.sp().sub(2));
        let status = set_items(container.object(), start, stop, value.object());
        let base = e.sp().sub(4);
        e.close_at(container, base);
        e.close_at(value, base);
        if status != 0 { Err(Exit::Error) } else { Ok([]) }
    }
}

/// `container[start:stop] = value`; nonzero with an exception set. The bounds are given up.
#[inline(never)]
unsafe fn set_items(
    container: *mut PyObject,
    start: StackRef,
    stop: StackRef,
    value: *mut PyObject,
) -> c_int {
    // SAFETY: all of them are live, and the frame is published.
    unsafe {
        if let Some(status) = set_part(container, start.object(), stop.object(), value) {
            start.close();
            stop.close();
            return status;
        }
        let slice = ffi::_PyBuildSlice_ConsumeRefs(start.into_object(), stop.into_object());
        if slice.is_null() {
            return -1;
        }
        let status = ffi::PyObject_SetItem(container, slice, value);
        refcount::decref(slice);
        status
    }
}

/// `container[key] = value` for every kind of all three; nonzero with an exception set. The inputs are
/// borrowed.
#[inline(always)]
unsafe fn set_item(container: *mut PyObject, key: *mut PyObject, value: *mut PyObject) -> c_int {
    // SAFETY: all of them are live, and the frame is published.
    unsafe {
        plain_slice(key)
            .and_then(|(start, stop)| set_part(container, start, stop, value))
            .unwrap_or_else(|| ffi::PyObject_SetItem(container, key, value))
    }
}

/// Replaces a part of a list; nonzero with an exception set. The inputs are borrowed. None, with nothing
/// done, if `container` is something else or a bound no simple one.
#[inline(always)]
unsafe fn set_part(
    container: *mut PyObject,
    start: *mut PyObject,
    stop: *mut PyObject,
    value: *mut PyObject,
) -> Option<c_int> {
    // SAFETY: all of them are live, and the frame is published.
    unsafe {
        if !is_exact(container, &raw mut ffi::PyList_Type) {
            return None;
        }
        let (low, high) = bounds(start, stop, size(container))?;
        Some(ffi::PyList_SetSlice(container, low, high, value))
    }
}

/// `del container[key]`.
#[inline(always)]
pub(crate) unsafe fn delete_subscr<E: Engine>(e: &mut E, [container, key]: [StackRef; 2]) -> Op<Settled<0>> {
    // SAFETY: the inputs are ours.
    unsafe {
        e.publish();
        let status = ffi::PyObject_DelItem(container.object(), key.object());
        settle_status(e, topmost::<E, 2>(e), status)
    }
}

/// Ends a micro-op without results: gives up the inputs, in the order in which they are listed, and fails
/// if the host's `status` says so.
#[inline(always)]
unsafe fn settle_status<E: Engine, const N: usize>(
    e: &E,
    inputs: [StackRef; N],
    status: c_int,
) -> Op<Settled<0>> {
    // SAFETY: the inputs are the topmost values and ours.
    unsafe {
        e.consume(inputs);
        if status != 0 { Err(Exit::Error) } else { Ok(Settled::new()) }
    }
}

// --- slice indices of C code -------------------------------------------------------------------

/// The value of a slice index other than None, clipped to what an index can be: `message` is what
/// TypeError says of an object that is none.
unsafe fn index_value(object: *mut PyObject, message: &CStr) -> PyResult<isize> {
    // SAFETY: the object is live and the thread attached, by the callers' promise.
    unsafe {
        if ffi::PyIndex_Check(object) == 0 {
            ffi::PyErr_SetString(ffi::PyExc_TypeError, message.as_ptr());
            return Err(Raised);
        }
        // Without an exception for overflow, the host clips.
        match ffi::PyNumber_AsSsize_t(object, core::ptr::null_mut()) {
            -1 if exception_is_set() => Err(Raised),
            value => Ok(value),
        }
    }
}

/// The value of a slice index other than None. Fails with TypeError if `object` is none.
///
/// # Safety
/// `object` is live, the thread is attached.
pub(crate) unsafe fn slice_index(object: *mut PyObject) -> PyResult<isize> {
    // SAFETY: the caller's promise.
    unsafe {
        let message = c"slice indices must be integers or None or have an __index__ method";
        index_value(object, message)
    }
}

/// As [`slice_index`], where None is not allowed.
///
/// # Safety
/// As for [`slice_index`].
pub(crate) unsafe fn slice_index_not_none(object: *mut PyObject) -> PyResult<isize> {
    // SAFETY: the caller's promise.
    unsafe {
        let message = c"slice indices must be integers or have an __index__ method";
        index_value(object, message)
    }
}
