//! Short lists, one after the other in one piece of memory. Machine code has thousands of them.

/// Where a list is in its [`Pool`].
#[derive(Clone, Copy, Default, Debug)]
pub(super) struct Part {
    start: u32,
    length: u32,
}

/// Lists of one kind.
#[derive(Debug)]
pub(super) struct Pool<T> {
    all: Vec<T>,
    /// The newest one.
    last: Part,
}

impl<T> Default for Pool<T> {
    fn default() -> Pool<T> {
        Pool { all: Vec::new(), last: Part::default() }
    }
}

impl<T: PartialEq> Pool<T> {
    /// Adds a list, unless it is the same as the one before.
    pub(super) fn add(&mut self, list: Vec<T>) -> Part {
        if self.get(self.last) != list {
            self.last = Part { start: self.all.len() as u32, length: list.len() as u32 };
            self.all.extend(list);
        }
        self.last
    }

    /// A list that has been added.
    pub(super) fn get(&self, part: Part) -> &[T] {
        let start = part.start as usize;
        self.all.get(start..start + part.length as usize).unwrap_or_default()
    }

    /// No list is going to be added.
    pub(super) fn finish(&mut self) {
        self.all.shrink_to_fit();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_neighbours_are_one() {
        let mut pool = Pool::default();
        let lists = [vec![1, 2], vec![1, 2], vec![], vec![], vec![1, 2], vec![3]];
        let parts = lists.clone().map(|list| pool.add(list));
        pool.finish();
        assert_eq!(parts.map(|part| pool.get(part).to_vec()), lists);
        assert_eq!(pool.all, [1, 2, 1, 2, 3]);
    }
}
