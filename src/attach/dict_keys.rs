//! Looking up strings in tables of keys, and the versions of these tables. Source: `dictobject.c`.

use core::ffi::c_int;

use crate::host::dict::DictKeys;
use crate::host::head::is_exact;
use crate::host::text::known_hash;
use crate::host::{Owned, PyObject, ThreadState, ffi};

hidden! {
    _PyDictKeys_StringLookup, _PyDictKeys_StringLookupSplit, _PyDictKeys_StringLookupAndVersion,
    _PyDict_LookupIndex, _PyDict_GetKeysVersionForCurrentState
}

/// Not found (`DKIX_EMPTY`), as the result of a lookup.
const ABSENT: isize = ffi::DKIX_EMPTY as isize;
/// The lookup failed (`DKIX_ERROR`).
const FAILED: isize = ffi::DKIX_ERROR as isize;

/// The hash of a string.
///
/// # Safety
/// The thread is attached, and `string` is exactly a `str`.
unsafe fn hash_of(string: *mut PyObject) -> isize {
    // SAFETY: `string` is a live string (caller). Computing the hash of one cannot fail.
    unsafe { known_hash(string).unwrap_or_else(|| ffi::PyObject_Hash(string)) }
}

/// Whether two strings are equal.
///
/// # Safety
/// The thread is attached, and both are exactly of type `str`.
unsafe fn equal(left: *mut PyObject, right: *mut PyObject) -> bool {
    // SAFETY: both are live strings (caller).
    left == right || unsafe { ffi::_PyUnicode_Equal(left, right) != 0 }
}

/// What a comparison of a key with the one that is looked for says.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Comparison {
    Same,
    Different,
    /// Code ran that has changed the table.
    TableChanged,
    /// An exception is set.
    Failed,
}

/// Compares the key at `index` of a table of the general kind with the string `key`.
///
/// # Safety
/// The thread is attached. `keys` are those of the live dictionary `dict`, and have that many entries; `key` is exactly
/// a `str` and `hash` its hash.
unsafe fn compare_any(
    dict: *mut ffi::PyDictObject,
    keys: *mut ffi::PyDictKeysObject,
    index: usize,
    key: *mut PyObject,
    hash: isize,
) -> Comparison {
    // SAFETY: the entry is there (caller). After code has run, the table is looked at only if it still is the
    // dictionary's.
    unsafe {
        let entry = DictKeys::from_ptr(keys).general_entry(index);
        let found = (*entry).me_key;
        if found == key {
            return Comparison::Same;
        }
        if (*entry).me_hash != hash {
            return Comparison::Different;
        }
        if is_exact(found, &raw mut ffi::PyUnicode_Type) {
            return if equal(found, key) { Comparison::Same } else { Comparison::Different };
        }
        let found = Owned::new_ref(found);
        let result: c_int = ffi::PyObject_RichCompareBool(found.as_ptr(), key, ffi::Py_EQ as c_int);
        if result < 0 {
            Comparison::Failed
        } else if (*dict).ma_keys != keys || (*entry).me_key != found.as_ptr() {
            Comparison::TableChanged
        } else if result > 0 {
            Comparison::Same
        } else {
            Comparison::Different
        }
    }
}

/// The number of the entry of `key` in the table of `dict`, which is of the general kind: [`ABSENT`] if it is not
/// there, [`FAILED`] with an exception set.
///
/// # Safety
/// The thread is attached. `dict` is live, and `key` is exactly a `str`.
unsafe fn find_in_general(dict: *mut ffi::PyDictObject, key: *mut PyObject) -> isize {
    // SAFETY: the dictionary is live and `key` a string (caller). The table is left when it has changed.
    unsafe {
        let hash = hash_of(key);
        loop {
            let keys = (*dict).ma_keys;
            let mut comparison = Comparison::Different;
            let found = DictKeys::from_ptr(keys).find_entry(hash, |index| {
                comparison = compare_any(dict, keys, index, key, hash);
                comparison != Comparison::Different
            });
            match comparison {
                Comparison::Same | Comparison::Different => return as_index(found),
                Comparison::TableChanged => {}
                Comparison::Failed => return FAILED,
            }
        }
    }
}

/// The result of a lookup in the host's convention.
fn as_index(found: Option<usize>) -> isize {
    found.map_or(ABSENT, |index| index as isize)
}

/// The index of the entry of `key`; -1 if the table does not have the key. Another negative number, without an
/// exception, if `key` is not exactly a string or other keys are not.
///
/// # Safety
/// The thread is attached; `keys` is live.
#[unsafe(no_mangle)]
unsafe extern "C" fn _PyDictKeys_StringLookup(keys: *mut ffi::PyDictKeysObject, key: *mut PyObject) -> isize {
    // SAFETY: both are live (caller).
    unsafe {
        let general = (*keys).dk_kind == ffi::DICT_KEYS_GENERAL as u8;
        if general || !is_exact(key, &raw mut ffi::PyUnicode_Type) {
            return FAILED;
        }
        as_index(DictKeys::from_ptr(keys).find_string(key, hash_of(key)))
    }
}

/// Like [`_PyDictKeys_StringLookup`], for keys that instances share.
///
/// # Safety
/// As for [`_PyDictKeys_StringLookup`]; `keys` is of that kind, and `key` is exactly a string.
#[unsafe(no_mangle)]
unsafe extern "C" fn _PyDictKeys_StringLookupSplit(
    keys: *mut ffi::PyDictKeysObject,
    key: *mut PyObject,
) -> isize {
    // SAFETY: the keys are strings, and so is `key` (caller).
    as_index(unsafe { DictKeys::from_ptr(keys).find_string(key, hash_of(key)) })
}

/// Like [`_PyDictKeys_StringLookup`]. If that does not fail, also stores the version of the keys to `*version`: it is
/// assigned now if there is none; 0 if versions have run out.
///
/// # Safety
/// As for [`_PyDictKeys_StringLookup`]; `version` is writable.
#[unsafe(no_mangle)]
unsafe extern "C" fn _PyDictKeys_StringLookupAndVersion(
    keys: *mut ffi::PyDictKeysObject,
    key: *mut PyObject,
    version: *mut u32,
) -> isize {
    // SAFETY: the caller's contract is that of the callees.
    unsafe {
        let index = _PyDictKeys_StringLookup(keys, key);
        if index != FAILED {
            version.write(current_version(ThreadState::current().interp(), keys));
        }
        index
    }
}

/// The index of the entry of `key`; -1 if the dictionary does not have the key. Another negative number, with an
/// exception set, if a comparison fails.
///
/// # Safety
/// The thread is attached; `dict` is live, and `key` is exactly a string.
#[unsafe(no_mangle)]
unsafe extern "C" fn _PyDict_LookupIndex(dict: *mut ffi::PyDictObject, key: *mut PyObject) -> isize {
    // SAFETY: the dictionary is live and `key` a string (caller).
    unsafe {
        let keys = (*dict).ma_keys;
        if (*keys).dk_kind == ffi::DICT_KEYS_GENERAL as u8 {
            find_in_general(dict, key)
        } else {
            as_index(DictKeys::from_ptr(keys).find_string(key, hash_of(key)))
        }
    }
}

/// The version of the keys of `dict`, assigned now if there is none; 0 if versions have run out.
///
/// # Safety
/// The thread is attached to `interp`; `dict` is live.
#[unsafe(no_mangle)]
unsafe extern "C" fn _PyDict_GetKeysVersionForCurrentState(
    interp: *mut ffi::PyInterpreterState,
    dict: *mut ffi::PyDictObject,
) -> u32 {
    // SAFETY: the dictionary is live (caller), and so are its keys.
    unsafe { current_version(interp, (*dict).ma_keys) }
}

/// The version of `keys`, assigned now if there is none; 0 if versions have run out.
///
/// # Safety
/// The thread is attached to `interp`; `keys` is live.
unsafe fn current_version(interp: *mut ffi::PyInterpreterState, keys: *mut ffi::PyDictKeysObject) -> u32 {
    // SAFETY: the GIL keeps other threads from changing keys and counter (caller).
    unsafe {
        if (*keys).dk_version == 0 {
            let next = &raw mut (*interp).dict_state.next_keys_version;
            (*keys).dk_version = *next;
            if *next != 0 {
                *next = (*next).wrapping_add(1);
            }
        }
        (*keys).dk_version
    }
}
