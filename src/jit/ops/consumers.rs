//! `set`, `list`, `sum` and others of a generator in machine code: their loop is bytecode, with a frame that does not exist until the
//! generator is resumed.

use core::mem::offset_of;

use cranelift_codegen::ir::InstBuilder;
use cranelift_codegen::ir::types::I64;

use crate::bytecode::metadata;
use crate::host::ffi;
use crate::jit::lower::{Lowered, Lowering, TooLarge};
use crate::jit::state::{Place, Slot};
use crate::jit::values::{Class, INT_WIDTH, Id, Number};
use crate::ops::consumers::{self, Callee, Consumer};
use crate::tier2::Uop;
use crate::tier2::compiled::Next;
use crate::tier2::uop::{OperandKind, OperandKinds};

const FAILED: usize = Next::FAILED_GUARD;

impl Lowering<'_> {
    /// A CALL with one argument is about to call this consumer, and the argument is a generator, or the code leaves.
    pub(in crate::jit) fn guard_consumer(&mut self, uop: Uop) -> Lowered {
        let consumer = Consumer::from_number(uop.oparg.into()).ok_or(TooLarge)?;
        let (callable, receiver) = (self.peek(3), self.peek(2));
        let (callee, address) = consumer.callee();
        match callee {
            Callee::Type => {
                let object = self.object(callable);
                if self.state.values[callable].address != Some(address) {
                    self.guard_equal(object, address, FAILED)?;
                }
            }
            Callee::Function => {
                let definition = offset_of!(ffi::PyCFunctionObject, m_ml);
                self.guard_defined_by(callable, &raw mut ffi::PyCFunction_Type, definition, address)?;
            }
            Callee::Method => {
                let definition = offset_of!(ffi::PyMethodDescrObject, d_method);
                self.guard_defined_by(callable, &raw mut ffi::PyMethodDescr_Type, definition, address)?;
            }
        }
        if callee == Callee::Method {
            let object = self.object(receiver);
            self.guard(object, FAILED)?;
            self.guard_class(2, Class::Str)?;
        } else if !self.guard_null(2)? {
            return Err(TooLarge);
        }
        self.guard_class(1, Class::Generator)
    }

    /// The callable is of this type, with this definition at the offset, or the code leaves.
    fn guard_defined_by(
        &mut self,
        callable: Id,
        type_: *mut ffi::PyTypeObject,
        offset: usize,
        address: u64,
    ) -> Lowered {
        let (object, found) = (self.object(callable), self.type_of(callable));
        self.guard_equal(found, type_.addr() as u64, FAILED)?;
        let definition = self.load(I64, object, offset);
        self.guard_equal(definition, address, FAILED)
    }

    /// Goes over to the loop of the consumer, with the operands. Its frame does not exist.
    pub(in crate::jit) fn enter_consumer(&mut self, uop: Uop) -> Lowered {
        let consumer = Consumer::from_number(uop.oparg.into()).ok_or(TooLarge)?;
        let mut operands: Vec<Id> = (0..3).map(|_| self.pop()).collect();
        operands.reverse();
        self.state.top().return_offset = Some(1 + metadata::CALL.cache_units() as u16);
        self.enter_trampoline(consumers::code(), consumer.start(), operands);
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

    /// Ends the loop with the topmost value. This function leaves its frame in memory.
    pub(in crate::jit) fn return_consumer(&mut self, leave: usize) -> Lowered {
        let value = self.pop();
        let Place::Virtual { function } = self.state.frame().place else {
            return self.return_from_memory(value, leave);
        };
        self.leave_virtual_trampoline(function);
        self.state.top().stack.push(Slot::new(value));
        Ok(())
    }
}
