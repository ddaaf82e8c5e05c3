//! `str()`, `repr()` and `format()` of objects for which they run no code and handle no signals.

use super::object::{is_exact, long_compact_value, long_is_compact, type_of};
use super::{PyObject, false_, ffi, none, refcount, true_};

/// The most characters of an `i64`.
const MAX_DIGITS: usize = 20;

/// What is made of an object.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Form {
    Str,
    Repr,
}

/// Whether [`text_of`] knows the object.
///
/// # Safety
/// The object is live.
pub(crate) unsafe fn has_plain_text(object: *mut PyObject) -> bool {
    // SAFETY: the object is live (caller).
    unsafe {
        let type_ = type_of(object);
        type_ == &raw mut ffi::PyUnicode_Type
            || type_ == &raw mut ffi::PyFloat_Type
            || is_exact(object, &raw mut ffi::PyLong_Type) && long_is_compact(object)
            || [none(), true_(), false_()].contains(&object)
    }
}

/// The text of an object, a new reference. Null if only the host can tell, or without memory. No exception is set.
///
/// # Safety
/// The thread is attached, no exception is set, and the object is live.
pub(crate) unsafe fn text_of(object: *mut PyObject, form: Form) -> *mut PyObject {
    // SAFETY: the object is live (caller), and a compact int when its value is read.
    unsafe {
        if !has_plain_text(object) {
            return core::ptr::null_mut();
        }
        if is_exact(object, &raw mut ffi::PyLong_Type) {
            return decimal(long_compact_value(object) as i64);
        }
        if form == Form::Str && is_exact(object, &raw mut ffi::PyUnicode_Type) {
            return refcount::new_ref(object);
        }
        let text = match form {
            Form::Str => ffi::PyObject_Str(object),
            Form::Repr => ffi::PyObject_Repr(object),
        };
        if text.is_null() {
            ffi::PyErr_Clear();
        }
        text
    }
}

/// The text of an int, as [`text_of`] returns it. The function of the host handles signals.
///
/// # Safety
/// As for [`text_of`].
pub(crate) unsafe fn decimal(value: i64) -> *mut PyObject {
    let mut characters = [0u8; MAX_DIGITS];
    let (mut first, mut rest) = (MAX_DIGITS, value.unsigned_abs());
    loop {
        first -= 1;
        characters[first] = b'0' + (rest % 10) as u8;
        rest /= 10;
        if rest == 0 {
            break;
        }
    }
    if value < 0 {
        first -= 1;
        characters[first] = b'-';
    }
    let characters = &characters[first..];
    // SAFETY: the thread is attached (caller). A new string of ASCII has its characters behind its header.
    unsafe {
        let string = ffi::PyUnicode_New(characters.len() as isize, u32::from(b'9') as _);
        if string.is_null() {
            ffi::PyErr_Clear();
            return string;
        }
        let at = string.cast::<ffi::PyASCIIObject>().add(1).cast::<u8>();
        at.copy_from_nonoverlapping(characters.as_ptr(), characters.len());
        string
    }
}
