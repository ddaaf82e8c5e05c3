//! Special methods in machine code: operators and `__call__` in Python.
//!
//! Neither the frame of an operator's method nor that of the trampoline below it exists until something needs it.

use core::mem::offset_of;

use cranelift_codegen::ir::InstBuilder;
use cranelift_codegen::ir::condcodes::IntCC;
use cranelift_codegen::ir::types::I64;

use super::immortal_none;
use crate::bytecode::{metadata, micro_op};
use crate::host::function::Function;
use crate::host::object::type_of;
use crate::host::{Code, CodeUnit, ffi};
use crate::jit::lower::{Lowered, Lowering, NULL};
use crate::jit::runtime;
use crate::jit::state::{FrameState, NewFrame, Place, Slot};
use crate::jit::values::{Class, Id, Known};
use crate::ops::trampolines::{self, Ending, OperatorFrames};
use crate::tier2::Uop;
use crate::tier2::compiled::Next;
use crate::tier2::uop::Entered;

const FAILED: usize = Next::FAILED_GUARD;
/// Where a class has the `__getitem__` that tier 1 has found in it.
const GETITEM: usize =
    offset_of!(ffi::PyHeapTypeObject, _spec_cache) + offset_of!(ffi::_specialization_cache, getitem);

impl Lowering<'_> {
    /// Prepares the frame of the special method that does the work of a BINARY_OP or STORE_SUBSCR, and enters the trampoline below
    /// it. Returns false if the method is not known.
    ///
    /// # Safety
    /// The thread is attached. What the operands of the trace refer to is live.
    pub(in crate::jit) unsafe fn create_method_frames(&mut self, uop: Uop) -> bool {
        let (order, ending, units): (&[usize], _, _) = if uop.number() == micro_op::create_operator_frames {
            let OperatorFrames { is_reflected, ending } = OperatorFrames::from_operand(uop.operand1);
            (if is_reflected { &[1, 0] } else { &[0, 1] }, ending, metadata::BINARY_OP.cache_units())
        } else {
            (&[1, 2, 0], Ending::Dropped, metadata::STORE_SUBSCR.cache_units())
        };
        let push = self.trace[self.at..].iter().take(4).find(|uop| uop.number() == micro_op::push_frame);
        let Some(entered) = push.and_then(|push| Entered::from_operand(push.operand0)) else { return false };
        // SAFETY: if the types that the trace checks are live, so is the function that one of them has. The trace depends on the
        // code that it enters.
        let code = unsafe {
            let code = entered.code();
            let function = Function::from_object(uop.operand0 as *mut _);
            if !self.types_are_live || function.code() != code || !code.takes(order.len()) {
                return false;
            }
            code
        };
        let mut operands: Vec<Id> = order.iter().map(|_| self.pop()).collect();
        operands.reverse();
        self.push_object_at(uop.operand0);
        let function = self.pop();
        let arguments: Vec<Slot> = order.iter().map(|&index| Slot::new(operands[index])).collect();
        for slot in &arguments {
            self.state.hold(slot.id);
        }
        self.state.top().return_offset = Some(1 + units as u16);
        // SAFETY: the code is a static, with an instruction for each ending.
        let start = unsafe { trampolines::code().bytecode().add(ending as isize) };
        self.enter_trampoline(trampolines::code(), start, operands);
        self.new_frame = Some(NewFrame { function, code, arguments });
        true
    }

    /// Continues in a trampoline that does not exist, with these values on its stack.
    pub(super) fn enter_trampoline(&mut self, code: Code, start: CodeUnit, stack: Vec<Id>) {
        let none = self.state.add(Known::constant(immortal_none(), Class::Unknown));
        self.state.hold(none);
        let stack = stack.into_iter().map(Slot::new).collect();
        self.state.frames.push(FrameState { stack, ..FrameState::not_made(none, code, start) });
    }

    /// Ends the trampoline with the topmost value, if that is not NotImplemented. Otherwise the code leaves.
    pub(in crate::jit) fn return_operator(&mut self) -> Lowered {
        let id = self.peek(1);
        if self.may_be_not_implemented(id) {
            let object = self.object(id);
            let other = trampolines::not_implemented().addr() as i64;
            let holds = self.b.ins().icmp_imm_s(IntCC::NotEqual, object, other);
            self.guard(holds, FAILED)?;
        }
        let value = self.pop();
        let Place::Virtual { function } = self.state.frame().place else {
            return self.return_from_memory(value, runtime::leave_trampoline as *const () as usize);
        };
        self.leave_virtual_trampoline(function);
        self.state.top().stack.push(Slot::new(value));
        Ok(())
    }

    /// Ends the trampoline, and drops the topmost value.
    pub(in crate::jit) fn return_store_subscr(&mut self) -> Lowered {
        let Place::Virtual { function } = self.state.frame().place else {
            let value = self.pop();
            self.return_from_memory(value, runtime::leave_store_trampoline as *const () as usize)?;
            self.drop_top();
            return Ok(());
        };
        self.drop_top();
        self.leave_virtual_trampoline(function);
        Ok(())
    }

    /// Leaves a trampoline that does not exist. The slot of its function is a value, too.
    pub(super) fn leave_virtual_trampoline(&mut self, function: Id) {
        let frame = self.state.pop_frame();
        self.inherited = self.inherited.min(self.state.frames.len());
        let mut operands: Vec<Id> = frame.slots().map(|slot| slot.id).collect();
        if operands.len() == trampolines::STORE {
            // In this order the instruction releases its operands.
            operands.reverse();
        }
        for id in operands.into_iter().chain([function]) {
            self.state.let_go(id);
        }
        self.state.version += 1;
    }

    // --- __getitem__ ---------------------------------------------------------------------------

    /// The type of the container below the topmost value has the `__getitem__` that the trace goes on in, or the code leaves. Returns
    /// false if it is not known.
    ///
    /// # Safety
    /// The thread is attached. What the operands of the trace refer to is live.
    pub(in crate::jit) unsafe fn check_getitem(&mut self) -> Lowered<bool> {
        // SAFETY: the contract is the same. The code is live.
        let Some((version, words)) = (unsafe {
            self.getitem().map(|(code, version)| (version, (*code.as_ptr()).co_framesize as usize))
        }) else {
            return Ok(false);
        };
        let container = self.peek(2);
        let type_ = self.type_of(container);
        let flags = self.load(I64, type_, offset_of!(ffi::PyTypeObject, tp_flags));
        let is_class = self.b.ins().band_imm_s(flags, ffi::Py_TPFLAGS_HEAPTYPE as i64);
        self.guard(is_class, FAILED)?;
        let function = self.load(I64, type_, GETITEM);
        self.guard(function, FAILED)?;
        self.guard_field(function, offset_of!(ffi::PyFunctionObject, func_version), version, FAILED)?;
        self.check_stack_space(words, FAILED)?;
        Ok(true)
    }

    /// Prepares the frame of the `__getitem__` that [`Lowering::check_getitem`] has found. Returns false if it is not known.
    ///
    /// # Safety
    /// As for [`Lowering::check_getitem`].
    pub(in crate::jit) unsafe fn call_getitem(&mut self) -> bool {
        // SAFETY: the contract is the same.
        let Some((code, _)) = (unsafe { self.getitem() }) else { return false };
        let container = self.peek(2);
        let type_ = self.type_of(container);
        let function = self.load(I64, type_, GETITEM);
        let function = self.state.add(Known::borrowed(function, Class::Unknown));
        self.state.values[function].holders = 1;
        let mut arguments: Vec<Slot> = (0..2).map(|_| self.pop_argument()).collect();
        arguments.reverse();
        self.state.top().return_offset = Some(1 + metadata::BINARY_OP.cache_units() as u16);
        self.new_frame = Some(NewFrame { function, code, arguments });
        true
    }

    /// The code of the `__getitem__` that the trace goes on in, and the version of the function that it checks then.
    ///
    /// # Safety
    /// As for [`Lowering::check_getitem`].
    unsafe fn getitem(&self) -> Option<(Code, u64)> {
        // SAFETY: the contract is the same.
        unsafe { self.entered_code(2) }
    }

    /// The code of a special method with so many parameters that the trace goes on in, and the version of its function.
    ///
    /// # Safety
    /// As for [`Lowering::check_getitem`].
    unsafe fn entered_code(&self, parameters: usize) -> Option<(Code, u64)> {
        let following = || self.trace[self.at..].iter().take(8);
        let push = following().find(|uop| uop.number() == micro_op::push_frame)?;
        let version = following().find(|uop| uop.number() == micro_op::check_function)?.operand0;
        // SAFETY: the trace depends on the code that it enters (caller).
        unsafe {
            let code = Entered::from_operand(push.operand0)?.code();
            code.takes(parameters).then_some((code, version))
        }
    }

    // --- properties ----------------------------------------------------------------------------

    /// Prepares the frame of the getter of a property of the topmost object. Returns false if it is not known.
    ///
    /// # Safety
    /// As for [`Lowering::check_getitem`].
    pub(in crate::jit) unsafe fn call_getter(&mut self, uop: Uop) -> Lowered<bool> {
        // SAFETY: if the types that the trace checks are live, so is the getter that one of them has. The trace depends on the code
        // that it enters (caller).
        let (code, words, version) = unsafe {
            let Some((code, version)) = self.entered_code(1) else { return Ok(false) };
            if !self.types_are_live || Function::from_object(uop.operand0 as *mut _).code() != code {
                return Ok(false);
            }
            (code, (*code.as_ptr()).co_framesize as usize, version)
        };
        self.check_version_at(uop.operand0, version)?;
        self.check_stack_space(words, FAILED)?;
        let owner = self.pop_argument();
        self.push_object_at(uop.operand0);
        let function = self.pop();
        self.new_frame = Some(NewFrame { function, code, arguments: vec![owner] });
        Ok(true)
    }

    fn may_be_not_implemented(&self, id: Id) -> bool {
        let known = &self.state.values[id];
        // SAFETY: the object is always there.
        let version = unsafe { (*type_of(trampolines::not_implemented())).tp_version_tag };
        known.number.is_none()
            && known.class == Class::Unknown
            && known.version.is_none_or(|found| found == version)
    }

    /// A call of an object with a `__call__` in Python becomes one of that function, with the object as its first argument.
    pub(in crate::jit) fn expand_instance(&mut self, uop: Uop) -> Lowered {
        let count = usize::from(uop.oparg);
        let (callable, receiver) = (self.peek(count + 2), self.peek(count + 1));
        if self.state.values[receiver].constant != Some(NULL) {
            let object = self.object(receiver);
            self.guard_equal(object, 0, FAILED)?;
        }
        self.guard_version_of(callable, uop.operand0 as u32, self.word_of(FAILED))?;
        let mut moved: Vec<Slot> = (0..count).map(|_| self.pop_argument()).collect();
        self.drop_top();
        moved.push(self.pop_argument());
        self.push_object_at(uop.operand1);
        self.state.top().stack.extend(moved.into_iter().rev());
        Ok(())
    }
}
