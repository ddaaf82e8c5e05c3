//! Texts of objects for which `str()`, `repr()` and `format()` run no code: the code asks for them without frames.

use cranelift_codegen::ir::types::I64;

use crate::host::ffi;
use crate::host::plain_text::Form;
use crate::jit::lower::{Lowered, Lowering};
use crate::jit::quiet_work;
use crate::jit::state::Slot;
use crate::jit::values::{Class, Known, Number};
use crate::tier2::Uop;

impl Lowering<'_> {
    /// `format(value)`. Returns false if that may run Python code.
    pub(in crate::jit) fn format_simple(&mut self, uop: Uop) -> Lowered<bool> {
        self.text(uop, Form::Str, 1)
    }

    /// `str(value)` or `repr(value)`, likewise.
    pub(in crate::jit) fn convert_value(&mut self, uop: Uop) -> Lowered<bool> {
        match u32::from(uop.oparg) {
            ffi::FVC_STR => self.text(uop, Form::Str, 1),
            ffi::FVC_REPR => self.text(uop, Form::Repr, 1),
            _ => Ok(false),
        }
    }

    /// The same as a call: below the value are the type `str`, and nothing.
    pub(in crate::jit) fn call_str(&mut self, uop: Uop) -> Lowered<bool> {
        self.text(uop, Form::Str, 3)
    }

    /// Replaces `count` values, of which the topmost is an object, by its text. Leaves to the interpreter if only the host can make
    /// it.
    fn text(&mut self, uop: Uop, form: Form, count: usize) -> Lowered<bool> {
        let id = self.peek(1);
        let class = self.state.values[id].class;
        if class == Class::Str && form == Form::Str {
            self.pop();
            for _ in 1..count {
                self.drop_top();
            }
            self.state.top().stack.push(Slot::new(id));
            return Ok(true);
        }
        if uop.operand1 == 0 && !matches!(class, Class::Int | Class::Float | Class::Str | Class::Bool) {
            return Ok(false);
        }
        self.may_leave(self.word_of(0))?;
        let text = match self.state.number(id) {
            Some(Number::Int { value, .. }) => {
                self.result_of(quiet_work::decimal as *const () as usize, &[I64], I64, &[value])
            }
            _ => {
                let object = self.object(id);
                let function = match form {
                    Form::Str => quiet_work::str_of as *const (),
                    Form::Repr => quiet_work::repr_of as *const (),
                };
                self.result_of(function as usize, &[I64], I64, &[object])
            }
        };
        self.guard_done(text, 0)?;
        for _ in 0..count {
            self.drop_top();
        }
        let bits = self.stolen(text);
        self.state.push_new(Known::owned(bits, true, Class::Str));
        Ok(true)
    }
}
