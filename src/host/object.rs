//! Accessors for the fields of the host's objects that the evaluator reads. Source: the host's object headers.
//!
//! All take borrowed pointers to live objects of the right type. Each `# Safety` section names that type and
//! what else the caller must ensure.

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
    // SAFETY: `object` has a size field (caller); free-threaded hosts change the size of a list atomically.
    unsafe {
        AtomicIsize::from_ptr(&raw mut (*object.cast::<ffi::PyVarObject>()).ob_size).load(Ordering::Relaxed)
    }
}

/// Sets `ob_size` (`Py_SET_SIZE`).
///
/// # Safety
/// `object` is live, variable-sized and has at least `size` items. In free-threaded hosts it is locked or not
/// shared.
#[inline(always)]
pub(crate) unsafe fn set_size(object: *mut PyObject, size: isize) {
    // SAFETY: `object` has a size field (caller); other threads may read the size of a list, so the store is
    // atomic.
    unsafe {
        AtomicIsize::from_ptr(&raw mut (*object.cast::<ffi::PyVarObject>()).ob_size)
            .store(size, Ordering::Relaxed);
    }
}

/// `len(object)` for the built-in types whose objects have a field for it. `None` for all other types, subclasses
/// included; on free-threaded hosts also for those whose field another thread may be changing.
///
/// # Safety
/// `object` is live.
#[inline(always)]
pub(crate) unsafe fn known_length(object: *mut PyObject) -> Option<isize> {
    // SAFETY: the object is live (caller), and of the type that has the field.
    unsafe {
        let is = |type_| is_exact(object, type_);
        if is(&raw mut ffi::PyList_Type) || is(&raw mut ffi::PyTuple_Type) || is(&raw mut ffi::PyBytes_Type) {
            Some(size(object))
        } else if is(&raw mut ffi::PyUnicode_Type) {
            Some((*object.cast::<ffi::PyASCIIObject>()).length)
        } else if FREE_THREADED {
            None
        } else if is(&raw mut ffi::PyDict_Type) {
            Some((*object.cast::<ffi::PyDictObject>()).ma_used)
        } else if is(&raw mut ffi::PySet_Type) {
            Some((*object.cast::<ffi::PySetObject>()).used)
        } else {
            None
        }
    }
}

/// `len(object)` where that runs no Python code: for the usual built-in types, and classes that inherit it from some of them.
/// `None` for all others, and for what is too long. No exception is set.
///
/// # Safety
/// The thread is attached, no exception is set, and `object` is live.
#[cfg(py_tier2)]
pub(crate) unsafe fn length_without_code(object: *mut PyObject) -> Option<isize> {
    // SAFETY: the object is live (caller), and of a type that the function is for.
    unsafe {
        if let Some(length) = known_length(object) {
            return Some(length);
        }
        let type_ = type_of(object);
        let Some(function) = sequence_length(type_) else {
            let dict = &raw mut ffi::PyDict_Type;
            let is_like_dict =
                mapping_length(type_).is_some() && mapping_length(type_) == mapping_length(dict);
            return is_like_dict.then(|| (*object.cast::<ffi::PyDictObject>()).ma_used);
        };
        let is_like = |type_| sequence_length(type_).is_some_and(|other| other as usize == function as usize);
        let bases = [
            &raw mut ffi::PyList_Type,
            &raw mut ffi::PyTuple_Type,
            &raw mut ffi::PySet_Type,
            &raw mut ffi::PyRange_Type,
        ];
        if !bases.into_iter().any(is_like) {
            return None;
        }
        let length = function(object);
        if length < 0 {
            ffi::PyErr_Clear();
        }
        (length >= 0).then_some(length)
    }
}

/// The address of what computes the length of such a mapping, if there is something. A class without a `__len__` of its own inherits
/// it.
///
/// # Safety
/// The type is live.
#[cfg(py_tier2)]
unsafe fn mapping_length(type_: *mut ffi::PyTypeObject) -> Option<usize> {
    // SAFETY: the type is live (caller).
    unsafe { (*type_).tp_as_mapping.as_ref()?.mp_length.map(|function| function as usize) }
}

/// What computes the length of such a sequence, if anything. A class without a `__len__` of its own inherits it.
///
/// # Safety
/// The type is live.
#[cfg(py_tier2)]
unsafe fn sequence_length(
    type_: *mut ffi::PyTypeObject,
) -> Option<unsafe extern "C" fn(*mut PyObject) -> ffi::Py_ssize_t> {
    // SAFETY: the type is live (caller).
    unsafe { (*type_).tp_as_sequence.as_ref()?.sq_length }
}

// --- mapping -----------------------------------------------------------------------------------

/// `mapping[key]` as a new reference, or `None` if the mapping has no such key (`PyMapping_GetOptionalItem`).
///
/// # Safety
/// The thread is attached, its frame published, and both objects are live.
pub(crate) unsafe fn optional_item(mapping: *mut PyObject, key: *mut PyObject) -> PyResult<Option<Owned>> {
    let mut item = core::ptr::null_mut();
    // SAFETY: both objects are live, the thread is attached and its frame published (caller). The host stores a
    // new reference or null in `item`.
    unsafe {
        check(ffi::PyMapping_GetOptionalItem(mapping, key, &raw mut item))?;
        Ok(Owned::optional(item))
    }
}

// --- tuple -------------------------------------------------------------------------------------

/// The array of items of a tuple (`_PyTuple_ITEMS`).
///
/// # Safety
/// `tuple` is a live tuple.
#[inline(always)]
pub(crate) unsafe fn tuple_items(tuple: *mut PyObject) -> *mut *mut PyObject {
    // SAFETY: `tuple` is a live tuple (caller).
    unsafe { (&raw mut (*tuple.cast::<ffi::PyTupleObject>()).ob_item).cast() }
}

/// One item of a tuple, borrowed.
///
/// # Safety
/// `tuple` is a live tuple longer than `index`.
#[inline(always)]
pub(crate) unsafe fn tuple_item(tuple: *mut PyObject, index: usize) -> *mut PyObject {
    // SAFETY: `tuple` is a live tuple longer than `index` (caller).
    unsafe { *tuple_items(tuple).add(index) }
}

/// The number of items of a tuple.
///
/// # Safety
/// `tuple` is a live tuple.
#[inline(always)]
pub(crate) unsafe fn tuple_size(tuple: *mut PyObject) -> usize {
    // SAFETY: `tuple` is a live tuple (caller); sizes are not negative.
    unsafe { size(tuple) as usize }
}

/// The items of a tuple as a slice.
///
/// # Safety
/// `tuple` is a live tuple and outlives the slice.
#[inline(always)]
pub(crate) unsafe fn tuple_slice<'a>(tuple: *mut PyObject) -> &'a [*mut PyObject] {
    // SAFETY: `tuple` is a tuple that outlives the slice (caller), and the items of a finished tuple do not
    // change.
    unsafe { core::slice::from_raw_parts(tuple_items(tuple), tuple_size(tuple)) }
}

// --- list --------------------------------------------------------------------------------------

/// The array of items of a list.
///
/// # Safety
/// `list` is a live list. In free-threaded hosts it is locked or not shared, and stays so while the array is
/// used.
#[inline(always)]
pub(crate) unsafe fn list_items(list: *mut PyObject) -> *mut *mut PyObject {
    // SAFETY: `list` is a live list, and no other thread replaces its array (caller).
    unsafe { (*list.cast::<ffi::PyListObject>()).ob_item }
}

/// Whether a list has no room for another item, so that it has to grow.
///
/// # Safety
/// As for [`list_items`].
#[inline(always)]
pub(crate) unsafe fn list_is_full(list: *mut PyObject) -> bool {
    // SAFETY: `list` is a live list, and no other thread changes it (caller).
    unsafe { (*list.cast::<ffi::PyListObject>()).allocated <= size(list) }
}

/// Appends `item` to a list (`_PyList_AppendTakeRef`). Takes over the reference to `item`, on failure too.
///
/// # Safety
/// `list` is a live list, in free-threaded hosts locked or not shared. The caller owns `item`. The thread is
/// attached. Its frames are published if the list is full: without memory to grow, it releases the item. In
/// free-threaded hosts they always are, since a list that grows there may release other objects.
#[inline(always)]
pub(crate) unsafe fn list_append(list: *mut PyObject, item: *mut PyObject) -> Result<(), Raised> {
    // SAFETY: this thread alone changes the list (caller), and slots below `allocated` exist. The slot is
    // stored before the size, so that readers without the lock find the item.
    unsafe {
        if !list_is_full(list) {
            let length = size(list);
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

/// The tag word of an int: the number of digits in the upper bits, the sign in the lower ones.
///
/// # Safety
/// `int` is a live int.
#[inline(always)]
pub(crate) unsafe fn long_tag(int: *mut PyObject) -> usize {
    // SAFETY: `int` is a live int (caller).
    unsafe { (*int.cast::<ffi::PyLongObject>()).long_value.lv_tag }
}

/// Whether the int has at most one digit (`_PyLong_IsCompact`).
///
/// # Safety
/// `int` is a live int.
#[inline(always)]
pub(crate) unsafe fn long_is_compact(int: *mut PyObject) -> bool {
    // SAFETY: `int` is a live int (caller).
    unsafe { long_tag(int) < (2 << ffi::NON_SIZE_BITS) }
}

/// The value of a compact int (`_PyLong_CompactValue`).
///
/// # Safety
/// `int` is a live compact int.
#[inline(always)]
pub(crate) unsafe fn long_compact_value(int: *mut PyObject) -> isize {
    // SAFETY: `int` is a live int with at most one digit (caller); the first digit of zero is 0.
    unsafe {
        let sign = 1 - (long_tag(int) & ffi::SIGN_MASK as usize) as isize;
        sign * (*int.cast::<ffi::PyLongObject>()).long_value.ob_digit[0] as isize
    }
}

/// The value of an int that has at most two digits; `None` for others. It is also the hash of the int, unless it is -1.
///
/// # Safety
/// `int` is a live int.
#[inline(always)]
pub(crate) unsafe fn long_small_value(int: *mut PyObject) -> Option<isize> {
    // A hash is the value modulo this prime.
    const { assert!(2 * ffi::PyLong_SHIFT < ffi::_PyHASH_BITS) };
    // SAFETY: `int` is a live int (caller), and the second digit is there if the tag says so.
    unsafe {
        let tag = long_tag(int);
        if tag < 2 << ffi::NON_SIZE_BITS {
            return Some(long_compact_value(int));
        }
        if tag >= 3 << ffi::NON_SIZE_BITS {
            return None;
        }
        let digits = (&raw const (*int.cast::<ffi::PyLongObject>()).long_value.ob_digit).cast::<u32>();
        let size = (*digits as isize) | (*digits.add(1) as isize) << ffi::PyLong_SHIFT;
        Some(if tag & ffi::SIGN_MASK as usize == ffi::SIGN_NEGATIVE as usize { -size } else { size })
    }
}

/// Whether the int is zero or positive and has at most one digit (`_PyLong_IsNonNegativeCompact`).
///
/// # Safety
/// `int` is a live int.
#[inline(always)]
pub(crate) unsafe fn long_is_non_negative_compact(int: *mut PyObject) -> bool {
    // SAFETY: `int` is a live int (caller).
    unsafe { long_tag(int) & !(ffi::IMMORTALITY_BIT_MASK as usize) <= (1 << ffi::NON_SIZE_BITS) }
}

/// Whether the int is negative (`_PyLong_IsNegative`).
///
/// # Safety
/// `int` is a live int.
#[cfg(py_tier2)]
pub(crate) unsafe fn long_is_negative(int: *mut PyObject) -> bool {
    // SAFETY: `int` is a live int (caller).
    unsafe { long_tag(int) & ffi::SIGN_MASK as usize == ffi::SIGN_NEGATIVE as usize }
}

// --- float -------------------------------------------------------------------------------------

/// The value of a float (`PyFloat_AS_DOUBLE`).
///
/// # Safety
/// `float` is a live float.
#[inline(always)]
pub(crate) unsafe fn float_value(float: *mut PyObject) -> f64 {
    // SAFETY: `float` is a live float (caller).
    unsafe { (*float.cast::<ffi::PyFloatObject>()).ob_fval }
}

// --- cell --------------------------------------------------------------------------------------

/// The field of a cell that holds its content.
///
/// # Safety
/// `cell` is a live cell.
#[inline(always)]
unsafe fn cell_slot(cell: *mut PyObject) -> *mut *mut PyObject {
    // SAFETY: `cell` is a live cell (caller).
    unsafe { &raw mut (*cell.cast::<ffi::PyCellObject>()).ob_ref }
}

/// The content of the cell as a new reference, or `None` if the cell is empty (`_PyCell_GetStackRef`). In
/// free-threaded hosts the function may wait for the cell's lock, or release an object that another thread has
/// replaced meanwhile; it calls `publish` before.
///
/// # Safety
/// `cell` is a live cell. The thread is attached, and `publish` publishes its frame.
#[inline(always)]
pub(crate) unsafe fn cell_value(cell: *mut PyObject, publish: impl Fn()) -> Option<StackRef> {
    // SAFETY: `cell` is a live cell, the thread is attached, and `publish` publishes its frame (caller).
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

/// Stores `value` in the cell and returns the old content (`PyCell_SwapTakeRef`). Takes over the reference to
/// `value`; null empties the cell. The caller owns the result, which is null if the cell was empty. In
/// free-threaded hosts the function may wait for the lock; it calls `publish` before.
///
/// # Safety
/// `cell` is a live cell; `value` is null or the caller owns it. The thread is attached, and `publish`
/// publishes its frame.
#[inline(always)]
pub(crate) unsafe fn cell_swap(
    cell: *mut PyObject,
    value: *mut PyObject,
    publish: impl FnOnce(),
) -> *mut PyObject {
    // SAFETY: `cell` is live, the thread is attached, and `publish` publishes its frame (caller). The lock
    // excludes other writers; readers without the lock see a complete object because of the release order.
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

/// The attribute values that are stored right after the object (`_PyObject_InlineValues`).
///
/// # Safety
/// `object` is live and its type has `Py_TPFLAGS_INLINE_VALUES`.
#[inline(always)]
pub(crate) unsafe fn inline_values(object: *mut PyObject) -> *mut ffi::PyDictValues {
    // SAFETY: `object` has inline values (caller), which start at the type's basic size.
    unsafe { object.cast::<u8>().offset((*type_of(object)).tp_basicsize).cast() }
}
