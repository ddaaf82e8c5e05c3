//! Strings. Source: `cpython/unicodeobject.h`, `pycore_unicodeobject.h`.
//!
//! Only an instance of a subclass of `str` may keep its characters in a separate block. An object that is
//! exactly a `str` has them right after its header, which is why the accessors here require one.

use super::ffi::{self, PyObject};

/// The number of code points (`PyUnicode_GET_LENGTH`).
///
/// # Safety
/// `string` is a live string.
#[inline(always)]
pub(crate) unsafe fn unicode_length(string: *mut PyObject) -> usize {
    // SAFETY: `string` is a live string (caller); lengths are not negative.
    unsafe { (*string.cast::<ffi::PyASCIIObject>()).length as usize }
}

/// The hash of a string, if it has been computed (`PyUnicode_HASH`).
///
/// # Safety
/// `string` is a live string.
#[inline(always)]
pub(crate) unsafe fn known_hash(string: *mut PyObject) -> Option<isize> {
    // SAFETY: `string` is a live string (caller).
    let hash = unsafe { (*string.cast::<ffi::PyASCIIObject>()).hash };
    (hash != -1).then_some(hash)
}

/// One code point (`PyUnicode_READ_CHAR`).
///
/// # Safety
/// `string` is live, exactly a `str`, and longer than `index`.
#[inline(always)]
pub(crate) unsafe fn unicode_char(string: *mut PyObject, index: usize) -> u32 {
    // SAFETY: the characters of an exact `str` follow its header, which is shorter for ASCII; the kind is the
    // size of a character; `index` is within the string (caller).
    unsafe {
        let state = &(*string.cast::<ffi::PyASCIIObject>()).state;
        if state.ascii() != 0 {
            let characters = string.cast::<ffi::PyASCIIObject>().add(1);
            return u32::from(*characters.cast::<u8>().add(index));
        }
        let characters = string.cast::<ffi::PyCompactUnicodeObject>().add(1);
        match state.kind() {
            ffi::PyUnicode_1BYTE_KIND => u32::from(*characters.cast::<u8>().add(index)),
            ffi::PyUnicode_2BYTE_KIND => u32::from(*characters.cast::<u16>().add(index)),
            _ => *characters.cast::<u32>().add(index),
        }
    }
}

/// The string of one ASCII character, immortal; `None` for other characters (`_Py_SINGLETON(strings).ascii`).
#[inline(always)]
pub(crate) fn ascii_string(character: u32) -> Option<*mut PyObject> {
    // SAFETY: only the address of a static of the host is taken.
    let strings = unsafe { &raw mut ffi::_PyRuntime.static_objects.singletons.strings.ascii };
    // SAFETY: the index is within the table of 128 strings.
    (character < 128).then(|| unsafe { (&raw mut (*strings)[character as usize]).cast() })
}
