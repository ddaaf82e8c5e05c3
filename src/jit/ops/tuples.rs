//! Virtual tuples in machine code: tuples whose items are values of the trace, and which get an object when something needs it.

use super::numbers::compact_constant;
use super::{class_of, truth_constant};
use crate::host::object::tuple_slice;
use crate::jit::lower::{Lowering, immortal};
use crate::jit::state::Slot;
use crate::jit::values::{Class, Id, Known, MAX_ITEMS};

impl Lowering<'_> {
    /// Replaces the `count` topmost values by a tuple of them. Returns false if there are none, or too many.
    pub(in crate::jit) fn build_tuple(&mut self, count: usize) -> bool {
        if !(1..=MAX_ITEMS).contains(&count) {
            return false;
        }
        let mut items: Vec<Id> = (0..count).map(|_| self.pop()).collect();
        items.reverse();
        for &item in &items {
            self.end_borrowing(item);
        }
        // The tuple takes the place of the slots as a holder.
        let tuple = self.state.add(Known { holders: 1, ..Known::tuple(items.into()) });
        self.state.top().stack.push(Slot::new(tuple));
        true
    }

    /// The items of a tuple, if they are known: a virtual one, or a constant.
    pub(super) fn known_items(&mut self, tuple: Id) -> Option<Vec<Id>> {
        let known = &self.state.values[tuple];
        if let Some(items) = &known.items {
            return Some(items.to_vec());
        }
        let address = known.address.filter(|_| known.constant.is_some() && known.class == Class::Tuple)?;
        // SAFETY: the executor keeps its constants alive, and this one is a tuple.
        let items = unsafe { tuple_slice(address as *mut _) };
        let constant = |&item| Known::constant(immortal(item), class_of(item.addr() as u64));
        Some(items.iter().map(|item| self.state.add(constant(item))).collect())
    }

    /// Replaces the topmost value, a tuple of `count` items, by its items. Returns false if they are not known.
    pub(super) fn unpack_known(&mut self, count: usize) -> bool {
        let tuple = self.peek(1);
        let Some(items) = self.known_items(tuple).filter(|items| items.len() == count) else { return false };
        self.pop();
        for item in items.into_iter().rev() {
            self.state.push(item);
        }
        self.state.let_go(tuple);
        true
    }

    /// `tuple[index]`. Returns false if the index or the items are not known.
    pub(super) fn subscript_known(&mut self) -> bool {
        let (tuple, index) = (self.peek(2), self.peek(1));
        let known = &self.state.values[index];
        let address = known.address.filter(|_| known.constant.is_some() && known.class == Class::Int);
        let Some(index) = address.and_then(compact_constant).and_then(|index| usize::try_from(index).ok())
        else {
            return false;
        };
        let Some(&item) = self.known_items(tuple).as_ref().and_then(|items| items.get(index)) else {
            return false;
        };
        self.drop_top();
        self.pop();
        self.state.push(item);
        self.state.let_go(tuple);
        true
    }

    /// `bool(tuple)` of a virtual tuple, which is not empty. Returns false for other values.
    pub(super) fn truth_of_tuple(&mut self) -> bool {
        let id = self.peek(1);
        let is_virtual = self.state.values[id].items.is_some();
        if is_virtual {
            self.drop_top();
            self.push_constant(truth_constant(true), Class::Bool);
        }
        is_virtual
    }
}
