//! Bringing memory up to date in machine code, and micro-ops that run as calls.

use core::mem::offset_of;

use cranelift_codegen::ir::condcodes::IntCC;
use cranelift_codegen::ir::types::{I8, I16, I32, I64};
use cranelift_codegen::ir::{InstBuilder, Value};

use super::lower::{Lowered, Lowering, NULL, SLOT, TooLarge, UNCOUNTED, immortal, plain};
use super::state::{FrameState, Place, Slot, is_counted, is_trampoline};
use super::values::{Class, Id, Known, Reference};
use crate::bytecode::micro_op;
use crate::host::{Frame, ffi, refcount};
use crate::ops::metadata::{Effect, MicroOp};
use crate::tier2::Uop;
use crate::tier2::compiled::{MAX_OPERANDS, Machine, Next};
use crate::tier2::dependencies::Dependencies;
use crate::tier2::interpreter::HELPERS;

type Fields = ffi::_PyInterpreterFrame;

/// How a micro-op that runs as a call can fail.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Failure {
    Never,
    Guard,
    Error,
}

impl Lowering<'_> {
    // --- frames and slots ----------------------------------------------------------------------

    /// Makes all frames, and stores all slots that memory lacks. The stack pointer of the innermost frame is not published.
    pub(super) fn flush(&mut self) {
        let mut has_new_frames = false;
        for index in 0..self.state.frames.len() {
            has_new_frames |= self.make_frame(index);
            self.store_slots(index);
        }
        if has_new_frames {
            let frame = self.state.register(self.frame_in_memory());
            self.set_current_frame(frame);
            self.room = (0, 0);
        }
    }

    /// The program is in this frame.
    pub(super) fn set_current_frame(&mut self, frame: Value) {
        self.store(frame, self.tstate, offset_of!(ffi::PyThreadState, current_frame));
        self.store(frame, self.machine, offset_of!(Machine, frame));
    }

    /// The same, but not where the innermost frame is in its code.
    pub(super) fn flush_all_but_place(&mut self) {
        let (instr, offset) = {
            let frame = self.state.top();
            (frame.instr.take(), frame.return_offset.take())
        };
        self.flush();
        let frame = self.state.top();
        (frame.instr, frame.return_offset) = (instr, offset);
    }

    /// Makes the frame at this index if it is virtual. Returns whether it was.
    fn make_frame(&mut self, index: usize) -> bool {
        let FrameState { place: Place::Virtual { function }, code, .. } = self.state.frames[index] else {
            return false;
        };
        let (Some(code), Some(below)) = (code, index.checked_sub(1)) else {
            return self.state.instead(false);
        };
        // SAFETY: the trace depends on the code, so that it is live.
        let (size, locals) = unsafe { ((*code.as_ptr()).co_framesize as usize, code.nlocalsplus()) };
        // The frames below are in memory.
        let previous = self.state.register(self.state.frames[below].address());
        let function_bits = self.bits_for(Slot::new(function));
        self.state.values[function].holders -= 1;
        self.state.forget_reference(function, Some(function_bits));

        let frame = self.load(I64, self.tstate, offset_of!(ffi::PyThreadState, datastack_top));
        let end = self.b.ins().iadd_imm_s(frame, (size * size_of::<usize>()) as i64);
        self.store(end, self.tstate, offset_of!(ffi::PyThreadState, datastack_top));
        let callee = self.b.ins().band_imm_s(function_bits, !UNCOUNTED);
        let zero = self.constant(0);
        let (builtins, globals, executable) = if is_trampoline(code) {
            // It has no function, and its code is immortal.
            let executable = self.constant(immortal(code.object()));
            if is_counted(code) {
                (zero, zero, executable)
            } else {
                // The namespaces of the frame below.
                (
                    self.load(I64, previous, offset_of!(Fields, f_builtins)),
                    self.load(I64, previous, offset_of!(Fields, f_globals)),
                    executable,
                )
            }
        } else {
            let object = self.constant(code.as_ptr().addr() as u64);
            (
                self.load(I64, callee, offset_of!(ffi::PyFunctionObject, func_builtins)),
                self.load(I64, callee, offset_of!(ffi::PyFunctionObject, func_globals)),
                self.new_ref(object),
            )
        };
        let stack = self.b.ins().iadd_imm_s(frame, Self::local_offset(locals) as i64);
        for (value, offset) in [
            (executable, offset_of!(Fields, f_executable)),
            (previous, offset_of!(Fields, previous)),
            (function_bits, offset_of!(Fields, f_funcobj)),
            (globals, offset_of!(Fields, f_globals)),
            (builtins, offset_of!(Fields, f_builtins)),
            (zero, offset_of!(Fields, f_locals)),
            (zero, offset_of!(Fields, frame_obj)),
        ] {
            self.store(value, frame, offset);
        }
        let owner = self.b.ins().iconst(I8, ffi::FRAME_OWNED_BY_THREAD as i64);
        self.store(owner, frame, offset_of!(Fields, owner));
        let not_visited = self.b.ins().iconst(I8, 0);
        self.store(not_visited, frame, Frame::VISITED);
        if cfg!(py_debug) {
            // See `Frame::set_some_stack_pointer`.
            self.store(stack, frame, offset_of!(Fields, stackpointer));
        }
        if is_counted(code) {
            self.count_calls(-1);
        }

        let described = &mut self.state.frames[index];
        described.place = Place::Memory(frame);
        described.sp = Some(stack);
        described.offset = 0;
        // The caller's stack pointer is published as that of any frame that has called another one.
        let caller = &self.state.frames[below];
        let (sp, depth) = (self.state.register(caller.sp), caller.offset + caller.stack.len() as i32);
        let sp = self.b.ins().iadd_imm_s(sp, i64::from(depth * SLOT));
        self.store(sp, previous, offset_of!(Fields, stackpointer));
        true
    }

    /// Adds to the number of calls that may still be nested.
    pub(super) fn count_calls(&mut self, change: i64) {
        let at = offset_of!(ffi::PyThreadState, py_recursion_remaining);
        let remaining = self.load(I32, self.tstate, at);
        let remaining = self.b.ins().iadd_imm_s(remaining, change);
        self.store(remaining, self.tstate, at);
    }

    /// Stores what memory lacks of a frame that exists.
    fn store_slots(&mut self, index: usize) {
        let frame = self.state.register(self.state.frames[index].address());
        for at in 0..self.state.frames[index].locals.len() {
            if let Some(slot) = self.state.frames[index].locals[at].filter(|slot| slot.memory.is_none()) {
                let bits = self.bits_for(slot);
                self.store(bits, frame, Self::local_offset(at));
                self.state.frames[index].locals[at] = Some(Slot { memory: Some(bits), ..slot });
            }
        }
        let (sp, offset) =
            (self.state.register(self.state.frames[index].sp), self.state.frames[index].offset);
        for at in 0..self.state.frames[index].stack.len() {
            let slot = self.state.frames[index].stack[at];
            if slot.memory.is_none() {
                let bits = self.bits_for(slot);
                self.b.ins().store(plain(), bits, sp, (offset + at as i32) * SLOT);
                self.state.frames[index].stack[at].memory = Some(bits);
            }
        }
        self.store_place(index, frame);
        self.state.version += 1;
    }

    /// Stores where the frame is in its code.
    fn store_place(&mut self, index: usize, frame: Value) {
        if let Some(instr) = self.state.frames[index].instr.take() {
            let instr = self.constant(instr);
            self.store(instr, frame, offset_of!(Fields, instr_ptr));
        }
        if let Some(offset) = self.state.frames[index].return_offset.take() {
            let offset = self.b.ins().iconst(I16, i64::from(offset));
            self.store(offset, frame, offset_of!(Fields, return_offset));
        }
    }

    /// What a slot in memory gets: a reference that no other slot has.
    pub(super) fn bits_for(&mut self, slot: Slot) -> Value {
        if let Some(bits) = self.state.values[slot.id].constant {
            if slot.is_borrowed || owns_nothing(bits) {
                return self.constant(bits);
            }
            let object = self.object(slot.id);
            let bits = self.new_ref(object);
            self.state.values[slot.id].references.push(Reference { bits, is_heap_safe: true });
            return bits;
        }
        if slot.is_borrowed && self.state.is_in_variable(slot.id) {
            let object = self.object(slot.id);
            return self.b.ins().bor_imm_s(object, UNCOUNTED);
        }
        if let Some(reference) = self.state.free_references(slot.id).first() {
            return reference.bits;
        }
        let object = self.object(slot.id);
        if let Some(reference) = self.state.free_references(slot.id).first() {
            return reference.bits;
        }
        let bits = self.new_ref(object);
        self.state.values[slot.id].references.push(Reference { bits, is_heap_safe: true });
        bits
    }

    /// The address behind the topmost value of the innermost frame, which is in memory.
    pub(super) fn stack_pointer(&mut self) -> Value {
        let frame = self.state.frame();
        let depth = frame.offset + frame.stack.len() as i32;
        let sp = self.state.register(frame.sp);
        self.b.ins().iadd_imm_s(sp, i64::from(depth * SLOT))
    }

    /// Ends the code: memory is brought up to date in line.
    pub(super) fn leave(&mut self, word: usize) {
        self.flush();
        let sp = self.stack_pointer();
        self.store(sp, self.machine, offset_of!(Machine, sp));
        let word = self.constant(word as u64);
        self.return_word(word);
    }

    /// Ends the code in this block: the program continues at a micro-op of the part that is lowered.
    fn return_word(&mut self, word: Value) {
        if self.part != self.executor {
            let part = self.constant(self.part.as_ptr().addr() as u64);
            self.store(part, self.tstate, offset_of!(ffi::PyThreadState, current_executor));
        }
        self.b.ins().return_(&[word]);
    }

    // --- calls ---------------------------------------------------------------------------------

    /// Runs a micro-op as a call that can do anything but enter or leave a frame.
    pub(super) fn call_helper(&mut self, uop: Uop) -> Lowered {
        self.run_helper(uop)?;
        if sets_variables(uop) {
            self.state.forget_locals();
        } else {
            self.forget_useless_locals();
        }
        let Effect { kept, taken, left, .. } = effect(uop)?;
        let oparg = usize::from(uop.oparg);
        // What it keeps may have been replaced.
        self.forget_top(taken(oparg) + kept(oparg));
        for _ in 0..kept(oparg) + left(oparg) {
            self.push_from_memory();
        }
        self.check_variables()
    }

    /// Forgets the variables whose types are not known, and those of frames whose code the executor may not depend on.
    fn forget_useless_locals(&mut self) {
        // SAFETY: the executor is live while it is compiled.
        let dependencies = unsafe { self.executor.dependencies() };
        let (inherited, top) = (self.inherited, self.state.frames.len().saturating_sub(1));
        self.state.forget_locals_unless(|index, code, known| {
            // The trace runs through the code of all frames that it has entered, or returned to.
            let is_of_trace = inherited <= 1
                || index >= inherited.min(top)
                || code.is_some_and(|code| dependencies.may_contain(&Dependencies::only(code.as_ptr())));
            is_of_trace && (known.class != Class::Unknown || known.constant.is_some())
        });
    }

    /// Other code may have run, but no variable of these frames is another one, or the code leaves: what sets one through a frame
    /// object invalidates the executors that depend on the code.
    fn check_variables(&mut self) -> Lowered {
        if self.state.frames.iter().all(|frame| frame.locals.is_empty()) {
            return Ok(());
        }
        let next = (&raw const self.trace[self.at + 1]).addr();
        self.check_validity_by(next)
    }

    /// Runs a micro-op as a call. The stack is as before it, and so are the variables, if the executor is still valid.
    pub(super) fn run_helper(&mut self, uop: Uop) -> Lowered {
        self.calls += 1;
        let Effect { kept, taken, .. } = effect(uop)?;
        let oparg = usize::from(uop.oparg);
        self.want(kept(oparg) + taken(oparg));
        self.flush();
        let sp = self.stack_pointer();
        self.store(sp, self.machine, offset_of!(Machine, sp));
        let word = self.call_micro_op(uop)?;
        let (go_on, out) = (self.b.create_block(), self.b.create_block());
        self.b.set_cold_block(out);
        self.b.ins().brif(word, out, &[], go_on, &[]);
        self.b.switch_to_block(out);
        self.return_word(word);
        self.b.switch_to_block(go_on);
        self.state.forget_facts();
        self.is_valid = false;
        self.room = (0, 0);
        Ok(())
    }

    /// Runs a micro-op that asks an iterator for its next item as a call. The trace goes on with the item, or at the end; the code
    /// leaves in the other case.
    pub(super) fn iterate(&mut self, uop: Uop, goes_on_with_item: bool) -> Lowered {
        self.want(1);
        self.flush();
        let sp = self.stack_pointer();
        self.store(sp, self.machine, offset_of!(Machine, sp));
        let word = self.call_micro_op(uop)?;
        self.forget_useless_locals();
        self.state.forget_facts();
        self.is_valid = false;
        self.room = (0, 0);
        let [go_on, out, error] = [(); 3].map(|()| self.b.create_block());
        self.b.set_cold_block(error);
        self.b.ins().brif(word, out, &[], go_on, &[]);

        self.b.switch_to_block(out);
        let before = self.state.clone();
        self.state.forget_locals();
        if !goes_on_with_item {
            self.push_from_memory();
        }
        let other_way = self.out(self.word_of(Next::FAILED_GUARD))?;
        self.state = before;
        self.forget_outs();
        let how = self.b.ins().band_imm_s(word, 3);
        let is_guard = self.b.ins().icmp_imm_s(IntCC::Equal, how, Next::FAILED_GUARD as i64);
        self.b.ins().brif(is_guard, other_way, &[], error, &[]);
        self.b.switch_to_block(error);
        self.return_word(word);
        self.b.switch_to_block(go_on);
        if goes_on_with_item {
            self.push_from_memory();
        }
        self.check_variables()
    }

    /// The call of a micro-op. Returns what it returns: 0 if it has succeeded.
    fn call_micro_op(&mut self, uop: Uop) -> Lowered<Value> {
        let helper = HELPERS[usize::from(uop.number())].ok_or(TooLarge)?;
        let address = self.constant((&raw const self.trace[self.at]).addr() as u64);
        let arguments = [self.machine, self.tstate, address];
        Ok(self.result_of(helper as *const () as usize, &[I64; 3], I64, &arguments))
    }

    /// Memory has taken over the topmost values, or does not have them any more.
    pub(super) fn forget_top(&mut self, count: usize) {
        for _ in 0..count {
            let slot = self.state.take();
            self.state.values[slot.id].holders -= 1;
            self.state.forget_reference(slot.id, slot.memory);
        }
    }

    /// One more value is on the stack in memory.
    pub(super) fn push_from_memory(&mut self) {
        let frame = self.state.frame();
        let at = (frame.offset + frame.stack.len() as i32) * SLOT;
        let sp = self.state.register(frame.sp);
        let bits = self.b.ins().load(I64, plain(), sp, at);
        let id = self.state.add(Known::owned(bits, false, Class::Unknown));
        self.state.push_slot(Slot { memory: Some(bits), ..Slot::new(id) });
    }

    /// Runs a micro-op as a call that needs no frame, and runs no Python code: it works on a stack of its own, and may release its
    /// operands. Returns the values that it leaves, the topmost last.
    pub(super) fn call_on_operands(&mut self, uop: Uop, failure: Failure) -> Lowered<Vec<Id>> {
        self.call_on(uop, failure, true)
    }

    /// The same for a micro-op whose operands may run Python code at their end: it borrows them.
    pub(super) fn call_on_borrowed(&mut self, uop: Uop, failure: Failure) -> Lowered<Vec<Id>> {
        self.call_on(uop, failure, false)
    }

    fn call_on(&mut self, uop: Uop, failure: Failure, gives: bool) -> Lowered<Vec<Id>> {
        let Effect { kept, taken, left, .. } = effect(uop)?;
        let oparg = usize::from(uop.oparg);
        let (kept, taken, left) = (kept(oparg), taken(oparg), left(oparg));
        let inputs = kept + taken;
        if !has_room(uop)? {
            return Err(TooLarge);
        }
        self.want(inputs);
        if failure == Failure::Guard {
            self.may_leave(self.word_of(Next::FAILED_GUARD))?;
        }
        let base = offset_of!(Machine, operands);
        let mut given = Vec::new();
        for index in 0..inputs {
            let id = self.peek(inputs - index);
            let bits = self.operand(id, gives && index >= kept, &mut given);
            self.store(bits, self.machine, base + index * size_of::<u64>());
        }
        let end = self.b.ins().iadd_imm_s(self.machine, (base + inputs * size_of::<u64>()) as i64);
        self.store(end, self.machine, offset_of!(Machine, sp));
        let word = self.call_micro_op(uop)?;
        match failure {
            Failure::Never | Failure::Error => {}
            Failure::Guard => {
                let holds = self.b.ins().icmp_imm_s(IntCC::Equal, word, 0);
                self.guard_done(holds, Next::FAILED_GUARD)?;
            }
        }
        // The micro-op has taken over these references.
        for (id, bits) in given {
            self.state.forget_reference(id, Some(bits));
        }
        for _ in 0..taken {
            self.drop_top();
        }
        if failure == Failure::Error {
            let holds = self.b.ins().icmp_imm_s(IntCC::Equal, word, 0);
            self.leave_with_error_unless(holds, true)?;
        }
        let mut results = Vec::new();
        for index in 0..left {
            let bits = self.load(I64, self.machine, base + (kept + index) * size_of::<u64>());
            results.push(self.state.push_new(Known::owned(bits, true, Class::Unknown)));
        }
        Ok(results)
    }

    /// Leaves with the exception that a call has raised, unless `holds`. `has_operands`: what the call has left of its operands is to be
    /// released.
    pub(super) fn leave_with_error_unless(&mut self, holds: Value, has_operands: bool) -> Lowered {
        let (go_on, out) = (self.b.create_block(), self.b.create_block());
        self.b.set_cold_block(out);
        self.b.ins().brif(holds, go_on, &[], out, &[]);
        self.b.switch_to_block(out);
        self.leave_by(self.word_of(Next::ERROR), has_operands)?;
        self.b.switch_to_block(go_on);
        Ok(())
    }

    /// The word for an operand. If the micro-op takes it, and nothing else needs its reference, the reference goes with it.
    fn operand(&mut self, id: Id, is_taken: bool, given: &mut Vec<(Id, Value)>) -> Value {
        if let Some(bits) = self.state.values[id].constant {
            return self.constant(bits);
        }
        let object = self.object(id);
        let already = given.iter().filter(|&&(other, _)| other == id).count();
        let known = &self.state.values[id];
        if is_taken && known.references.len() > already && known.holders == 1 + already {
            let free = self.state.free_references(id);
            let unused = free.iter().find(|reference| !given.contains(&(id, reference.bits)));
            if let Some(reference) = unused.filter(|reference| reference.is_heap_safe) {
                given.push((id, reference.bits));
                return reference.bits;
            }
        }
        self.b.ins().bor_imm_s(object, UNCOUNTED)
    }
}

/// Whether a variable can hold this reference to an object that is always there: null, or an immortal object.
pub(super) fn owns_nothing(bits: u64) -> bool {
    // SAFETY: the executor keeps its constants alive.
    bits == NULL || unsafe { refcount::is_immortal((bits & !1) as *mut ffi::PyObject) }
}

/// Whether the micro-op sets variables of its frame.
fn sets_variables(uop: Uop) -> bool {
    let number = original(uop.number());
    let has_index = |row: &MicroOp| row.has(ffi::HAS_LOCAL_FLAG | ffi::HAS_FREE_FLAG);
    number == micro_op::copy_free_vars || MicroOp::by_number(number).is_none_or(has_index)
}

/// The number of the micro-op that this one is a copy of, or its own.
pub(super) fn original(number: u16) -> u16 {
    MicroOp::by_number(number).map_or(number, |row| row.number)
}

/// Whether the micro-op can run on a stack of its own: its operands and results fit there.
pub(super) fn has_room(uop: Uop) -> Lowered<bool> {
    let Effect { kept, taken, left, .. } = effect(uop)?;
    let oparg = usize::from(uop.oparg);
    Ok(kept(oparg) + taken(oparg).max(left(oparg)) <= MAX_OPERANDS)
}

/// What the micro-op does with the stack.
pub(super) fn effect(uop: Uop) -> Lowered<Effect> {
    Ok(MicroOp::by_number(uop.number()).ok_or(TooLarge)?.effect)
}

impl FrameState {
    /// Whether the frame is in memory.
    pub(super) fn is_in_memory(&self) -> bool {
        matches!(self.place, Place::Memory(_))
    }
}
