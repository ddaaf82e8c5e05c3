//! From a trace to machine code: what all micro-ops share.
//!
//! The code of a trace is a straight line, with branches that leave it, and one jump back if the trace is a loop. While it is
//! made, [`State`] says which values the variables and stacks of its frames hold. Memory is out of date meanwhile. What
//! could look at it comes behind [`Lowering::flush`]; where the code leaves, an [`Exit`] says how to bring it up to date.

use core::mem::offset_of;

use cranelift_codegen::ir::condcodes::IntCC;
use cranelift_codegen::ir::types::{I8, I32, I64};
use cranelift_codegen::ir::{
    AbiParam, Block, BlockArg, Function, Inst, InstBuilder, MemFlagsData, Signature, Type, Value,
};
use cranelift_codegen::isa::CallConv;
use cranelift_frontend::{FunctionBuilder, FunctionBuilderContext};

use super::exits::{Exit, Exits, Spills};
use super::forced::Counter;
use super::state::{FrameState, NewFrame, Resumed, Slot, State};
pub(super) use super::values::NULL;
use super::values::{Class, Id, Known, Number, Reference};
use super::{exits, forced, runtime};
use crate::bytecode::micro_op;
use crate::host::{StackRef, ffi};
use crate::tier2::compiled::{Link, Machine, Next};
use crate::tier2::executor::Executor;
use crate::tier2::{Place as UopPlace, Uop, leaves_elsewhere};

/// The size of a stack slot in bytes.
pub(super) const SLOT: i32 = size_of::<StackRef>() as i32;
/// The bit of a stack reference that owns nothing.
pub(super) const UNCOUNTED: i64 = 1;

/// Why a trace gets no machine code.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct TooLarge;

/// What most functions here return.
pub(super) type Lowered<T = ()> = Result<T, TooLarge>;

/// The signature of a function of the library.
pub(super) fn signature_of(parameters: &[Type], result: Option<Type>) -> Signature {
    signature_with(CallConv::SystemV, parameters, result)
}

/// The signature of machine code, which takes a [`Machine`] and the state of the thread. It can end by a jump to other code.
pub(super) fn signature_of_code() -> Signature {
    signature_with(CallConv::Tail, &[I64; 2], Some(I64))
}

fn signature_with(convention: CallConv, parameters: &[Type], result: Option<Type>) -> Signature {
    let mut signature = Signature::new(convention);
    signature.params.extend(parameters.iter().map(|&type_| AbiParam::new(type_)));
    signature.returns.extend(result.map(AbiParam::new));
    signature
}

/// Memory that is there, and aligned.
pub(super) fn plain() -> MemFlagsData {
    MemFlagsData::trusted()
}

/// The bits of a reference to an immortal object.
pub(super) fn immortal(object: *mut ffi::PyObject) -> u64 {
    object.addr() as u64 | 1
}

/// A block that leaves the code.
#[derive(Clone, Copy)]
struct Out {
    block: Block,
    word: usize,
    version: u32,
}

/// A trace that is to be lowered as a branch.
pub(super) struct Branch {
    pub(super) block: Block,
    pub(super) executor: Executor,
    /// What is known where the guard fails.
    pub(super) state: State,
    pub(super) room: (usize, usize),
    pub(super) is_valid: bool,
}

/// A block that stores these registers, and leaves by the exit at this address.
pub(super) struct Leaving {
    pub(super) spills: Spills,
    pub(super) block: Block,
    pub(super) exit: u64,
}

pub(super) struct Lowering<'a> {
    pub(super) b: FunctionBuilder<'a>,
    /// The executor that the code belongs to.
    pub(super) executor: Executor,
    /// The executor whose trace is lowered: the same one, or one behind a side exit, which becomes a branch of the code.
    pub(super) part: Executor,
    pub(super) trace: &'a [Uop],
    /// Side exits may become branches.
    pub(super) has_branches: bool,
    /// The calls of micro-ops that need frames in memory.
    pub(super) calls: usize,
    /// The executors that have become branches.
    pub(super) branches: Vec<Executor>,
    /// Those whose traces are to be lowered.
    pub(super) next_branches: Vec<Branch>,
    /// The index of the micro-op.
    pub(super) at: usize,
    pub(super) machine: Value,
    pub(super) tstate: Value,
    pub(super) state: State,
    /// The frame that a call has made and not entered yet: its function, code, and first variables.
    pub(super) new_frame: Option<NewFrame>,
    /// The generator that a call has resumed, and whose frame it has not entered yet.
    pub(super) resumed: Option<Resumed>,
    /// How many of the frames were there when the code began: in them, the trace may be in another place than it knows.
    pub(super) inherited: usize,
    /// The executor is known to be valid.
    pub(super) is_valid: bool,
    /// The code has ended by [`Lowering::fail`].
    pub(super) has_failed: bool,
    /// The types whose attributes the trace contains are live while it is lowered.
    pub(super) types_are_live: bool,
    /// For how many words of the data stack, and for how many calls, the trace has checked that there is room.
    pub(super) room: (usize, usize),
    /// The blocks that leave the code at the last places.
    outs: Vec<Out>,
    /// The blocks that leave by exits. They have no code yet.
    pub(super) leaving: Vec<Leaving>,
    /// The descriptions that the code refers to.
    pub(super) exits: Exits,
    /// The micro-ops that have become code, if a run is explained: executor and index.
    pub(super) sources: Vec<(Executor, usize)>,
    /// The beginning of a loop.
    pub(super) start: Block,
    /// Continues from its parameter, the address of an exit: in other code, or by [`exits::leave`].
    pub(super) tail: Block,
}

impl<'a> Lowering<'a> {
    /// Begins the code of a function that is entered as `MachineCode::run` in [`crate::tier2::compiled`] does it. What the
    /// program looks like there comes next: [`Lowering::enter_loop`], [`Lowering::enter_from`].
    pub(super) fn new(
        function: &'a mut Function,
        context: &'a mut FunctionBuilderContext,
        executor: Executor,
        trace: &'a [Uop],
        types_are_live: bool,
    ) -> Lowering<'a> {
        let mut b = FunctionBuilder::new(function, context);
        let entry = b.create_block();
        b.append_block_params_for_function_params(entry);
        b.switch_to_block(entry);
        let (machine, tstate) = (b.block_params(entry)[0], b.block_params(entry)[1]);
        let frame = b.ins().load(I64, plain(), machine, offset_of!(Machine, frame) as i32);
        let sp = b.ins().load(I64, plain(), machine, offset_of!(Machine, sp) as i32);
        let (start, tail) = (b.create_block(), b.create_block());
        b.append_block_param(tail, I64);
        let state = State::new(FrameState::in_memory(frame, sp));
        Lowering {
            b,
            executor,
            part: executor,
            trace,
            has_branches: false,
            calls: 0,
            branches: Vec::new(),
            next_branches: Vec::new(),
            at: 0,
            machine,
            tstate,
            state,
            new_frame: None,
            resumed: None,
            inherited: 1,
            is_valid: true,
            has_failed: false,
            types_are_live,
            room: (0, 0),
            outs: Vec::new(),
            leaving: Vec::new(),
            exits: Exits::default(),
            sources: Vec::new(),
            start,
            tail,
        }
    }

    /// Ends the code.
    pub(super) fn finish(&mut self) {
        self.note_no_source();
        self.finish_leaving();
        self.b.set_cold_block(self.tail);
        self.b.switch_to_block(self.tail);
        let exit = self.b.block_params(self.tail)[0];
        let (is_linked, to_memory) = (self.b.create_block(), self.b.create_block());
        let (executor, code) = self.follow(exit, Exit::LINK, is_linked, to_memory);
        self.continue_with(executor, code);
        self.b.switch_to_block(to_memory);
        let arguments = [self.machine, self.tstate, exit];
        let leave = exits::leave as *const () as usize;
        let word = self.result_of(leave, &[I64; 3], I64, &arguments);
        self.b.ins().return_(&[word]);
        self.b.seal_all_blocks();
    }

    /// Goes on in the block `there` if code can continue by the link at this offset, else in `gone`. Returns the executor that the
    /// link leads to, and its code.
    pub(super) fn follow(&mut self, holder: Value, link: usize, there: Block, gone: Block) -> (Value, Value) {
        let code = self.load(I64, holder, link + Link::CODE);
        // A host that invalidates an executor leaves the links to it.
        if cfg!(feature = "attach") {
            let is_live = self.b.create_block();
            self.b.ins().brif(code, is_live, &[], gone, &[]);
            self.b.switch_to_block(is_live);
            let executor = self.load(I64, holder, link + Link::EXECUTOR);
            let valid = self.validity(executor);
            self.b.ins().brif(valid, there, &[], gone, &[]);
        } else {
            self.b.ins().brif(code, there, &[], gone, &[]);
        }
        self.b.switch_to_block(there);
        (self.load(I64, holder, link + Link::EXECUTOR), code)
    }

    /// Ends the code in this block by other code, that of an executor at this address.
    pub(super) fn continue_with(&mut self, executor: Value, code: Value) {
        self.store(executor, self.tstate, offset_of!(ffi::PyThreadState, current_executor));
        let signature = self.b.import_signature(signature_of_code());
        self.b.ins().return_call_indirect(signature, code, &[self.machine, self.tstate]);
    }

    // --- values --------------------------------------------------------------------------------

    pub(super) fn constant(&mut self, value: u64) -> Value {
        self.b.ins().iconst(I64, value as i64)
    }

    pub(super) fn load(&mut self, type_: Type, address: Value, offset: usize) -> Value {
        self.b.ins().load(type_, plain(), address, offset as i32)
    }

    pub(super) fn store(&mut self, value: Value, address: Value, offset: usize) {
        self.b.ins().store(plain(), value, address, offset as i32);
    }

    /// Takes values from memory until `depth` of the stack are known.
    pub(super) fn want(&mut self, depth: usize) {
        while self.state.frame().stack.len() < depth {
            let frame = self.state.top();
            frame.offset -= 1;
            let (sp, at) = (frame.sp, frame.offset * SLOT);
            // A virtual frame knows its stack.
            let sp = self.state.register(sp);
            let bits = self.b.ins().load(I64, plain(), sp, at);
            let id = self.state.add(Known::owned(bits, false, Class::Unknown));
            self.state.values[id].holders = 1;
            let slot = Slot { id, memory: Some(bits), is_borrowed: false };
            self.state.top().stack.insert(0, slot);
        }
    }

    /// The value `depth` places below the top (1 is the topmost).
    pub(super) fn peek(&mut self, depth: usize) -> Id {
        self.want(depth);
        self.state.slot_at(depth).id
    }

    /// Takes the topmost value, which the caller lets go of, or puts elsewhere.
    pub(super) fn pop(&mut self) -> Id {
        self.want(1);
        self.state.take().id
    }

    /// The same for an argument of a call, as the slot of the parameter: it stays borrowed.
    pub(super) fn pop_argument(&mut self) -> Slot {
        self.want(1);
        let Slot { id, is_borrowed, .. } = self.state.take();
        // What keeps a constant alive may end before the call.
        let is_borrowed = is_borrowed && self.state.values[id].constant.is_none();
        Slot { is_borrowed, ..Slot::new(id) }
    }

    /// Takes the topmost value, and lets go of it.
    pub(super) fn drop_top(&mut self) -> Id {
        let id = self.pop();
        self.state.let_go(id);
        id
    }

    pub(super) fn push_number(&mut self, number: Number) {
        self.state.push_new(Known::number(number));
    }

    pub(super) fn push_constant(&mut self, bits: u64, class: Class) {
        let id = self.state.add(Known::constant(bits, class));
        self.state.push_slot(Slot { is_borrowed: true, ..Slot::new(id) });
    }

    /// The value of a variable of the innermost frame.
    pub(super) fn local(&mut self, index: usize) -> Lowered<Id> {
        if let Some(slot) = self.state.local(index) {
            return Ok(slot.id);
        }
        // A virtual frame knows its variables.
        let frame = self.frame_in_memory().ok_or(TooLarge)?;
        let bits = self.load(I64, frame, Self::local_offset(index));
        let id = self.state.add(Known::owned(bits, false, Class::Unknown));
        self.state.values[id].holders = 1;
        self.state.set_local(index, Slot { id, memory: Some(bits), is_borrowed: false });
        Ok(id)
    }

    pub(super) fn local_offset(index: usize) -> usize {
        offset_of!(ffi::_PyInterpreterFrame, localsplus) + index * size_of::<StackRef>()
    }

    /// The value as an object: a number or tuple without one gets it now. It stays known for the rest of the trace, so this must not be
    /// called in a block that the trace may go around.
    pub(super) fn object(&mut self, id: Id) -> Value {
        if let Some(pointer) = self.state.values[id].pointer {
            return pointer;
        }
        let pointer = if let Some(bits) = self.state.values[id].constant {
            self.constant(bits & !1)
        } else {
            let word = self.word(id);
            self.b.ins().band_imm_s(word, !UNCOUNTED)
        };
        self.state.values[id].pointer = Some(pointer);
        pointer
    }

    /// A word that refers to the object, with or without the tag. As for [`Lowering::object`].
    fn word(&mut self, id: Id) -> Value {
        if let Some(word) = self.state.values[id].word {
            return word;
        }
        let (bits, is_counted) = match (self.state.take_items(id), self.state.number(id)) {
            (Some(items), _) => (self.make_tuple(&items), true),
            (None, number) => {
                let number = number.unwrap_or_else(|| self.state.instead(Number::Bool(self.machine)));
                (self.box_number(number), !matches!(number, Number::Bool(_)))
            }
        };
        self.state.version += 1;
        let known = &mut self.state.values[id];
        known.word = Some(bits);
        if is_counted {
            known.references.push(Reference { bits, is_heap_safe: true });
        } else {
            known.references.clear();
        }
        bits
    }

    // --- leaving -------------------------------------------------------------------------------

    /// What the code returns if it leaves at this micro-op.
    pub(super) fn word_of(&self, how: usize) -> usize {
        let uop = &self.trace[self.at];
        match (how, uop.place()) {
            (Next::FAILED_GUARD, UopPlace::Stubs { exit, .. }) => {
                (&raw const self.trace[usize::from(exit)]).addr()
            }
            _ => (&raw const *uop).addr() | how,
        }
    }

    /// The blocks of another state do not matter any more.
    pub(super) fn forget_outs(&mut self) {
        self.outs.clear();
    }

    /// A block that leaves, with the state as it is now.
    pub(super) fn out(&mut self, word: usize) -> Lowered<Block> {
        let version = self.state.version;
        self.outs.retain(|out| out.version == version);
        if let Some(out) = self.outs.iter().find(|out| out.word == word) {
            return Ok(out.block);
        }
        // Some guards leave at another instruction.
        let (instr, target) = stub(word);
        let before = self.state.frame().instr;
        self.set_instr(instr.or(before));
        let block = self.block_out(target);
        self.set_instr(before);
        let block = block?;
        self.outs.push(Out { block, word, version });
        Ok(block)
    }

    fn set_instr(&mut self, instr: Option<u64>) {
        // The blocks that leave are for the version before.
        let version = self.state.version;
        self.state.top().instr = instr;
        self.state.version = version;
    }

    /// A new block that leaves, with the state as it is now.
    fn block_out(&mut self, word: usize) -> Lowered<Block> {
        let block = if let Some(executor) = self.executor_of_branch(word) {
            self.branch_to(executor)
        } else if !is_side_exit(word) && self.state.is_almost_in_memory() {
            let (here, block) = (self.b.current_block().ok_or(TooLarge)?, self.b.create_block());
            self.b.set_cold_block(block);
            self.b.switch_to_block(block);
            let (state, room) = (self.state.clone(), self.room);
            self.leave(word);
            (self.state, self.room) = (state, room);
            self.b.switch_to_block(here);
            block
        } else {
            self.leaving_block(word, false)?
        };
        Ok(block)
    }

    /// Ends the code in this block by a description of the state.
    pub(super) fn leave_by(&mut self, word: usize, has_operands: bool) -> Lowered {
        let block = self.leaving_block(word, has_operands)?;
        self.b.ins().jump(block, &[]);
        Ok(())
    }

    /// Ends the code in this block by the exit at this address.
    pub(super) fn leave_by_exit(&mut self, exit: Value) {
        self.b.ins().jump(self.tail, &[BlockArg::Value(exit)]);
    }

    /// A place where the code may leave by this word: it does so if the exit is forced, see [`forced`].
    pub(super) fn may_leave(&mut self, word: usize) -> Lowered {
        // SAFETY: the thread is attached while it compiles.
        let Some(period) = (unsafe { forced::period() }) else { return Ok(()) };
        let leads_elsewhere =
            leaves_elsewhere(self.trace[self.at]) && word == self.word_of(Next::FAILED_GUARD);
        if leads_elsewhere {
            return Ok(());
        }
        let out = self.out(word)?;
        let [leaves, go_on] = [(); 2].map(|()| self.b.create_block());
        self.b.set_cold_block(leaves);
        let counter = self.constant((&raw const forced::COUNTER).addr() as u64);
        let left = self.load(I64, counter, offset_of!(Counter, left));
        let left = self.b.ins().iadd_imm_s(left, -1);
        self.store(left, counter, offset_of!(Counter, left));
        self.b.ins().brif(left, go_on, &[], leaves, &[]);
        self.b.switch_to_block(leaves);
        let period = self.constant(period);
        self.store(period, counter, offset_of!(Counter, left));
        let count = self.load(I64, counter, offset_of!(Counter, forced));
        let count = self.b.ins().iadd_imm_s(count, 1);
        self.store(count, counter, offset_of!(Counter, forced));
        self.b.ins().jump(out, &[]);
        self.b.switch_to_block(go_on);
        Ok(())
    }

    /// Leaves unless `holds`.
    pub(super) fn guard(&mut self, holds: Value, how: usize) -> Lowered {
        self.guard_by(holds, self.word_of(how))
    }

    /// Leaves by this word unless `holds`.
    pub(super) fn guard_by(&mut self, holds: Value, word: usize) -> Lowered {
        self.may_leave(word)?;
        self.leave_unless(holds, word)
    }

    /// The same for the result of something that has changed the program: `holds` says whether it has. So the exit cannot be
    /// forced here; it can be in front of that, by [`Lowering::may_leave`].
    pub(super) fn guard_done(&mut self, holds: Value, how: usize) -> Lowered {
        self.leave_unless(holds, self.word_of(how))
    }

    fn leave_unless(&mut self, holds: Value, word: usize) -> Lowered {
        let out = self.out(word)?;
        let go_on = self.b.create_block();
        self.b.ins().brif(holds, go_on, &[], out, &[]);
        self.b.switch_to_block(go_on);
        Ok(())
    }

    /// Leaves if `fails`.
    pub(super) fn guard_not(&mut self, fails: Value, how: usize) -> Lowered {
        let word = self.word_of(how);
        self.may_leave(word)?;
        let out = self.out(word)?;
        let go_on = self.b.create_block();
        self.b.ins().brif(fails, out, &[], go_on, &[]);
        self.b.switch_to_block(go_on);
        Ok(())
    }

    /// Ends the code, because it is known that this guard fails.
    pub(super) fn fail(&mut self, how: usize) -> Lowered {
        let out = self.out(self.word_of(how))?;
        self.b.ins().jump(out, &[]);
        self.has_failed = true;
        Ok(())
    }

    pub(super) fn guard_equal(&mut self, left: Value, right: u64, how: usize) -> Lowered {
        let holds = self.b.ins().icmp_imm_s(IntCC::Equal, left, right as i64);
        self.guard(holds, how)
    }

    // --- calls ---------------------------------------------------------------------------------

    /// Calls a function without a result.
    pub(super) fn call(&mut self, function: usize, parameters: &[Type], arguments: &[Value]) {
        self.call_with(signature_of(parameters, None), function, arguments);
    }

    /// Calls a function with a result of this type. Returns that.
    pub(super) fn result_of(
        &mut self,
        function: usize,
        parameters: &[Type],
        result: Type,
        arguments: &[Value],
    ) -> Value {
        let call = self.call_with(signature_of(parameters, Some(result)), function, arguments);
        self.b.inst_results(call)[0]
    }

    fn call_with(&mut self, signature: Signature, function: usize, arguments: &[Value]) -> Inst {
        let signature = self.b.import_signature(signature);
        let function = self.b.ins().iconst(I64, function as i64);
        self.b.ins().call_indirect(signature, function, arguments)
    }

    // --- references ----------------------------------------------------------------------------

    /// A new reference to the object at this address. The tag means that it is immortal.
    pub(super) fn new_ref(&mut self, object: Value) -> Value {
        // The count of an immortal object is negative, and stays as it is.
        let count = self.load(I32, object, 0);
        let is_immortal = self.b.ins().ushr_imm_u(count, 31);
        if cfg!(py_debug) {
            let function = runtime::new_reference as *const () as usize;
            self.call(function, &[I64], &[object]);
        } else {
            let one = self.b.ins().bxor_imm_s(is_immortal, 1);
            let count = self.b.ins().iadd(count, one);
            self.store(count, object, 0);
        }
        let tag = self.b.ins().uextend(I64, is_immortal);
        self.b.ins().bor(object, tag)
    }

    /// Makes sure that the code owns a reference to the value, if it is an object that is not always there.
    pub(super) fn own(&mut self, id: Id) {
        if self.state.values[id].is_borrowed() && !self.is_bool(id) {
            let object = self.object(id);
            let bits = self.new_ref(object);
            self.state.version += 1;
            self.state.values[id].references.push(Reference { bits, is_heap_safe: true });
        }
    }

    /// Whether it is True or False, which are immortal.
    fn is_bool(&self, id: Id) -> bool {
        self.state.values[id].class == Class::Bool
    }

    /// Before something that can release objects: takes references to all values that only something else keeps alive.
    pub(super) fn own_all(&mut self) {
        for id in self.state.missing_values() {
            self.own(id);
        }
    }

    /// A reference to the value for a place on the heap, which takes it over: an address. The value has lost the holder that had it.
    pub(super) fn give_object(&mut self, id: Id) -> Value {
        if let Some(reference) = self.state.surplus(id) {
            return if reference.is_heap_safe {
                self.b.ins().band_imm_s(reference.bits, !UNCOUNTED)
            } else {
                let safe = self.heap_safe(reference.bits);
                self.b.ins().band_imm_s(safe, !UNCOUNTED)
            };
        }
        let object = self.object(id);
        // A number or tuple has got its object, and a reference, just now.
        if let Some(reference) = self.state.surplus(id) {
            return self.b.ins().band_imm_s(reference.bits, !UNCOUNTED);
        }
        self.new_ref(object);
        object
    }

    /// The reference as one that does not depend on a variable: a borrowed one becomes a counted one.
    pub(super) fn heap_safe(&mut self, bits: Value) -> Value {
        let (borrowed, go_on) = (self.b.create_block(), self.b.create_block());
        let result = self.b.append_block_param(go_on, I64);
        let tag = self.b.ins().band_imm_s(bits, UNCOUNTED);
        self.b.ins().brif(tag, borrowed, &[], go_on, &[BlockArg::Value(bits)]);
        self.b.switch_to_block(borrowed);
        let object = self.b.ins().band_imm_s(bits, !UNCOUNTED);
        let new = self.new_ref(object);
        self.b.ins().jump(go_on, &[BlockArg::Value(new)]);
        self.b.switch_to_block(go_on);
        result
    }

    /// Makes a value that is taken off a stack independent of variables of its frame and of those below: a word that comes from a
    /// stack in memory may be borrowed from one of them. That of a variable is not, or from one of a frame below that waits for it.
    pub(super) fn end_borrowing(&mut self, id: Id) {
        let is_of_variable = |frame: &FrameState| frame.locals.iter().flatten().any(|slot| slot.id == id);
        if self.is_bool(id)
            || self.state.frames.iter().any(|frame| frame.is_in_memory() && is_of_variable(frame))
        {
            return;
        }
        for Reference { bits, is_heap_safe } in self.state.free_references(id) {
            if !is_heap_safe {
                let safe = self.heap_safe(bits);
                self.state.forget_reference(id, Some(bits));
                self.state.values[id].references.push(Reference { bits: safe, is_heap_safe: true });
            }
        }
    }

    /// Releases the references of values that have lost holders in this micro-op. The state is as after it, or, in the middle
    /// of a trace, as before the next one.
    pub(super) fn settle(&mut self) -> Lowered {
        let mut releases = Vec::new();
        for id in core::mem::take(&mut self.state.pending) {
            while let Some(reference) = self.state.surplus(id) {
                releases.push((
                    reference.bits,
                    self.state.values[id].class,
                    self.state.values[id].holders > 0,
                ));
            }
        }
        if releases.iter().any(|&(_, class, is_held)| !is_held && !class.ends_quietly()) {
            self.own_all();
        }
        while !releases.is_empty() {
            let (bits, class, is_held) = releases.remove(0);
            let rest: Vec<Value> = releases.iter().map(|&(bits, ..)| bits).collect();
            self.release(bits, class, is_held, &rest)?;
        }
        Ok(())
    }

    /// Releases a reference. `rest` is to be released later.
    fn release(&mut self, bits: Value, class: Class, is_held: bool, rest: &[Value]) -> Lowered {
        let (counted, go_on) = (self.b.create_block(), self.b.create_block());
        let tag = self.b.ins().band_imm_s(bits, UNCOUNTED);
        self.b.ins().brif(tag, go_on, &[], counted, &[]);
        self.b.switch_to_block(counted);
        let count = self.decrement(bits);
        if is_held {
            self.b.ins().jump(go_on, &[]);
        } else {
            let dead = self.b.create_block();
            self.b.set_cold_block(dead);
            self.b.ins().brif(count, go_on, &[], dead, &[]);
            self.b.switch_to_block(dead);
            self.end_object(bits, class, rest, go_on)?;
        }
        self.b.switch_to_block(go_on);
        Ok(())
    }

    /// Takes away a reference of the mortal object at this address. Returns not 0 if others are left.
    pub(super) fn decrement(&mut self, object: Value) -> Value {
        if cfg!(py_debug) {
            let function = runtime::decrement as *const () as usize;
            return self.result_of(function, &[I64], I32, &[object]);
        }
        let count = self.load(I32, object, 0);
        let count = self.b.ins().iadd_imm_s(count, -1);
        self.store(count, object, 0);
        count
    }

    /// Destroys an object, and continues there if nothing else can have happened.
    pub(super) fn end_object(
        &mut self,
        object: Value,
        class: Class,
        rest: &[Value],
        go_on: Block,
    ) -> Lowered {
        if class.ends_quietly() {
            let function = match class {
                Class::Float => runtime::free_float as *const (),
                Class::Int => runtime::free_int as *const (),
                _ => runtime::release as *const (),
            };
            self.call(function as usize, &[I64, I64], &[self.tstate, object]);
            self.b.ins().jump(go_on, &[]);
            return Ok(());
        }
        if class == Class::Unknown {
            let function = runtime::end_plain as *const () as usize;
            let has_ended = self.result_of(function, &[I64; 2], I64, &[self.tstate, object]);
            let not_plain = self.b.create_block();
            self.b.set_cold_block(not_plain);
            self.b.ins().brif(has_ended, go_on, &[], not_plain, &[]);
            self.b.switch_to_block(not_plain);
        }
        let word = (&raw const self.trace[self.at + 1]).addr();
        let exit = self.describe(word, rest, false)?;
        let exit = self.constant(exit);
        let arguments = [self.machine, self.tstate, exit, object];
        let function = exits::end_object as *const () as usize;
        let word = self.result_of(function, &[I64; 4], I64, &arguments);
        let out = self.b.create_block();
        self.b.set_cold_block(out);
        self.b.ins().brif(word, out, &[], go_on, &[]);
        self.b.switch_to_block(out);
        self.b.ins().return_(&[word]);
        Ok(())
    }

    /// The requests of the thread.
    pub(super) fn requests(&mut self) -> Value {
        let word = self.load(I64, self.tstate, offset_of!(ffi::PyThreadState, eval_breaker));
        self.b.ins().band_imm_s(word, crate::breaker::word::REQUESTS as i64)
    }

    /// Leaves unless the executor is valid. Nothing but code of the program or of another thread can invalidate it.
    pub(super) fn check_validity(&mut self) -> Lowered {
        self.check_validity_by(self.word_of(Next::FAILED_GUARD))
    }

    /// The same: leaves by this word.
    pub(super) fn check_validity_by(&mut self, word: usize) -> Lowered {
        if self.is_valid {
            return Ok(());
        }
        self.is_valid = true;
        let executor = self.constant(self.executor.as_ptr().addr() as u64);
        let valid = self.validity(executor);
        self.guard_by(valid, word)
    }

    /// Not 0 if the executor at this address is valid.
    fn validity(&mut self, executor: Value) -> Value {
        let at = offset_of!(ffi::_PyExecutorObject, vm_data) + offset_of!(ffi::_PyVMData, _bitfield_1);
        let flags = self.load(I8, executor, at);
        self.b.ins().band_imm_s(flags, i64::from(valid_bit()))
    }

    /// The frame that the micro-op runs in, in memory.
    pub(super) fn frame_in_memory(&self) -> Option<Value> {
        self.state.frame().address()
    }
}

/// Where the stub of a guard leads to: the instruction at which the program is then, if the guard leaves at another one, and the
/// word.
fn stub(word: usize) -> (Option<u64>, usize) {
    if word & 3 != 0 {
        return (None, word);
    }
    let uop = word as *const Uop;
    // SAFETY: without these bits, it is the address of a micro-op of the trace, which is live during the lowering. Another one
    // follows the one that sets an instruction.
    unsafe {
        let is_set_ip = (*uop).number() == micro_op::set_ip;
        if is_set_ip { (Some((*uop).operand0), uop.add(1).addr()) } else { (None, word) }
    }
}

/// Whether the word of an exit leads to a side exit.
pub(super) fn is_side_exit(word: usize) -> bool {
    // SAFETY: without these bits, it is the address of a micro-op of the trace, which is live during the lowering.
    word & 3 == 0 && unsafe { (*(word as *const Uop)).number() } == micro_op::exit_trace
}

/// The bit of the executor's flags that says that it is valid.
fn valid_bit() -> u8 {
    // SAFETY: integers and pointers, for which zero is a value.
    let mut data: ffi::_PyVMData = unsafe { core::mem::zeroed() };
    data.set_valid(1);
    // SAFETY: the flags are one byte.
    unsafe { (&raw const data._bitfield_1).cast::<u8>().read() }
}
