//! Variables, constants, and moving values on the stack, in machine code.

use core::mem::offset_of;

use cranelift_codegen::ir::InstBuilder;
use cranelift_codegen::ir::types::I64;

use super::class_of;
use crate::bytecode::micro_op as op;
use crate::host::{ffi, small_int};
use crate::jit::lower::{Lowered, Lowering, NULL, TooLarge, UNCOUNTED, immortal};
use crate::jit::quiet_work;
use crate::jit::state::{Place, Slot};
use crate::jit::values::{Class, Id, Known};
use crate::tier2::Uop;
use crate::tier2::compiled::Next;

impl Lowering<'_> {
    /// Micro-ops that move values. Returns false if the micro-op is something else.
    pub(super) fn move_values(&mut self, number: u16, uop: Uop) -> Lowered<bool> {
        let oparg = usize::from(uop.oparg);
        // Two indices in one argument.
        let (first, second) = (oparg >> 4, oparg & 15);
        match number {
            op::load_fast => self.load_fast(oparg, false)?,
            op::load_fast_borrow => self.load_fast(oparg, true)?,
            op::load_fast_load_fast => {
                self.load_fast(first, false)?;
                self.load_fast(second, false)?;
            }
            op::load_fast_borrow_load_fast_borrow => {
                self.load_fast(first, true)?;
                self.load_fast(second, true)?;
            }
            op::store_fast => self.store_fast(oparg)?,
            op::store_fast_load_fast => {
                self.store_fast(first)?;
                self.load_fast(second, false)?;
            }
            op::store_fast_store_fast => {
                self.store_fast(first)?;
                self.store_fast(second)?;
            }
            op::load_fast_and_clear => {
                self.load_fast(oparg, false)?;
                let null = self.state.add(Known::constant(NULL, Class::Unknown));
                self.replace_local(oparg, null)?;
            }
            op::load_deref => self.load_deref(oparg)?,
            op::store_deref => self.store_deref(oparg)?,
            op::make_cell => self.make_cell(oparg)?,
            op::copy_free_vars => return self.copy_free_variables(oparg),
            op::load_common_constant => {
                let interp = self.load(I64, self.tstate, offset_of!(ffi::PyThreadState, interp));
                let at = offset_of!(ffi::PyInterpreterState, common_consts) + oparg * size_of::<usize>();
                let object = self.load(I64, interp, at);
                self.state.push_new(Known::borrowed(object, Class::Unknown));
            }
            op::load_small_int => {
                let int = small_int(oparg as isize).ok_or(TooLarge)?;
                self.push_constant(immortal(int), Class::Int);
            }
            op::load_const_inline_borrow => self.push_constant(uop.operand0 | 1, class_of(uop.operand0)),
            op::load_const_inline => self.push_object_at(uop.operand0),
            op::pop_top_load_const_inline_borrow => {
                self.drop_top();
                self.push_constant(uop.operand0 | 1, class_of(uop.operand0));
            }
            op::pop_top_load_const_inline => {
                self.drop_top();
                self.push_object_at(uop.operand0);
            }
            op::pop_two_load_const_inline_borrow => {
                self.drop_top();
                self.drop_top();
                self.push_constant(uop.operand0 | 1, class_of(uop.operand0));
            }
            op::push_null => self.push_constant(NULL, Class::Unknown),
            op::push_null_conditional => {
                if oparg & 1 != 0 {
                    self.push_constant(NULL, Class::Unknown);
                }
            }
            op::pop_top | op::end_for => {
                self.drop_top();
            }
            op::end_send => {
                let value = self.pop();
                self.drop_top();
                self.state.top().stack.push(Slot::new(value));
            }
            op::copy => {
                let id = self.peek(oparg);
                self.state.push(id);
            }
            op::swap => {
                self.want(oparg);
                let stack = &mut self.state.top().stack;
                let top = stack.len().checked_sub(1).ok_or(TooLarge)?;
                let other = stack.len().checked_sub(oparg).ok_or(TooLarge)?;
                let (a, b) = (stack[top].id, stack[other].id);
                stack[top] = Slot::new(b);
                stack[other] = Slot::new(a);
            }
            op::guard_nos_null => return self.guard_null(2),
            _ => return Ok(false),
        }
        Ok(true)
    }

    fn load_fast(&mut self, index: usize, is_borrowed: bool) -> Lowered {
        let id = self.local(index)?;
        self.state.push_slot(Slot { is_borrowed, ..Slot::new(id) });
        Ok(())
    }

    fn store_fast(&mut self, index: usize) -> Lowered {
        let value = self.pop();
        self.move_to_local(index, value)
    }

    /// Sets a variable, and lets go of its old value.
    fn replace_local(&mut self, index: usize, value: Id) -> Lowered {
        self.state.hold(value);
        self.move_to_local(index, value)
    }

    /// The same: the variable takes the place of another slot as a holder of the value.
    fn move_to_local(&mut self, index: usize, value: Id) -> Lowered {
        let old = self.local(index)?;
        self.state.set_local(index, Slot::new(value));
        self.state.let_go(old);
        Ok(())
    }

    /// Pushes what is in the cell that a variable holds. Leaves if it is empty.
    fn load_deref(&mut self, index: usize) -> Lowered {
        let cell = self.local(index)?;
        let cell = self.object(cell);
        let value = self.load(I64, cell, offset_of!(ffi::PyCellObject, ob_ref));
        self.guard(value, 0)?;
        self.state.push_new(Known::borrowed(value, Class::Unknown));
        Ok(())
    }

    /// Puts a value into the cell that a variable holds.
    fn store_deref(&mut self, index: usize) -> Lowered {
        let cell = self.local(index)?;
        let cell = self.object(cell);
        let value = self.drop_top();
        // The old value may be what something here is borrowed from.
        self.own_all();
        let old = self.load(I64, cell, offset_of!(ffi::PyCellObject, ob_ref));
        let given = self.give_object(value);
        self.store(given, cell, offset_of!(ffi::PyCellObject, ob_ref));
        let (had_value, go_on) = (self.b.create_block(), self.b.create_block());
        self.b.ins().brif(old, had_value, &[], go_on, &[]);
        self.b.switch_to_block(had_value);
        self.release_object(old, go_on)?;
        self.b.switch_to_block(go_on);
        Ok(())
    }

    /// A variable becomes a cell with its value.
    fn make_cell(&mut self, index: usize) -> Lowered {
        let initial = self.local(index)?;
        let initial = self.object(initial);
        self.may_leave(self.word_of(0))?;
        let function = quiet_work::new_cell as *const () as usize;
        let cell = self.result_of(function, &[I64], I64, &[initial]);
        // Without memory, the interpreter raises the exception.
        self.guard_done(cell, 0)?;
        let cell = self.state.add(Known::owned(cell, true, Class::Unknown));
        self.replace_local(index, cell)
    }

    /// The last `count` variables become the cells of the closure. Returns false if the code is not known.
    fn copy_free_variables(&mut self, count: usize) -> Lowered<bool> {
        let Some(code) = self.state.frame().code else { return Ok(false) };
        let function = match self.state.frame().place {
            Place::Virtual { function } => self.object(function),
            Place::Memory(frame) => {
                let bits = self.load(I64, frame, offset_of!(ffi::_PyInterpreterFrame, f_funcobj));
                self.b.ins().band_imm_s(bits, !UNCOUNTED)
            }
        };
        let closure = self.load(I64, function, offset_of!(ffi::PyFunctionObject, func_closure));
        // SAFETY: the trace depends on the code, so that it is live.
        let first = unsafe { code.nlocalsplus() } - count;
        for index in 0..count {
            let at = offset_of!(ffi::PyTupleObject, ob_item) + index * size_of::<usize>();
            let cell = self.load(I64, closure, at);
            let cell = self.state.add(Known::borrowed(cell, Class::Unknown));
            self.replace_local(first + index, cell)?;
        }
        Ok(true)
    }

    /// There is no value at `depth`, or the code leaves.
    pub(super) fn guard_null(&mut self, depth: usize) -> Lowered<bool> {
        let id = self.peek(depth);
        if self.state.values[id].constant == Some(NULL) {
            return Ok(true);
        }
        let object = self.object(id);
        let is_null = self.b.ins().icmp_imm_s(cranelift_codegen::ir::condcodes::IntCC::Equal, object, 0);
        self.guard(is_null, Next::FAILED_GUARD)?;
        Ok(true)
    }
}
