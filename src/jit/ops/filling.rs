//! Building and changing dicts, sets and lists where that runs no code.
//!
//! The trace says whether it did when it was recorded. If the operands are others, the code leaves to the interpreter.

use cranelift_codegen::ir::Value;
use cranelift_codegen::ir::types::I64;

use crate::bytecode::micro_op;
use crate::jit::lower::{Lowered, Lowering};
use crate::jit::memory::{Failure, has_room};
use crate::jit::quiet_work;
use crate::jit::values::{Class, Known};
use crate::tier2::Uop;

impl Lowering<'_> {
    /// `dict[key] = value`: the three topmost are the value, the dict, and the key. Returns false if that may run Python code.
    pub(in crate::jit) fn store_in_dict(&mut self, uop: Uop) -> Lowered<bool> {
        if uop.operand1 == 0 {
            return Ok(false);
        }
        let operands = [2, 1, 3].map(|depth| self.peek(depth));
        let arguments = operands.map(|id| self.object(id));
        self.change_dict(quiet_work::dict_store as *const (), &arguments)
    }

    /// `del dict[key]`, likewise.
    pub(in crate::jit) fn delete_from_dict(&mut self, uop: Uop) -> Lowered<bool> {
        if uop.operand1 == 0 {
            return Ok(false);
        }
        let (dict, key) = (self.peek(2), self.peek(1));
        let arguments = [self.object(dict), self.object(key)];
        // The key may be borrowed from the dict.
        self.own_all();
        self.change_dict(quiet_work::dict_delete as *const (), &arguments)
    }

    /// Calls a function that returns the old value of a dict, or 0: the code leaves then. Drops the operands, and the old value.
    fn change_dict(&mut self, function: *const (), arguments: &[Value]) -> Lowered<bool> {
        let parameters = [I64; 3];
        self.may_leave(self.word_of(0))?;
        let old = self.result_of(function as usize, &parameters[..arguments.len()], I64, arguments);
        self.guard_done(old, 0)?;
        // It ends before the operands do.
        self.state.push_new(Known::owned(old, true, Class::Unknown));
        for _ in 0..=arguments.len() {
            self.drop_top();
        }
        Ok(true)
    }

    /// A new dict or set. Returns false if hashing and comparing its keys may run Python code.
    pub(in crate::jit) fn build_of_plain_keys(&mut self, uop: Uop) -> Lowered<bool> {
        if uop.operand1 == 0 || !has_room(uop)? {
            return Ok(false);
        }
        let is_map = uop.number() == micro_op::build_map;
        let step = if is_map { 2 } else { 1 };
        for number in 1..=usize::from(uop.oparg) {
            let key = self.peek(number * step);
            let is_plain =
                matches!(self.state.values[key].class, Class::Str | Class::Int | Class::Float | Class::Bool);
            if !is_plain {
                let key = self.object(key);
                self.guard_call(quiet_work::is_plain_key as *const (), &[key])?;
            }
        }
        let class = if is_map { Class::Dict } else { Class::Unknown };
        self.call_with_result(uop, class)
    }

    /// Appends the items of the topmost value to a list below it, likewise.
    pub(in crate::jit) fn extend_list(&mut self, uop: Uop) -> Lowered<bool> {
        if uop.operand1 == 0 || !has_room(uop)? {
            return Ok(false);
        }
        let id = self.peek(1);
        if !matches!(self.state.values[id].class, Class::List | Class::Tuple | Class::Dict | Class::Str) {
            let iterable = self.object(id);
            self.guard_call(quiet_work::has_plain_items as *const (), &[iterable])?;
        }
        self.call_on_borrowed(uop, Failure::Error)?;
        Ok(true)
    }

    /// Fills an empty dict from the topmost value, likewise.
    pub(in crate::jit) fn fill_dict(&mut self, uop: Uop) -> Lowered<bool> {
        if uop.operand1 == 0 || !has_room(uop)? {
            return Ok(false);
        }
        let (dict, mapping) = (self.peek(1 + usize::from(uop.oparg)), self.peek(1));
        let arguments = [self.object(dict), self.object(mapping)];
        self.guard_call(quiet_work::can_fill as *const (), &arguments)?;
        self.call_on_borrowed(uop, Failure::Error)?;
        Ok(true)
    }
}
