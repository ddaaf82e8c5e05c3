//! Special methods in Python that an instruction calls: operators, `__setitem__`, `__call__`.

use super::{Arrival, End, MAX_CALLS, Running, Translator};
use crate::bytecode::metadata::Instruction;
use crate::bytecode::micro_op;
use crate::host::object::type_of;
use crate::host::{PyTypeObject, TypeVersion, ffi};
use crate::ops::consumers::{self, Consumer, Step};
use crate::ops::trampolines::OperatorFrames;

impl Translator {
    /// Calls an object with a `__call__` in Python.
    ///
    /// # Safety
    /// As for [`Translator::expand`]; `this` has entered a frame.
    pub(super) unsafe fn call_instance(&mut self, this: &Running, then: Arrival) -> Result<(), End> {
        let (oparg, target) = (this.oparg, this.target);
        let type_ = this.callable.ok_or(End::Untranslatable)?;
        // SAFETY: the frame of `then` is current (caller). Its function has just been called, so it and its code are live.
        unsafe {
            let function = then.function().ok_or(End::Untranslatable)?;
            let version = then.function_version().ok_or(End::Untranslatable)?;
            self.keep(function.object())?;
            let operands = (type_.get().into(), function.object().addr() as u64);
            self.push(micro_op::check_pep_523, 0, 0, target);
            self.push_with(micro_op::expand_instance, oparg, operands, target);
            self.push(micro_op::check_function_version, oparg, version.get().into(), target);
            if then.code().takes(oparg + 1) {
                self.push(micro_op::check_stack_space, oparg, 0, target);
                self.push(micro_op::check_recursion_remaining, 0, 0, target);
                self.push(micro_op::init_call_py_exact_args, oparg, 0, target);
            } else {
                self.push(micro_op::check_recursion_remaining, 0, 0, target);
                self.push(micro_op::py_frame_general, oparg, 0, target);
            }
            self.push(micro_op::save_return_offset, 1 + this.row.cache_units(), 0, target);
            if then.code() == this.code {
                return self.end_with_recursion(this);
            }
            self.enter_frame(1, this, then)
        }
    }

    /// Enters the frame of the special method that does the work of the instruction, and the trampoline below it.
    ///
    /// # Safety
    /// As for [`Translator::expand`]; `this` is a BINARY_OP or STORE_SUBSCR, and has entered a frame.
    pub(super) unsafe fn enter_method(
        &mut self,
        number: u16,
        row: &Instruction,
        this: &Running,
        then: Arrival,
    ) -> Result<(), End> {
        let target = this.target;
        // SAFETY: the frame of `then` is current (caller). The frame below is a trampoline, which keeps the operands alive.
        unsafe {
            let below = then.frame.caller();
            let function = then.function().ok_or(End::Untranslatable)?;
            self.keep(function.object())?;
            let type_at = |index| type_of(below.local(index).object());
            let by_version = |type_: *mut PyTypeObject| {
                TypeVersion::new((*type_).tp_version_tag).map(|version| u64::from(version.get()))
            };
            if number == micro_op::binary_op {
                let guards = [
                    (
                        type_at(0),
                        micro_op::guard_nos_int,
                        micro_op::guard_nos_float,
                        micro_op::guard_nos_type_version,
                    ),
                    (
                        type_at(1),
                        micro_op::guard_tos_int,
                        micro_op::guard_tos_float,
                        micro_op::guard_type_version,
                    ),
                ];
                for (type_, of_int, of_float, of_version) in guards {
                    if type_ == &raw mut ffi::PyLong_Type {
                        self.push(of_int, 0, 0, target);
                    } else if type_ == &raw mut ffi::PyFloat_Type {
                        self.push(of_float, 0, 0, target);
                    } else {
                        self.push(of_version, 0, by_version(type_).ok_or(End::Untranslatable)?, target);
                    }
                }
            } else {
                let version = by_version(type_at(1)).ok_or(End::Untranslatable)?;
                self.push(micro_op::guard_nos_type_version, 0, version, target);
            }
            self.push(micro_op::check_pep_523, 0, 0, target);
            let words = [then.code(), below.code()].map(|code| (*code.as_ptr()).co_framesize as u64);
            self.push(micro_op::check_stack_space_operand, 0, words[0] + words[1], target);
            self.push(micro_op::check_recursion_remaining, 0, 0, target);
            let address = function.object().addr() as u64;
            if number == micro_op::binary_op {
                let operands = (address, OperatorFrames::of(below, then.frame).to_operand());
                self.push_with(micro_op::create_operator_frames, this.oparg, operands, target);
            } else {
                self.push(micro_op::create_store_subscr_frames, 0, address, target);
            }
            self.enter(row, this, then)
        }
    }

    /// Goes over to the loop of a consumer.
    ///
    /// # Safety
    /// As for [`Translator::expand`]; `this` is a CALL, and has entered a frame.
    pub(super) unsafe fn enter_consumer(&mut self, this: &Running, then: Arrival) -> Result<(), End> {
        let target = this.target;
        // SAFETY: the frame of `then` is current (caller). Only a consumer is entered by these calls, with the callable on its stack.
        unsafe {
            if then.code() != consumers::code() || self.calls + 1 > MAX_CALLS {
                return Err(End::TooDeep);
            }
            let (callable, receiver) = (then.frame.local(0).object(), then.frame.local(1));
            let consumer = Consumer::of(callable, receiver).ok_or(End::Untranslatable)?;
            let words = (*then.code().as_ptr()).co_framesize as u64;
            self.push(micro_op::guard_consumer, consumer as usize, 0, target);
            self.push(micro_op::check_pep_523, 0, 0, target);
            self.push(micro_op::check_stack_space_operand, 0, words, target);
            self.push(micro_op::check_recursion_remaining, 0, 0, target);
            self.calls += 1;
            let entries = then.stack_entries() + 1;
            self.change_frame(micro_op::enter_consumer, consumer as usize, target, then, entries)
        }
    }

    /// A RESERVED of a consumer.
    ///
    /// # Safety
    /// As for [`Translator::expand`].
    pub(super) unsafe fn step_of_consumer(&mut self, this: &Running, then: Arrival) -> Result<(), End> {
        match Step::of(this.oparg) {
            // SAFETY: the contract is the same.
            Step::Return => unsafe { self.return_to(micro_op::return_consumer, this.oparg, this, then) },
            // SAFETY: the contract is the same.
            Step::ReturnOnly => unsafe {
                self.return_to(micro_op::return_consumer_only, this.oparg, this, then)
            },
            Step::Add if then.frame == this.frame => {
                self.push(micro_op::add_to_sum, 0, this.operands.to_operand(), this.target);
                Ok(())
            }
            // The host's function has done the rest.
            Step::Add => Err(End::Untranslatable),
        }
    }
}
