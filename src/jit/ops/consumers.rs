//! `set`, `list` and `sum` of a generator in machine code: their loop is bytecode, with a frame that does not exist until the
//! generator is resumed.

use core::mem::offset_of;

use cranelift_codegen::ir::InstBuilder;
use cranelift_codegen::ir::types::I64;

use crate::bytecode::metadata;
use crate::host::ffi;
use crate::jit::lower::{Lowered, Lowering, TooLarge};
use crate::jit::runtime;
use crate::jit::state::{Place, Slot};
use crate::jit::values::{Class, INT_WIDTH, Number};
use crate::ops::consumers::{self, Consumer};
use crate::tier2::Uop;
use crate::tier2::compiled::Next;
use crate::tier2::uop::{OperandKind, OperandKinds};

const FAILED: usize = Next::FAILED_GUARD;

impl Lowering<'_> {
    /// A CALL with one argument is about to call this consumer, and the argument is a generator, or the code leaves.
    pub(in crate::jit) fn guard_consumer(&mut self, uop: Uop) -> Lowered {
        let consumer = Consumer::from_number(uop.oparg.into()).ok_or(TooLarge)?;
        let callable = self.peek(3);
        let object = self.object(callable);
        if consumer == Consumer::Sum {
            let type_ = self.type_of(callable);
            self.guard_equal(type_, (&raw mut ffi::PyCFunction_Type).addr() as u64, FAILED)?;
            let definition = self.load(I64, object, offset_of!(ffi::PyCFunctionObject, m_ml));
            self.guard_equal(definition, uop.operand0, FAILED)?;
        } else if self.state.values[callable].address != Some(uop.operand0) {
            self.guard_equal(object, uop.operand0, FAILED)?;
        }
        if !self.guard_null(2)? {
            return Err(TooLarge);
        }
        self.guard_class(1, Class::Generator)
    }

    /// Goes over to the loop of the consumer. Its frame does not exist.
    pub(in crate::jit) fn enter_consumer(&mut self, uop: Uop) -> Lowered {
        let consumer = Consumer::from_number(uop.oparg.into()).ok_or(TooLarge)?;
        let generator = self.pop();
        self.drop_top();
        let callable = self.pop();
        self.state.top().return_offset = Some(1 + metadata::CALL.cache_units() as u16);
        self.enter_trampoline(consumers::code(), consumer.start(), vec![callable, generator]);
        Ok(())
    }

    /// Adds the topmost value, an int or a bool, to the sum below the generator. Leaves if it is something else, or too large.
    pub(in crate::jit) fn add_to_sum(&mut self, uop: Uop) -> Lowered {
        let (total, item) = (self.peek(3), self.peek(1));
        let is_bool = OperandKinds::from_operand(uop.operand0).right == OperandKind::Other;
        self.guard_class(1, if is_bool { Class::Bool } else { Class::Int })?;
        let (b, b_width) = if is_bool {
            let truth = self.truth(item);
            (self.b.ins().uextend(I64, truth), 1)
        } else {
            self.int(item)?
        };
        let (a, a_width) = self.int(total)?;
        let sum = self.b.ins().iadd(a, b);
        // Neither is wider than this, so that the sum is right.
        let width = a_width.max(b_width) + 1;
        if width > INT_WIDTH {
            self.guard_width(sum, INT_WIDTH)?;
        }
        self.drop_top();
        let generator = self.pop_argument();
        self.drop_top();
        self.push_number(Number::Int { value: sum, width: width.min(INT_WIDTH) });
        self.state.top().stack.push(generator);
        Ok(())
    }

    /// Ends the loop with the topmost value.
    pub(in crate::jit) fn return_consumer(&mut self) -> Lowered {
        let value = self.pop();
        let Place::Virtual { function } = self.state.frame().place else {
            return self.return_from_memory(value, runtime::leave_consumer as *const () as usize);
        };
        self.leave_virtual_trampoline(function);
        self.state.top().stack.push(Slot::new(value));
        Ok(())
    }
}
