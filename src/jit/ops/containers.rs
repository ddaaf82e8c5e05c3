//! Lists, tuples and their iterators in machine code.

use core::mem::offset_of;

use cranelift_codegen::ir::condcodes::IntCC;
use cranelift_codegen::ir::types::I64;
use cranelift_codegen::ir::{Block, InstBuilder, Value};

use crate::bytecode::micro_op;
use crate::host::ffi;
use crate::jit::lower::{Lowered, Lowering, immortal};
use crate::jit::runtime;
use crate::jit::values::{Class, INT_WIDTH, Id, Known, Number};
use crate::tier2::Uop;
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

/// Where an iterator over a list or tuple is.
#[derive(Clone, Copy)]
struct Position {
    iterator: Value,
    /// Offsets in the iterator.
    at_container: usize,
    at_index: usize,
    /// Null at the end.
    container: Value,
    index: Value,
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
        if sequence == Sequence::Tuple && self.subscript_known() {
            return Ok(());
        }
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
        let old = self.load(I64, at, 0);
        let go_on = self.b.create_block();
        let given = self.object_to_store(value, old, go_on);
        self.store(given, at, 0);
        self.release_object(old, go_on)?;
        self.b.switch_to_block(go_on);
        Ok(())
    }

    /// Appends the topmost value to the list `depth` places below it.
    pub(in crate::jit) fn append_to_list(&mut self, depth: usize) -> Lowered {
        let list = self.peek(1 + depth);
        let list = self.object(list);
        let value = self.drop_top();
        self.append(list, value)
    }

    /// `list.append(value)`: the three topmost values are the function, the list, and the value.
    pub(in crate::jit) fn call_list_append(&mut self) -> Lowered {
        let (callable, list, value) = (self.peek(3), self.peek(2), self.peek(1));
        let callable = self.object(callable);
        let interp = self.load(I64, self.tstate, offset_of!(ffi::PyThreadState, interp));
        let append = self.load(I64, interp, offset_of!(ffi::PyInterpreterState, callable_cache.list_append));
        let holds = self.b.ins().icmp(IntCC::Equal, callable, append);
        self.guard(holds, FAILED)?;
        if self.state.values[list].class != Class::List {
            let type_ = self.type_of(list);
            let flags = self.load(I64, type_, offset_of!(ffi::PyTypeObject, tp_flags));
            let is_list = self.b.ins().band_imm_s(flags, ffi::Py_TPFLAGS_LIST_SUBCLASS as i64);
            self.guard(is_list, FAILED)?;
        }
        let list = self.object(list);
        for _ in 0..3 {
            self.drop_top();
        }
        self.append(list, value)
    }

    /// Appends a value, which nothing here holds any more, to the list at this address.
    fn append(&mut self, list: Value, value: Id) -> Lowered {
        let item = self.give_object(value);
        let size = self.size_of(list);
        let allocated = self.load(I64, list, offset_of!(ffi::PyListObject, allocated));
        let has_room = self.b.ins().icmp(IntCC::SignedLessThan, size, allocated);
        let (room, full, go_on) = (self.b.create_block(), self.b.create_block(), self.b.create_block());
        self.b.set_cold_block(full);
        self.b.ins().brif(has_room, room, &[], full, &[]);
        self.b.switch_to_block(full);
        let function = runtime::append_slowly as *const () as usize;
        let status = self.result_of(function, &[I64, I64], I64, &[list, item]);
        let failed = self.b.create_block();
        self.b.ins().brif(status, failed, &[], go_on, &[]);
        self.b.switch_to_block(failed);
        self.leave_by(self.word_of(Next::ERROR), false)?;
        self.b.switch_to_block(room);
        let items = self.items_of(list, Sequence::List);
        let offset = self.b.ins().ishl_imm_u(size, ITEM_SHIFT);
        let at = self.b.ins().iadd(items, offset);
        self.store(item, at, 0);
        let size = self.b.ins().iadd_imm_s(size, 1);
        self.store(size, list, offset_of!(ffi::PyVarObject, ob_size));
        self.b.ins().jump(go_on, &[]);
        self.b.switch_to_block(go_on);
        Ok(())
    }

    /// Replaces the topmost value, a tuple or list of `count` items, by its items.
    pub(in crate::jit) fn unpack(&mut self, count: usize, sequence: Sequence) -> Lowered {
        if sequence == Sequence::Tuple && self.unpack_known(count) {
            return Ok(());
        }
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
        self.replace_call_of_len(value);
    }

    /// The same of a tuple whose items are known. Returns false for other values.
    pub(in crate::jit) fn len_of_tuple(&mut self) -> bool {
        let id = self.peek(1);
        let Some(items) = self.known_items(id) else { return false };
        let size = self.constant(items.len() as u64);
        self.replace_call_of_len(size);
        true
    }

    /// Replaces the three topmost values by a length.
    fn replace_call_of_len(&mut self, value: Value) {
        self.drop_top();
        self.drop_top();
        self.drop_top();
        // No container has as many items as there are addresses.
        self.push_number(Number::Int { value, width: 60 });
    }

    /// The same of an object of another type of the host's that has a length. Leaves if its type may be one of the program's.
    pub(in crate::jit) fn len_of_builtin(&mut self) -> Lowered {
        let id = self.peek(1);
        let object = self.object(id);
        let function = runtime::length as *const () as usize;
        let value = self.result_of(function, &[I64], I64, &[object]);
        let is_known = self.b.ins().icmp_imm_s(IntCC::SignedGreaterThanOrEqual, value, 0);
        self.guard(is_known, 0)?;
        self.replace_call_of_len(value);
        Ok(())
    }

    // --- iterators -----------------------------------------------------------------------------

    /// Whether this is a call of `range`, with one or two of `count` arguments, whose result is only iterated over.
    pub(in crate::jit) fn range_is_iterated(&mut self, count: usize) -> bool {
        let callable = self.peek(count + 2);
        let is_range =
            self.state.values[callable].constant == Some(immortal((&raw mut ffi::PyRange_Type).cast()));
        is_range && (1..=2).contains(&count) && self.next_that_matters() == Some(micro_op::get_iter)
    }

    /// The next micro-op that does something with values.
    fn next_that_matters(&self) -> Option<u16> {
        self.micro_ops_that_matter().next()
    }

    /// The following micro-ops that do something with values.
    pub(super) fn micro_ops_that_matter(&self) -> impl Iterator<Item = u16> {
        self.uops_that_matter().map(Uop::number)
    }

    /// The same with their operands.
    pub(super) fn uops_that_matter(&self) -> impl Iterator<Item = Uop> {
        let skipped = [micro_op::check_periodic, micro_op::check_validity, micro_op::set_ip, micro_op::nop];
        let following = self.trace[self.at + 1..].iter().copied();
        following.filter(move |uop| !skipped.contains(&uop.number()))
    }

    /// Replaces a call of `range` by the iterator over the range, which is its own iterator.
    pub(in crate::jit) fn iterate_range(&mut self, count: usize) -> Lowered {
        let mut limits = Vec::new();
        for depth in (1..=count).rev() {
            let id = self.peek(depth);
            if self.state.values[id].class != Class::Int {
                self.guard_class_of(id, Class::Int)?;
            }
            limits.push(self.int(id)?.0);
        }
        if count == 1 {
            limits.insert(0, self.constant(0));
        }
        self.may_leave(self.word_of(0))?;
        let function = runtime::new_range_iterator as *const () as usize;
        let iterator = self.result_of(function, &[I64; 2], I64, &limits);
        // Without memory, the interpreter raises the exception.
        self.guard_done(iterator, 0)?;
        for _ in 0..count + 2 {
            self.drop_top();
        }
        self.state.push_new(Known::owned(iterator, true, Class::RangeIterator));
        Ok(())
    }

    /// Replaces the topmost value by an iterator over it. Returns false if that may run Python code.
    pub(in crate::jit) fn get_iterator(&mut self) -> Lowered<bool> {
        let id = self.peek(1);
        let known = self.state.values[id].class;
        // Otherwise the iterator that the trace expects tells.
        let (class, type_) = match (known, self.next_that_matters()) {
            (Class::RangeIterator | Class::ListIterator | Class::TupleIterator, _) => return Ok(true),
            (Class::List, _) | (Class::Unknown, Some(micro_op::iter_check_list)) => {
                (Class::ListIterator, &raw mut ffi::PyList_Type)
            }
            (Class::Tuple, _) | (Class::Unknown, Some(micro_op::iter_check_tuple)) => {
                (Class::TupleIterator, &raw mut ffi::PyTuple_Type)
            }
            _ if self.iterates_over_items() => (Class::Unknown, core::ptr::null_mut()),
            _ => return Ok(false),
        };
        let object = self.object(id);
        self.may_leave(self.word_of(0))?;
        let iterator = if type_.is_null() {
            self.iterator_over_items(object)
        } else {
            let type_ = self.constant(type_.addr() as u64);
            let function = runtime::new_iterator_like as *const () as usize;
            self.result_of(function, &[I64; 2], I64, &[object, type_])
        };
        self.guard_done(iterator, 0)?;
        self.drop_top();
        self.state.push_new(Known::owned(iterator, true, class));
        Ok(true)
    }

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

    /// What the iterator on top is at.
    fn position(&mut self, sequence: Sequence) -> Position {
        let id = self.peek(1);
        let iterator = self.object(id);
        let (at_container, at_index) = match sequence {
            Sequence::List => {
                (offset_of!(ffi::_PyListIterObject, it_seq), offset_of!(ffi::_PyListIterObject, it_index))
            }
            Sequence::Tuple => {
                (offset_of!(ffi::_PyTupleIterObject, it_seq), offset_of!(ffi::_PyTupleIterObject, it_index))
            }
        };
        let container = self.load(I64, iterator, at_container);
        let index = self.load(I64, iterator, at_index);
        Position { iterator, at_container, at_index, container, index }
    }

    /// The iterator on top has another item, or the code leaves. The iterator gives its sequence up then.
    pub(in crate::jit) fn guard_sequence_goes_on(&mut self, sequence: Sequence) -> Lowered {
        let at = self.position(sequence);
        let (here, exhausted) = (self.b.create_block(), self.b.create_block());
        self.b.set_cold_block(exhausted);
        self.branch_if_exhausted(at, exhausted, here);
        self.b.switch_to_block(exhausted);
        self.give_up_container(at, sequence);
        let [has_container, other] = [(); 2].map(|()| self.b.create_block());
        self.b.ins().brif(at.container, has_container, &[], other, &[]);
        self.b.switch_to_block(other);
        self.leave_by(self.word_of(FAILED), false)?;
        self.b.switch_to_block(has_container);
        // The exit releases the container.
        let id = self.state.add(Known::owned(at.container, false, Class::Unknown));
        self.state.pending.push(id);
        self.leave_by(self.word_of(FAILED), false)?;
        self.state.pending.pop();
        self.b.switch_to_block(here);
        Ok(())
    }

    /// The iterator on top has no other item, and gives its sequence up. Otherwise the code leaves.
    pub(in crate::jit) fn guard_sequence_ends(&mut self, sequence: Sequence) -> Lowered {
        let at = self.position(sequence);
        let (exhausted, other) = (self.b.create_block(), self.b.create_block());
        self.b.set_cold_block(other);
        self.branch_if_exhausted(at, exhausted, other);
        self.b.switch_to_block(other);
        self.leave_by(self.word_of(FAILED), false)?;
        self.b.switch_to_block(exhausted);
        self.give_up_container(at, sequence);
        // What is here may be an item of the sequence.
        self.own_all();
        let (has_container, go_on) = (self.b.create_block(), self.b.create_block());
        self.b.ins().brif(at.container, has_container, &[], go_on, &[]);
        self.b.switch_to_block(has_container);
        self.release_object(at.container, go_on)?;
        self.b.switch_to_block(go_on);
        Ok(())
    }

    fn branch_if_exhausted(&mut self, at: Position, exhausted: Block, other: Block) {
        let has_container = self.b.create_block();
        self.b.ins().brif(at.container, has_container, &[], exhausted, &[]);
        self.b.switch_to_block(has_container);
        let size = self.size_of(at.container);
        let goes_on = self.b.ins().icmp(IntCC::UnsignedLessThan, at.index, size);
        self.b.ins().brif(goes_on, other, &[], exhausted, &[]);
    }

    /// An exhausted iterator has no container any more.
    fn give_up_container(&mut self, at: Position, sequence: Sequence) {
        if sequence == Sequence::List {
            let end = self.constant(-1_i64 as u64);
            self.store(end, at.iterator, at.at_index);
        }
        let zero = self.constant(0);
        self.store(zero, at.iterator, at.at_container);
    }

    /// The next item of the iterator on top, which a guard has found to have one.
    pub(in crate::jit) fn next_of_sequence(&mut self, sequence: Sequence) {
        let at = self.position(sequence);
        let next = self.b.ins().iadd_imm_s(at.index, 1);
        self.store(next, at.iterator, at.at_index);
        let items = self.items_of(at.container, sequence);
        let offset = self.b.ins().ishl_imm_u(at.index, ITEM_SHIFT);
        let address = self.b.ins().iadd(items, offset);
        let item = self.load(I64, address, 0);
        self.state.push_new(Known::borrowed(item, Class::Unknown));
    }
}
