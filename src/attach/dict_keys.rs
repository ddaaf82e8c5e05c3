//! Looking up strings in tables of keys, and the versions of these tables. Source: `dictobject.c`.
//!
//! A table of keys is a hash table of numbers, followed by the entries that these numbers stand for. Numbers are as
//! wide as the size of the table requires.

use core::ffi::c_int;
use core::slice;

use crate::host::head::is_exact;
use crate::host::{Owned, PyObject, ThreadState, ffi};

hidden! {
    _PyDictKeys_StringLookup, _PyDictKeys_StringLookupSplit, _PyDictKeys_StringLookupAndVersion,
    _PyDict_LookupIndex, _PyDict_GetKeysVersionForCurrentState
}

/// Not found (`DKIX_EMPTY`), as the result of a lookup.
const ABSENT: isize = ffi::DKIX_EMPTY as isize;
/// The lookup failed (`DKIX_ERROR`).
const FAILED: isize = ffi::DKIX_ERROR as isize;

/// A place in the hash table.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Place {
    /// No key was ever stored there, so that a search ends.
    Free,
    /// The key that was there has been deleted.
    Deleted,
    /// The number of an entry.
    Entry(usize),
}

impl Place {
    fn new(number: i64) -> Place {
        match usize::try_from(number) {
            Ok(entry) => Place::Entry(entry),
            Err(_) if number == i64::from(ffi::DKIX_EMPTY) => Place::Free,
            Err(_) => Place::Deleted,
        }
    }
}

/// The hash table of a table of keys.
#[derive(Clone, Copy)]
enum Places<'a> {
    Narrow(&'a [i8]),
    Medium(&'a [i16]),
    Wide(&'a [i32]),
    Widest(&'a [i64]),
}

impl Places<'_> {
    /// # Safety
    /// `keys` is live and does not change while the result is used.
    unsafe fn of<'a>(keys: *mut ffi::PyDictKeysObject) -> Places<'a> {
        /// # Safety
        /// `size` numbers of this type begin at `start`, and do not change for `'a`.
        unsafe fn numbers<'a, T>(start: *const u8, size: usize) -> &'a [T] {
            // SAFETY: the numbers are there (caller), and the host aligns them.
            unsafe { slice::from_raw_parts(start.cast(), size) }
        }
        // SAFETY: the table has this size, and numbers of the width that the host chooses for it.
        unsafe {
            let start = (&raw const (*keys).dk_indices).cast::<u8>();
            let log2_size = (*keys).dk_log2_size;
            let size = 1 << log2_size;
            match (*keys).dk_log2_index_bytes - log2_size {
                0 => Places::Narrow(numbers(start, size)),
                1 => Places::Medium(numbers(start, size)),
                2 => Places::Wide(numbers(start, size)),
                _ => Places::Widest(numbers(start, size)),
            }
        }
    }

    fn size(&self) -> usize {
        match self {
            Places::Narrow(numbers) => numbers.len(),
            Places::Medium(numbers) => numbers.len(),
            Places::Wide(numbers) => numbers.len(),
            Places::Widest(numbers) => numbers.len(),
        }
    }

    fn at(&self, index: usize) -> Place {
        Place::new(match self {
            Places::Narrow(numbers) => numbers[index].into(),
            Places::Medium(numbers) => numbers[index].into(),
            Places::Wide(numbers) => numbers[index].into(),
            Places::Widest(numbers) => numbers[index],
        })
    }

    /// The numbers of the entries that may have a key with this hash, in the order in which the host stores them.
    fn candidates(self, hash: isize) -> impl Iterator<Item = usize> {
        let mask = self.size() - 1;
        probes(hash as usize, mask)
            .map(move |index| self.at(index))
            .take_while(|&place| place != Place::Free)
            .filter_map(|place| match place {
                Place::Entry(entry) => Some(entry),
                Place::Free | Place::Deleted => None,
            })
    }
}

/// The order in which places are tried. In the end it reaches all of them, since the perturbation becomes zero.
fn probes(hash: usize, mask: usize) -> impl Iterator<Item = usize> {
    /// How many bits of the hash each step takes in (`PERTURB_SHIFT`).
    const SHIFT: u32 = 5;
    let first = (hash & mask, hash);
    core::iter::successors(Some(first), move |&(index, perturbation)| {
        let perturbation = perturbation >> SHIFT;
        Some((index.wrapping_mul(5).wrapping_add(perturbation).wrapping_add(1) & mask, perturbation))
    })
    .map(|(index, _)| index)
}

/// The entries of a table of keys, of either kind.
///
/// # Safety
/// `keys` is live.
unsafe fn entries<T>(keys: *mut ffi::PyDictKeysObject) -> *const T {
    // SAFETY: the entries follow the hash table (caller).
    unsafe { (&raw const (*keys).dk_indices).cast::<u8>().add(1 << (*keys).dk_log2_index_bytes).cast() }
}

/// The hash of a string.
///
/// # Safety
/// The thread is attached, and `string` is exactly a `str`.
unsafe fn hash_of(string: *mut PyObject) -> isize {
    // SAFETY: `string` is a live string (caller). Computing the hash of one cannot fail.
    unsafe {
        let known = (*string.cast::<ffi::PyASCIIObject>()).hash;
        if known == -1 { ffi::PyObject_Hash(string) } else { known }
    }
}

/// Whether two strings are equal.
///
/// # Safety
/// The thread is attached, and both are exactly of type `str`.
unsafe fn equal(left: *mut PyObject, right: *mut PyObject) -> bool {
    // SAFETY: both are live strings (caller).
    left == right || unsafe { ffi::_PyUnicode_Equal(left, right) != 0 }
}

/// The number of the entry of `key` in a table that has only strings as keys.
///
/// # Safety
/// The thread is attached. `keys` is live and not of the general kind; `key` is exactly a `str`.
unsafe fn find_string(keys: *mut ffi::PyDictKeysObject, key: *mut PyObject) -> Option<usize> {
    // SAFETY: the table is live and has such entries (caller). Comparing strings runs no other code.
    unsafe {
        let hash = hash_of(key);
        let entries = entries::<ffi::PyDictUnicodeEntry>(keys);
        Places::of(keys).candidates(hash).find(|&index| {
            let found = (*entries.add(index)).me_key;
            found == key || hash_of(found) == hash && equal(found, key)
        })
    }
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
        let entry = entries::<ffi::PyDictKeyEntry>(keys).add(index);
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
            let outcome = Places::of(keys)
                .candidates(hash)
                .map(|index| (index, compare_any(dict, keys, index, key, hash)))
                .find(|&(_, comparison)| comparison != Comparison::Different);
            return match outcome {
                None => ABSENT,
                Some((index, Comparison::Same)) => index as isize,
                Some((_, Comparison::TableChanged)) => continue,
                Some((_, Comparison::Failed | Comparison::Different)) => FAILED,
            };
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
        as_index(find_string(keys, key))
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
    as_index(unsafe { find_string(keys, key) })
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
            as_index(find_string(keys, key))
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
