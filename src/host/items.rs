//! Iterators of the host over sets, dicts and the values of dicts: their next item without Python code.
//!
//! The host's headers do not declare the layouts of these iterators. What is declared here is compared with objects once.

use core::ptr::NonNull;

use once_cell::race::OnceBool;

use super::dict::Dict;
use super::ffi::{self, PyObject, PyTypeObject};
use super::object::{is_exact, type_of};
use super::owned::{Owned, Raised, check};
use super::{none, true_};

#[repr(C)]
struct SetIterator {
    ob_base: PyObject,
    /// Null at the end.
    set: *mut ffi::PySetObject,
    /// How many keys the set had at the beginning.
    used: isize,
    /// The index of the next place.
    position: isize,
    left: isize,
}

/// An iterator over keys, values or items.
#[repr(C)]
pub(super) struct DictIterator {
    ob_base: PyObject,
    /// Null at the end.
    pub(super) dict: *mut PyObject,
    /// How many items the dict had at the beginning.
    pub(super) used: isize,
    /// The index of the next entry.
    pub(super) position: isize,
    /// The last pair, if it is an iterator over items.
    pub(super) result: *mut PyObject,
    pub(super) left: isize,
}

/// What an iterator is for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
pub(crate) enum Items {
    Set = 1,
    DictKeys,
    DictValues,
}

impl Items {
    const ALL: [Items; 3] = [Items::Set, Items::DictKeys, Items::DictValues];

    pub(crate) const fn from_number(number: u8) -> Option<Items> {
        match number {
            1 => Some(Items::Set),
            2 => Some(Items::DictKeys),
            3 => Some(Items::DictValues),
            _ => None,
        }
    }

    fn type_(self) -> *mut PyTypeObject {
        match self {
            Items::Set => &raw mut ffi::PySetIter_Type,
            Items::DictKeys => &raw mut ffi::PyDictIterKey_Type,
            Items::DictValues => &raw mut ffi::PyDictIterValue_Type,
        }
    }

    /// What this iterator is for, if it is one of these.
    ///
    /// # Safety
    /// The thread is attached, no exception is set, its frame is published, and the object is live.
    pub(super) unsafe fn of(iterator: *mut PyObject) -> Option<Items> {
        static HAS_LAYOUT: OnceBool = OnceBool::new();
        // SAFETY: the object is live (caller), and the rest is the contract of the check.
        unsafe {
            let items = Items::ALL.into_iter().find(|items| is_exact(iterator, items.type_()))?;
            HAS_LAYOUT.get_or_init(|| have_layout()).then_some(items)
        }
    }

    /// Whether an object is such an iterator.
    ///
    /// # Safety
    /// The object is live.
    #[inline(always)]
    pub(crate) unsafe fn is(self, iterator: *mut PyObject) -> bool {
        // SAFETY: the contract is the same.
        unsafe { is_exact(iterator, self.type_()) }
    }

    /// The next item, borrowed from the set or dict. `None`, and nothing has changed: there is none, or only the host can tell.
    ///
    /// # Safety
    /// The thread is attached, and the object is such an iterator. [`Items::of`] has found one before.
    #[inline(always)]
    pub(crate) unsafe fn next(self, iterator: *mut PyObject) -> Option<NonNull<PyObject>> {
        // SAFETY: the contract is the same.
        unsafe {
            match self {
                Items::Set => next_of_set(iterator.cast()),
                Items::DictKeys => next_entry(iterator.cast()).map(|(key, _)| key),
                Items::DictValues => next_entry(iterator.cast()).map(|(_, value)| value),
            }
        }
    }
}

/// # Safety
/// As for [`Items::next`]. The object is an iterator over a set.
#[inline(always)]
unsafe fn next_of_set(iterator: *mut SetIterator) -> Option<NonNull<PyObject>> {
    // SAFETY: the contract is the same. The table of a set has `mask + 1` places.
    unsafe {
        let SetIterator { set, used, position, .. } = *iterator;
        let set = NonNull::new(set)?.as_ptr();
        if (*set).used != used {
            return None;
        }
        // What has been removed left an object with a hash that no key has.
        let key = |index: isize| {
            let place = &*(*set).table.offset(index);
            NonNull::new(place.key).filter(|_| place.hash != -1).map(|key| (index, key))
        };
        let (index, key) = (position..=(*set).mask).find_map(key)?;
        (*iterator).position = index + 1;
        (*iterator).left -= 1;
        Some(key)
    }
}

/// The next key and value, likewise, without moving the iterator behind them: its next position, too.
///
/// # Safety
/// As for [`Items::next`]. The object is an iterator over a dict.
#[inline(always)]
pub(super) unsafe fn peek_entry(
    iterator: *mut DictIterator,
) -> Option<(isize, NonNull<PyObject>, NonNull<PyObject>)> {
    // SAFETY: the contract is the same. A dict that is not split has so many entries.
    unsafe {
        let DictIterator { dict, used, position, left, .. } = *iterator;
        let dict = NonNull::new(dict)?.as_ptr();
        let is_unchanged = (*dict.cast::<ffi::PyDictObject>()).ma_used == used && left > 0;
        let dict = Dict::from_object(dict);
        if !is_unchanged || dict.is_split() {
            return None;
        }
        let keys = dict.keys();
        let is_general = keys.kind() == ffi::DICT_KEYS_GENERAL;
        let entry = |index: usize| {
            let (key, value) = if is_general {
                let entry = keys.general_entry(index);
                ((*entry).me_key, (*entry).me_value)
            } else {
                let entry = keys.unicode_entry(index);
                (entry.key(), entry.value().borrow())
            };
            NonNull::new(value).and_then(|value| Some((index as isize + 1, NonNull::new(key)?, value)))
        };
        (position as usize..keys.entry_count()).find_map(entry)
    }
}

/// The same: moves the iterator.
///
/// # Safety
/// As for [`peek_entry`].
#[inline(always)]
unsafe fn next_entry(iterator: *mut DictIterator) -> Option<(NonNull<PyObject>, NonNull<PyObject>)> {
    // SAFETY: the contract is the same.
    unsafe {
        let (position, key, value) = peek_entry(iterator)?;
        (*iterator).position = position;
        (*iterator).left -= 1;
        Some((key, value))
    }
}

/// Whether iterators have the layouts that are declared here.
///
/// # Safety
/// The thread is attached, no exception is set, and its frame is published.
unsafe fn have_layout() -> bool {
    // SAFETY: the contract is the same.
    unsafe {
        let found = set_iterator_has_layout().and_then(|holds| Ok(holds && dict_iterators_have_layout()?));
        if found.is_err() {
            ffi::PyErr_Clear();
        }
        found.unwrap_or(false)
    }
}

/// The next item of an iterator, which has one.
///
/// # Safety
/// As for [`have_layout`]. The iterator is live.
pub(super) unsafe fn next_by_host(iterator: &Owned) -> Result<Owned, Raised> {
    // SAFETY: the contract is the same.
    unsafe {
        let next = (*type_of(iterator.as_ptr())).tp_iternext;
        Owned::from_host(next.map_or(core::ptr::null_mut(), |next| next(iterator.as_ptr())))
    }
}

/// Whether instances of the type are of this size.
///
/// # Safety
/// The type is live.
pub(super) unsafe fn has_size<T>(type_: *mut PyTypeObject) -> bool {
    // SAFETY: the type is live (caller).
    unsafe { (*type_).tp_basicsize as usize == size_of::<T>() }
}

/// # Safety
/// As for [`have_layout`].
unsafe fn set_iterator_has_layout() -> Result<bool, Raised> {
    // SAFETY: the contract is the same. If the size is right, there are words in the place of the fields.
    unsafe {
        if !has_size::<SetIterator>(&raw mut ffi::PySetIter_Type) {
            return Ok(false);
        }
        let set = Owned::from_host(ffi::PySet_New(core::ptr::null_mut()))?;
        check(ffi::PySet_Add(set.as_ptr(), none()))?;
        let iterator = Owned::from_host(ffi::PyObject_GetIter(set.as_ptr()))?;
        let fields = iterator.as_ptr().cast::<SetIterator>();
        let begins = ((*fields).set, (*fields).used, (*fields).position, (*fields).left)
            == (set.as_ptr().cast(), 1, 0, 1);
        if !begins {
            return Ok(false);
        }
        next_by_host(&iterator)?;
        let at = (*fields).position;
        let place = &*(*set.as_ptr().cast::<ffi::PySetObject>()).table.offset(at - 1);
        Ok(at > 0 && place.key == none() && (*fields).left == 0)
    }
}

/// # Safety
/// As for [`have_layout`].
unsafe fn dict_iterators_have_layout() -> Result<bool, Raised> {
    // SAFETY: the contract is the same.
    unsafe {
        let dict = Owned::from_host(ffi::PyDict_New())?;
        for key in [none(), true_()] {
            check(ffi::PyDict_SetItem(dict.as_ptr(), key, none()))?;
        }
        for (items, method) in [(Items::DictKeys, c"keys"), (Items::DictValues, c"values")] {
            let (iterator, begins) = begins_as_declared(&dict, method.as_ptr())?;
            if !begins || type_of(iterator.as_ptr()) != items.type_() {
                return Ok(false);
            }
            next_by_host(&iterator)?;
            let fields = iterator.as_ptr().cast::<DictIterator>();
            if ((*fields).position, (*fields).left) != (1, 1) {
                return Ok(false);
            }
        }
        Ok(true)
    }
}

/// A new iterator over a view of a dict of two items, which the method makes; and whether it is as declared.
///
/// # Safety
/// As for [`have_layout`].
pub(super) unsafe fn begins_as_declared(
    dict: &Owned,
    method: *const core::ffi::c_char,
) -> Result<(Owned, bool), Raised> {
    // SAFETY: the contract is the same. If the size is right, there are words in the place of the fields.
    unsafe {
        let method = Owned::from_host(ffi::PyObject_GetAttrString(dict.as_ptr(), method))?;
        let view = Owned::from_host(ffi::PyObject_CallNoArgs(method.as_ptr()))?;
        let iterator = Owned::from_host(ffi::PyObject_GetIter(view.as_ptr()))?;
        let fields = iterator.as_ptr().cast::<DictIterator>();
        let begins = has_size::<DictIterator>(type_of(iterator.as_ptr()))
            && ((*fields).dict, (*fields).used, (*fields).position, (*fields).left)
                == (dict.as_ptr(), 2, 0, 2);
        Ok((iterator, begins))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn items_have_numbers() {
        for items in Items::ALL {
            assert_eq!(Items::from_number(items as u8), Some(items));
        }
        assert_eq!(Items::from_number(0), None);
    }
}
