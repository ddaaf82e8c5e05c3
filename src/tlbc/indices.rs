//! The set of free indices, as a pure data structure.

/// The number of indices in one word.
const BITS: usize = u32::BITS as usize;

/// A set of indices that returns the smallest free one. All indices below `next` have been taken at some time;
/// a bit is set for each of them that was given back since. So giving back an index is a single store, and
/// never needs memory.
pub(crate) struct Indices<'a> {
    pub(crate) returned: &'a mut [u32],
    /// The number of bits that are set.
    pub(crate) count: &'a mut isize,
    pub(crate) next: &'a mut i32,
}

impl Indices<'_> {
    /// The number of words that all indices up to `index` need.
    pub(crate) fn words_for(index: i32) -> usize {
        index as usize / BITS + 1
    }

    /// Takes the smallest free index. Returns None if there is no room to give it back later, or no index is
    /// left.
    pub(crate) fn take(&mut self) -> Option<i32> {
        if *self.count > 0 {
            let (at, word) = self.returned.iter_mut().enumerate().find(|(_, word)| **word != 0)?;
            let bit = word.trailing_zeros();
            *word &= *word - 1;
            *self.count -= 1;
            return Some((at * BITS) as i32 + bit as i32);
        }
        let index = *self.next;
        let following = index.checked_add(1)?;
        if self.returned.len() < Self::words_for(index) {
            return None;
        }
        *self.next = following;
        Some(index)
    }

    /// Gives an index back. Ignores one that is not in use.
    pub(crate) fn give_back(&mut self, index: i32) {
        if !(0..*self.next).contains(&index) {
            return;
        }
        let Some(word) = self.returned.get_mut(index as usize / BITS) else { return };
        let bit = 1 << (index as usize % BITS);
        if *word & bit == 0 {
            *word |= bit;
            *self.count += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    struct Memory {
        returned: Vec<u32>,
        count: isize,
        next: i32,
    }

    impl Memory {
        fn new(words: usize) -> Memory {
            Memory { returned: vec![0; words], count: 0, next: 0 }
        }

        fn indices(&mut self) -> Indices<'_> {
            Indices { returned: &mut self.returned, count: &mut self.count, next: &mut self.next }
        }
    }

    #[test]
    fn the_smallest_comes_first() {
        let mut memory = Memory::new(3);
        let mut indices = memory.indices();
        for expected in 0..70 {
            assert_eq!(indices.take(), Some(expected));
        }
        for index in [69, 3, 40, 0] {
            indices.give_back(index);
        }
        assert_eq!([(); 5].map(|()| indices.take()), [0, 3, 40, 69, 70].map(Some));
    }

    #[test]
    fn nothing_is_handed_out_that_could_not_come_back() {
        let mut memory = Memory::new(1);
        let mut indices = memory.indices();
        for expected in 0..32 {
            assert_eq!(indices.take(), Some(expected));
        }
        assert_eq!(indices.take(), None);
        indices.give_back(17);
        assert_eq!(indices.take(), Some(17));
        assert_eq!(indices.take(), None);
        assert_eq!([Indices::words_for(31), Indices::words_for(32)], [1, 2]);
    }

    #[test]
    fn there_is_a_last_one() {
        let mut memory = Memory::new(1);
        memory.next = i32::MAX;
        assert_eq!(memory.indices().take(), None);
        assert_eq!(memory.next, i32::MAX);
    }

    #[test]
    fn what_is_not_in_use_cannot_come_back() {
        let mut memory = Memory::new(1);
        let mut indices = memory.indices();
        assert_eq!(indices.take(), Some(0));
        for index in [-1, 1, 31, i32::MAX, 0, 0] {
            indices.give_back(index);
        }
        assert_eq!((memory.count, memory.returned[0]), (1, 1));
        // As after the finalization of an interpreter.
        memory.returned.clear();
        memory.indices().give_back(0);
        assert_eq!(memory.count, 1);
    }

    proptest! {
        #[test]
        fn it_is_an_ordered_set_of_free_numbers(steps in proptest::collection::vec(0..160i32, 1..300)) {
            let mut memory = Memory::new(5);
            let mut used = BTreeSet::new();
            for step in steps {
                if step % 2 == 0 {
                    let smallest = (0..160).find(|index| !used.contains(index));
                    prop_assert_eq!(memory.indices().take(), smallest);
                    used.extend(smallest);
                } else {
                    // An index that is not in use stays free.
                    memory.indices().give_back(step / 2);
                    used.remove(&(step / 2));
                }
                let set: u32 = memory.returned.iter().map(|word| word.count_ones()).sum();
                prop_assert_eq!(set as isize, memory.count);
                prop_assert_eq!(memory.next as isize - memory.count, used.len() as isize);
            }
        }
    }
}
