//! Generators and coroutines in machine code: their frames are in memory, as parts of their objects.

use core::mem::offset_of;

use cranelift_codegen::ir::condcodes::IntCC;
use cranelift_codegen::ir::types::{I8, I64};
use cranelift_codegen::ir::{InstBuilder, Value};

use crate::bytecode::micro_op;
use crate::host::ffi;
use crate::jit::delegated;
use crate::jit::lower::{Lowered, Lowering, SLOT, TooLarge};
use crate::jit::state::{FrameState, Place, Resumed, Slot};
use crate::jit::values::{Class, Id, Known};
use crate::ops::frames::RESUMER_UNITS;
use crate::tier2::Uop;
use crate::tier2::compiled::{Machine, Next};
use crate::tier2::uop::Entered;

type Fields = ffi::_PyInterpreterFrame;

const FAILED: usize = Next::FAILED_GUARD;
/// Where the frame of a generator is in it.
const FRAME: usize = offset_of!(ffi::PyGenObject, gi_iframe);
const EXCEPTIONS: usize = offset_of!(ffi::PyGenObject, gi_exc_state);
const PREVIOUS_EXCEPTIONS: usize = EXCEPTIONS + offset_of!(ffi::_PyErr_StackItem, previous_item);

impl Lowering<'_> {
    /// `depth` places below the top is a generator that waits at this instruction, in code of this version.
    pub(in crate::jit) fn guard_generator_at(
        &mut self,
        depth: usize,
        instr: u64,
        version: u64,
        may_be_coroutine: bool,
    ) -> Lowered {
        let id = self.peek(depth);
        self.guard_resumable(id, may_be_coroutine)?;
        let generator = self.object(id);
        let at = self.load(I64, generator, FRAME + offset_of!(Fields, instr_ptr));
        self.guard_equal(at, instr, FAILED)?;
        let code = self.load(I64, generator, FRAME + offset_of!(Fields, f_executable));
        let code = self.b.ins().band_imm_s(code, !1);
        self.guard_field(code, offset_of!(ffi::PyCodeObject, co_version), version, FAILED)
    }

    /// The value is a generator, or a coroutine, that can be resumed. Otherwise the code leaves.
    fn guard_resumable(&mut self, id: Id, may_be_coroutine: bool) -> Lowered {
        let generator = self.object(id);
        if self.state.values[id].class != Class::Generator {
            let type_ = self.type_of(id);
            let is_generator =
                self.b.ins().icmp_imm_s(IntCC::Equal, type_, (&raw mut ffi::PyGen_Type).addr() as i64);
            let holds = if may_be_coroutine {
                let is_coroutine =
                    self.b.ins().icmp_imm_s(IntCC::Equal, type_, (&raw mut ffi::PyCoro_Type).addr() as i64);
                self.b.ins().bor(is_generator, is_coroutine)
            } else {
                is_generator
            };
            self.guard(holds, FAILED)?;
            // Not before: where the guard fails, it is something else.
            if !may_be_coroutine {
                self.state.values[id].class = Class::Generator;
            }
        }
        let state = self.load(I8, generator, offset_of!(ffi::PyGenObject, gi_frame_state));
        let is_suspended =
            self.b.ins().icmp_imm_s(IntCC::SignedLessThan, state, i64::from(ffi::FRAME_EXECUTING));
        self.guard(is_suspended, FAILED)
    }

    /// Resumes the topmost value, the iterator of a `for` loop.
    pub(in crate::jit) fn for_iter_generator(&mut self, oparg: usize) -> Lowered {
        let id = self.peek(1);
        if !self.has_guarded_generator() {
            self.guard_resumable(id, false)?;
        }
        let sent = self.state.add(Known::constant(super::immortal_none(), Class::Unknown));
        self.state.values[sent].holders = 1;
        self.resume(id, sent, oparg)
    }

    /// Resumes the value below the topmost one, which it is sent.
    pub(in crate::jit) fn send_to_generator(&mut self, oparg: usize) -> Lowered {
        let id = self.peek(2);
        if !self.has_guarded_generator() {
            self.guard_resumable(id, true)?;
        }
        let sent = self.pop();
        self.resume(id, sent, oparg)
    }

    /// Whether the last micro-op that does something was [`Lowering::guard_generator_at`], for the generator that is resumed here.
    fn has_guarded_generator(&self) -> bool {
        let skipped = [micro_op::check_validity, micro_op::check_pep_523, micro_op::set_ip, micro_op::nop];
        let before = self.trace[..self.at].iter().rev().map(|uop| uop.number());
        matches!(
            before.into_iter().find(|number| !skipped.contains(number)),
            Some(micro_op::guard_nos_generator_at | micro_op::guard_tos_generator_at)
        )
    }

    fn resume(&mut self, generator: Id, sent: Id, oparg: usize) -> Lowered {
        let generator = self.object(generator);
        let push = self.trace[self.at..].iter().take(4).find(|uop| uop.number() == micro_op::push_frame);
        let entered = push.filter(|_| self.has_guarded_generator());
        // SAFETY: the trace depends on the code that it enters, so that it is live.
        let code = entered.and_then(|push| Some(unsafe { Entered::from_operand(push.operand0)?.code() }));
        self.state.top().return_offset = Some(u16::try_from(RESUMER_UNITS + oparg).map_err(|_| TooLarge)?);
        self.resumed = Some(Resumed { generator, code, sent });
        Ok(())
    }

    /// Continues in the frame of a generator that has been resumed.
    pub(in crate::jit) fn push_generator_frame(&mut self, resumed: Resumed) -> Lowered {
        let Resumed { generator, code, sent } = resumed;
        self.flush();
        self.own_returned(sent);
        let caller = self.frame_in_memory().ok_or(TooLarge)?;
        let sp = self.stack_pointer();
        self.store(sp, caller, offset_of!(Fields, stackpointer));

        let executing = self.b.ins().iconst(I8, i64::from(ffi::FRAME_EXECUTING));
        self.store(executing, generator, offset_of!(ffi::PyGenObject, gi_frame_state));
        let exceptions = self.load(I64, self.tstate, offset_of!(ffi::PyThreadState, exc_info));
        self.store(exceptions, generator, PREVIOUS_EXCEPTIONS);
        let own = self.b.ins().iadd_imm_s(generator, EXCEPTIONS as i64);
        self.store(own, self.tstate, offset_of!(ffi::PyThreadState, exc_info));
        let frame = self.b.ins().iadd_imm_s(generator, FRAME as i64);
        self.store(caller, frame, offset_of!(Fields, previous));
        let sp = self.load(I64, frame, offset_of!(Fields, stackpointer));
        self.set_current_frame(frame);
        self.count_calls(-1);
        self.room = (0, 0);
        self.state.version += 1;
        let mut state = FrameState::in_memory(frame, sp);
        (state.generator, state.code) = (Some(generator), code);
        state.stack.push(Slot::new(sent));
        self.state.frames.push(state);
        Ok(())
    }

    /// Suspends the frame of a generator, with the topmost value as the result of resuming it.
    pub(in crate::jit) fn yield_value(&mut self, is_delegating: bool) -> Lowered {
        let value = self.pop();
        self.flush_all_but_place();
        self.own_returned(value);
        let Place::Memory(frame) = self.state.frame().place else { return Err(TooLarge) };
        // Only frames of generators contain this micro-op.
        let generator = match self.state.frame().generator {
            Some(generator) => generator,
            None => self.b.ins().iadd_imm_s(frame, -(FRAME as i64)),
        };
        let caller = match &self.state.frames[..] {
            [.., caller, _] => caller.place,
            _ => Place::Memory(self.load(I64, frame, offset_of!(Fields, previous))),
        };
        let Place::Memory(caller) = caller else { return Err(TooLarge) };
        // It will continue with the next instruction.
        let next = match self.state.top().instr.take() {
            Some(instr) => self.constant(instr + size_of::<ffi::_Py_CODEUNIT>() as u64),
            None => {
                let instr = self.load(I64, frame, offset_of!(Fields, instr_ptr));
                self.b.ins().iadd_imm_s(instr, size_of::<ffi::_Py_CODEUNIT>() as i64)
            }
        };
        self.store(next, frame, offset_of!(Fields, instr_ptr));
        let sp = self.stack_pointer();
        self.store(sp, frame, offset_of!(Fields, stackpointer));
        let suspended = ffi::FRAME_SUSPENDED + i32::from(is_delegating);
        let suspended = self.b.ins().iconst(I8, i64::from(suspended));
        self.store(suspended, generator, offset_of!(ffi::PyGenObject, gi_frame_state));
        let exceptions = self.load(I64, generator, PREVIOUS_EXCEPTIONS);
        self.store(exceptions, self.tstate, offset_of!(ffi::PyThreadState, exc_info));
        let zero = self.constant(0);
        self.store(zero, generator, PREVIOUS_EXCEPTIONS);
        self.store(zero, frame, offset_of!(Fields, previous));
        self.count_calls(1);
        self.forget_frame();
        self.set_current_frame(caller);
        self.come_back(caller);
        self.state.version += 1;
        self.state.top().stack.push(Slot::new(value));
        Ok(())
    }

    /// Resumes the generator `depth` places below the top and those that it waits for, up to the one that the guard in front of this
    /// micro-op expects. If that is another one, the guard has failed.
    pub(in crate::jit) fn go_inwards(&mut self, depth: usize, uop: Uop) -> Lowered {
        let id = self.peek(depth);
        self.guard_resumable(id, depth > 1)?;
        let generator = self.object(id);
        self.state.top().return_offset =
            Some(u16::try_from(RESUMER_UNITS + usize::from(uop.oparg)).map_err(|_| TooLarge)?);
        self.flush();
        let caller = self.frame_in_memory().ok_or(TooLarge)?;
        let guard =
            self.guard_before(&[micro_op::guard_tos_innermost_at, micro_op::guard_nos_innermost_at])?;
        let (instr, version) = self.expected_by(guard);
        let arguments = [self.tstate, generator, caller, instr, version];
        let resume = delegated::resume_at as *const () as usize;
        let frame = self.result_of(resume, &[I64; 5], I64, &arguments);
        self.guard_of(guard, frame)?;
        let sent = if depth > 1 {
            self.pop()
        } else {
            let sent = self.state.add(Known::constant(super::immortal_none(), Class::Unknown));
            self.state.values[sent].holders = 1;
            sent
        };
        self.own_returned(sent);
        let sp = self.stack_pointer();
        self.store(sp, caller, offset_of!(Fields, stackpointer));
        self.forget_frames();
        self.store(frame, self.machine, offset_of!(Machine, frame));
        let sp = self.load(I64, frame, offset_of!(Fields, stackpointer));
        let mut state = FrameState::in_memory(frame, sp);
        // SAFETY: the trace depends on the code that it enters, so that it is live.
        state.code = Entered::from_operand(uop.operand0).map(|entered| unsafe { entered.code() });
        state.stack.push(Slot::new(sent));
        self.state.frames.push(state);
        Ok(())
    }

    /// Suspends the generator and those that pass on what it yields, if the frame that gets it is the one that the guard in front of
    /// this micro-op expects.
    pub(in crate::jit) fn yield_to_receiver(&mut self, is_delegating: bool) -> Lowered {
        self.want(1);
        self.flush();
        let frame = self.frame_in_memory().ok_or(TooLarge)?;
        let sp = self.stack_pointer();
        let sp = self.b.ins().iadd_imm_s(sp, -i64::from(SLOT));
        let guard = self.guard_before(&[micro_op::guard_passes_to])?;
        let (instr, version) = self.expected_by(guard);
        let is_delegating = self.constant(is_delegating.into());
        let arguments = [self.tstate, frame, sp, instr, version, is_delegating];
        let suspend = delegated::suspend_to as *const () as usize;
        let receiver = self.result_of(suspend, &[I64; 6], I64, &arguments);
        self.guard_of(guard, receiver)?;
        let value = self.pop();
        self.own_returned(value);
        self.forget_frames();
        self.come_back(receiver);
        self.state.top().stack.push(Slot::new(value));
        Ok(())
    }

    /// The index of the guard in front of this micro-op, which is one of these.
    fn guard_before(&self, guards: &[u16]) -> Lowered<usize> {
        self.trace[..self.at].iter().rposition(|uop| guards.contains(&uop.number())).ok_or(TooLarge)
    }

    /// The instruction and the version of the code that a guard expects.
    fn expected_by(&mut self, guard: usize) -> (Value, Value) {
        let uop = self.trace[guard];
        (self.constant(uop.operand0), self.constant(uop.operand1))
    }

    /// Leaves unless `holds`, as if the guard at this index has failed.
    pub(super) fn guard_of(&mut self, guard: usize, holds: Value) -> Lowered {
        let at = core::mem::replace(&mut self.at, guard);
        let result = self.guard_done(holds, FAILED);
        self.at = at;
        result
    }

    /// No frame is known any more. Memory has all of them completely.
    fn forget_frames(&mut self) {
        while !self.state.frames.is_empty() {
            self.forget_frame();
        }
        self.room = (0, 0);
        self.state.version += 1;
    }

    /// The innermost frame, which memory has completely, is not known any more.
    pub(in crate::jit) fn forget_frame(&mut self) {
        let frame = self.state.pop_frame();
        self.inherited = self.inherited.min(self.state.frames.len());
        for slot in frame.slots() {
            self.state.values[slot.id].holders -= 1;
            self.state.forget_reference(slot.id, slot.memory);
        }
    }

    /// No request is waiting, and the code of the frame is of the current version, or the code leaves.
    pub(in crate::jit) fn resume_check(&mut self) -> Lowered {
        let code = match (self.state.frame().code, self.state.frame().place) {
            (Some(code), _) => self.constant(code.as_ptr().addr() as u64),
            (None, Place::Memory(frame)) => {
                let code = self.load(I64, frame, offset_of!(Fields, f_executable));
                self.b.ins().band_imm_s(code, !1)
            }
            (None, Place::Virtual { .. }) => return Err(TooLarge),
        };
        let version = self.load(I64, code, offset_of!(ffi::PyCodeObject, _co_instrumentation_version));
        let word = self.load(I64, self.tstate, offset_of!(ffi::PyThreadState, eval_breaker));
        let holds = self.b.ins().icmp(IntCC::Equal, word, version);
        self.guard(holds, FAILED)
    }
}
