//! What the evaluator reads inside the host's objects. Source: the host's object headers.
//!
//! Accessors take borrowed pointers to live objects of the right type; that is the whole contract of
//! each one, so the `# Safety` lines say only what is beyond it.

use core::sync::atomic::{AtomicIsize, AtomicPtr, Ordering};

use super::FREE_THREADED;
use super::ffi::{self, PyObject};
pub(crate) use super::head::*;
use super::owned::{Owned, PyResult, Raised, check};
use super::slot::Slot;
use super::stackref::StackRef;

/// `ob_size` of a variable-sized object (`Py_SIZE`).
///
/// # Safety
/// `object` is live and variable-sized.
#[inline(always)]
pub(crate) unsafe fn size(object: *mut PyObject) -> isize {
    // SAFETY: the caller's promise; free-threaded lists change it atomically.
    unsafe {
        AtomicIsize::from_ptr(&raw mut (*object.cast::<ffi::PyVarObject>()).ob_size).load(Ordering::Relaxed)
    }
}

/// Sets `ob_size` (`Py_SET_SIZE`).
///
/// # Safety
/// `object` is live and variable-sized, and has that many items.
#[inline(always)]
pub(crate) unsafe fn set_size(object: *mut PyObject, size: isize) {
    // SAFETY: the caller's promise; other threads may read the size of a list.
    unsafe {
        AtomicIsize::from_ptr(&raw mut (*object.cast::<ffi::PyVarObject>()).ob_size)
            .store(size, Ordering::Relaxed);
    }
}

// --- mapping -----------------------------------------------------------------------------------

/// `mapping[key]`, or nothing if the mapping has no such key (`PyMapping_GetOptionalItem`).
///
/// # Safety
/// The thread is attached, its frame published, and both objects are live.
pub(crate) unsafe fn optional_item(mapping: *mut PyObject, key: *mut PyObject) -> PyResult<Option<Owned>> {
    let mut item = core::ptr::null_mut();
    // SAFETY: the caller's promise; the item is a new reference.
    unsafe {
        check(ffi::PyMapping_GetOptionalItem(mapping, key, &raw mut item))?;
        Ok(Owned::optional(item))
    }
}

// --- tuple -------------------------------------------------------------------------------------

/// The items of a tuple (`_PyTuple_ITEMS`).
///
/// # Safety
/// `tuple` is a live tuple.
#[inline(always)]
pub(crate) unsafe fn tuple_items(tuple: *mut PyObject) -> *mut *mut PyObject {
    // SAFETY: the caller's promise.
    unsafe { (&raw mut (*tuple.cast::<ffi::PyTupleObject>()).ob_item).cast() }
}

/// One item of a tuple, borrowed.
///
/// # Safety
/// `tuple` is a live tuple longer than `index`.
#[inline(always)]
pub(crate) unsafe fn tuple_item(tuple: *mut PyObject, index: usize) -> *mut PyObject {
    // SAFETY: the caller's promise.
    unsafe { *tuple_items(tuple).add(index) }
}

/// The number of items of a tuple.
///
/// # Safety
/// `tuple` is a live tuple.
#[inline(always)]
pub(crate) unsafe fn tuple_size(tuple: *mut PyObject) -> usize {
    // SAFETY: the caller's promise; sizes are not negative.
    unsafe { size(tuple) as usize }
}

/// The items of a tuple as a slice.
///
/// # Safety
/// `tuple` is a live tuple and outlives the slice.
#[inline(always)]
pub(crate) unsafe fn tuple_slice<'a>(tuple: *mut PyObject) -> &'a [*mut PyObject] {
    // SAFETY: the caller's promise.
    unsafe { core::slice::from_raw_parts(tuple_items(tuple), tuple_size(tuple)) }
}

// --- list --------------------------------------------------------------------------------------

/// The items of a list.
///
/// # Safety
/// `list` is a live list; in free-threaded hosts locked or not shared.
#[inline(always)]
pub(crate) unsafe fn list_items(list: *mut PyObject) -> *mut *mut PyObject {
    // SAFETY: the caller's promise.
    unsafe { (*list.cast::<ffi::PyListObject>()).ob_item }
}

/// Appends to a list, which takes the item over (`_PyList_AppendTakeRef`).
///
/// # Safety
/// `list` is a live list, in free-threaded hosts locked or seen by nobody else; the caller owns `item`. The
/// thread is attached; in free-threaded hosts, where a list that grows may let go of other things, its
/// frames are published.
#[inline(always)]
pub(crate) unsafe fn list_append(list: *mut PyObject, item: *mut PyObject) -> Result<(), Raised> {
    // SAFETY: the caller's promise; below `allocated` there is room. Readers without the lock see the size
    // after the slot.
    unsafe {
        let length = size(list);
        if (*list.cast::<ffi::PyListObject>()).allocated > length {
            AtomicPtr::from_ptr(list_items(list).offset(length)).store(item, Ordering::Release);
            set_size(list, length + 1);
            return Ok(());
        }
        match ffi::_PyList_AppendTakeRefListResize(list.cast(), item) {
            0 => Ok(()),
            _ => Err(Raised),
        }
    }
}

// --- int ---------------------------------------------------------------------------------------

/// The tag word of an int: digit count above, sign below.
///
/// # Safety
/// `int` is a live int.
#[inline(always)]
pub(crate) unsafe fn long_tag(int: *mut PyObject) -> usize {
    // SAFETY: the caller's promise.
    unsafe { (*int.cast::<ffi::PyLongObject>()).long_value.lv_tag }
}

/// Whether the int has at most one digit (`_PyLong_IsCompact`).
///
/// # Safety
/// `int` is a live int.
#[inline(always)]
pub(crate) unsafe fn long_is_compact(int: *mut PyObject) -> bool {
    // SAFETY: the caller's promise.
    unsafe { long_tag(int) < (2 << ffi::NON_SIZE_BITS) }
}

/// The value of a compact int (`_PyLong_CompactValue`).
///
/// # Safety
/// `int` is a live compact int.
#[inline(always)]
pub(crate) unsafe fn long_compact_value(int: *mut PyObject) -> isize {
    // SAFETY: the caller's promise.
    unsafe {
        let sign = 1 - (long_tag(int) & ffi::SIGN_MASK as usize) as isize;
        sign * (*int.cast::<ffi::PyLongObject>()).long_value.ob_digit[0] as isize
    }
}

/// Whether the int is zero or positive and has at most one digit (`_PyLong_IsNonNegativeCompact`).
///
/// # Safety
/// `int` is a live int.
#[inline(always)]
pub(crate) unsafe fn long_is_non_negative_compact(int: *mut PyObject) -> bool {
    // SAFETY: the caller's promise.
    unsafe { long_tag(int) & !(ffi::IMMORTALITY_BIT_MASK as usize) <= (1 << ffi::NON_SIZE_BITS) }
}

// --- float -------------------------------------------------------------------------------------

/// The value of a float (`PyFloat_AS_DOUBLE`).
///
/// # Safety
/// `float` is a live float.
#[inline(always)]
pub(crate) unsafe fn float_value(float: *mut PyObject) -> f64 {
    // SAFETY: the caller's promise.
    unsafe { (*float.cast::<ffi::PyFloatObject>()).ob_fval }
}

// --- cell --------------------------------------------------------------------------------------

/// Where a cell keeps what it holds.
#[inline(always)]
unsafe fn cell_slot(cell: *mut PyObject) -> *mut *mut PyObject {
    // SAFETY: the callers' promise: the cell is live.
    unsafe { &raw mut (*cell.cast::<ffi::PyCellObject>()).ob_ref }
}

/// What the cell holds, if it is not empty (`_PyCell_GetStackRef`). In free-threaded hosts other threads may
/// get in the way, so that destructors run or the lock has to be waited for: `publish` is called before.
///
/// # Safety
/// `cell` is a live cell; the thread is attached, and `publish` publishes its frame.
#[inline(always)]
pub(crate) unsafe fn cell_value(cell: *mut PyObject, publish: impl Fn()) -> Option<StackRef> {
    // SAFETY: the caller's promise.
    unsafe {
        let value = Slot::at(cell_slot(cell)).load(&publish);
        if !FREE_THREADED || value.is_some() {
            return value;
        }
        publish();
        let value = ffi::PyCell_Get(cell);
        (!value.is_null()).then(|| StackRef::steal(value))
    }
}

/// Puts `value` (whose reference it takes over; null empties the cell) in the place of what the cell
/// held, which becomes the caller's (`PyCell_SwapTakeRef`). In free-threaded hosts the lock may have to be
/// waited for: `publish` is called before.
///
/// # Safety
/// `cell` is a live cell; the caller owns `value`; the thread is attached, and `publish` publishes its frame.
#[inline(always)]
pub(crate) unsafe fn cell_swap(
    cell: *mut PyObject,
    value: *mut PyObject,
    publish: impl FnOnce(),
) -> *mut PyObject {
    // SAFETY: the caller's promise.
    unsafe {
        super::lock::with_short_lock(cell, publish, || {
            let slot = cell_slot(cell);
            let old = *slot;
            AtomicPtr::from_ptr(slot).store(value, Ordering::Release);
            old
        })
    }
}

// --- instance attributes -----------------------------------------------------------------------

/// `MANAGED_DICT_OFFSET` in words: before the object and, with a GIL, its collector header.
const MANAGED_DICT_WORDS: isize = if cfg!(py_gil_disabled) { -1 } else { -3 };

/// Where an object with a managed dictionary keeps it (`_PyObject_ManagedDictPointer`).
///
/// # Safety
/// `object` is live and its type has `Py_TPFLAGS_MANAGED_DICT`.
#[inline(always)]
pub(crate) unsafe fn managed_dict_slot(object: *mut PyObject) -> *mut *mut ffi::PyDictObject {
    // SAFETY: the dictionary pointer is a word before the object's header.
    unsafe { object.cast::<*mut ffi::PyDictObject>().offset(MANAGED_DICT_WORDS) }
}

/// The managed dictionary, borrowed; null if there is none yet (`_PyObject_GetManagedDict`).
///
/// # Safety
/// As for [`managed_dict_slot`].
#[inline(always)]
pub(crate) unsafe fn managed_dict(object: *mut PyObject) -> *mut ffi::PyDictObject {
    // SAFETY: the caller's promise; other threads publish it with release order.
    unsafe { AtomicPtr::from_ptr(managed_dict_slot(object)).load(Ordering::Acquire) }
}

/// The attribute values that follow the object itself (`_PyObject_InlineValues`).
///
/// # Safety
/// `object` is live and its type has `Py_TPFLAGS_INLINE_VALUES`.
#[inline(always)]
pub(crate) unsafe fn inline_values(object: *mut PyObject) -> *mut ffi::PyDictValues {
    // SAFETY: the values start right after the type's basic size.
    unsafe { object.cast::<u8>().offset((*type_of(object)).tp_basicsize).cast() }
}
