//! Looking up keys in tables of keys. Source: `pycore_dict.h`, `dictobject.c`.
//!
//! A table of keys is a hash table of numbers, followed by the entries that these numbers stand for. Numbers are as
//! wide as the size of the table requires.

use super::FREE_THREADED;
use super::dict::{Dict, DictKeys};
use super::ffi::{self, PyObject};
#[cfg(feature = "jit")]
use super::object::has_feature;
use super::object::{is_exact, long_small_value, type_of};
use super::slot::Slot;
use super::text::known_hash;

/// What [`Dict::find`] finds.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Lookup {
    /// The slot of the key's value, which is not null.
    Found(Slot),
    Absent,
    /// Only the host can tell.
    Unknown,
}

impl Dict {
    /// Looks up `key` if that runs no other code: a key that is exactly a string with a known hash, exactly an int of few
    /// digits, or of a type that hashes by address, in a table of keys that is the dictionary's own. Free-threaded hosts,
    /// where other threads may change the table, do all lookups themselves.
    ///
    /// # Safety
    /// The thread is attached; the dictionary and `key` are live.
    #[inline(always)]
    pub(crate) unsafe fn find(self, key: *mut PyObject) -> Lookup {
        // SAFETY: both are live (caller).
        unsafe {
            match self.find_at_once(key) {
                Lookup::Unknown => self.find_slowly(key),
                found => found,
            }
        }
    }

    /// Looks up `key` if it is exactly a string, and the first place of a small table of strings tells: it mostly does, and
    /// mostly the key there is the same object.
    ///
    /// # Safety
    /// As for [`Dict::find`].
    #[inline(always)]
    pub(crate) unsafe fn find_at_once(self, key: *mut PyObject) -> Lookup {
        // SAFETY: both are live (caller). The table has only strings as keys and one byte for each place (checked), and a
        // place whose number is not negative has an entry.
        unsafe {
            let keys = self.keys();
            if FREE_THREADED
                || !is_exact(key, &raw mut ffi::PyUnicode_Type)
                || keys.kind() != ffi::DICT_KEYS_UNICODE
                || !keys.is_narrow()
            {
                return Lookup::Unknown;
            }
            let Some(hash) = known_hash(key) else { return Lookup::Unknown };
            let number = keys.first_place(hash);
            if number == FREE as i8 {
                return Lookup::Absent;
            }
            match usize::try_from(number).map(|index| keys.unicode_entry(index)) {
                Ok(entry) if entry.key() == key => Lookup::Found(entry.value()),
                _ => Lookup::Unknown,
            }
        }
    }

    /// [`Dict::find`] for all kinds of tables and keys.
    ///
    /// # Safety
    /// As for [`Dict::find`].
    #[inline(never)]
    unsafe fn find_slowly(self, key: *mut PyObject) -> Lookup {
        if FREE_THREADED {
            return Lookup::Unknown;
        }
        // SAFETY: both are live (caller). An entry has the form that the kind of the table says.
        unsafe {
            let Some(key) = Key::new(key) else { return Lookup::Unknown };
            self.find_key(key)
        }
    }

    /// The same for a key that is known to be one.
    ///
    /// # Safety
    /// As for [`Dict::find`], on a host with a GIL.
    pub(super) unsafe fn find_key(self, key: Key) -> Lookup {
        // SAFETY: both are live (caller). An entry has the form that the kind of the table says.
        unsafe {
            let keys = self.keys();
            match keys.kind() {
                ffi::DICT_KEYS_GENERAL => {
                    let entry = |index| keys.general_entry(index);
                    let read = |index| ((*entry(index)).me_key, (*entry(index)).me_hash);
                    key.find_in(keys, read, |index| Slot::at(&raw mut (*entry(index)).me_value))
                }
                ffi::DICT_KEYS_UNICODE if key.kind == KeyKind::Str => {
                    match keys.find_string(key.object, key.hash) {
                        Some(index) => Lookup::Found(keys.unicode_entry(index).value()),
                        None => Lookup::Absent,
                    }
                }
                ffi::DICT_KEYS_UNICODE => {
                    let entry = |index| keys.unicode_entry(index);
                    let read = |index| (entry(index).key(), known_hash(entry(index).key()).unwrap_or(-1));
                    key.find_in(keys, read, |index| entry(index).value())
                }
                _ => Lookup::Unknown,
            }
        }
    }
}

/// A key that is looked up.
#[derive(Clone, Copy)]
pub(super) struct Key {
    object: *mut PyObject,
    hash: isize,
    kind: KeyKind,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum KeyKind {
    Str,
    /// Of at most two digits.
    Int,
    /// Its hash comes from its address.
    Object,
}

impl Key {
    /// # Safety
    /// The thread is attached, and `object` is live.
    #[inline(always)]
    pub(super) unsafe fn new(object: *mut PyObject) -> Option<Key> {
        // SAFETY: the object is live (caller), and of the type that its accessors need.
        unsafe {
            let type_ = type_of(object);
            let (hash, kind) = if type_ == &raw mut ffi::PyUnicode_Type {
                (known_hash(object)?, KeyKind::Str)
            } else if type_ == &raw mut ffi::PyLong_Type {
                (not_minus_one(long_small_value(object)?), KeyKind::Int)
            } else if (*type_)
                .tp_hash
                .is_some_and(|hash| hash as usize == ffi::PyObject_GenericHash as *const () as usize)
            {
                (address_hash(object), KeyKind::Object)
            } else {
                return None;
            };
            Some(Key { object, hash, kind })
        }
    }

    /// A key of a subclass of int that hashes and compares as an int does.
    ///
    /// # Safety
    /// As for [`Key::new`].
    #[cfg(feature = "jit")]
    #[inline(never)]
    pub(super) unsafe fn like_int(object: *mut PyObject) -> Option<Key> {
        // SAFETY: the object is live (caller), and an int (checked).
        unsafe {
            let hash = not_minus_one(is_like_int(object).then(|| long_small_value(object))??);
            Some(Key { object, hash, kind: KeyKind::Int })
        }
    }

    #[cfg(feature = "jit")]
    pub(super) fn hash(self) -> isize {
        self.hash
    }

    /// Whether it is this object.
    #[cfg(feature = "jit")]
    pub(super) fn is(self, other: *mut PyObject) -> bool {
        self.object == other
    }

    /// Looks this key up. `read` returns key and hash of an entry, `value` the slot of its value.
    ///
    /// # Safety
    /// The thread is attached. `keys` are live, and the functions are for entries of their kind.
    #[inline(always)]
    unsafe fn find_in(
        self,
        keys: DictKeys,
        read: impl Fn(usize) -> (*mut PyObject, isize),
        value: impl Fn(usize) -> Slot,
    ) -> Lookup {
        let mut known = true;
        // SAFETY: the keys are live (caller). No code runs that might change them.
        let found = unsafe {
            keys.find_entry(self.hash, |index| {
                let (object, hash) = read(index);
                if object == self.object {
                    return true;
                }
                if hash != self.hash {
                    return false;
                }
                let equal = self.equals(object);
                known = equal.is_some();
                equal.unwrap_or(true)
            })
        };
        match found {
            _ if !known => Lookup::Unknown,
            Some(index) => Lookup::Found(value(index)),
            None => Lookup::Absent,
        }
    }

    /// Whether this key and another object with the same hash are equal. `None` if only the host can tell.
    ///
    /// # Safety
    /// The thread is attached, and both are live.
    #[inline(always)]
    pub(super) unsafe fn equals(self, other: *mut PyObject) -> Option<bool> {
        // SAFETY: both are live (caller), and of the type that the functions need. Comparing strings runs no other code.
        unsafe {
            match self.kind {
                KeyKind::Str if is_exact(other, &raw mut ffi::PyUnicode_Type) => {
                    Some(ffi::_PyUnicode_Equal(self.object, other) != 0)
                }
                KeyKind::Int if is_exact(other, &raw mut ffi::PyLong_Type) => {
                    Some(long_small_value(self.object)? == long_small_value(other)?)
                }
                #[cfg(feature = "jit")]
                KeyKind::Int if is_like_int(other) => {
                    Some(long_small_value(self.object)? == long_small_value(other)?)
                }
                KeyKind::Str | KeyKind::Int | KeyKind::Object => None,
            }
        }
    }
}

/// Whether the object is of a subclass of int that hashes and compares as an int does.
///
/// # Safety
/// The object is live.
#[cfg(feature = "jit")]
unsafe fn is_like_int(object: *mut PyObject) -> bool {
    // SAFETY: both types are live (caller).
    unsafe {
        let functions = |type_: *mut ffi::PyTypeObject| {
            let compare = (*type_).tp_richcompare.map(|function| function as usize);
            ((*type_).tp_hash.map(|function| function as usize), compare)
        };
        has_feature(object, ffi::Py_TPFLAGS_LONG_SUBCLASS)
            && functions(type_of(object)) == functions(&raw mut ffi::PyLong_Type)
    }
}

/// A hash is not -1, which stands for an error.
fn not_minus_one(hash: isize) -> isize {
    if hash == -1 { -2 } else { hash }
}

/// The hash of an object that hashes by address (`PyObject_GenericHash`). Objects are aligned, so that the lowest bits are
/// the same for all.
fn address_hash(object: *mut PyObject) -> isize {
    not_minus_one(object.addr().rotate_right(4) as isize)
}

impl DictKeys {
    /// The index of the entry of `key` in a table that has only strings as keys.
    ///
    /// # Safety
    /// The thread is attached. The keys are live and not of the general kind; `key` is exactly a `str`, and `hash` its
    /// hash.
    #[inline(always)]
    pub(crate) unsafe fn find_string(self, key: *mut PyObject, hash: isize) -> Option<usize> {
        // SAFETY: the table is live and has such entries (caller). The host computes the hash of a string before it
        // becomes a key. Comparing strings runs no other code.
        unsafe {
            self.find_entry(hash, |index| {
                let found = self.unicode_entry(index).key();
                found == key || known_hash(found) == Some(hash) && ffi::_PyUnicode_Equal(found, key) != 0
            })
        }
    }

    /// Whether the places of the hash table have one byte each.
    ///
    /// # Safety
    /// The keys are live.
    #[inline(always)]
    unsafe fn is_narrow(self) -> bool {
        // SAFETY: the keys are live (caller).
        unsafe { (*self.as_ptr()).dk_log2_index_bytes == (*self.as_ptr()).dk_log2_size }
    }

    /// The number at the first place that may stand for a key with this hash.
    ///
    /// # Safety
    /// The keys are live, and their table is [narrow](DictKeys::is_narrow).
    #[inline(always)]
    unsafe fn first_place(self, hash: isize) -> i8 {
        // SAFETY: the table has this size (caller).
        unsafe {
            let mask = (1 << (*self.as_ptr()).dk_log2_size) - 1;
            *(&raw const (*self.as_ptr()).dk_indices)
                .cast::<i8>()
                .add(Probe::first(hash as usize, mask).index)
        }
    }

    /// Tries the indices of the entries that may have a key with this hash, in the order in which the host stores them.
    /// Returns the first one that is `wanted`.
    ///
    /// # Safety
    /// The keys are live. They do not change before `wanted` returns true.
    #[inline(always)]
    pub(crate) unsafe fn find_entry(self, hash: isize, wanted: impl FnMut(usize) -> bool) -> Option<usize> {
        // SAFETY: the table has this size, and numbers of the width that the host chooses for it (caller).
        unsafe {
            let keys = self.as_ptr();
            let start = (&raw const (*keys).dk_indices).cast::<u8>();
            let log2_size = (*keys).dk_log2_size;
            let mask = (1 << log2_size) - 1;
            match (*keys).dk_log2_index_bytes - log2_size {
                0 => search(start.cast::<i8>(), mask, hash, wanted),
                1 => search(start.cast::<i16>(), mask, hash, wanted),
                2 => search(start.cast::<i32>(), mask, hash, wanted),
                _ => search(start.cast::<i64>(), mask, hash, wanted),
            }
        }
    }
}

/// The number of a place where no key was ever stored (`DKIX_EMPTY`). Other negative numbers are places of deleted keys.
const FREE: i64 = ffi::DKIX_EMPTY as i64;

/// [`DictKeys::find_entry`] in a table of numbers of one width.
///
/// # Safety
/// `mask + 1` numbers begin at `places`, and do not change before `wanted` returns true. One of them is free.
#[inline(always)]
unsafe fn search<N: Copy + Into<i64>>(
    places: *const N,
    mask: usize,
    hash: isize,
    mut wanted: impl FnMut(usize) -> bool,
) -> Option<usize> {
    let mut probe = Probe::first(hash as usize, mask);
    loop {
        // SAFETY: the index is within the table (caller).
        let number: i64 = unsafe { *places.add(probe.index) }.into();
        match usize::try_from(number) {
            Ok(entry) if wanted(entry) => return Some(entry),
            Err(_) if number == FREE => return None,
            _ => probe = probe.next(mask),
        }
    }
}

/// A place that a search tries.
#[derive(Clone, Copy)]
struct Probe {
    index: usize,
    /// The bits of the hash that are still to be taken in. When there are none left, the search reaches all places.
    perturbation: usize,
}

impl Probe {
    #[inline(always)]
    fn first(hash: usize, mask: usize) -> Probe {
        Probe { index: hash & mask, perturbation: hash }
    }

    #[inline(always)]
    fn next(self, mask: usize) -> Probe {
        /// How many bits of the hash each step takes in (`PERTURB_SHIFT`).
        const SHIFT: u32 = 5;
        let perturbation = self.perturbation >> SHIFT;
        let index = self.index.wrapping_mul(5).wrapping_add(perturbation).wrapping_add(1) & mask;
        Probe { index, perturbation }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A table of `1 << log2_size` places of a width, all free.
    fn table(log2_size: u8, log2_width: u8) -> Vec<u64> {
        let mut memory =
            vec![u64::MAX; size_of::<ffi::PyDictKeysObject>() / 8 + (1 << (log2_size + log2_width)) / 8 + 1];
        let keys = memory.as_mut_ptr().cast::<ffi::PyDictKeysObject>();
        // SAFETY: the memory is longer than the head of a table.
        unsafe {
            (*keys).dk_log2_size = log2_size;
            (*keys).dk_log2_index_bytes = log2_size + log2_width;
        }
        memory
    }

    /// Sets the place at an index.
    fn set(memory: &mut [u64], index: usize, number: i64) {
        let bytes = number.to_le_bytes();
        let keys = memory.as_mut_ptr().cast::<ffi::PyDictKeysObject>();
        // SAFETY: the index is within the table, which has numbers of this width.
        unsafe {
            let width = 1 << ((*keys).dk_log2_index_bytes - (*keys).dk_log2_size);
            let place = (&raw mut (*keys).dk_indices).cast::<u8>().add(index * width);
            bytes.as_ptr().copy_to(place, width);
        }
    }

    fn found(memory: &mut [u64], hash: isize, wanted: impl Fn(usize) -> bool) -> (Option<usize>, Vec<usize>) {
        let mut tried = Vec::new();
        // SAFETY: the memory is a table.
        let found = unsafe {
            DictKeys::from_ptr(memory.as_mut_ptr().cast()).find_entry(hash, |index| {
                tried.push(index);
                wanted(index)
            })
        };
        (found, tried)
    }

    fn probes(hash: usize, mask: usize) -> impl Iterator<Item = usize> {
        core::iter::successors(Some(Probe::first(hash, mask)), move |probe| Some(probe.next(mask)))
            .map(|probe| probe.index)
    }

    #[test]
    fn numbers_of_all_widths_are_read() {
        for (log2_width, number) in [(0, 100), (1, 30_000), (2, 2_000_000_000), (3, 1 << 40)] {
            let mut memory = table(3, log2_width);
            set(&mut memory, 5, number);
            assert_eq!(found(&mut memory, 5, |_| true).0, Some(number as usize));
            assert_eq!(found(&mut memory, 4, |_| true), (None, vec![]));
        }
    }

    #[test]
    fn a_search_ends_at_a_free_place_and_goes_on_at_a_deleted_one() {
        let hash = 3 | 7 << 5;
        let path: Vec<usize> = probes(hash as usize, 7).take(4).collect();
        let mut memory = table(3, 0);
        set(&mut memory, path[0], 10);
        set(&mut memory, path[1], ffi::DKIX_DUMMY.into());
        set(&mut memory, path[2], 12);
        assert_eq!(found(&mut memory, hash, |index| index == 12), (Some(12), vec![10, 12]));
        assert_eq!(found(&mut memory, hash, |_| false), (None, vec![10, 12]));
        assert_eq!(path[1], (5 * 3 + 7 + 1) & 7);
    }

    #[test]
    fn all_places_are_tried() {
        for hash in [0, 1, 0x1234_5678_9ABC_DEF0, usize::MAX] {
            let mut tried: Vec<usize> = probes(hash, 63).take(64 + 13).collect();
            tried.sort_unstable();
            tried.dedup();
            assert_eq!(tried, (0..64).collect::<Vec<_>>());
        }
    }
}
