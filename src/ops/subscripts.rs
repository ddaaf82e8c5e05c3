//! Subscription and slicing. The conversion of slice indices at the end is also for C code.

use super::adaptive::specializing;
use super::exact::{Exact, close_exact, topmost};
use super::frames::set_return_offset;
use super::guards::guard;
#[cfg(not(py_gil_disabled))]
use super::trampolines;
use crate::bytecode::metadata;
use crate::engine::{BytecodeEngine, BytecodeOp, Engine, Exit, Kept, Op, Settled};
#[cfg(py_tier2)]
use crate::host::array::Layout;
use crate::host::dict::Dict;
use crate::host::dict_lookup::Lookup;
use crate::host::function::Function;
#[cfg(not(py_gil_disabled))]
use crate::host::object::has_feature;
use crate::host::object::{is_exact, list_items, long_compact_value, long_is_compact};
use crate::host::object::{long_is_non_negative_compact, size, tuple_item, tuple_size};
use crate::host::object::{type_flags, type_of};
use crate::host::owned::exception_is_set;
use crate::host::specialization_cache::SpecializationCache;
use crate::host::text::{ascii_string, unicode_char, unicode_length};
use crate::host::{FREE_THREADED, Frame, PyObject, StackRef, ffi, lock, none, refcount, small_int};
use crate::host::{PyResult, Raised};
use crate::seams;
use core::ffi::CStr;
use core::ffi::c_int;
use core::ptr::null_mut;
use core::sync::atomic::{AtomicPtr, Ordering};

// --- reading -----------------------------------------------------------------------------------

/// The value of an int as an index, if it is compact and not negative.
///
/// # Safety
/// `int` is a live int.
#[inline(always)]
unsafe fn index_of(int: StackRef) -> Option<usize> {
    // SAFETY: the value is a live int, and a compact one has a digit (caller).
    unsafe {
        let int = int.object();
        long_is_non_negative_compact(int)
            .then(|| (*int.cast::<ffi::PyLongObject>()).long_value.ob_digit[0] as usize)
    }
}

/// `list[index]`.
///
/// # Safety
/// As [`crate::engine`] says for every micro-op. `guard_tos_int` and `guard_nos_list` have run before.
#[inline(always)]
pub(crate) unsafe fn binary_op_subscr_list_int<E: Engine>(
    e: &mut E,
    [list, index]: [StackRef; 2],
) -> Op<Settled<1>> {
    // SAFETY: guards have checked that the inputs are a list and an int. They are live and owned by this
    // micro-op.
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
///
/// # Safety
/// As [`crate::engine`] says for every micro-op. `guard_tos_int` and `guard_nos_tuple` have run before.
#[inline(always)]
pub(crate) unsafe fn binary_op_subscr_tuple_int<E: Engine>(
    e: &mut E,
    [tuple, index]: [StackRef; 2],
) -> Op<Settled<1>> {
    // SAFETY: guards have checked that the inputs are a tuple and an int. They are live and owned by this
    // micro-op.
    unsafe {
        let at = index_of(index).ok_or(Exit::Deopt)?;
        guard(at < tuple_size(tuple.object()))?;
        settle_item(e, [tuple, index], StackRef::new(tuple_item(tuple.object(), at)))
    }
}

/// `string[index]`, if the result is an ASCII character.
///
/// # Safety
/// As [`crate::engine`] says for every micro-op. `guard_tos_int` and `guard_nos_unicode` have run before.
#[inline(always)]
pub(crate) unsafe fn binary_op_subscr_str_int<E: Engine>(
    e: &mut E,
    [string, index]: [StackRef; 2],
) -> Op<Settled<1>> {
    // SAFETY: guards have checked that the inputs are a str and an int. They are live and owned by this
    // micro-op. One-character ASCII strings are immortal.
    unsafe {
        let at = index_of(index).ok_or(Exit::Deopt)?;
        guard(at < unicode_length(string.object()))?;
        let item = ascii_string(unicode_char(string.object(), at)).ok_or(Exit::Deopt)?;
        settle_item(e, [string, index], StackRef::immortal(item))
    }
}

/// Replaces the container and the index, an int, by an item.
///
/// # Safety
/// The thread is attached. `container` and `index`, an exact int, are the topmost values of the engine's
/// stack and not used again. The caller owns `item`.
#[inline(always)]
unsafe fn settle_item<E: Engine>(
    e: &mut E,
    [container, index]: [StackRef; 2],
    item: StackRef,
) -> Op<Settled<1>> {
    // SAFETY: both are the topmost values and not used again (caller). The item takes the lower slot first.
    unsafe {
        e.poke(2, item);
        close_exact(e, index, Exact::Int);
        e.close_seldom_at(container, e.sp().sub(1));
        Ok(Settled::new())
    }
}

/// `list[slice]`.
///
/// # Safety
/// As [`crate::engine`] says for every micro-op. `guard_tos_slice` and `guard_nos_list` have run before.
#[inline(always)]
pub(crate) unsafe fn binary_op_subscr_list_slice<E: Engine>(
    e: &mut E,
    [list, slice]: [StackRef; 2],
) -> Op<Settled<1>> {
    // SAFETY: guards have checked that the inputs are a list and a slice. They are live and owned by this
    // micro-op.
    unsafe {
        e.publish();
        let result = item_of(list.object(), slice.object());
        e.settle_object(topmost::<E, 2>(e), result)
    }
}

/// `dict[key]`.
///
/// # Safety
/// As [`crate::engine`] says for every micro-op. `guard_nos_dict` has run before.
#[inline(always)]
pub(crate) unsafe fn binary_op_subscr_dict<E: Engine>(
    e: &mut E,
    [dict, key]: [StackRef; 2],
) -> Op<Settled<1>> {
    // SAFETY: a guard has checked that `dict` is a dict. The inputs are live and owned by this micro-op.
    unsafe {
        e.publish();
        let value = value_of(dict.object(), key.object());
        e.settle_object(topmost::<E, 2>(e), value)
    }
}

/// Returns a new reference to the value of a key, or null with an exception set. Not inlined because of the
/// out-parameter.
///
/// # Safety
/// The thread is attached, its frame is published, and `dict`, a dict, and `key` are live.
#[inline(never)]
unsafe fn value_of(dict: *mut PyObject, key: *mut PyObject) -> *mut PyObject {
    // SAFETY: both are live, and the frame is published (caller).
    unsafe {
        if let Lookup::Found(value) = Dict::from_object(dict).find(key) {
            return refcount::new_ref(value.borrow());
        }
        let mut value = null_mut();
        if ffi::PyDict_GetItemRef(dict, key, &mut value) == 0 {
            ffi::_PyErr_SetKeyError(key);
        }
        value
    }
}

/// `container[start:stop]`.
///
/// # Safety
/// As [`crate::engine`] says for every micro-op.
#[inline(always)]
pub(crate) unsafe fn binary_slice<E: Engine>(
    e: &mut E,
    [container, start, stop]: [StackRef; 3],
) -> Op<[StackRef; 1]> {
    // SAFETY: the inputs are live and owned by this micro-op. The bounds leave the published stack, and are
    // released or move to the slice. The container stays on the stack until the result is known.
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

/// Returns a part of a list, str or tuple without creating a slice object: a new reference, or null with an
/// exception set. The inputs are borrowed. Returns `None`, with nothing done, for other types and other
/// bounds.
///
/// # Safety
/// The thread is attached, its frame is published, and all three objects are live.
#[inline(never)]
unsafe fn part_of(
    container: *mut PyObject,
    start: *mut PyObject,
    stop: *mut PyObject,
) -> Option<*mut PyObject> {
    // SAFETY: all three are live, and the frame is published (caller). The container has the type that was
    // checked; the length of a str is in another field.
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

/// Returns the start and the end of a slice with these bounds in a sequence of `length` items, if the bounds
/// are compact ints or None.
///
/// # Safety
/// `start` and `stop` are live.
#[inline(always)]
unsafe fn bounds(start: *mut PyObject, stop: *mut PyObject, length: isize) -> Option<(isize, isize)> {
    // SAFETY: both are live (caller), and ints when their values are read.
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

/// Returns the bounds of `key`, borrowed, if it is a slice without a step.
///
/// # Safety
/// `key` is live.
#[inline(always)]
unsafe fn plain_slice(key: *mut PyObject) -> Option<(*mut PyObject, *mut PyObject)> {
    // SAFETY: the key is live (caller), and a slice when its fields are read.
    unsafe {
        let slice = key.cast::<ffi::PySliceObject>();
        (is_exact(key, &raw mut ffi::PySlice_Type) && (*slice).step == none())
            .then(|| ((*slice).start, (*slice).stop))
    }
}

/// `container[key]` for objects of all types. Returns a new reference, or null with an exception set. The
/// inputs are borrowed.
///
/// # Safety
/// The thread is attached, its frame is published, and both objects are live.
#[inline(always)]
pub(super) unsafe fn item_of(container: *mut PyObject, key: *mut PyObject) -> *mut PyObject {
    // SAFETY: both are live, and the frame is published (caller).
    unsafe {
        let item = match plain_slice(key) {
            Some((start, stop)) => part_of(container, start, stop),
            None => known_item(container, key),
        };
        item.unwrap_or_else(|| ffi::PyObject_GetItem(container, key))
    }
}

/// Returns `container[key]`, a new reference, for the built-in types where that takes no call of the host: sequences with
/// a compact int in range, and dicts that have the key. `None` for all else, and on free-threaded hosts.
///
/// # Safety
/// The thread is attached, and both objects are live.
#[inline(never)]
unsafe fn known_item(container: *mut PyObject, key: *mut PyObject) -> Option<*mut PyObject> {
    if FREE_THREADED {
        return None;
    }
    // SAFETY: both are live (caller).
    unsafe { borrowed_item(container, key).map(|item| refcount::new_ref(item)) }
}

/// The same, borrowed from the container, on a host with a GIL.
///
/// # Safety
/// As for [`known_item`].
#[inline(always)]
pub(crate) unsafe fn borrowed_item(container: *mut PyObject, key: *mut PyObject) -> Option<*mut PyObject> {
    // SAFETY: both are live (caller), and a compact int when its value is read.
    unsafe {
        if is_exact(key, &raw mut ffi::PyLong_Type)
            && long_is_compact(key)
            && let Some(item) = item_at(container, long_compact_value(key))
        {
            return Some(item);
        }
        match Dict::cast(container)?.find(key) {
            Lookup::Found(value) => Some(value.borrow()),
            Lookup::Absent | Lookup::Unknown => None,
        }
    }
}

/// The same of a sequence with an index. A negative one counts from the end.
///
/// # Safety
/// As for [`known_item`].
#[inline(always)]
pub(crate) unsafe fn item_at(container: *mut PyObject, index: isize) -> Option<*mut PyObject> {
    let position = |length: isize| {
        let from_start = if index < 0 { index + length } else { index };
        (0..length).contains(&from_start).then_some(from_start as usize)
    };
    // SAFETY: the container is live (caller), has the type that was checked, and the index is in range. Strings of one ASCII
    // character and the ints of bytes are immortal.
    unsafe {
        let is = |type_| is_exact(container, type_);
        if is(&raw mut ffi::PyList_Type) {
            Some(*list_items(container).add(position(size(container))?))
        } else if is(&raw mut ffi::PyTuple_Type) {
            Some(tuple_item(container, position(size(container))?))
        } else if is(&raw mut ffi::PyUnicode_Type) {
            ascii_string(unicode_char(container, position(unicode_length(container) as isize)?))
        } else if is(&raw mut ffi::PyBytes_Type) {
            let bytes = (&raw const (*container.cast::<ffi::PyBytesObject>()).ob_sval).cast::<u8>();
            small_int((*bytes.add(position(size(container))?)).into())
        } else {
            None
        }
    }
}

/// `container[slice(start, stop)]`. Returns a new reference, or null with an exception set. Consumes the
/// bounds.
///
/// # Safety
/// The thread is attached, and its frame is published without the bounds. `container` is live, and the caller
/// owns `start` and `stop`.
#[inline(never)]
unsafe fn item_by_slice(container: *mut PyObject, start: StackRef, stop: StackRef) -> *mut PyObject {
    // SAFETY: all three are live, and the bounds are owned (caller). The slice takes them over.
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

/// Returns the `__getitem__` of the type of `container`, a borrowed Python function, if the specializer has
/// cached one and it has not changed.
///
/// # Safety
/// `container` is live.
#[inline(always)]
unsafe fn getitem_of(container: StackRef) -> Option<Function> {
    // SAFETY: the container is live (caller), and so is its type. Heap types have the cache.
    unsafe {
        let class = type_of(container.object());
        if type_flags(class) & ffi::Py_TPFLAGS_HEAPTYPE == 0 {
            return None;
        }
        SpecializationCache::of(class).getitem()
    }
}

/// The type of the container has a cached Python function as `__getitem__`, and its frame fits on the data
/// stack.
///
/// # Safety
/// As [`crate::engine`] says for every micro-op.
#[inline(always)]
pub(crate) unsafe fn binary_op_subscr_check_func<E: Engine>(
    e: &mut E,
    Kept([container, _]): Kept<[StackRef; 2]>,
) -> Op {
    // SAFETY: the inputs are live. A cached function is live as long as its type.
    unsafe {
        let function = getitem_of(container).ok_or(Exit::Deopt)?;
        guard_stack_space(e, function)
    }
}

/// Succeeds if a frame of the function fits on the data stack.
///
/// # Safety
/// The thread is attached, and `function` is live.
#[inline(always)]
unsafe fn guard_stack_space<E: Engine>(e: &E, function: Function) -> Op {
    // SAFETY: the function is live, and keeps its code alive (caller).
    unsafe { guard(e.tstate().has_stack_space((*function.code().as_ptr()).co_framesize as usize)) }
}

/// Makes a frame for the call of the cached `__getitem__`. The function is read from the cache again, since
/// there is no stack slot to keep it in. On free-threaded hosts another thread may have changed the type, so
/// the space is checked again.
///
/// # Safety
/// As [`crate::engine`] says for every micro-op. `check_pep_523` and `binary_op_subscr_check_func` have run
/// before.
#[inline(always)]
pub(crate) unsafe fn binary_op_subscr_init_call<E: Engine>(e: &mut E, [container, key]: [StackRef; 2]) -> Op {
    // SAFETY: the frame fits on the data stack (checked), and takes over the inputs as its first local
    // variables.
    unsafe {
        let function = getitem_of(container).ok_or(Exit::Deopt)?;
        if FREE_THREADED {
            guard_stack_space(e, function)?;
        }
        set_return_offset(e.frame(), const { 1 + metadata::BINARY_OP.cache_units() });
        let frame = Frame::push_unchecked(e.tstate(), StackRef::new(function.object()), 2, e.frame());
        frame.set_local(0, container);
        frame.set_local(1, key);
        e.give_frame(frame);
        Ok([])
    }
}

// --- writing -----------------------------------------------------------------------------------

specializing! {
    specialize_store_subscr: STORE_SUBSCR = |e| seams::specialize::store_subscr(e.peek(2), e.peek(1), e.this_instr())
}

/// `container[key] = value`. If that calls a Python function, tier 1 enters its frame instead.
///
/// # Safety
/// As [`crate::engine`] says for every micro-op.
#[inline(always)]
pub(crate) unsafe fn store_subscr<E: Engine>(
    e: &mut E,
    [value, container, key]: [StackRef; 3],
) -> Op<Settled<0>> {
    // SAFETY: the inputs are live and owned by this micro-op.
    unsafe {
        e.publish();
        #[cfg(not(py_gil_disabled))]
        if E::ENTERS_METHODS
            && has_feature(container.object(), ffi::Py_TPFLAGS_HEAPTYPE)
            && e.is_warm()
            && let Some(entered) = trampolines::enter_store_subscr(e)
        {
            return entered;
        }
        let status = set_item(container.object(), key.object(), value.object());
        e.settle_status(topmost::<E, 3>(e), status)
    }
}

/// The value below the top is an array whose items have the description at an address. The second operand is for machine code.
///
/// # Safety
/// As [`crate::engine`] says for every micro-op.
#[inline(always)]
pub(crate) unsafe fn guard_nos_array<E: Engine>(
    _e: &mut E,
    (description, _items): (*mut PyObject, *mut PyObject),
    Kept([container, _]): Kept<[StackRef; 2]>,
) -> Op {
    #[cfg(py_tier2)]
    // SAFETY: the container is live, and an array where the layout fits.
    unsafe {
        let container = container.object();
        let layout = Layout::get().filter(|layout| layout.fits(container));
        guard(layout.is_some_and(|layout| layout.description_of(container) == description.addr()))
    }
    #[cfg(not(py_tier2))]
    {
        let _ = (description, container);
        Err(Exit::Deopt)
    }
}

/// `dict[key] = value`.
///
/// # Safety
/// As [`crate::engine`] says for every micro-op. `guard_nos_dict` has run before.
#[inline(always)]
pub(crate) unsafe fn store_subscr_dict<E: Engine>(e: &mut E, [value, dict, key]: [StackRef; 3]) -> Op {
    // SAFETY: a guard has checked that `dict` is a dict. It takes over key and value, which have left the
    // published stack. The dict itself stays there during the call.
    unsafe {
        e.poke(3, StackRef::NULL);
        e.publish_at(e.sp().sub(1));
        let status = set_value(Dict::from_object(dict.object()), key, value);
        e.close_at(dict, e.sp().sub(3));
        if status != 0 { Err(Exit::Error) } else { Ok([]) }
    }
}

/// `dict[key] = value`. Returns nonzero with an exception set on failure. Consumes key and value. Most stores add a key, so a
/// search that the host would repeat must be short.
///
/// # Safety
/// The thread is attached, and its frame is published without key and value. The dictionary is live, and the caller owns
/// `key` and `value`.
#[inline(never)]
unsafe fn set_value(dict: Dict, key: StackRef, value: StackRef) -> c_int {
    // SAFETY: the dictionary is live, and a value is replaced without notice if there are no watchers. The old one
    // is owned here. Nothing uses the slot after its destructor may have run.
    unsafe {
        if let Lookup::Found(slot) = dict.find_at_once(key.object())
            && dict.watchers() == 0
        {
            let old = slot.replace(value.into_object());
            refcount::decref(old);
            key.close();
            return 0;
        }
        ffi::_PyDict_SetItem_Take2(dict.object().cast(), key.into_object(), value.into_object())
    }
}

/// `list[index] = value`.
///
/// # Safety
/// As [`crate::engine`] says for every micro-op. `guard_tos_int` and `guard_nos_list` have run before.
#[inline(always)]
pub(crate) unsafe fn store_subscr_list_int<E: Engine>(e: &mut E, [value, list, index]: [StackRef; 3]) -> Op {
    // SAFETY: guards have checked that `list` and `index` are a list and an int. The list is locked when it
    // is changed. It takes over the value, and the old item is owned here.
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
///
/// # Safety
/// As [`crate::engine`] says for every micro-op.
#[inline(always)]
pub(crate) unsafe fn store_slice<E: Engine>(e: &mut E, [value, container, start, stop]: [StackRef; 4]) -> Op {
    // SAFETY: the inputs are live and owned by this micro-op. The bounds leave the published stack, and are
    // released or move to the slice. The other inputs stay on the stack during the call.
    unsafe {
        e.publish_at(e.sp().sub(2));
        let status = set_items(container.object(), start, stop, value.object());
        let base = e.sp().sub(4);
        e.close_at(container, base);
        e.close_at(value, base);
        if status != 0 { Err(Exit::Error) } else { Ok([]) }
    }
}

/// `container[start:stop] = value`. Returns nonzero with an exception set on failure. Consumes the bounds.
///
/// # Safety
/// The thread is attached, and its frame is published without the bounds. `container` and `value` are live,
/// and the caller owns `start` and `stop`.
#[inline(never)]
unsafe fn set_items(
    container: *mut PyObject,
    start: StackRef,
    stop: StackRef,
    value: *mut PyObject,
) -> c_int {
    // SAFETY: all objects are live, and the bounds are owned (caller). They are released, or the slice takes
    // them over.
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

/// `container[key] = value` for objects of all types. Returns nonzero with an exception set on failure. The
/// inputs are borrowed.
///
/// # Safety
/// The thread is attached, its frame is published, and all three objects are live.
#[inline(always)]
unsafe fn set_item(container: *mut PyObject, key: *mut PyObject, value: *mut PyObject) -> c_int {
    // SAFETY: all three are live, and the frame is published (caller).
    unsafe {
        plain_slice(key)
            .and_then(|(start, stop)| set_part(container, start, stop, value))
            .unwrap_or_else(|| ffi::PyObject_SetItem(container, key, value))
    }
}

/// Replaces a part of a list. Returns nonzero with an exception set on failure. The inputs are borrowed.
/// Returns `None`, with nothing done, if `container` is not a list, a bound is neither a compact int nor None, or
/// `value` is neither a list nor a tuple: the host's message about a value that cannot be iterated is another one
/// for `container[key] = value`.
///
/// # Safety
/// The thread is attached, its frame is published, and all objects are live.
#[inline(always)]
unsafe fn set_part(
    container: *mut PyObject,
    start: *mut PyObject,
    stop: *mut PyObject,
    value: *mut PyObject,
) -> Option<c_int> {
    // SAFETY: all objects are live, and the frame is published (caller). The container is a list (checked).
    unsafe {
        let is_list = |object| is_exact(object, &raw mut ffi::PyList_Type);
        if !is_list(container) || !(is_list(value) || is_exact(value, &raw mut ffi::PyTuple_Type)) {
            return None;
        }
        let (low, high) = bounds(start, stop, size(container))?;
        Some(ffi::PyList_SetSlice(container, low, high, value))
    }
}

/// `del container[key]`.
///
/// # Safety
/// As [`crate::engine`] says for every micro-op.
#[inline(always)]
pub(crate) unsafe fn delete_subscr<E: Engine>(e: &mut E, [container, key]: [StackRef; 2]) -> Op<Settled<0>> {
    // SAFETY: the inputs are live and owned by this micro-op.
    unsafe {
        e.publish();
        let status = ffi::PyObject_DelItem(container.object(), key.object());
        e.settle_status(topmost::<E, 2>(e), status)
    }
}

// --- slice indices of C code -------------------------------------------------------------------

/// The value of a slice index other than None, clipped to the range of indices. `message` is that of the
/// TypeError for an object that is not an index.
///
/// # Safety
/// The thread is attached, its frame is published, and `object` is live.
unsafe fn index_value(object: *mut PyObject, message: &CStr) -> PyResult<isize> {
    // SAFETY: the object is live (caller).
    unsafe {
        if ffi::PyIndex_Check(object) == 0 {
            ffi::PyErr_SetString(ffi::PyExc_TypeError, message.as_ptr());
            return Err(Raised);
        }
        // Without an exception for overflow, the host clips the value.
        match ffi::PyNumber_AsSsize_t(object, core::ptr::null_mut()) {
            -1 if exception_is_set() => Err(Raised),
            value => Ok(value),
        }
    }
}

/// Converts a slice index other than None. Fails with TypeError if `object` is not an index; the message
/// mentions None as valid.
///
/// # Safety
/// The thread is attached, its frame is published, and `object` is live.
pub(crate) unsafe fn slice_index(object: *mut PyObject) -> PyResult<isize> {
    // SAFETY: the object is live, and the frame is published (caller).
    unsafe {
        let message = c"slice indices must be integers or None or have an __index__ method";
        index_value(object, message)
    }
}

/// Like [`slice_index`], but the message does not mention None.
///
/// # Safety
/// As for [`slice_index`].
pub(crate) unsafe fn slice_index_not_none(object: *mut PyObject) -> PyResult<isize> {
    // SAFETY: the object is live, and the frame is published (caller).
    unsafe {
        let message = c"slice indices must be integers or have an __index__ method";
        index_value(object, message)
    }
}
