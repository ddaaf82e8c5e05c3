//! Building and changing dicts, sets and lists without running code.

use super::dict::Dict;
use super::dict_lookup::Lookup;
use super::object::type_of;
use super::without_code::{find, has_simple_values};
use super::{PyObject, StackRef, ffi, none, refcount};

/// The object as a dict that nothing watches, and whose values are its own: a change changes nothing else.
///
/// # Safety
/// The object is live.
unsafe fn plain_dict(object: *mut PyObject) -> Option<Dict> {
    // SAFETY: the object is live (caller).
    unsafe { Dict::for_writing(object).filter(|dict| dict.watchers() == 0 && !dict.is_split()) }
}

/// Whether [`store`] is going to store a value.
///
/// # Safety
/// The thread is attached, no exception is set, and both are live.
pub(crate) unsafe fn can_store(dict: *mut PyObject, key: *mut PyObject) -> bool {
    // SAFETY: both are live (caller).
    unsafe { plain_dict(dict).is_some_and(|dict| find(dict, key) != Lookup::Unknown) }
}

/// `dict[key] = value`. Returns the old value, or the null reference. `None` if nothing has changed: only the host can do it, or
/// there is no memory. No exception is set.
///
/// # Safety
/// As for [`can_store`], and the value is live.
pub(crate) unsafe fn store(
    dict: *mut PyObject,
    key: *mut PyObject,
    value: *mut PyObject,
) -> Option<StackRef> {
    // SAFETY: all are live (caller). The slot is in the dict, which does not change meanwhile.
    unsafe {
        match find(plain_dict(dict)?, key) {
            Lookup::Found(slot) => Some(StackRef::steal(slot.replace(refcount::new_ref(value)))),
            Lookup::Absent if ffi::PyDict_SetItem(dict, key, value) == 0 => Some(StackRef::NULL),
            Lookup::Absent => {
                ffi::PyErr_Clear();
                None
            }
            Lookup::Unknown => None,
        }
    }
}

/// Whether [`delete`] is going to find a key: all keys of the dict are strings, whose ends run no code.
///
/// # Safety
/// As for [`can_store`].
pub(crate) unsafe fn can_delete(dict: *mut PyObject, key: *mut PyObject) -> bool {
    // SAFETY: both are live (caller).
    unsafe {
        plain_dict(dict).is_some_and(|dict| {
            dict.keys().kind() == ffi::DICT_KEYS_UNICODE && matches!(find(dict, key), Lookup::Found(_))
        })
    }
}

/// `del dict[key]`. Returns the old value. `None` if nothing has changed: there is no such key, or only the host can do it. No
/// exception is set.
///
/// # Safety
/// As for [`can_store`].
pub(crate) unsafe fn delete(dict: *mut PyObject, key: *mut PyObject) -> Option<StackRef> {
    // SAFETY: both are live (caller).
    unsafe {
        if !can_delete(dict, key) {
            return None;
        }
        let mut value = core::ptr::null_mut();
        if ffi::PyDict_Pop(dict, key, &raw mut value) != 1 {
            ffi::PyErr_Clear();
            return None;
        }
        Some(StackRef::steal(value))
    }
}

/// Whether the object is hashed, and compared with others of its kind, without code.
///
/// # Safety
/// The object is live.
pub(crate) unsafe fn is_plain_key(key: *mut PyObject) -> bool {
    // SAFETY: the object is live (caller).
    key == none() || has_simple_values(unsafe { type_of(key) })
}

/// Whether the items of an iterable are found without code.
///
/// # Safety
/// The object is live.
pub(crate) unsafe fn has_plain_items(iterable: *mut PyObject) -> bool {
    // SAFETY: the object is live (caller).
    let type_ = unsafe { type_of(iterable) };
    [
        &raw mut ffi::PyList_Type,
        &raw mut ffi::PyTuple_Type,
        &raw mut ffi::PyDict_Type,
        &raw mut ffi::PySet_Type,
        &raw mut ffi::PyFrozenSet_Type,
        &raw mut ffi::PyUnicode_Type,
        &raw mut ffi::PyRange_Type,
        &raw mut ffi::PyDictKeys_Type,
        &raw mut ffi::PyDictValues_Type,
        &raw mut ffi::PyDictItems_Type,
    ]
    .contains(&type_)
}

/// Whether an empty dict is filled from a mapping without code: a dict whose keys are strings.
///
/// # Safety
/// Both are live.
pub(crate) unsafe fn can_fill(dict: *mut PyObject, mapping: *mut PyObject) -> bool {
    // SAFETY: both are live (caller).
    unsafe {
        let is_empty = plain_dict(dict).is_some_and(|dict| dict.is_empty());
        is_empty && Dict::cast(mapping).is_some_and(|dict| dict.keys().kind() != ffi::DICT_KEYS_GENERAL)
    }
}
