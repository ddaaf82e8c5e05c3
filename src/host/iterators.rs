//! Iterators of the host whose next item is found without Python code.

use super::PyObject;
use super::items::Items;
use super::pairs::Pairs;

/// What an iterator is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum KnownIterator {
    Pairs(Pairs),
    Items(Items),
}

/// The lowest byte of an operand for [`Items`]. That for [`Pairs`] is another one.
const ITEMS: u8 = 0xFF;

impl KnownIterator {
    /// What this iterator is, if it is one of these.
    ///
    /// # Safety
    /// The thread is attached, no exception is set, its frame is published, and the object is live.
    pub(crate) unsafe fn of(iterator: *mut PyObject) -> Option<KnownIterator> {
        // SAFETY: the contract is the same.
        unsafe {
            let items = Items::of(iterator).map(KnownIterator::Items);
            items.or_else(|| Pairs::of(iterator).map(KnownIterator::Pairs))
        }
    }

    /// Whether an iterator is this. No object is made to compare with.
    ///
    /// # Safety
    /// The iterator is live. [`KnownIterator::of`] has found this for one before.
    pub(crate) unsafe fn is(self, iterator: *mut PyObject) -> bool {
        // SAFETY: the contract is the same. What has been found once has compared the layouts of its kind.
        unsafe {
            match self {
                KnownIterator::Items(items) => items.is(iterator),
                KnownIterator::Pairs(pairs) => Pairs::of(iterator) == Some(pairs),
            }
        }
    }

    /// A number that is not 0.
    pub(crate) const fn to_operand(self) -> u64 {
        match self {
            KnownIterator::Pairs(pairs) => pairs.to_operand(),
            KnownIterator::Items(items) => ITEMS as u64 | (items as u64) << 8,
        }
    }

    /// From the number that [`KnownIterator::to_operand`] makes of it.
    pub(crate) fn from_operand(operand: u64) -> Option<KnownIterator> {
        match operand.to_le_bytes() {
            [ITEMS, items, ..] => Items::from_number(items).map(KnownIterator::Items),
            _ => Pairs::from_operand(operand).map(KnownIterator::Pairs),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn iterators_have_operands() {
        let items = [Items::Set, Items::DictKeys, Items::DictValues].map(KnownIterator::Items);
        for known in items.into_iter().chain([KnownIterator::Pairs(Pairs::DictItems)]) {
            assert_eq!(KnownIterator::from_operand(known.to_operand()), Some(known));
        }
        assert_eq!(KnownIterator::from_operand(0), None);
    }
}
