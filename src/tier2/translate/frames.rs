//! Entering frames, and going back to those below.

use super::forms::{is_certain_of_code, is_generator_form};
use super::{Arrival, End, MAX_CALLS, Purpose, Running, Translator, code_version};
use crate::bytecode::metadata::Instruction;
use crate::bytecode::{micro_op, opcode};
use crate::tier2::uop::Entered;

impl Translator {
    /// Goes on in the frame below, behind a guard unless the trace has come from there.
    ///
    /// # Safety
    /// As for [`Translator::expand`]; `this` has left its frame.
    pub(super) unsafe fn return_to(
        &mut self,
        number: u16,
        oparg: usize,
        this: &Running,
        then: Arrival,
    ) -> Result<(), End> {
        // SAFETY: the frame of `then` is current (caller). The result is on its stack.
        unsafe {
            if self.calls > 0 {
                self.calls -= 1;
            } else if self.purpose == Purpose::Function && then.code() != this.code {
                return Err(End::Return);
            } else if this.is_far() {
                self.guard_continuation(micro_op::guard_passes_to, this, then)?;
                let entries = then.stack_entries();
                return self.change_frame(micro_op::yield_to_receiver, oparg, this.target, then, entries);
            } else if number == micro_op::yield_value {
                self.guard_continuation(micro_op::guard_yields_to, this, then)?;
            } else {
                self.guard_continuation(micro_op::guard_returns_to, this, then)?;
            }
            // A result is not counted.
            let without_result = usize::from(number == micro_op::return_store_subscr);
            self.change_frame(number, oparg, this.target, then, then.stack_entries() + without_result)
        }
    }

    /// Goes on in a frame that a step of `row` has made.
    ///
    /// # Safety
    /// As for [`Translator::expand`].
    pub(super) unsafe fn enter(
        &mut self,
        row: &Instruction,
        this: &Running,
        then: Arrival,
    ) -> Result<(), End> {
        if then.frame == this.frame {
            return Err(End::Untranslatable);
        }
        // SAFETY: the frame of `then` is current (caller).
        unsafe {
            if then.code() == this.code && !is_generator_form(row.opcode) {
                return self.end_with_recursion(this);
            }
            // Special methods have another frame below theirs.
            let has_trampoline = matches!(
                row.opcode,
                opcode::CALL_ALLOC_AND_ENTER_INIT | opcode::BINARY_OP | opcode::STORE_SUBSCR
            );
            let calls = if has_trampoline { 2 } else { 1 };
            self.enter_frame(calls, this, then)?;
            if !is_certain_of_code(row.opcode) {
                let version = then.function_version().ok_or(End::Untranslatable)?;
                let offset = then.instr.offset_from(then.code().bytecode()) as u32;
                self.push(micro_op::check_function, 0, version.get().into(), offset);
            }
            Ok(())
        }
    }

    /// Goes on in the innermost of the generators that `this` resumes. The trace has not come from the frame below it.
    ///
    /// # Safety
    /// As for [`Translator::expand`].
    pub(super) unsafe fn enter_innermost(
        &mut self,
        number: u16,
        this: &Running,
        then: Arrival,
    ) -> Result<(), End> {
        self.calls = 0;
        // SAFETY: the contract is the same.
        unsafe { self.change_frame(number, this.oparg, this.target, then, then.stack_entries() + 1) }
    }

    /// Whether the trace has entered the frame that the program is in.
    pub(in crate::tier2) fn has_entered_frame(&self) -> bool {
        self.calls > 0
    }

    /// Enters the frame of a function that has called itself. The trace ends there: a recursion would fill it with one function.
    pub(super) fn end_with_recursion(&mut self, this: &Running) -> Result<(), End> {
        self.is_at_end = true;
        self.push(micro_op::push_frame, this.oparg, 0, this.target);
        Ok(())
    }

    /// Enters the frame of `then`, which has `calls - 1` other new frames below it.
    ///
    /// # Safety
    /// As for [`Translator::expand`].
    pub(super) unsafe fn enter_frame(
        &mut self,
        calls: usize,
        this: &Running,
        then: Arrival,
    ) -> Result<(), End> {
        if self.calls + calls > MAX_CALLS {
            return Err(End::TooDeep);
        }
        self.calls += calls;
        // SAFETY: the frame of `then` is current (caller).
        unsafe {
            self.change_frame(micro_op::push_frame, this.oparg, this.target, then, then.stack_entries() + 1)
        }
    }

    /// Appends a micro-op that enters a frame or returns to one. Its operands say what runs there, and how many values
    /// are on the stack, as [`crate::tier2::optimize`] wants it.
    ///
    /// # Safety
    /// As for [`Translator::expand`].
    pub(super) unsafe fn change_frame(
        &mut self,
        number: u16,
        oparg: usize,
        target: u32,
        then: Arrival,
        stack_entries: usize,
    ) -> Result<(), End> {
        // SAFETY: the frame of `then` is current (caller).
        unsafe {
            let code = Entered::Code(then.code()).to_operand();
            if let Some(version) = then.version_of_namespace() {
                let index = self.trace.len() as u16;
                self.functions.try_push((index, version)).map_err(|_| End::TooLong)?;
            }
            self.push_with(number, oparg, (code, stack_entries as u64), target);
        }
        Ok(())
    }

    /// Makes sure that a frame which is there already continues where the frame of `then` did.
    ///
    /// # Safety
    /// As for [`Translator::expand`].
    pub(super) unsafe fn guard_continuation(
        &mut self,
        guard: u16,
        this: &Running,
        then: Arrival,
    ) -> Result<(), End> {
        // SAFETY: the frame of `then` executes live code (caller).
        let version = unsafe { code_version(then.code()) }.ok_or(End::Untranslatable)?;
        let instr = then.instr.as_ptr().addr() as u64;
        self.push_with(guard, this.oparg, (instr, version.into()), this.target);
        Ok(())
    }
}
