//! Functions that machine code calls for work of the host that runs no Python code: texts, changes of containers, attributes.

use crate::host::object::has_feature;
use crate::host::plain_text::{self, Form};
use crate::host::{PyObject, StackRef, ThreadState, changes, ffi, refcount};
use crate::ops::calls::functions;
use crate::ops::{attributes, known_attributes};
use crate::specialize::side_cache;

/// A stack reference as a word, which is not 0. 0 if there is none.
fn to_word(reference: Option<StackRef>) -> usize {
    // SAFETY: all bits of a reference are a number.
    reference.map_or(0, |reference| unsafe { reference.raw().bits })
}

/// A new cell with this value, or null, or null without memory. No exception is set.
///
/// # Safety
/// The thread is attached, and no exception is set. The value is live, or null.
pub(super) unsafe extern "C" fn new_cell(value: *mut PyObject) -> *mut PyObject {
    // SAFETY: the contract is the same.
    unsafe { without_error(ffi::PyCell_New(value)) }
}

/// A new function of a code object, or null without memory. No exception is set.
///
/// # Safety
/// The thread is attached, and no exception is set. The code object and the globals, a dict, are live.
pub(super) unsafe extern "C" fn new_function(code: *mut PyObject, globals: *mut PyObject) -> *mut PyObject {
    // SAFETY: the contract is the same.
    unsafe { without_error(functions::new_function(code, globals)) }
}

/// A new dict, or null without memory. No exception is set.
///
/// # Safety
/// The thread is attached, and no exception is set.
pub(super) unsafe extern "C" fn new_dict() -> *mut PyObject {
    // SAFETY: the contract is the same.
    unsafe { without_error(ffi::PyDict_New()) }
}

/// A new object, or null without an exception.
///
/// # Safety
/// The thread is attached.
unsafe fn without_error(object: *mut PyObject) -> *mut PyObject {
    if object.is_null() {
        // SAFETY: the thread is attached (caller).
        unsafe { ffi::PyErr_Clear() };
    }
    object
}

/// The text of an int, a new reference, or null without memory. No exception is set.
///
/// # Safety
/// The thread is attached, and no exception is set.
pub(super) unsafe extern "C" fn decimal(value: i64) -> *mut PyObject {
    // SAFETY: the contract is the same.
    unsafe { plain_text::decimal(value) }
}

/// `str(object)`, a new reference, or null if only the host can tell. No exception is set.
///
/// # Safety
/// As for [`decimal`], and what is looked at is live.
pub(super) unsafe extern "C" fn str_of(object: *mut PyObject) -> *mut PyObject {
    // SAFETY: the contract is the same.
    unsafe { plain_text::text_of(object, Form::Str) }
}

/// `repr(object)`, likewise.
///
/// # Safety
/// As for [`decimal`], and what is looked at is live.
pub(super) unsafe extern "C" fn repr_of(object: *mut PyObject) -> *mut PyObject {
    // SAFETY: the contract is the same.
    unsafe { plain_text::text_of(object, Form::Repr) }
}

/// `dict[key] = value`. Returns the old value, a stack reference, or 0 if nothing has changed, because only the host can do it. No
/// exception is set.
///
/// # Safety
/// As for [`decimal`]. All objects are live.
pub(super) unsafe extern "C" fn dict_store(
    dict: *mut PyObject,
    key: *mut PyObject,
    value: *mut PyObject,
) -> usize {
    // SAFETY: the contract is the same.
    to_word(unsafe { changes::store(dict, key, value) })
}

/// `del dict[key]`, likewise.
///
/// # Safety
/// As for [`dict_store`].
pub(super) unsafe extern "C" fn dict_delete(dict: *mut PyObject, key: *mut PyObject) -> usize {
    // SAFETY: the contract is the same.
    to_word(unsafe { changes::delete(dict, key) })
}

/// Whether a dict or set can be built of this key without code: 1, or 0.
///
/// # Safety
/// The object is live.
pub(super) unsafe extern "C" fn is_plain_key(key: *mut PyObject) -> usize {
    // SAFETY: the contract is the same.
    unsafe { changes::is_plain_key(key) }.into()
}

/// Whether the items of an iterable are found without code: 1, or 0.
///
/// # Safety
/// The object is live.
pub(super) unsafe extern "C" fn has_plain_items(iterable: *mut PyObject) -> usize {
    // SAFETY: the contract is the same.
    unsafe { changes::has_plain_items(iterable) }.into()
}

/// Whether an empty dict is filled from a mapping without code: 1, or 0.
///
/// # Safety
/// Both are live.
pub(super) unsafe extern "C" fn can_fill(dict: *mut PyObject, mapping: *mut PyObject) -> usize {
    // SAFETY: the contract is the same.
    unsafe { changes::can_fill(dict, mapping) }.into()
}

/// The attribute of an object, a stack reference, or 0 if it is not known where that is.
///
/// # Safety
/// The thread is attached, and `tstate` is its state. The object is live, and the name is one of a live code object.
pub(super) unsafe extern "C" fn known_attribute(
    tstate: ThreadState,
    owner: *mut PyObject,
    name: *mut PyObject,
) -> usize {
    // SAFETY: the contract is the same.
    unsafe { attribute_if(known_attributes::known_attribute(tstate, owner, name, false), false) }
}

/// The same for a call, if it is no method of the object.
///
/// # Safety
/// As for [`known_attribute`].
pub(super) unsafe extern "C" fn attribute_for_call(
    tstate: ThreadState,
    owner: *mut PyObject,
    name: *mut PyObject,
) -> usize {
    // SAFETY: the contract is the same.
    unsafe { attribute_if(known_attributes::known_attribute(tstate, owner, name, true), false) }
}

/// The same, if it is one.
///
/// # Safety
/// As for [`known_attribute`].
pub(super) unsafe extern "C" fn method_for_call(
    tstate: ThreadState,
    owner: *mut PyObject,
    name: *mut PyObject,
) -> usize {
    // SAFETY: the contract is the same.
    unsafe { attribute_if(known_attributes::known_attribute(tstate, owner, name, true), true) }
}

/// The word for an attribute of this kind. One of the other kind is released, whose end runs no code.
///
/// # Safety
/// The thread is attached. The reference is owned.
unsafe fn attribute_if(found: Option<(StackRef, bool)>, is_method: bool) -> usize {
    match found {
        Some((other, kind)) if kind != is_method => {
            // SAFETY: the reference is owned (caller).
            unsafe { other.close() };
            0
        }
        found => to_word(found.map(|(attr, _)| attr)),
    }
}

/// The attribute at a place in the dictionary of an object, borrowed, or null if it is not there.
///
/// # Safety
/// The thread is attached. The object is live, with a managed dictionary, and so is the name.
pub(super) unsafe extern "C" fn hinted_attribute(
    owner: *mut PyObject,
    hint: u64,
    name: *mut PyObject,
) -> *mut PyObject {
    // SAFETY: the contract is the same. The dictionary does not change meanwhile.
    unsafe { attributes::hinted_entry(owner, hint as u16, name) }
        .map_or(core::ptr::null_mut(), |(_, slot)| unsafe { slot.borrow() })
}

/// Stores an attribute at a place in the dictionary of an object. Returns the old value, a stack reference, or 0 if nothing has changed:
/// the attribute is not there, or something watches the dictionary.
///
/// # Safety
/// As for [`hinted_attribute`], and the value is live.
pub(super) unsafe extern "C" fn store_hinted_attribute(
    owner: *mut PyObject,
    hint: u64,
    name: *mut PyObject,
    value: *mut PyObject,
) -> usize {
    // SAFETY: the contract is the same. The dictionary does not change meanwhile.
    unsafe {
        match attributes::hinted_entry(owner, hint as u16, name) {
            Some((dict, slot)) if dict.watchers() == 0 => {
                to_word(Some(StackRef::steal(slot.replace(refcount::new_ref(value)))))
            }
            _ => 0,
        }
    }
}

/// The method `super(class, this).name` without `this`, a stack reference, or 0 if only the host can tell. No exception is set.
///
/// # Safety
/// The thread is attached, and `tstate` is its state. The objects are live.
pub(super) unsafe extern "C" fn super_method(
    tstate: ThreadState,
    class: *mut PyObject,
    this: *mut PyObject,
    name: *mut PyObject,
) -> usize {
    // SAFETY: the objects are live (caller), and the class is one (checked).
    unsafe {
        if !has_feature(class, ffi::Py_TPFLAGS_TYPE_SUBCLASS) {
            return 0;
        }
        let method = side_cache::super_method(tstate, class.cast(), this, name);
        if method.is_null() { 0 } else { to_word(Some(StackRef::steal(method))) }
    }
}
