//! Values in machine code: references, numbers, what is in objects.

use core::mem::offset_of;

use cranelift_codegen::ir::condcodes::IntCC;
use cranelift_codegen::ir::types::{F64, I8, I32, I64};
use cranelift_codegen::ir::{InstBuilder, Value};

use super::entries::{Class, Entry};
use super::lower::{Lowering, UNCOUNTED, plain};
use super::runtime;
use crate::host::{StackRef, ffi};
use crate::tier2::compiled::Next;

/// The values of compact ints have this many bits.
const COMPACT: u8 = 30;
/// Computed ints have no more bits than this, so that no operation of two ints overflows.
const WIDEST: u8 = 31;

impl Lowering<'_> {
    // --- references ----------------------------------------------------------------------------

    /// A new reference to the object at this address.
    pub(super) fn new_ref(&mut self, object: Value) -> Value {
        // The count of an immortal object is negative, and stays as it is.
        let count = self.b.ins().load(I32, plain(), object, 0);
        let is_immortal = self.b.ins().ushr_imm_u(count, 31);
        let one = self.b.ins().bxor_imm_s(is_immortal, 1);
        let count = self.b.ins().iadd(count, one);
        self.b.ins().store(plain(), count, object, 0);
        let tag = self.b.ins().uextend(I64, is_immortal);
        self.b.ins().bor(object, tag)
    }

    /// Counts one more reference, if the stack reference is counted.
    pub(super) fn count(&mut self, bits: Value) {
        let (counted, go_on) = (self.b.create_block(), self.b.create_block());
        let tag = self.b.ins().band_imm_s(bits, UNCOUNTED);
        self.b.ins().brif(tag, go_on, &[], counted, &[]);
        self.b.switch_to_block(counted);
        let count = self.b.ins().load(I32, plain(), bits, 0);
        let count = self.b.ins().iadd_imm_s(count, 1);
        self.b.ins().store(plain(), count, bits, 0);
        self.b.ins().jump(go_on, &[]);
        self.b.switch_to_block(go_on);
    }

    /// Releases the value.
    pub(super) fn close(&mut self, entry: Entry) {
        let Entry::Ref { bits, counted: true, .. } = entry else { return };
        let (counted, dead, go_on) = (self.b.create_block(), self.b.create_block(), self.b.create_block());
        self.b.set_cold_block(dead);
        let tag = self.b.ins().band_imm_s(bits, UNCOUNTED);
        self.b.ins().brif(tag, go_on, &[], counted, &[]);
        self.b.switch_to_block(counted);
        let count = self.b.ins().load(I32, plain(), bits, 0);
        let count = self.b.ins().iadd_imm_s(count, -1);
        self.b.ins().store(plain(), count, bits, 0);
        self.b.ins().brif(count, go_on, &[], dead, &[]);
        self.b.switch_to_block(dead);
        // A destructor may look at the frame: its values in memory are live.
        let sp = self.stack_pointer();
        self.b.ins().store(
            plain(),
            sp,
            self.frame,
            offset_of!(ffi::_PyInterpreterFrame, stackpointer) as i32,
        );
        self.call(runtime::release as *const () as usize, &[I64], None, &[bits]);
        self.b.ins().jump(go_on, &[]);
        self.b.switch_to_block(go_on);
    }

    // --- numbers -------------------------------------------------------------------------------

    /// The value of a float, which a guard has checked to be one.
    pub(super) fn float(&mut self, entry: Entry) -> Value {
        if let Entry::Float(value) = entry {
            return value;
        }
        let object = self.object(entry);
        self.b.ins().load(F64, plain(), object, offset_of!(ffi::PyFloatObject, ob_fval) as i32)
    }

    /// The value of the int `depth` places below the top, and its width. Leaves if it has more bits than `widest`.
    pub(super) fn int(&mut self, depth: usize, widest: u8) -> (Value, u8) {
        let entry = self.peek(depth);
        if let Entry::Int { value, width } = entry {
            if width <= widest {
                return (value, width);
            }
            let shifted = self.b.ins().iadd_imm_s(value, 1 << COMPACT);
            let holds = self.b.ins().icmp_imm_s(IntCC::UnsignedLessThan, shifted, 2 << COMPACT);
            self.guard(holds, 0);
            return (value, COMPACT);
        }
        let object = self.object(entry);
        let at = offset_of!(ffi::_longobject, long_value) as i32;
        let tag = self.b.ins().load(I64, plain(), object, at + offset_of!(ffi::_PyLongValue, lv_tag) as i32);
        let holds = self.b.ins().icmp_imm_s(IntCC::UnsignedLessThan, tag, 2 << ffi::NON_SIZE_BITS);
        self.guard(holds, 0);
        let digit =
            self.b.ins().uload32(plain(), object, at + offset_of!(ffi::_PyLongValue, ob_digit) as i32);
        // The low bits say 0 for positive numbers, 1 for zero, 2 for negative ones.
        let sign = self.b.ins().band_imm_s(tag, i64::from(ffi::SIGN_MASK));
        let one = self.b.ins().iconst(I64, 1);
        let sign = self.b.ins().isub(one, sign);
        (self.b.ins().imul(digit, sign), COMPACT)
    }

    pub(super) fn float_operation(&mut self, operation: impl FnOnce(&mut Self, Value, Value) -> Value) {
        let (right, left) = (self.pop(), self.pop());
        let (a, b) = (self.float(left), self.float(right));
        let result = operation(self, a, b);
        self.close(left);
        self.close(right);
        self.push(Entry::Float(result));
    }

    pub(super) fn int_operation(
        &mut self,
        width: impl FnOnce(u8, u8) -> u8,
        operation: impl FnOnce(&mut Self, Value, Value) -> Value,
    ) {
        let (a, a_width) = self.int(2, WIDEST);
        let (b, b_width) = self.int(1, WIDEST);
        let (right, left) = (self.pop(), self.pop());
        let value = operation(self, a, b);
        self.close(left);
        self.close(right);
        self.push(Entry::Int { value, width: width(a_width, b_width) });
    }

    /// The topmost value has this type, or the code leaves.
    pub(super) fn guard_class(
        &mut self,
        depth: usize,
        class: Class,
        type_: *mut ffi::PyTypeObject,
        how: usize,
    ) {
        let entry = self.peek(depth);
        if entry.class() == class {
            return;
        }
        let entry = self.peek_object(depth);
        let object = self.object(entry);
        let found = self.b.ins().load(I64, plain(), object, offset_of!(ffi::PyObject, ob_type) as i32);
        self.guard_equal(found, type_.addr() as u64, how);
        self.poke(depth, entry.with_class(class));
    }

    /// The type of the topmost object.
    pub(super) fn type_of_top(&mut self) -> (Entry, Value, Value) {
        let owner = self.peek_object(1);
        let object = self.object(owner);
        let type_ = self.b.ins().load(I64, plain(), object, offset_of!(ffi::PyObject, ob_type) as i32);
        (owner, object, type_)
    }

    /// The type of the topmost object has this version, or the code leaves.
    pub(super) fn guard_type_version(&mut self, version: u64) {
        let (_, _, type_) = self.type_of_top();
        let at = offset_of!(ffi::PyTypeObject, tp_version_tag) as i32;
        let found = self.b.ins().load(I32, plain(), type_, at);
        let holds = self.b.ins().icmp_imm_s(IntCC::Equal, found, i64::from(version as u32 as i32));
        self.guard(holds, Next::FAILED_GUARD);
    }

    /// The topmost object has its attributes in inline values, or the code leaves.
    pub(super) fn guard_values(&mut self) {
        let (_, object, type_) = self.type_of_top();
        let at = offset_of!(ffi::PyTypeObject, tp_basicsize) as i32;
        let size = self.b.ins().load(I64, plain(), type_, at);
        let values = self.b.ins().iadd(object, size);
        let valid = self.b.ins().load(I8, plain(), values, offset_of!(ffi::PyDictValues, valid) as i32);
        self.guard(valid, Next::FAILED_GUARD);
    }

    /// Replaces the topmost object by what is in it at `offset`.
    pub(super) fn load_slot(&mut self, offset: i32) {
        let owner = self.peek_object(1);
        let object = self.object(owner);
        let value = self.b.ins().load(I64, plain(), object, offset);
        self.guard(value, Next::FAILED_GUARD);
        let bits = self.new_ref(value);
        self.pop();
        self.close(owner);
        self.push(Entry::Ref { bits, counted: true, class: Class::Unknown });
    }

    pub(super) fn local_offset(index: usize) -> i32 {
        (offset_of!(ffi::_PyInterpreterFrame, localsplus) + index * size_of::<StackRef>()) as i32
    }

    // --- iterators -----------------------------------------------------------------------------

    pub(super) fn next_of_range(&mut self) {
        let entry = self.peek(1);
        let iterator = self.object(entry);
        let start = offset_of!(ffi::_PyRangeIterObject, start) as i32;
        let length = offset_of!(ffi::_PyRangeIterObject, len) as i32;
        let value = self.b.ins().load(I64, plain(), iterator, start);
        let step =
            self.b.ins().load(I64, plain(), iterator, offset_of!(ffi::_PyRangeIterObject, step) as i32);
        let next = self.b.ins().iadd(value, step);
        self.b.ins().store(plain(), next, iterator, start);
        let left = self.b.ins().load(I64, plain(), iterator, length);
        let left = self.b.ins().iadd_imm_s(left, -1);
        self.b.ins().store(plain(), left, iterator, length);
        self.push(Entry::Int { value, width: 64 });
    }

    /// The list iterator on top, its list, and its index, which is in the list. Leaves if it is not.
    pub(super) fn position_in_list(&mut self) -> (Value, Value, Value) {
        let entry = self.peek(1);
        let iterator = self.object(entry);
        let list =
            self.b.ins().load(I64, plain(), iterator, offset_of!(ffi::_PyListIterObject, it_seq) as i32);
        self.guard(list, 0);
        let index =
            self.b.ins().load(I64, plain(), iterator, offset_of!(ffi::_PyListIterObject, it_index) as i32);
        let length = self.b.ins().load(I64, plain(), list, offset_of!(ffi::PyVarObject, ob_size) as i32);
        let holds = self.b.ins().icmp(IntCC::UnsignedLessThan, index, length);
        self.guard(holds, 0);
        (iterator, list, index)
    }

    pub(super) fn next_of_list(&mut self) {
        let (iterator, list, index) = self.position_in_list();
        let next = self.b.ins().iadd_imm_s(index, 1);
        self.b.ins().store(plain(), next, iterator, offset_of!(ffi::_PyListIterObject, it_index) as i32);
        let items = self.b.ins().load(I64, plain(), list, offset_of!(ffi::PyListObject, ob_item) as i32);
        let offset = self.b.ins().ishl_imm_u(index, 3);
        let at = self.b.ins().iadd(items, offset);
        let item = self.b.ins().load(I64, plain(), at, 0);
        let bits = self.new_ref(item);
        self.push(Entry::Ref { bits, counted: true, class: Class::Unknown });
    }
}
