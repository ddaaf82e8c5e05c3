//! Loops over sets, dicts and values of dicts in machine code.

use cranelift_codegen::ir::condcodes::IntCC;
use cranelift_codegen::ir::types::I64;
use cranelift_codegen::ir::{InstBuilder, Value};

use crate::bytecode::micro_op;
use crate::host::iterators::KnownIterator;
use crate::jit::lower::{Lowered, Lowering};
use crate::jit::runtime;
use crate::jit::values::{Class, Known};
use crate::tier2::Uop;

impl Lowering<'_> {
    /// Pushes the next item of the iterator on top, if it was over a set or dict when that was recorded. Returns false otherwise.
    pub(in crate::jit) fn next_item(&mut self, uop: Uop) -> Lowered<bool> {
        let Some((guard, KnownIterator::Items(items))) = self.guarded_iterator() else {
            return Ok(false);
        };
        self.may_leave(self.word_of(0))?;
        let id = self.peek(1);
        let iterator = self.object(id);
        let item = self.result_of(runtime::next_item_of(items), &[I64], I64, &[iterator]);
        let [go_on, otherwise] = [(); 2].map(|()| self.b.create_block());
        self.b.set_cold_block(otherwise);
        let other = runtime::OTHER_ITERATOR;
        let has_item = self.b.ins().icmp_imm_u(IntCC::UnsignedGreaterThan, item, other);
        self.b.ins().brif(has_item, go_on, &[], otherwise, &[]);
        self.b.switch_to_block(otherwise);
        let is_known = self.b.ins().icmp_imm_s(IntCC::NotEqual, item, other);
        self.guard_of(guard, is_known)?;
        self.iterate_and_leave(uop)?;

        self.b.switch_to_block(go_on);
        self.state.push_new(Known::borrowed(item, Class::Unknown));
        Ok(true)
    }

    /// What the iterator is, if the micro-op before is the guard for that, and the index of the guard.
    pub(super) fn guarded_iterator(&self) -> Option<(usize, KnownIterator)> {
        let skipped = [micro_op::check_validity, micro_op::set_ip, micro_op::nop];
        let before = self.trace[..self.at].iter().rposition(|uop| !skipped.contains(&uop.number()))?;
        Some((before, known_iterator(self.trace[before])?))
    }

    /// Whether the trace expects that the iterator that is made here is over a set or dict.
    pub(super) fn iterates_over_items(&self) -> bool {
        use crate::host::pairs::Pairs::DictItems;
        matches!(
            self.uops_that_matter().next().and_then(known_iterator),
            Some(KnownIterator::Items(_) | KnownIterator::Pairs(DictItems))
        )
    }

    /// A new iterator over an object that is a set, a dict or a view of one; or null.
    pub(super) fn iterator_over_items(&mut self, object: Value) -> Value {
        let function = runtime::new_iterator_over_items as *const () as usize;
        self.result_of(function, &[I64], I64, &[object])
    }
}

/// What the guard of an iterator expects.
fn known_iterator(uop: Uop) -> Option<KnownIterator> {
    let is_guard = uop.number() == micro_op::guard_tos_iterator;
    KnownIterator::from_operand(uop.operand0).filter(|_| is_guard)
}
