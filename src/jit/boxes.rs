//! Objects for numbers that are in registers, and for virtual tuples.

use core::mem::offset_of;

use cranelift_codegen::ir::condcodes::IntCC;
use cranelift_codegen::ir::types::{F64, I32, I64};
use cranelift_codegen::ir::{Block, BlockArg, InstBuilder, Value};

use super::lower::{Lowering, immortal};
use super::runtime;
use super::values::{Id, Number};
use crate::host::{SMALL_INTS, ThreadState, false_, ffi, numbers, small_int, true_};

impl Lowering<'_> {
    /// A new reference to an object with this value.
    pub(super) fn box_number(&mut self, number: Number) -> Value {
        match number {
            Number::Float(value) => self.new_float(value),
            Number::Int { value, .. } => self.new_int(value),
            Number::Bool(value) => {
                let yes = self.constant(immortal(true_()));
                let no = self.constant(immortal(false_()));
                self.b.ins().select(value, yes, no)
            }
        }
    }

    /// A new int: one of those that exist only once, or one that a call makes.
    fn new_int(&mut self, value: Value) -> Value {
        let Some(first) = small_int(SMALL_INTS.start) else { return self.make_int(value) };
        let (small, made, go_on) = (self.b.create_block(), self.b.create_block(), self.b.create_block());
        let result = self.b.append_block_param(go_on, I64);
        let index = self.b.ins().iadd_imm_s(value, -SMALL_INTS.start as i64);
        let count = SMALL_INTS.len() as i64;
        let is_small = self.b.ins().icmp_imm_s(IntCC::UnsignedLessThan, index, count);
        self.b.ins().brif(is_small, small, &[], made, &[]);
        self.b.switch_to_block(small);
        let offset = self.b.ins().imul_imm_s(index, size_of::<ffi::PyLongObject>() as i64);
        let first = self.constant(immortal(first));
        let bits = self.b.ins().iadd(first, offset);
        self.b.ins().jump(go_on, &[BlockArg::Value(bits)]);
        self.b.switch_to_block(made);
        let bits = self.make_int(value);
        self.b.ins().jump(go_on, &[BlockArg::Value(bits)]);
        self.b.switch_to_block(go_on);
        result
    }

    fn make_int(&mut self, value: Value) -> Value {
        let function = runtime::new_int as *const () as usize;
        self.result_of(function, &[I64, I64], I64, &[self.tstate, value])
    }

    /// A new float: the last one that was freed, or one that a call makes.
    pub(super) fn new_float(&mut self, value: Value) -> Value {
        // SAFETY: the thread is attached while it compiles. Only threads of its interpreter run the code.
        let Some((list, tracer)) = (unsafe { numbers::freed_floats(ThreadState::current()) }) else {
            return self.make_float(value);
        };
        let (has_freed, taken, made, go_on) =
            (self.b.create_block(), self.b.create_block(), self.b.create_block(), self.b.create_block());
        self.b.set_cold_block(made);
        let result = self.b.append_block_param(go_on, I64);
        let list = self.constant(list.addr() as u64);
        let float = self.load(I64, list, offset_of!(ffi::_Py_freelist, freelist));
        self.b.ins().brif(float, has_freed, &[], made, &[]);
        self.b.switch_to_block(has_freed);
        let tracer = self.constant(tracer.addr() as u64);
        let tracer = self.load(I64, tracer, 0);
        self.b.ins().brif(tracer, made, &[], taken, &[]);
        self.b.switch_to_block(taken);
        let next = self.load(I64, float, 0);
        self.store(next, list, offset_of!(ffi::_Py_freelist, freelist));
        let size = self.load(I64, list, offset_of!(ffi::_Py_freelist, size));
        let size = self.b.ins().iadd_imm_s(size, -1);
        self.store(size, list, offset_of!(ffi::_Py_freelist, size));
        // The count, and no flags. It has kept its type.
        let count = self.constant(1);
        self.store(count, float, 0);
        self.store(value, float, offset_of!(ffi::PyFloatObject, ob_fval));
        self.b.ins().jump(go_on, &[BlockArg::Value(float)]);
        self.b.switch_to_block(made);
        let float = self.make_float(value);
        self.b.ins().jump(go_on, &[BlockArg::Value(float)]);
        self.b.switch_to_block(go_on);
        result
    }

    /// A new reference to a tuple of these values, each of which has lost the tuple as its holder.
    pub(super) fn make_tuple(&mut self, items: &[Id]) -> Value {
        let objects: Vec<Value> = items.iter().map(|&item| self.give_object(item)).collect();
        let size = self.constant(items.len() as u64);
        let function = runtime::new_tuple as *const () as usize;
        let tuple = self.result_of(function, &[I64, I64], I64, &[self.tstate, size]);
        for (index, object) in objects.into_iter().enumerate() {
            let at = offset_of!(ffi::PyTupleObject, ob_item) + index * size_of::<usize>();
            self.store(object, tuple, at);
        }
        tuple
    }

    fn make_float(&mut self, value: Value) -> Value {
        let function = runtime::new_float as *const () as usize;
        self.result_of(function, &[I64, F64], I64, &[self.tstate, value])
    }

    /// The value of a float that no object has, and that nothing holds any more.
    pub(super) fn float_without_holder(&self, id: Id) -> Option<Value> {
        let known = &self.state.values[id];
        match known.number {
            Some(Number::Float(value)) if known.is_only_a_number() && known.holders == 0 => Some(value),
            _ => None,
        }
    }

    /// Stores a number in the float `old`, and continues there, if nothing but the place that is to be overwritten refers to that
    /// float: it would end, and another one begin. Otherwise the code goes on here. `old` may be null.
    pub(super) fn overwrite_float(&mut self, old: Value, value: Value, go_on: Block) {
        let (has_old, is_float, is_unshared, other) =
            (self.b.create_block(), self.b.create_block(), self.b.create_block(), self.b.create_block());
        self.b.ins().brif(old, has_old, &[], other, &[]);
        self.b.switch_to_block(has_old);
        let type_ = self.load(I64, old, offset_of!(ffi::PyObject, ob_type));
        let float_type = (&raw mut ffi::PyFloat_Type).addr() as i64;
        let holds = self.b.ins().icmp_imm_s(IntCC::Equal, type_, float_type);
        self.b.ins().brif(holds, is_float, &[], other, &[]);
        self.b.switch_to_block(is_float);
        let count = self.load(I32, old, 0);
        let holds = self.b.ins().icmp_imm_s(IntCC::Equal, count, 1);
        self.b.ins().brif(holds, is_unshared, &[], other, &[]);
        self.b.switch_to_block(is_unshared);
        self.store(value, old, offset_of!(ffi::PyFloatObject, ob_fval));
        self.b.ins().jump(go_on, &[]);
        self.b.switch_to_block(other);
    }
}
