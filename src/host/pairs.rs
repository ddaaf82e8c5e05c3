//! Iterators of the host that make pairs: `enumerate`, `zip` of two iterators, and the iterator over the items of a dict. Their next
//! pair without Python code, and without a tuple.
//!
//! Each of them keeps the tuple that it has made last. If nothing else refers to that, the next pair takes the place of its items.
//! So the iterator keeps the objects of a pair alive until the next one.
//!
//! The host's headers do not declare the layouts of these iterators. What is declared here is compared with objects once.

use core::ffi::c_int;
use core::ptr::{NonNull, null_mut};

use once_cell::race::OnceBool;

use super::ffi::{self, PyObject, PyTypeObject};
use super::items::{DictIterator, begins_as_declared, has_size, next_by_host, peek_entry};
use super::object::{is_exact, list_items, size, tuple_item, tuple_items, tuple_size, type_of};
use super::owned::{Owned, Raised};
use super::{none, refcount};

#[repr(C)]
struct Enumerate {
    ob_base: PyObject,
    index: isize,
    iterator: *mut PyObject,
    result: *mut PyObject,
    /// The next index, if it is too large for `index`.
    long_index: *mut PyObject,
    one: *mut PyObject,
}

#[repr(C)]
struct Zip {
    ob_base: PyObject,
    count: isize,
    /// A tuple.
    iterators: *mut PyObject,
    result: *mut PyObject,
    strict: c_int,
}

/// Numbers are less than this.
const LIMIT: i64 = 1 << 61;

/// The iterators over lists, tuples and ranges.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
pub(crate) enum Plain {
    List = 1,
    Tuple,
    Range,
}

/// Where the pairs come from.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Pairs {
    Enumerate(Plain),
    Zip(Plain, Plain),
    DictItems,
}

/// One of the two items of a pair.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Item {
    /// Borrowed.
    Object(NonNull<PyObject>),
    Int(i64),
}

/// A pair, and the objects that it has replaced, if they have no other references than these: they are to be released in this order.
pub(crate) struct Next {
    pub(crate) items: [Item; 2],
    pub(crate) replaced: [Option<NonNull<PyObject>>; 2],
}

impl Plain {
    const ALL: [Plain; 3] = [Plain::List, Plain::Tuple, Plain::Range];

    const fn from_number(number: u8) -> Option<Plain> {
        match number {
            1 => Some(Plain::List),
            2 => Some(Plain::Tuple),
            3 => Some(Plain::Range),
            _ => None,
        }
    }

    fn type_(self) -> *mut PyTypeObject {
        match self {
            Plain::List => &raw mut ffi::PyListIter_Type,
            Plain::Tuple => &raw mut ffi::PyTupleIter_Type,
            Plain::Range => &raw mut ffi::PyRangeIter_Type,
        }
    }

    /// # Safety
    /// The object is live.
    unsafe fn of(iterator: *mut PyObject) -> Option<Plain> {
        // SAFETY: the object is live (caller).
        Plain::ALL.into_iter().find(|plain| unsafe { is_exact(iterator, plain.type_()) })
    }

    /// The next item, without moving the iterator behind it. `None`: there is none, or it is a large number, or this is another kind
    /// of iterator.
    ///
    /// # Safety
    /// The object is live.
    #[inline(always)]
    unsafe fn peek(self, iterator: *mut PyObject) -> Option<Item> {
        // SAFETY: the object is live (caller), and of the type that each branch expects.
        unsafe {
            if !is_exact(iterator, self.type_()) {
                return None;
            }
            let (items, count, index) = match self {
                Plain::List => {
                    let iterator = iterator.cast::<ffi::_PyListIterObject>();
                    let list = NonNull::new((*iterator).it_seq)?.as_ptr().cast();
                    (list_items(list), size(list), (*iterator).it_index)
                }
                Plain::Tuple => {
                    let iterator = iterator.cast::<ffi::_PyTupleIterObject>();
                    let tuple = NonNull::new((*iterator).it_seq)?.as_ptr().cast();
                    (tuple_items(tuple), size(tuple), (*iterator).it_index)
                }
                Plain::Range => {
                    let iterator = iterator.cast::<ffi::_PyRangeIterObject>();
                    let (start, left) = ((*iterator).start, (*iterator).len);
                    return (left > 0 && (-LIMIT..LIMIT).contains(&start)).then_some(Item::Int(start));
                }
            };
            let is_inside = (0..count).contains(&index);
            if is_inside { NonNull::new(*items.add(index as usize)).map(Item::Object) } else { None }
        }
    }

    /// Moves the iterator behind the item that [`Plain::peek`] has found.
    ///
    /// # Safety
    /// It has.
    #[inline(always)]
    unsafe fn advance(self, iterator: *mut PyObject) {
        // SAFETY: the iterator is of this kind, and has another item (caller).
        unsafe {
            match self {
                Plain::List => (*iterator.cast::<ffi::_PyListIterObject>()).it_index += 1,
                Plain::Tuple => (*iterator.cast::<ffi::_PyTupleIterObject>()).it_index += 1,
                Plain::Range => {
                    let iterator = iterator.cast::<ffi::_PyRangeIterObject>();
                    (*iterator).start = (*iterator).start.wrapping_add((*iterator).step);
                    (*iterator).len -= 1;
                }
            }
        }
    }
}

impl Pairs {
    /// What this iterator is, if it makes pairs without Python code.
    ///
    /// # Safety
    /// The thread is attached, no exception is set, its frame is published, and the object is live.
    pub(crate) unsafe fn of(iterator: *mut PyObject) -> Option<Pairs> {
        static HAS_LAYOUT: OnceBool = OnceBool::new();
        // SAFETY: the object is live (caller). If the layouts are as declared, it has the fields that each branch reads.
        unsafe {
            let type_ = type_of(iterator);
            if type_ != &raw mut ffi::PyEnum_Type
                && type_ != &raw mut ffi::PyZip_Type
                && type_ != &raw mut ffi::PyDictIterItem_Type
            {
                return None;
            }
            if !HAS_LAYOUT.get_or_init(|| has_layout()) {
                return None;
            }
            if type_ == &raw mut ffi::PyEnum_Type {
                return Plain::of((*iterator.cast::<Enumerate>()).iterator).map(Pairs::Enumerate);
            }
            if type_ == &raw mut ffi::PyZip_Type {
                let [left, right] = iterators_of(iterator.cast())?;
                return Some(Pairs::Zip(Plain::of(left)?, Plain::of(right)?));
            }
            Some(Pairs::DictItems)
        }
    }

    /// A number that is not 0.
    pub(crate) const fn to_operand(self) -> u64 {
        match self {
            Pairs::DictItems => 1,
            Pairs::Enumerate(items) => 2 | (items as u64) << 8,
            Pairs::Zip(left, right) => 3 | (left as u64) << 8 | (right as u64) << 16,
        }
    }

    /// From the number that [`Pairs::to_operand`] makes of it.
    pub(crate) const fn from_operand(operand: u64) -> Option<Pairs> {
        let [kind, left, right, ..] = operand.to_le_bytes();
        match (kind, Plain::from_number(left), Plain::from_number(right)) {
            (1, ..) => Some(Pairs::DictItems),
            (2, Some(items), _) => Some(Pairs::Enumerate(items)),
            (3, Some(left), Some(right)) => Some(Pairs::Zip(left, right)),
            _ => None,
        }
    }

    /// Which of the two items are ints.
    pub(crate) fn are_ints(self) -> [bool; 2] {
        match self {
            Pairs::DictItems => [false; 2],
            Pairs::Enumerate(items) => [true, items == Plain::Range],
            Pairs::Zip(left, right) => [left == Plain::Range, right == Plain::Range],
        }
    }

    /// The next pair. `None`, and nothing has changed: there is none, or only the host can tell, or the tuple of the last pair is in
    /// use, or this is another iterator.
    ///
    /// # Safety
    /// The thread is attached, and the object is live. These pairs are what [`Pairs::of`] has found for some iterator.
    #[inline(always)]
    pub(crate) unsafe fn next(self, iterator: *mut PyObject) -> Option<Next> {
        // SAFETY: the contract is the same. The type is the one that the function is for.
        unsafe {
            match self {
                Pairs::Enumerate(plain) if is_exact(iterator, &raw mut ffi::PyEnum_Type) => {
                    next_of_enumerate(iterator.cast(), plain)
                }
                Pairs::Zip(left, right) if is_exact(iterator, &raw mut ffi::PyZip_Type) => {
                    next_of_zip(iterator.cast(), [left, right])
                }
                Pairs::DictItems if is_exact(iterator, &raw mut ffi::PyDictIterItem_Type) => {
                    next_of_dict(iterator.cast())
                }
                _ => None,
            }
        }
    }
}

/// # Safety
/// As for [`Pairs::next`]. The object is an `enumerate`.
#[inline(always)]
unsafe fn next_of_enumerate(iterator: *mut Enumerate, plain: Plain) -> Option<Next> {
    // SAFETY: the contract is the same.
    unsafe {
        let Enumerate { index, iterator: inner, result, long_index, .. } = *iterator;
        if !long_index.is_null() || !(0..LIMIT).contains(&(index as i64)) || !can_reuse(result) {
            return None;
        }
        let items = [Item::Int(index as i64), plain.peek(inner)?];
        plain.advance(inner);
        (*iterator).index += 1;
        Some(Next { items, replaced: replace(result, items) })
    }
}

/// # Safety
/// As for [`Pairs::next`]. The object is a `zip`.
#[inline(always)]
unsafe fn next_of_zip(zip: *mut Zip, kinds: [Plain; 2]) -> Option<Next> {
    // SAFETY: the contract is the same.
    unsafe {
        let iterators = iterators_of(zip)?;
        let result = (*zip).result;
        // One iterator for both items has two.
        if iterators[0] == iterators[1] || !can_reuse(result) {
            return None;
        }
        let items = [kinds[0].peek(iterators[0])?, kinds[1].peek(iterators[1])?];
        kinds[0].advance(iterators[0]);
        kinds[1].advance(iterators[1]);
        Some(Next { items, replaced: replace(result, items) })
    }
}

/// # Safety
/// As for [`Pairs::next`]. The object is an iterator over the items of a dict.
unsafe fn next_of_dict(iterator: *mut DictIterator) -> Option<Next> {
    // SAFETY: the contract is the same.
    unsafe {
        let result = (*iterator).result;
        if !can_reuse(result) {
            return None;
        }
        let (position, key, value) = peek_entry(iterator)?;
        (*iterator).position = position;
        (*iterator).left -= 1;
        let items = [Item::Object(key), Item::Object(value)];
        Some(Next { items, replaced: replace(result, items) })
    }
}

/// The two iterators of a `zip` of two.
///
/// # Safety
/// The object is a `zip`.
#[inline(always)]
unsafe fn iterators_of(zip: *mut Zip) -> Option<[*mut PyObject; 2]> {
    // SAFETY: the fields are those of a `zip` (caller).
    unsafe {
        let iterators = NonNull::new((*zip).iterators)?.as_ptr();
        ((*zip).count == 2).then(|| [tuple_item(iterators, 0), tuple_item(iterators, 1)])
    }
}

/// Whether the next pair can take the place of the items of this tuple, a pair: nothing else refers to it, and the collector knows it.
///
/// # Safety
/// The tuple is live, or null.
#[inline(always)]
unsafe fn can_reuse(result: *mut PyObject) -> bool {
    // SAFETY: the tuple is live (caller). The collector's head is in front of it.
    unsafe {
        !result.is_null()
            && refcount::is_unique(result)
            && (*result.cast::<ffi::PyGC_Head>().sub(1))._gc_next != 0
    }
}

/// Replaces the items of a tuple by the objects among these. An int takes no place there: which one a tuple has that nothing else
/// refers to does not matter. Returns the last references to what was there.
///
/// # Safety
/// The thread is attached, the objects are live, and [`can_reuse`] has accepted the tuple.
#[inline(always)]
unsafe fn replace(result: *mut PyObject, items: [Item; 2]) -> [Option<NonNull<PyObject>>; 2] {
    // SAFETY: nothing else refers to the tuple (caller). It owns references to its two items.
    unsafe {
        let places = tuple_items(result);
        let (first, second) = (put(places, items[0]), put(places.add(1), items[1]));
        [release_shared(first), release_shared(second)]
    }
}

/// Puts an object in a place. Returns what was there.
///
/// # Safety
/// The thread is attached, the object is live, and the place owns a reference, which the caller gets.
#[inline(always)]
unsafe fn put(place: *mut *mut PyObject, item: Item) -> Option<NonNull<PyObject>> {
    let Item::Object(object) = item else { return None };
    // SAFETY: the contract is the same.
    unsafe {
        refcount::incref(object.as_ptr());
        NonNull::new(place.replace(object.as_ptr()))
    }
}

/// Releases a reference, if it is not the last one. Returns it otherwise.
///
/// # Safety
/// The thread is attached, and the caller owns the reference.
#[inline(always)]
unsafe fn release_shared(object: Option<NonNull<PyObject>>) -> Option<NonNull<PyObject>> {
    let object = object?;
    // SAFETY: the contract is the same.
    unsafe {
        if refcount::is_unique(object.as_ptr()) {
            return Some(object);
        }
        refcount::decref(object.as_ptr());
    }
    None
}

/// Whether iterators have the layouts that are declared here.
///
/// # Safety
/// The thread is attached, no exception is set, and its frame is published.
unsafe fn has_layout() -> bool {
    // SAFETY: the contract is the same.
    unsafe {
        let checks = [enumerate_has_layout, zip_has_layout, dict_items_have_layout];
        let found = checks.into_iter().try_fold(true, |holds, check| Ok::<_, Raised>(holds && check()?));
        if found.is_err() {
            ffi::PyErr_Clear();
        }
        found.unwrap_or(false)
    }
}

/// A list of one item.
///
/// # Safety
/// As for [`has_layout`].
unsafe fn sample() -> Result<Owned, Raised> {
    // SAFETY: the contract is the same. None is immortal.
    unsafe {
        let list = Owned::from_host(ffi::PyList_New(1))?;
        ffi::PyList_SetItem(list.as_ptr(), 0, none());
        Ok(list)
    }
}

/// Whether it is a pair of the host's.
///
/// # Safety
/// The word is null, or the address of a live object.
unsafe fn is_pair(word: *mut PyObject) -> bool {
    // SAFETY: the object is live (caller).
    unsafe { !word.is_null() && is_exact(word, &raw mut ffi::PyTuple_Type) && tuple_size(word) == 2 }
}

/// # Safety
/// As for [`has_layout`].
unsafe fn enumerate_has_layout() -> Result<bool, Raised> {
    // SAFETY: the contract is the same. If the size is right, there are words in the place of the fields.
    unsafe {
        if !has_size::<Enumerate>(&raw mut ffi::PyEnum_Type) {
            return Ok(false);
        }
        let list = sample()?;
        let iterator = ffi::PyObject_CallOneArg((&raw mut ffi::PyEnum_Type).cast(), list.as_ptr());
        let iterator = Owned::from_host(iterator)?;
        let fields = iterator.as_ptr().cast::<Enumerate>();
        let begins = (*fields).index == 0 && (*fields).long_index.is_null();
        if !begins || !is_exact((*fields).iterator, Plain::List.type_()) || !is_pair((*fields).result) {
            return Ok(false);
        }
        next_by_host(&iterator)?;
        Ok((*fields).index == 1 && tuple_item((*fields).result, 1) == none())
    }
}

/// # Safety
/// As for [`has_layout`].
unsafe fn zip_has_layout() -> Result<bool, Raised> {
    // SAFETY: the contract is the same. If the size is right, there are words in the place of the fields.
    unsafe {
        if !has_size::<Zip>(&raw mut ffi::PyZip_Type) {
            return Ok(false);
        }
        let list = sample()?;
        let arguments = [list.as_ptr(); 2];
        let type_ = (&raw mut ffi::PyZip_Type).cast();
        let zip = Owned::from_host(ffi::PyObject_Vectorcall(type_, arguments.as_ptr(), 2, null_mut()))?;
        let fields = zip.as_ptr().cast::<Zip>();
        let is_as_declared =
            (*fields).count == 2 && is_pair((*fields).iterators) && is_pair((*fields).result);
        Ok(is_as_declared && is_exact(tuple_item((*fields).iterators, 0), Plain::List.type_()))
    }
}

/// # Safety
/// As for [`has_layout`].
unsafe fn dict_items_have_layout() -> Result<bool, Raised> {
    // SAFETY: the contract is the same. If it begins as declared, it has the fields.
    unsafe {
        let dict = Owned::from_host(ffi::PyDict_New())?;
        for key in [none(), super::true_()] {
            super::owned::check(ffi::PyDict_SetItem(dict.as_ptr(), key, none()))?;
        }
        let (iterator, begins) = begins_as_declared(&dict, c"items".as_ptr())?;
        let fields = iterator.as_ptr().cast::<DictIterator>();
        if !begins || !is_pair((*fields).result) {
            return Ok(false);
        }
        next_by_host(&iterator)?;
        Ok((*fields).position == 1 && (*fields).left == 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pairs_have_operands() {
        let mut all = vec![Pairs::DictItems];
        for left in Plain::ALL {
            all.push(Pairs::Enumerate(left));
            all.extend(Plain::ALL.map(|right| Pairs::Zip(left, right)));
        }
        for pairs in all {
            assert_ne!(pairs.to_operand(), 0);
            assert_eq!(Pairs::from_operand(pairs.to_operand()), Some(pairs));
        }
        assert_eq!(Pairs::from_operand(0), None);
        assert_eq!(Pairs::from_operand(2), None);
    }
}
