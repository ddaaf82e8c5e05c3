//! Lists, tuples and their iterators in machine code.

use core::mem::offset_of;

use cranelift_codegen::ir::condcodes::IntCC;
use cranelift_codegen::ir::types::I64;
use cranelift_codegen::ir::{InstBuilder, Value};

use crate::host::ffi;
use crate::jit::loops::INT_WIDTH;
use crate::jit::lower::{Lowered, Lowering};
use crate::jit::values::{Class, Id, Known, Number};
use crate::tier2::compiled::Next;

const FAILED: usize = Next::FAILED_GUARD;
/// The size of an item in bytes, as a shift.
const ITEM_SHIFT: i64 = 3;

/// A container that is indexed by ints.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(in crate::jit) enum Sequence {
    List,
    Tuple,
}

impl Lowering<'_> {
    fn size_of(&mut self, object: Value) -> Value {
        self.load(I64, object, offset_of!(ffi::PyVarObject, ob_size))
    }

    /// The address of the first item.
    fn items_of(&mut self, object: Value, sequence: Sequence) -> Value {
        match sequence {
            Sequence::List => self.load(I64, object, offset_of!(ffi::PyListObject, ob_item)),
            Sequence::Tuple => {
                self.b.ins().iadd_imm_s(object, offset_of!(ffi::PyTupleObject, ob_item) as i64)
            }
        }
    }

    /// The address of the item at an index, which is an int from 0 up to the size. Leaves otherwise.
    fn item_at(&mut self, container: Id, index: Id, sequence: Sequence) -> Lowered<Value> {
        let object = self.object(container);
        let (index, _) = self.int(index)?;
        let size = self.size_of(object);
        // A negative index is a very large one.
        let holds = self.b.ins().icmp(IntCC::UnsignedLessThan, index, size);
        self.guard(holds, 0)?;
        let items = self.items_of(object, sequence);
        let offset = self.b.ins().ishl_imm_u(index, ITEM_SHIFT);
        Ok(self.b.ins().iadd(items, offset))
    }

    /// `container[index]`
    pub(in crate::jit) fn subscript(&mut self, sequence: Sequence) -> Lowered {
        let (container, index) = (self.peek(2), self.peek(1));
        let at = self.item_at(container, index, sequence)?;
        let item = self.load(I64, at, 0);
        self.drop_top();
        self.replace_by_part(item, Class::Unknown);
        Ok(())
    }

    /// `list[index] = value`
    pub(in crate::jit) fn store_item(&mut self) -> Lowered {
        let (value, list, index) = (self.peek(3), self.peek(2), self.peek(1));
        let at = self.item_at(list, index, Sequence::List)?;
        self.drop_top();
        self.drop_top();
        self.drop_top();
        // The old item may be what something here is borrowed from.
        self.own_all();
        let given = self.give_object(value);
        let old = self.load(I64, at, 0);
        self.store(given, at, 0);
        let go_on = self.b.create_block();
        self.release_object(old, go_on)?;
        self.b.switch_to_block(go_on);
        Ok(())
    }

    /// Replaces the topmost value, a tuple or list of `count` items, by its items.
    pub(in crate::jit) fn unpack(&mut self, count: usize, sequence: Sequence) -> Lowered {
        let container = self.peek(1);
        let object = self.object(container);
        let size = self.size_of(object);
        self.guard_equal(size, count as u64, 0)?;
        let items = self.items_of(object, sequence);
        self.drop_top();
        let may_end =
            self.state.values[container].holders == 0 && !self.state.values[container].references.is_empty();
        for index in (0..count).rev() {
            let item = self.load(I64, items, index << ITEM_SHIFT);
            let id = self.state.push_new(Known::borrowed(item, Class::Unknown));
            if may_end {
                self.own(id);
            }
        }
        Ok(())
    }

    /// The callable of a call with one argument is this type.
    pub(in crate::jit) fn guard_callable(&mut self, type_: *mut ffi::PyTypeObject) -> Lowered {
        let id = self.peek(3);
        let callable = self.object(id);
        self.guard_equal(callable, type_.addr() as u64, FAILED)
    }

    /// The callable of a call with one argument is `len`.
    pub(in crate::jit) fn guard_callable_len(&mut self) -> Lowered {
        let id = self.peek(3);
        let callable = self.object(id);
        let interp = self.load(I64, self.tstate, offset_of!(ffi::PyThreadState, interp));
        let len = self.load(I64, interp, offset_of!(ffi::PyInterpreterState, callable_cache.len));
        let holds = self.b.ins().icmp(IntCC::Equal, callable, len);
        self.guard(holds, FAILED)
    }

    /// `len(value)` of a list, tuple or the like, whose size is in the usual place: the three topmost values are the function,
    /// nothing, and the container.
    pub(in crate::jit) fn len_of_sized(&mut self) {
        let id = self.peek(1);
        let object = self.object(id);
        let value = self.size_of(object);
        self.drop_top();
        self.drop_top();
        self.drop_top();
        // No container has as many items as there are addresses.
        self.push_number(Number::Int { value, width: 60 });
    }

    // --- iterators -----------------------------------------------------------------------------

    pub(in crate::jit) fn guard_range_goes_on(&mut self, goes_on: bool) -> Lowered {
        let id = self.peek(1);
        let iterator = self.object(id);
        let left = self.load(I64, iterator, offset_of!(ffi::_PyRangeIterObject, len));
        let condition = if goes_on { IntCC::SignedGreaterThan } else { IntCC::SignedLessThanOrEqual };
        let holds = self.b.ins().icmp_imm_s(condition, left, 0);
        self.guard(holds, FAILED)
    }

    pub(in crate::jit) fn next_of_range(&mut self) -> Lowered {
        let id = self.peek(1);
        let iterator = self.object(id);
        let start = offset_of!(ffi::_PyRangeIterObject, start);
        let length = offset_of!(ffi::_PyRangeIterObject, len);
        let value = self.load(I64, iterator, start);
        // A range of larger numbers is left to the interpreter.
        self.guard_width(value, INT_WIDTH)?;
        let step = self.load(I64, iterator, offset_of!(ffi::_PyRangeIterObject, step));
        let next = self.b.ins().iadd(value, step);
        self.store(next, iterator, start);
        let left = self.load(I64, iterator, length);
        let left = self.b.ins().iadd_imm_s(left, -1);
        self.store(left, iterator, length);
        self.push_number(Number::Int { value, width: INT_WIDTH });
        Ok(())
    }

    /// The address of the iterator on top, its sequence, and its index, which is in the sequence. Leaves if it is not.
    fn position(&mut self, sequence: Sequence, how: usize) -> Lowered<(Value, Value, Value)> {
        let id = self.peek(1);
        let iterator = self.object(id);
        let (at_sequence, at_index) = match sequence {
            Sequence::List => {
                (offset_of!(ffi::_PyListIterObject, it_seq), offset_of!(ffi::_PyListIterObject, it_index))
            }
            Sequence::Tuple => {
                (offset_of!(ffi::_PyTupleIterObject, it_seq), offset_of!(ffi::_PyTupleIterObject, it_index))
            }
        };
        let container = self.load(I64, iterator, at_sequence);
        self.guard(container, how)?;
        let index = self.load(I64, iterator, at_index);
        let size = self.size_of(container);
        let holds = self.b.ins().icmp(IntCC::UnsignedLessThan, index, size);
        self.guard(holds, how)?;
        Ok((iterator, container, index))
    }

    /// The iterator on top has another item. What follows if it has none is left to the interpreter.
    pub(in crate::jit) fn guard_sequence_goes_on(&mut self, sequence: Sequence) -> Lowered {
        self.position(sequence, 0)?;
        Ok(())
    }

    pub(in crate::jit) fn next_of_sequence(&mut self, sequence: Sequence) -> Lowered {
        let (iterator, container, index) = self.position(sequence, 0)?;
        let next = self.b.ins().iadd_imm_s(index, 1);
        let at_index = match sequence {
            Sequence::List => offset_of!(ffi::_PyListIterObject, it_index),
            Sequence::Tuple => offset_of!(ffi::_PyTupleIterObject, it_index),
        };
        self.store(next, iterator, at_index);
        let items = self.items_of(container, sequence);
        let offset = self.b.ins().ishl_imm_u(index, ITEM_SHIFT);
        let at = self.b.ins().iadd(items, offset);
        let item = self.load(I64, at, 0);
        self.state.push_new(Known::borrowed(item, Class::Unknown));
        Ok(())
    }
}
