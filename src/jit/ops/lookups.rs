//! Operators of objects that need no Python code: membership, items of dicts, equality, and truth.
//!
//! The trace says whether the answer was found without such code when it was recorded. If it is not, the code leaves to the
//! interpreter.

use cranelift_codegen::ir::condcodes::IntCC;
use cranelift_codegen::ir::types::I64;
use cranelift_codegen::ir::{InstBuilder, Value};

use super::numbers::int_condition;
use crate::jit::lower::{Lowered, Lowering};
use crate::jit::memory::Failure;
use crate::jit::runtime;
use crate::jit::values::{Class, Known, Number};
use crate::tier2::Uop;

impl Lowering<'_> {
    /// Asks a function that returns 1, 0, or -1 if it does not know. Leaves then.
    fn ask(&mut self, function: *const (), arguments: &[Value]) -> Lowered<Value> {
        let parameters = [I64; 2];
        let answer = self.result_of(function as usize, &parameters[..arguments.len()], I64, arguments);
        let is_known = self.b.ins().icmp_imm_s(IntCC::SignedGreaterThanOrEqual, answer, 0);
        self.guard(is_known, 0)?;
        Ok(answer)
    }

    /// Replaces `count` operands by the answer to a question, or by the opposite.
    fn answer_for(&mut self, count: usize, answer: Value, is_opposite: bool) -> Lowered<bool> {
        let condition = if is_opposite { IntCC::Equal } else { IntCC::NotEqual };
        let holds = self.b.ins().icmp_imm_s(condition, answer, 0);
        for _ in 0..count {
            self.drop_top();
        }
        self.push_number(Number::Bool(holds));
        Ok(true)
    }

    /// `key in container`, or `not in`. Returns false if that may run Python code.
    pub(in crate::jit) fn contains(&mut self, uop: Uop) -> Lowered<bool> {
        if uop.operand1 == 0 {
            return Ok(false);
        }
        let (key, container) = (self.peek(2), self.peek(1));
        let arguments = [self.object(container), self.object(key)];
        let answer = self.ask(runtime::contains as *const (), &arguments)?;
        self.answer_for(2, answer, uop.oparg != 0)
    }

    /// `left == right`, or `!=`. Returns false for other comparisons.
    pub(super) fn known_equality(&mut self, oparg: u16) -> Lowered<bool> {
        let is_opposite = match int_condition(oparg) {
            Some(IntCC::Equal) => false,
            Some(IntCC::NotEqual) => true,
            _ => return Ok(false),
        };
        let (left, right) = (self.peek(2), self.peek(1));
        let arguments = [self.object(left), self.object(right)];
        let answer = self.ask(runtime::are_equal as *const (), &arguments)?;
        self.answer_for(2, answer, is_opposite)
    }

    /// `bool(value)`. Returns false if that may run Python code.
    pub(in crate::jit) fn known_truth(&mut self, uop: Uop) -> Lowered<bool> {
        if uop.operand1 == 0 {
            return Ok(false);
        }
        let id = self.peek(1);
        let arguments = [self.object(id)];
        let answer = self.ask(runtime::truth as *const (), &arguments)?;
        self.answer_for(1, answer, false)
    }

    /// `dict[key]`. Returns false if that may run Python code.
    pub(in crate::jit) fn dict_item(&mut self, uop: Uop) -> Lowered<bool> {
        let (dict, key) = (self.peek(2), self.peek(1));
        if uop.operand1 == 0 || self.state.values[dict].class != Class::Dict {
            return Ok(false);
        }
        let arguments = [self.object(dict), self.object(key)];
        let function = runtime::dict_item as *const () as usize;
        let value = self.result_of(function, &[I64; 2], I64, &arguments);
        self.guard(value, 0)?;
        self.found(value);
        Ok(true)
    }

    /// What a lookup has found takes the place of container and key: borrowed from the container.
    fn found(&mut self, value: Value) {
        let operands = [self.drop_top(), self.drop_top()];
        let id = self.state.push_new(Known::borrowed(value, Class::Unknown));
        self.own_if_ended(id, &operands);
    }

    /// `container[key]`, where that was found without Python code.
    pub(super) fn known_item(&mut self) -> Lowered<bool> {
        let (container, key) = (self.peek(2), self.peek(1));
        let own = self.object(container);
        let number = self.state.number(key).filter(|_| self.state.values[container].class != Class::Dict);
        let item = if let Some(Number::Int { value, .. }) = number {
            let function = runtime::item_at as *const () as usize;
            self.result_of(function, &[I64; 2], I64, &[own, value])
        } else {
            let key = self.object(key);
            let function = runtime::item as *const () as usize;
            self.result_of(function, &[I64; 2], I64, &[own, key])
        };
        self.guard(item, 0)?;
        self.found(item);
        Ok(true)
    }

    /// `container[start:stop]`. Returns false if that may run Python code.
    pub(in crate::jit) fn slice(&mut self, uop: Uop) -> Lowered<bool> {
        if uop.operand1 == 0 {
            return Ok(false);
        }
        let [container, start, stop] = [3, 2, 1].map(|depth| self.peek(depth));
        let arguments = [container, start, stop].map(|id| self.object(id));
        self.guard_call(runtime::can_slice as *const (), &arguments)?;
        self.call_with_result(uop, Class::Unknown)
    }

    /// `list[slice]`, likewise.
    pub(in crate::jit) fn slice_of_list(&mut self, uop: Uop) -> Lowered<bool> {
        if uop.operand1 == 0 {
            return Ok(false);
        }
        let id = self.peek(1);
        let slice = self.object(id);
        self.guard_call(runtime::has_plain_limits as *const (), &[slice])?;
        self.call_with_result(uop, Class::List)
    }

    /// `left + right` of two lists or tuples. Leaves if they are something else.
    pub(super) fn concatenate(&mut self, uop: Uop) -> Lowered<bool> {
        let (left, right) = (self.peek(2), self.peek(1));
        let arguments = [self.object(left), self.object(right)];
        self.guard_call(runtime::can_concatenate as *const (), &arguments)?;
        self.call_with_result(uop, Class::Unknown)
    }

    /// A function answers yes, or the code leaves to the interpreter.
    pub(super) fn guard_call(&mut self, function: *const (), arguments: &[Value]) -> Lowered {
        let parameters = [I64; 3];
        let holds = self.result_of(function as usize, &parameters[..arguments.len()], I64, arguments);
        self.guard(holds, 0)
    }

    /// Runs a micro-op that runs no Python code, and has one result, of this type.
    pub(super) fn call_with_result(&mut self, uop: Uop, class: Class) -> Lowered<bool> {
        if let Some(&result) = self.call_on_borrowed(uop, Failure::Error)?.last() {
            self.state.values[result].class = class;
        }
        Ok(true)
    }
}
