//! Loops over pairs in machine code: `enumerate`, `zip`, the items of dicts. A pair that is unpacked at once is a virtual tuple.

use core::mem::offset_of;

use cranelift_codegen::ir::condcodes::IntCC;
use cranelift_codegen::ir::types::{I32, I64};
use cranelift_codegen::ir::{InstBuilder, Value};

use crate::bytecode::micro_op;
use crate::host::iterators::KnownIterator;
use crate::jit::lower::{Lowered, Lowering, NULL};
use crate::jit::runtime;
use crate::jit::values::{Class, INT_WIDTH, Known, Number};
use crate::tier2::Uop;
use crate::tier2::compiled::Machine;

impl Lowering<'_> {
    /// Pushes the next pair of the iterator on top, if it was one that makes pairs when that was recorded, and the pair is unpacked.
    /// Returns false otherwise.
    pub(in crate::jit) fn next_pair(&mut self, uop: Uop) -> Lowered<bool> {
        let Some((guard, KnownIterator::Pairs(pairs))) =
            self.guarded_iterator().filter(|_| self.unpacks_next())
        else {
            return Ok(false);
        };
        self.may_leave(self.word_of(0))?;
        let id = self.peek(1);
        let iterator = self.object(id);
        let results = self.b.ins().iadd_imm_s(self.machine, offset_of!(Machine, operands) as i64);
        let has_next = self.result_of(runtime::next_pair_of(pairs), &[I64; 2], I64, &[iterator, results]);
        let is_known = self.b.ins().icmp_imm_s(IntCC::NotEqual, has_next, runtime::OTHER_ITERATOR);
        self.guard_of(guard, is_known)?;
        let [go_on, otherwise] = [(); 2].map(|()| self.b.create_block());
        self.b.set_cold_block(otherwise);
        self.b.ins().brif(has_next, go_on, &[], otherwise, &[]);
        self.b.switch_to_block(otherwise);
        self.iterate_and_leave(uop)?;

        self.b.switch_to_block(go_on);
        let [first, second, first_old, second_old] =
            [0, 1, 2, 3].map(|index| self.load(I64, results, index * size_of::<u64>()));
        let items = [first, second].into_iter().zip(pairs.are_ints()).map(|(value, is_int)| {
            let number = Number::Int { value, width: INT_WIDTH };
            let known = if is_int { Known::number(number) } else { Known::borrowed(value, Class::Unknown) };
            self.state.add(known)
        });
        let items = items.collect();
        self.state.push_new(Known::tuple(items));
        self.end_replaced(first_old, Some(second_old))?;
        self.end_replaced(second_old, None)?;
        Ok(true)
    }

    /// Whether the result of this micro-op is a pair that is unpacked.
    fn unpacks_next(&self) -> bool {
        let is_guard = |&number: &u16| number == micro_op::guard_tos_tuple;
        let mut next = self.micro_ops_that_matter().skip_while(is_guard);
        next.next() == Some(micro_op::unpack_sequence_two_tuple)
    }

    /// Ends the code in this block: asks the iterator, and leaves to the next micro-op with the item.
    pub(super) fn iterate_and_leave(&mut self, uop: Uop) -> Lowered {
        let (state, room, is_valid) = (self.state.clone(), self.room, self.is_valid);
        self.iterate(uop, true)?;
        let word = (&raw const self.trace[self.at + 1]).addr();
        self.leave(word);
        (self.state, self.room, self.is_valid) = (state, room, is_valid);
        self.forget_outs();
        Ok(())
    }

    /// Releases the last reference to an object, if it is not null. `other` is another such object, which is to be released later.
    fn end_replaced(&mut self, object: Value, other: Option<Value>) -> Lowered {
        let [dead, go_on] = [(); 2].map(|()| self.b.create_block());
        self.b.set_cold_block(dead);
        self.b.ins().brif(object, dead, &[], go_on, &[]);
        self.b.switch_to_block(dead);
        let zero = self.b.ins().iconst(I32, 0);
        self.store(zero, object, 0);
        let rest = other.map(|other| {
            let null = self.constant(NULL);
            self.b.ins().select(other, other, null)
        });
        self.end_object(object, Class::Unknown, rest.as_slice(), go_on)?;
        self.b.switch_to_block(go_on);
        Ok(())
    }
}
