//! Arrays of the module `array` in machine code: their items are numbers in registers.

use core::mem::offset_of;

use cranelift_codegen::ir::condcodes::IntCC;
use cranelift_codegen::ir::types::{F32, F64, I8, I16, I32, I64, Type};
use cranelift_codegen::ir::{InstBuilder, Value};

use crate::bytecode::micro_op;
use crate::host::array::{Items, Layout};
use crate::host::ffi;
use crate::jit::lower::{Lowered, Lowering, TooLarge, plain};
use crate::jit::values::{Class, INT_WIDTH, Id, Number};
use crate::tier2::compiled::Next;

const FAILED: usize = Next::FAILED_GUARD;

/// The type of items in memory, and the binary logarithm of its size.
fn in_memory(items: Items) -> (Type, i64) {
    match items {
        Items::Double => (F64, 3),
        Items::Float => (F32, 2),
        Items::Signed8 | Items::Unsigned8 => (I8, 0),
        Items::Signed16 | Items::Unsigned16 => (I16, 1),
        Items::Signed32 | Items::Unsigned32 => (I32, 2),
        Items::Signed64 => (I64, 3),
    }
}

impl Lowering<'_> {
    /// The value below the top is an array whose items have the description at this address.
    pub(in crate::jit) fn guard_array(&mut self, description: u64) -> Lowered {
        let layout = Layout::get().ok_or(TooLarge)?;
        let id = self.peek(2);
        let type_ = self.type_of(id);
        let slots = self.load(I64, type_, offset_of!(ffi::PyTypeObject, tp_as_mapping));
        self.guard(slots, FAILED)?;
        for (slot, expected) in [
            (offset_of!(ffi::PyMappingMethods, mp_subscript), layout.subscript),
            (offset_of!(ffi::PyMappingMethods, mp_ass_subscript), layout.assign),
        ] {
            let found = self.load(I64, slots, slot);
            self.guard_equal(found, expected as u64, FAILED)?;
        }
        let array = self.object(id);
        let found = self.load(I64, array, layout.description);
        self.guard_equal(found, description, FAILED)
    }

    /// What the items of the container are, if the micro-op before is the guard that it is an array.
    fn guarded_items(&self) -> Option<Items> {
        let skipped = [micro_op::check_validity, micro_op::set_ip, micro_op::nop];
        let before = self.trace[..self.at].iter().rev().find(|uop| !skipped.contains(&uop.number()))?;
        let is_guard = before.number() == micro_op::guard_nos_array;
        Items::from_number(before.operand1).filter(|_| is_guard)
    }

    /// The address of the item at an index. Leaves unless that is an int from 0 up to the size.
    fn array_item_at(&mut self, array: Id, index: Id, shift: i64) -> Lowered<Value> {
        let layout = Layout::get().ok_or(TooLarge)?;
        if self.state.values[index].class != Class::Int {
            self.guard_class_of(index, Class::Int)?;
        }
        let (index, _) = self.int(index)?;
        let array = self.object(array);
        let size = self.load(I64, array, offset_of!(ffi::PyVarObject, ob_size));
        // A negative index is a very large one.
        let holds = self.b.ins().icmp(IntCC::UnsignedLessThan, index, size);
        self.guard(holds, 0)?;
        let items = self.load(I64, array, layout.items);
        let offset = self.b.ins().ishl_imm_u(index, shift);
        Ok(self.b.ins().iadd(items, offset))
    }

    /// `array[index]`. Returns false if it is not known to be an array.
    pub(in crate::jit) fn array_item(&mut self) -> Lowered<bool> {
        let Some(items) = self.guarded_items() else { return Ok(false) };
        let (type_, shift) = in_memory(items);
        let (array, index) = (self.peek(2), self.peek(1));
        let at = self.array_item_at(array, index, shift)?;
        let item = self.b.ins().load(type_, plain(), at, 0);
        let int = |value, width| Number::Int { value, width };
        let number = match items {
            Items::Double => Number::Float(item),
            Items::Float => Number::Float(self.b.ins().fpromote(F64, item)),
            Items::Signed8 | Items::Signed16 | Items::Signed32 => int(self.b.ins().sextend(I64, item), 32),
            Items::Unsigned8 | Items::Unsigned16 | Items::Unsigned32 => {
                int(self.b.ins().uextend(I64, item), 32)
            }
            Items::Signed64 => {
                self.guard_width(item, INT_WIDTH)?;
                int(item, INT_WIDTH)
            }
        };
        self.drop_top();
        self.drop_top();
        self.push_number(number);
        Ok(true)
    }

    /// `array[index] = value`, if it is known that both are of the same kind. Returns false otherwise.
    pub(in crate::jit) fn store_array_item(&mut self) -> Lowered<bool> {
        let Some(items) = self.guarded_items() else { return Ok(false) };
        let (type_, shift) = in_memory(items);
        let (value, array, index) = (self.peek(3), self.peek(2), self.peek(1));
        let widest = match (items, self.state.values[value].class) {
            (Items::Double, Class::Float) => None,
            (Items::Signed8, Class::Int) => Some(7),
            (Items::Signed16, Class::Int) => Some(15),
            (Items::Signed32, Class::Int) => Some(31),
            (Items::Signed64, Class::Int) => Some(INT_WIDTH),
            _ => return Ok(false),
        };
        let at = self.array_item_at(array, index, shift)?;
        let item = match widest {
            None => self.float(value),
            Some(widest) => {
                let (int, width) = self.int(value)?;
                if width > widest {
                    self.guard_width(int, widest)?;
                }
                if type_ == I64 { int } else { self.b.ins().ireduce(type_, int) }
            }
        };
        self.b.ins().store(plain(), item, at, 0);
        for _ in 0..3 {
            self.drop_top();
        }
        Ok(true)
    }
}
