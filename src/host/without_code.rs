//! What some operators return, if that is found out without Python code, and without a look at frames.

use super::dict::Dict;
use super::dict_lookup::{Key, Lookup};
use super::object::{float_value, is_exact, known_length, list_items, size, tuple_slice, type_of};
use super::text::known_hash;
use super::{PyObject, PyTypeObject, ffi, none, set_lookup};

/// The longest list or tuple that is searched.
const LONGEST: isize = 64;

/// `key in container` for a dict, set, frozenset, list, tuple or string.
///
/// # Safety
/// The thread is attached, no exception is set, and both are live.
pub(crate) unsafe fn contains(container: *mut PyObject, key: *mut PyObject) -> Option<bool> {
    // SAFETY: both are live (caller), and of the type that each branch expects.
    unsafe {
        let type_ = type_of(container);
        if type_ == &raw mut ffi::PyDict_Type {
            return match find(Dict::from_object(container), key) {
                Lookup::Found(_) => Some(true),
                Lookup::Absent => Some(false),
                Lookup::Unknown => None,
            };
        }
        if type_ == &raw mut ffi::PySet_Type || type_ == &raw mut ffi::PyFrozenSet_Type {
            hash_string(key);
            return set_lookup::contains(container.cast(), key);
        }
        if type_ == &raw mut ffi::PyUnicode_Type {
            if type_of(key) != type_ {
                return None;
            }
            let found = ffi::PyUnicode_Contains(container, key);
            if found < 0 {
                ffi::PyErr_Clear();
            }
            return (found >= 0).then_some(found != 0);
        }
        if type_ == &raw mut ffi::PyTuple_Type {
            return has_item(tuple_slice(container), key);
        }
        if type_ == &raw mut ffi::PyList_Type {
            let count = size(container);
            let items = list_items(container);
            return if count == 0 {
                Some(false)
            } else {
                has_item(core::slice::from_raw_parts(items, count as usize), key)
            };
        }
        None
    }
}

/// Looks up a key in a dict. Strings that have no hash yet get one.
///
/// # Safety
/// As for [`contains`].
pub(crate) unsafe fn find(dict: Dict, key: *mut PyObject) -> Lookup {
    // SAFETY: both are live (caller).
    unsafe {
        hash_string(key);
        match dict.find(key) {
            Lookup::Unknown => Key::like_int(key).map_or(Lookup::Unknown, |key| dict.find_key(key)),
            found => found,
        }
    }
}

/// Computes the hash of an object that is exactly a string, if that has not been done.
///
/// # Safety
/// The thread is attached, and the object live.
unsafe fn hash_string(key: *mut PyObject) {
    // SAFETY: the object is live (caller), and a string. Hashing one runs no code, and does not fail.
    unsafe {
        if is_exact(key, &raw mut ffi::PyUnicode_Type) && known_hash(key).is_none() {
            ffi::PyObject_Hash(key);
        }
    }
}

/// Whether a value is among these.
///
/// # Safety
/// As for [`contains`].
unsafe fn has_item(items: &[*mut PyObject], value: *mut PyObject) -> Option<bool> {
    if items.len() as isize > LONGEST {
        return None;
    }
    for &item in items {
        // SAFETY: both are live (caller).
        if item == value || unsafe { are_equal(item, value)? } {
            return Some(true);
        }
    }
    Some(false)
}

/// `left == right`
///
/// # Safety
/// As for [`contains`].
pub(crate) unsafe fn are_equal(left: *mut PyObject, right: *mut PyObject) -> Option<bool> {
    // SAFETY: both are live (caller).
    unsafe {
        let types = [type_of(left), type_of(right)];
        let [has_values, other_has_values] = types.map(has_simple_values);
        if has_values && other_has_values {
            if types == [&raw mut ffi::PyUnicode_Type; 2] {
                return Some(left == right || ffi::_PyUnicode_Equal(left, right) != 0);
            }
            if types == [&raw mut ffi::PyFloat_Type; 2] {
                return Some(float_value(left) == float_value(right));
            }
            return Some(ffi::PyObject_RichCompareBool(left, right, ffi::Py_EQ as i32) != 0);
        }
        let [is_identity, other_is_identity] = types.map(|type_| compares_by_identity(type_));
        ((has_values || is_identity) && (other_has_values || other_is_identity)).then_some(left == right)
    }
}

/// Whether objects of the type are compared by their values, without Python code, and are not equal to those of other types than
/// these. Bytes are not among them: with `-b`, comparing them with strings or ints is a warning.
pub(super) fn has_simple_values(type_: *mut PyTypeObject) -> bool {
    [
        &raw mut ffi::PyUnicode_Type,
        &raw mut ffi::PyLong_Type,
        &raw mut ffi::PyFloat_Type,
        &raw mut ffi::PyBool_Type,
    ]
    .contains(&type_)
}

/// Whether objects of the type are equal only to themselves.
///
/// # Safety
/// The type is live.
unsafe fn compares_by_identity(type_: *mut PyTypeObject) -> bool {
    // SAFETY: both types are live (caller).
    unsafe {
        let compare = |type_: *mut PyTypeObject| (*type_).tp_richcompare.map(|function| function as usize);
        compare(type_) == compare(&raw mut ffi::PyBaseObject_Type)
    }
}

/// `bool(value)`
///
/// # Safety
/// As for [`contains`].
pub(crate) unsafe fn truth(value: *mut PyObject) -> Option<bool> {
    // SAFETY: the value is live (caller), and so are its type and the tables of that.
    unsafe {
        if let Some(length) = known_length(value) {
            return Some(length != 0);
        }
        let type_ = type_of(value);
        if has_simple_values(type_) || is_exact(value, &raw mut ffi::_PyNone_Type) {
            return Some(ffi::PyObject_IsTrue(value) != 0);
        }
        let has_truth = (*type_).tp_as_number.as_ref().is_some_and(|slots| slots.nb_bool.is_some())
            || (*type_).tp_as_mapping.as_ref().is_some_and(|slots| slots.mp_length.is_some())
            || (*type_).tp_as_sequence.as_ref().is_some_and(|slots| slots.sq_length.is_some());
        (!has_truth).then_some(true)
    }
}

/// Whether `container[start:stop]` needs no code.
///
/// # Safety
/// As for [`contains`].
pub(crate) unsafe fn can_slice(container: *mut PyObject, start: *mut PyObject, stop: *mut PyObject) -> bool {
    let is_sequence = |object| {
        // SAFETY: the container is live (caller).
        let type_ = unsafe { type_of(object) };
        [
            &raw mut ffi::PyList_Type,
            &raw mut ffi::PyTuple_Type,
            &raw mut ffi::PyUnicode_Type,
            &raw mut ffi::PyBytes_Type,
        ]
        .contains(&type_)
    };
    // SAFETY: both are live (caller).
    is_sequence(container) && unsafe { is_limit(start) && is_limit(stop) }
}

/// Whether the limits of a slice are numbers, or missing.
///
/// # Safety
/// As for [`contains`]; the object is a slice.
pub(crate) unsafe fn has_plain_limits(slice: *mut PyObject) -> bool {
    // SAFETY: the slice is live (caller), and so are its parts.
    unsafe {
        let slice = slice.cast::<ffi::PySliceObject>();
        [(*slice).start, (*slice).stop, (*slice).step].into_iter().all(|limit| is_limit(limit))
    }
}

/// Whether a limit of a slice is a number, or missing.
///
/// # Safety
/// The object is live.
unsafe fn is_limit(object: *mut PyObject) -> bool {
    // SAFETY: the object is live (caller).
    object == none() || unsafe { is_exact(object, &raw mut ffi::PyLong_Type) }
}

/// Whether the operator `+` of two sequences makes a new one of the items of both.
///
/// # Safety
/// As for [`contains`].
pub(crate) unsafe fn can_concatenate(left: *mut PyObject, right: *mut PyObject) -> bool {
    // SAFETY: both are live (caller).
    let types = unsafe { [type_of(left), type_of(right)] };
    [&raw mut ffi::PyList_Type, &raw mut ffi::PyTuple_Type, &raw mut ffi::PyBytes_Type]
        .iter()
        .any(|&type_| types == [type_; 2])
}
