//! Dictionaries, their keys and values, and instance attributes. Source: `pycore_dict.h`, `pycore_object.h`.
//!
//! In free-threaded hosts other threads read and write the same fields without a lock, so readers load them
//! atomically; with a GIL those are plain loads. Writers hold the lock of the dictionary, or of the object that
//! the values belong to, and store with release order.
//!
//! Accessors take handles of live structures. Each `# Safety` section names what else the caller must ensure.
//! "Locked" means: with a GIL nothing, in free-threaded hosts that this thread holds the object's lock.

use core::ffi::c_int;
use core::ptr::NonNull;
use core::sync::atomic::{AtomicIsize, AtomicPtr, AtomicU8, AtomicU32, AtomicU64, Ordering};

#[cfg(py_gil_disabled)]
use super::biased;
use super::ffi::{self, PyObject, PyTypeObject};
#[cfg(py_gil_disabled)]
use super::object::gc_bits;
#[cfg(feature = "jit")]
use super::object::{has_feature, type_of};
use super::object::{inline_values, is_exact};
use super::slot::ACQUIRE;
pub(crate) use super::slot::Slot;
use super::versions::KeysVersion;

/// The value of a field that another thread may be changing.
///
/// # Safety
/// The field is in a live structure, and other threads change it atomically.
#[inline(always)]
unsafe fn load_u8(field: *mut u8) -> u8 {
    // SAFETY: the field is readable and changes atomically (caller); with a GIL it does not change meanwhile.
    unsafe { if cfg!(py_gil_disabled) { AtomicU8::from_ptr(field).load(Ordering::Acquire) } else { *field } }
}

/// Like [`load_u8`], for 32 bits.
///
/// # Safety
/// As for [`load_u8`].
#[inline(always)]
unsafe fn load_u32(field: *mut u32) -> u32 {
    // SAFETY: as in `load_u8`.
    unsafe { if cfg!(py_gil_disabled) { AtomicU32::from_ptr(field).load(Ordering::Acquire) } else { *field } }
}

// --- dictionaries ------------------------------------------------------------------------------

/// A dictionary, borrowed. Where there may be none, it is an `Option<Dict>`, which is one word, too.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(transparent)]
pub(crate) struct Dict(NonNull<ffi::PyDictObject>);

static_assertions::assert_eq_size!(Option<Dict>, *mut ffi::PyDictObject);

impl Dict {
    /// The dictionary at an address; `None` for null.
    #[inline(always)]
    pub(crate) fn new(dict: *mut ffi::PyDictObject) -> Option<Dict> {
        NonNull::new(dict).map(Dict)
    }

    /// The object as a dictionary, if it is exactly a `dict`. A namespace may be an object of another type.
    ///
    /// # Safety
    /// The object is live.
    #[inline(always)]
    pub(crate) unsafe fn cast(object: *mut PyObject) -> Option<Dict> {
        // SAFETY: the object is live (caller).
        unsafe { is_exact(object, &raw mut ffi::PyDict_Type).then(|| Dict::from_object(object)) }
    }

    /// The object as a dictionary.
    ///
    /// # Safety
    /// The object is a live dictionary.
    #[inline(always)]
    pub(crate) unsafe fn from_object(object: *mut PyObject) -> Dict {
        // SAFETY: the object is live (caller), so its address is not null.
        Dict(unsafe { NonNull::new_unchecked(object.cast()) })
    }

    /// The managed dictionary of an object, if it has one by now (`_PyObject_GetManagedDict`).
    ///
    /// # Safety
    /// `object` is live, and its type has `Py_TPFLAGS_MANAGED_DICT`.
    #[inline(always)]
    pub(crate) unsafe fn managed(object: *mut PyObject) -> Option<Dict> {
        // SAFETY: the object has a managed dictionary (caller), whose place precedes it; other threads publish it with
        // release order.
        Dict::new(unsafe {
            AtomicPtr::from_ptr(object.byte_offset(MANAGED_DICT_OFFSET).cast()).load(Ordering::Acquire)
        })
    }

    #[inline(always)]
    fn as_ptr(self) -> *mut ffi::PyDictObject {
        self.0.as_ptr()
    }

    #[inline(always)]
    pub(crate) fn object(self) -> *mut PyObject {
        self.as_ptr().cast()
    }

    /// Whether this is exactly a `dict`, and not of a subclass.
    ///
    /// # Safety
    /// The dictionary is live.
    #[inline(always)]
    pub(crate) unsafe fn is_exact(self) -> bool {
        // SAFETY: the dictionary is live (caller).
        unsafe { is_exact(self.object(), &raw mut ffi::PyDict_Type) }
    }

    /// The table of keys (`ma_keys`).
    ///
    /// # Safety
    /// The dictionary is live.
    #[inline(always)]
    pub(crate) unsafe fn keys(self) -> DictKeys {
        // SAFETY: the dictionary is live (caller).
        DictKeys(unsafe { AtomicPtr::from_ptr(&raw mut (*self.as_ptr()).ma_keys).load(ACQUIRE) })
    }

    /// The watchers of this dictionary, as a set of bits.
    ///
    /// # Safety
    /// The dictionary is live.
    #[inline(always)]
    pub(crate) unsafe fn watchers(self) -> c_int {
        const MASK: u64 = (1 << ffi::DICT_MAX_WATCHERS) - 1;
        // SAFETY: the dictionary is live (caller).
        let tag = unsafe { AtomicU64::from_ptr(&raw mut (*self.as_ptr())._ma_watcher_tag).load(ACQUIRE) };
        (tag & MASK) as c_int
    }

    /// How often a watched dictionary has changed, as far as [`count_change`](Dict::count_change) has counted.
    ///
    /// # Safety
    /// The dictionary is live.
    #[cfg(py_tier2)]
    pub(crate) unsafe fn counted_changes(self) -> u32 {
        const MASK: u64 = (1 << ffi::DICT_WATCHED_MUTATION_BITS) - 1;
        // SAFETY: the dictionary is live (caller).
        let tag = unsafe { (*self.as_ptr())._ma_watcher_tag };
        ((tag >> ffi::DICT_MAX_WATCHERS) & MASK) as u32
    }

    /// Counts a change of a watched dictionary. The count has few bits, so the watcher must stop before they
    /// overflow.
    ///
    /// # Safety
    /// The dictionary is live, and the thread attached.
    #[cfg(py_tier2)]
    pub(crate) unsafe fn count_change(self) {
        // SAFETY: the dictionary is live, and the GIL protects it (caller).
        unsafe { (*self.as_ptr())._ma_watcher_tag += 1 << ffi::DICT_MAX_WATCHERS };
    }

    /// Whether this thread may read the dictionary without locking it.
    ///
    /// # Safety
    /// The dictionary is live.
    #[inline(always)]
    pub(crate) unsafe fn is_readable(self) -> bool {
        // SAFETY: the dictionary is live (caller).
        unsafe { is_readable(self.object()) }
    }

    /// The same for an object of a subclass that sets and deletes items as a dict does.
    ///
    /// # Safety
    /// `object` is live.
    #[cfg(feature = "jit")]
    pub(crate) unsafe fn for_writing(object: *mut PyObject) -> Option<Dict> {
        // SAFETY: the object is live (caller), and so are its type and the tables of that.
        unsafe {
            let function = |type_: *mut PyTypeObject| {
                (*type_).tp_as_mapping.as_ref()?.mp_ass_subscript.map(|function| function as usize)
            };
            let is_dict = is_exact(object, &raw mut ffi::PyDict_Type)
                || has_feature(object, ffi::Py_TPFLAGS_DICT_SUBCLASS)
                    && function(type_of(object)) == function(&raw mut ffi::PyDict_Type);
            is_dict.then(|| Dict::from_object(object))
        }
    }

    /// Whether it has no items.
    ///
    /// # Safety
    /// The dictionary is live, and locked.
    #[cfg(feature = "jit")]
    pub(crate) unsafe fn is_empty(self) -> bool {
        // SAFETY: the dictionary is live (caller).
        unsafe { (*self.as_ptr()).ma_used == 0 }
    }

    /// Whether the values are in an array of their own and the keys are shared by the instances of a class
    /// (`ma_values`).
    ///
    /// # Safety
    /// The dictionary is live, and locked.
    #[inline]
    pub(crate) unsafe fn is_split(self) -> bool {
        // SAFETY: the dictionary is live, and its lock keeps the field from changing (caller).
        unsafe { !(*self.as_ptr()).ma_values.is_null() }
    }

    /// The index of the entry of `key`, or `None` if the dictionary does not have the key
    /// (`_PyDict_LookupIndex`).
    ///
    /// # Safety
    /// The dictionary is live and exactly a `dict`, and locked; `key` is exactly a string.
    pub(crate) unsafe fn index_of(self, key: *mut PyObject) -> Option<usize> {
        // SAFETY: the dictionary is live and locked, `key` is a string (caller). A negative index means "not
        // found".
        unsafe { usize::try_from(ffi::_PyDict_LookupIndex(self.as_ptr(), key)).ok() }
    }

    /// The entry at index `hint`, if the table of keys is the dictionary's own, has only strings as keys, and has so many
    /// entries.
    ///
    /// # Safety
    /// The dictionary is live, and readable without a lock or locked.
    #[inline(always)]
    pub(crate) unsafe fn hinted_entry(self, hint: u16) -> Option<UnicodeEntry> {
        // SAFETY: the dictionary is live (caller). The index is in range (checked).
        unsafe {
            let keys = self.keys();
            let exists = (hint as usize) < keys.entry_count() && keys.kind() == ffi::DICT_KEYS_UNICODE;
            exists.then(|| keys.unicode_entry(hint.into()))
        }
    }

    /// Notifies the watchers that the value of `key` is about to be replaced by `value`.
    ///
    /// # Safety
    /// The thread is attached, and its frame is published. All three are live, and the dictionary has watchers.
    #[cold]
    #[inline(never)]
    pub(crate) unsafe fn notify_modified(self, key: *mut PyObject, value: *mut PyObject) {
        // SAFETY: all objects are live, and the frame is published (caller).
        unsafe {
            let dict = self.object().cast();
            ffi::_PyDict_SendEvent(self.watchers(), ffi::PyDict_EVENT_MODIFIED, dict, key, value);
        }
    }

    /// The version of the keys, assigned now if they have none. `None` if versions have run out or the keys cannot
    /// have one (`_PyDict_GetKeysVersionForCurrentState`).
    ///
    /// # Safety
    /// The dictionary is live, and locked; `interp` is the attached thread's interpreter.
    pub(crate) unsafe fn current_keys_version(
        self,
        interp: *mut ffi::PyInterpreterState,
    ) -> Option<KeysVersion> {
        // SAFETY: the dictionary is live and locked, and `interp` is this thread's (caller).
        KeysVersion::new(unsafe { ffi::_PyDict_GetKeysVersionForCurrentState(interp, self.as_ptr()) })
    }

    /// Makes a free-threaded host keep old tables for readers without a lock (`_PyDict_EnsureSharedOnRead`).
    ///
    /// # Safety
    /// The dictionary is live, and locked.
    #[inline]
    pub(crate) unsafe fn share(self) {
        #[cfg(py_gil_disabled)]
        // SAFETY: the dictionary is live and locked (caller).
        unsafe {
            ffi::_PyDict_EnsureSharedOnRead(self.as_ptr());
        }
    }
}

/// Whether this thread may read a dictionary or list without locking it: the thread owns the object, or the
/// host keeps its old tables for readers. Always true with a GIL.
///
/// # Safety
/// The object is live.
#[inline(always)]
pub(crate) unsafe fn is_readable(object: *mut PyObject) -> bool {
    #[cfg(not(py_gil_disabled))]
    {
        let _ = object;
        true
    }
    #[cfg(py_gil_disabled)]
    // SAFETY: the object is live (caller).
    unsafe {
        biased::is_own(object) || gc_bits(object) & ffi::_PyGC_BITS_SHARED as u8 != 0
    }
}

/// A table of keys (`PyDictKeysObject`), borrowed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(transparent)]
pub(crate) struct DictKeys(*mut ffi::PyDictKeysObject);

impl DictKeys {
    /// The keys that the instances of a type with inline values share.
    ///
    /// # Safety
    /// `type_` is a live heap type with `Py_TPFLAGS_INLINE_VALUES`.
    #[inline(always)]
    pub(crate) unsafe fn shared_by(type_: *mut PyTypeObject) -> DictKeys {
        // SAFETY: `type_` is a heap type (caller); these keys live as long as the type.
        DictKeys(unsafe { (*type_.cast::<ffi::PyHeapTypeObject>()).ht_cached_keys })
    }

    /// The table of keys at an address.
    #[cfg(any(test, feature = "attach"))]
    pub(crate) fn from_ptr(keys: *mut ffi::PyDictKeysObject) -> DictKeys {
        DictKeys(keys)
    }

    #[inline(always)]
    pub(super) fn as_ptr(self) -> *mut ffi::PyDictKeysObject {
        self.0
    }

    /// Whether the keys have this version (`dk_version`).
    ///
    /// # Safety
    /// The keys are live.
    #[inline(always)]
    pub(crate) unsafe fn has_version(self, version: KeysVersion) -> bool {
        // SAFETY: the keys are live (caller).
        unsafe { load_u32(&raw mut (*self.0).dk_version) == version.get() }
    }

    /// The index of the entry of `key`, or `None` if the table does not have the key
    /// (`_PyDictKeys_StringLookup`).
    ///
    /// # Safety
    /// The keys are live and not of the general kind (`DICT_KEYS_GENERAL`). Their dictionary is locked. `key`
    /// is exactly a string.
    pub(crate) unsafe fn index_of(self, key: *mut PyObject) -> Option<usize> {
        // SAFETY: the keys have only strings as keys and do not change, `key` is a string (caller). A negative
        // index means "not found".
        unsafe { usize::try_from(ffi::_PyDictKeys_StringLookup(self.0, key)).ok() }
    }

    /// Like [`DictKeys::index_of`], without a lock, for keys that instances share
    /// (`_PyDictKeys_StringLookupSplit`).
    ///
    /// # Safety
    /// The keys are live and [shared](DictKeys::shared_by); `key` is exactly a string.
    pub(crate) unsafe fn shared_index_of(self, key: *mut PyObject) -> Option<usize> {
        // SAFETY: the keys are live and shared, `key` is a string (caller). A negative index means "not found".
        unsafe { usize::try_from(ffi::_PyDictKeys_StringLookupSplit(self.0, key)).ok() }
    }

    /// Like [`DictKeys::shared_index_of`]. Also returns the version of the keys, assigned now if they have none;
    /// `None` if versions have run out (`_PyDictKeys_StringLookupAndVersion`).
    ///
    /// # Safety
    /// As for [`DictKeys::shared_index_of`].
    pub(crate) unsafe fn shared_index_and_version_of(
        self,
        key: *mut PyObject,
    ) -> (Option<usize>, Option<KeysVersion>) {
        let mut version = 0;
        // SAFETY: the keys are live and shared, `key` is a string (caller). A negative index means "not found".
        let index = unsafe { ffi::_PyDictKeys_StringLookupAndVersion(self.0, key, &raw mut version) };
        (usize::try_from(index).ok(), KeysVersion::new(version))
    }

    /// The number of entries, deleted ones included (`dk_nentries`).
    ///
    /// # Safety
    /// The keys are live.
    #[inline(always)]
    pub(crate) unsafe fn entry_count(self) -> usize {
        // SAFETY: the keys are live (caller); counts are not negative.
        unsafe { AtomicIsize::from_ptr(&raw mut (*self.0).dk_nentries).load(Ordering::Relaxed) as usize }
    }

    /// The kind of table: one of the host's `DICT_KEYS_*`.
    ///
    /// # Safety
    /// The keys are live.
    #[inline(always)]
    pub(crate) unsafe fn kind(self) -> ffi::DictKeysKind {
        // SAFETY: the keys are live (caller), and the kind never changes.
        unsafe { (*self.0).dk_kind.into() }
    }

    /// The entry at `index` of a table that has only strings as keys (`DK_UNICODE_ENTRIES`).
    ///
    /// # Safety
    /// The keys are live, not of the general kind, and have more than `index` entries.
    #[inline(always)]
    pub(crate) unsafe fn unicode_entry(self, index: usize) -> UnicodeEntry {
        // SAFETY: the table has that many entries of this form (caller).
        unsafe { UnicodeEntry(self.entries().cast::<ffi::PyDictUnicodeEntry>().add(index)) }
    }

    /// The entry at `index` of a table of the general kind (`DK_ENTRIES`).
    ///
    /// # Safety
    /// The keys are live, of the general kind, and have more than `index` entries.
    #[inline(always)]
    pub(crate) unsafe fn general_entry(self, index: usize) -> *mut ffi::PyDictKeyEntry {
        // SAFETY: the table has that many entries of this form (caller).
        unsafe { self.entries().cast::<ffi::PyDictKeyEntry>().add(index) }
    }

    /// The start of the entries. They follow the hash table, whose size in bytes is a power of two.
    ///
    /// # Safety
    /// The keys are live.
    #[inline(always)]
    unsafe fn entries(self) -> *mut u8 {
        // SAFETY: the table is live (caller), and has this size.
        unsafe {
            let indices = (&raw mut (*self.0).dk_indices).cast::<u8>();
            indices.add(1 << (*self.0).dk_log2_index_bytes)
        }
    }
}

/// An entry of a table that has only strings as keys.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(transparent)]
pub(crate) struct UnicodeEntry(*mut ffi::PyDictUnicodeEntry);

impl UnicodeEntry {
    /// The key, borrowed; null for an unused entry.
    ///
    /// # Safety
    /// The entry is in a live table.
    #[inline(always)]
    pub(crate) unsafe fn key(self) -> *mut PyObject {
        // SAFETY: the entry is in a live table (caller).
        unsafe { AtomicPtr::from_ptr(&raw mut (*self.0).me_key).load(Ordering::Relaxed) }
    }

    /// The slot of the value. It holds null for a deleted entry, and always in the keys of split dictionaries.
    ///
    /// # Safety
    /// The entry is in a live table.
    #[inline(always)]
    pub(crate) unsafe fn value(self) -> Slot {
        // SAFETY: the entry is in a live table (caller).
        Slot(unsafe { &raw mut (*self.0).me_value })
    }
}

// --- instances ---------------------------------------------------------------------------------

/// Attribute values that are stored inside an object, at the indices that the keys of its type define
/// (`PyDictValues`), borrowed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(transparent)]
pub(crate) struct InlineValues(*mut ffi::PyDictValues);

impl InlineValues {
    /// The values of `object`.
    ///
    /// # Safety
    /// `object` is live and its type has `Py_TPFLAGS_INLINE_VALUES`.
    #[inline(always)]
    pub(crate) unsafe fn of(object: *mut PyObject) -> InlineValues {
        // SAFETY: `object` has inline values (caller).
        InlineValues(unsafe { inline_values(object) })
    }

    /// Whether the attributes are still here, and have not moved to a dictionary with a table of its own.
    ///
    /// # Safety
    /// The object that the values belong to is live.
    #[inline(always)]
    pub(crate) unsafe fn are_valid(self) -> bool {
        // SAFETY: the object is live (caller), and the values are part of it.
        unsafe { load_u8(&raw mut (*self.0).valid) != 0 }
    }

    /// The offset in bytes of the value at `index` from the start of `object`.
    ///
    /// # Safety
    /// `object` is live, these are its values, and it has more than `index` of them.
    pub(crate) unsafe fn offset_in(self, object: *mut PyObject, index: usize) -> usize {
        // SAFETY: the value is within the allocation of `object` (caller).
        unsafe {
            let values = (&raw mut (*self.0).values).cast::<*mut PyObject>();
            values.add(index).byte_offset_from(object) as usize
        }
    }

    /// The values: null where an attribute is missing.
    ///
    /// # Safety
    /// The object that the values belong to is live, and not changed while the result is used.
    #[cfg(feature = "jit")]
    pub(crate) unsafe fn slots<'a>(self) -> &'a [*mut PyObject] {
        // SAFETY: there are as many values as the capacity says.
        unsafe {
            let values = (&raw mut (*self.0).values).cast::<*mut PyObject>();
            core::slice::from_raw_parts(values, (*self.0).capacity.into())
        }
    }

    /// Records the value in `slot`, which was empty, as the last one inserted
    /// (`_PyDictValues_AddToInsertionOrder`).
    ///
    /// # Safety
    /// `slot` is one of these values, and not in the order yet. The object is live and locked.
    #[inline(always)]
    pub(crate) unsafe fn append_to_order(self, slot: Slot) {
        // SAFETY: `slot` is one of the values (caller). The order is an array of bytes after the last value,
        // with room for all of them.
        unsafe {
            let values = (&raw mut (*self.0).values).cast::<*mut PyObject>();
            let order = values.add((*self.0).capacity.into()).cast::<u8>();
            let size = (*self.0).size;
            *order.add(size.into()) = slot.0.offset_from(values) as u8;
            (*self.0).size = size + 1;
        }
    }
}

/// The offset in bytes of a managed dictionary from its object (`MANAGED_DICT_OFFSET`).
pub(crate) const MANAGED_DICT_OFFSET: isize =
    if cfg!(py_gil_disabled) { -1 } else { -3 } * size_of::<*mut PyObject>() as isize;

/// The slot of a dictionary that an object creates on demand. `offset` counts bytes from the place of a managed
/// dictionary.
///
/// # Safety
/// `object` is live, and its type declares a dictionary at that offset.
#[inline(always)]
pub(crate) unsafe fn lazy_dict_slot(object: *mut PyObject, offset: u16) -> Slot {
    Slot(object.wrapping_byte_offset(MANAGED_DICT_OFFSET + offset as isize).cast())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn insertion_order_is_kept_after_the_values() {
        #[repr(C)]
        struct Values {
            head: [u8; 4],
            values: [*mut PyObject; 3],
            order: [u8; 8],
        }
        // Capacity, size, embedded, valid.
        let mut memory = Values { head: [3, 0, 1, 1], values: [core::ptr::null_mut(); 3], order: [0xFF; 8] };
        let base = &raw mut memory;
        let values = InlineValues(base.cast());
        // SAFETY: the memory has the layout of `PyDictValues` with three values.
        unsafe {
            for index in [2, 0] {
                let slot = Slot((&raw mut (*base).values).cast::<*mut PyObject>().add(index));
                assert!(slot.is_empty());
                values.append_to_order(slot);
            }
            assert!(values.are_valid());
        }
        assert_eq!(memory.head, [3, 2, 1, 1]);
        assert_eq!(memory.order[..3], [2, 0, 0xFF]);
    }

    #[test]
    fn entries_begin_after_the_hash_table() {
        const LOG2_INDEX_BYTES: u8 = 4;
        let mut memory = [0usize; 32];
        let keys = DictKeys((&raw mut memory).cast());
        let indices = core::mem::offset_of!(ffi::PyDictKeysObject, dk_indices);
        // SAFETY: the memory is longer than such a table with two entries.
        unsafe {
            (*keys.0).dk_log2_index_bytes = LOG2_INDEX_BYTES;
            let entry = keys.unicode_entry(1).0.addr() - keys.0.addr();
            assert_eq!(entry, indices + (1 << LOG2_INDEX_BYTES) + size_of::<ffi::PyDictUnicodeEntry>());
        }
    }
}
