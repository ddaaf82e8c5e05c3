//! Loops: what stays in registers from one iteration to the next.
//!
//! The values that are in registers at the beginning of an iteration are a [`Shape`]. It comes from trying: the trace is
//! lowered once with everything in memory, which shows what is in registers at its end, and then again with that.
//!
//! A number without an object may be the value of a variable in a shape only if the variable has a number without an object at the
//! end of each iteration. A program that enters the loop has an object there. If nothing else refers to that object, the loop
//! can drop it without a visible effect. Otherwise the first iteration is left to the micro-op interpreter.

use core::mem::offset_of;

use cranelift_codegen::ir::condcodes::IntCC;
use cranelift_codegen::ir::types::{F64, I8, I32, I64};
use cranelift_codegen::ir::{Block, BlockArg, InstBuilder, Type, Value};

use super::exits::{Spill, Spills};
use super::lower::{Lowered, Lowering, NULL, SLOT, TooLarge, UNCOUNTED, plain};
use super::memory::{original, owns_nothing};
use super::runtime;
use super::state::{FrameState, Slot};
use super::values::{Class, INT_WIDTH, Known, Number};
use crate::bytecode::micro_op;
use crate::host::ffi;
use crate::tier2::Uop;
use crate::tier2::compiled::{Link, Machine, MachineCode};

/// What is in a register.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Form {
    Float,
    Int,
    /// A stack reference.
    Object {
        class: Class,
        version: Option<u32>,
        has_inline_values: bool,
        /// Memory has it, too.
        is_in_memory: bool,
    },
}

/// A slot of the frame.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum At {
    Local(usize),
    /// So many places below the top of the stack (1 is the topmost).
    Stack(usize),
}

impl At {
    fn depth(self) -> Option<usize> {
        match self {
            At::Local(_) => None,
            At::Stack(depth) => Some(depth),
        }
    }
}

/// What is in registers at the beginning of an iteration.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub(super) struct Shape {
    slots: Vec<(At, Form)>,
    /// The executor is known to be valid.
    is_valid: bool,
}

/// The registers of a loop: the frame, its stack pointer, and one for each slot of the shape.
type Registers = Vec<Value>;

/// Slots that memory lacks.
type Missing = Vec<(At, Slot)>;

impl Form {
    fn type_(self) -> Type {
        if self == Form::Float { F64 } else { I64 }
    }

    /// What both forms can become. `None`: nothing but memory.
    fn meet(self, other: Form) -> Option<Form> {
        match (self, other) {
            (Form::Float, Form::Float) | (Form::Int, Form::Int) => Some(self),
            (
                Form::Object { class, version, has_inline_values, is_in_memory },
                Form::Object { class: c, version: v, has_inline_values: h, is_in_memory: m },
            ) => Some(Form::Object {
                class: if class == c { class } else { Class::Unknown },
                version: version.filter(|_| version == v),
                has_inline_values: has_inline_values && h && version.is_some() && version == v,
                is_in_memory: is_in_memory && m,
            }),
            _ => None,
        }
    }
}

impl Shape {
    /// Whether nothing is in registers.
    pub(super) fn is_empty(&self) -> bool {
        self.slots.is_empty()
    }

    /// What both shapes have in common.
    pub(super) fn meet(&self, other: &Shape) -> Shape {
        let both = self.slots.iter().filter_map(|&(at, form)| {
            let (_, other) = other.slots.iter().find(|(other, _)| *other == at)?;
            Some((at, form.meet(*other)?))
        });
        Shape { slots: both.collect(), is_valid: self.is_valid && other.is_valid }
    }
}

impl Lowering<'_> {
    /// Begins the loop: takes what is in registers in an iteration out of memory, and leaves if it is not of that form.
    pub(super) fn enter_loop(&mut self, shape: &Shape) {
        let first = self.state.frame();
        let (frame, sp) = (self.state.register(first.address()), self.state.register(first.sp));
        self.enter_directly(shape);
        let mut arguments = vec![frame, sp];
        let outside = self.b.create_block();
        self.b.set_cold_block(outside);
        let mut drops = Vec::new();
        for &(at, form) in &shape.slots {
            let bits = match at {
                At::Local(index) => self.load(I64, frame, Self::local_offset(index)),
                At::Stack(depth) => self.b.ins().load(I64, plain(), sp, -SLOT * depth as i32),
            };
            let object = self.b.ins().band_imm_s(bits, !UNCOUNTED);
            let bound = self.b.ins().icmp_imm_s(IntCC::NotEqual, object, 0);
            self.check_entry(bound, outside);
            let value = match form {
                Form::Float => {
                    self.check_class(object, &raw mut ffi::PyFloat_Type, outside);
                    self.check_unshared(bits, object, outside);
                    drops.push(bits);
                    self.load(F64, object, offset_of!(ffi::PyFloatObject, ob_fval))
                }
                Form::Int => {
                    self.check_class(object, &raw mut ffi::PyLong_Type, outside);
                    self.check_unshared_int(bits, object, outside);
                    drops.push(bits);
                    self.int_at_entry(object, outside)
                }
                Form::Object { class, version, has_inline_values, .. } => {
                    if let Some(type_) = class.type_() {
                        self.check_class(object, type_, outside);
                    }
                    if let Some(version) = version {
                        let type_ = self.load(I64, object, offset_of!(ffi::PyObject, ob_type));
                        let found = self.load(I32, type_, offset_of!(ffi::PyTypeObject, tp_version_tag));
                        let holds = self.b.ins().icmp_imm_s(IntCC::Equal, found, i64::from(version as i32));
                        self.check_entry(holds, outside);
                        if has_inline_values {
                            let valid = self.inline_values_valid(object);
                            self.check_entry(valid, outside);
                        }
                    }
                    bits
                }
            };
            arguments.push(value);
        }
        for bits in drops {
            let function = runtime::drop_number as *const ();
            self.call(function as usize, &[I64, I64], &[self.tstate, bits]);
        }
        let arguments: Vec<BlockArg> = arguments.into_iter().map(BlockArg::Value).collect();
        self.b.ins().jump(self.start, &arguments);
        self.b.switch_to_block(outside);
        let first = (&raw const self.trace[1]).addr();
        let first = self.constant(first as u64);
        self.b.ins().return_(&[first]);

        let frame = self.b.append_block_param(self.start, I64);
        let sp = self.b.append_block_param(self.start, I64);
        let registers: Vec<Value> = shape
            .slots
            .iter()
            .map(|&(_, form)| self.b.append_block_param(self.start, form.type_()))
            .collect();
        self.b.switch_to_block(self.start);
        self.is_valid = shape.is_valid;
        self.state.frames = vec![FrameState::in_memory(frame, sp)];
        let mut slots = Vec::new();
        for (&(at, form), value) in shape.slots.iter().zip(registers) {
            let (known, memory) = match form {
                Form::Float => (Known::number(Number::Float(value)), None),
                Form::Int => (Known::number(Number::Int { value, width: INT_WIDTH }), None),
                Form::Object { class, version, has_inline_values, is_in_memory } => {
                    let known = Known { version, has_inline_values, ..Known::owned(value, false, class) };
                    (known, is_in_memory.then_some(value))
                }
            };
            let id = self.state.add(known);
            self.state.values[id].holders = 1;
            slots.push((at, Slot { id, memory, is_borrowed: false }));
        }
        self.fill_frame(&slots);
    }

    /// If other code has come here from a place where the program is as at the loop, the registers are in
    /// [`Machine::spilled`].
    fn enter_directly(&mut self, shape: &Shape) {
        if shape.is_empty() {
            return;
        }
        let (directly, from_memory) = (self.b.create_block(), self.b.create_block());
        let enters_loop = self.load(I8, self.machine, offset_of!(Machine, enters_loop));
        self.b.ins().brif(enters_loop, directly, &[], from_memory, &[]);
        self.b.switch_to_block(directly);
        let no = self.b.ins().iconst(I8, 0);
        self.store(no, self.machine, offset_of!(Machine, enters_loop));
        let types = [I64; 2].into_iter().chain(shape.slots.iter().map(|(_, form)| form.type_()));
        let registers: Vec<BlockArg> = types
            .enumerate()
            .map(|(index, type_)| BlockArg::Value(self.register(type_, index as Spill)))
            .collect();
        self.b.ins().jump(self.start, &registers);
        self.b.switch_to_block(from_memory);
    }

    /// Sets slots of the frame, whose other slots are in memory.
    fn fill_frame(&mut self, slots: &[(At, Slot)]) {
        let mut depth = 0;
        while slots.iter().any(|&(at, _)| at.depth() > Some(depth)) {
            depth += 1;
            match slots.iter().find(|&&(at, _)| at == At::Stack(depth)) {
                Some(&(_, slot)) => {
                    let frame = self.state.top();
                    frame.stack.insert(0, slot);
                    frame.offset -= 1;
                }
                None => self.want(depth),
            }
        }
        for &(at, slot) in slots {
            if let At::Local(index) = at {
                self.state.set_local(index, slot);
            }
        }
    }

    /// Sets a slot, whose old value is none of the code's business any more. `None`: it is not known.
    fn set_slot(&mut self, at: At, slot: Option<Slot>) {
        match (at, slot) {
            (At::Local(index), Some(slot)) => self.state.set_local(index, slot),
            (At::Local(index), None) => {
                if let Some(local) = self.state.top().locals.get_mut(index) {
                    *local = None;
                }
            }
            (At::Stack(depth), Some(slot)) => {
                let stack = &mut self.state.top().stack;
                let index = stack.len().checked_sub(depth);
                match index.and_then(|index| stack.get_mut(index)) {
                    Some(place) => *place = slot,
                    None => self.state.fault(),
                }
            }
            // The stack has no gaps.
            (At::Stack(_), None) => self.state.fault(),
        }
    }

    /// What a slot holds.
    fn slot(&mut self, at: At) -> Lowered<Slot> {
        match at {
            At::Local(index) => {
                self.local(index)?;
                self.state.local(index).ok_or(TooLarge)
            }
            At::Stack(depth) => {
                self.want(depth);
                Ok(self.state.slot_at(depth))
            }
        }
    }

    /// The value of an int. One that does not fit a register is left outside.
    fn int_at_entry(&mut self, object: Value, outside: Block) -> Value {
        let [compact, wide, go_on] = [(); 3].map(|()| self.b.create_block());
        let result = self.b.append_block_param(go_on, I64);
        let at = offset_of!(ffi::_longobject, long_value) + offset_of!(ffi::_PyLongValue, lv_tag);
        let tag = self.load(I64, object, at);
        let is_compact = self.b.ins().icmp_imm_s(IntCC::UnsignedLessThan, tag, 2 << ffi::NON_SIZE_BITS);
        self.b.ins().brif(is_compact, compact, &[], wide, &[]);

        self.b.switch_to_block(wide);
        let function = runtime::int_value as *const () as usize;
        let value = self.result_of(function, &[I64], I64, &[object]);
        let fits = self.b.ins().icmp_imm_s(IntCC::NotEqual, value, runtime::NO_INT);
        self.b.ins().brif(fits, go_on, &[BlockArg::Value(value)], outside, &[]);

        self.b.switch_to_block(compact);
        let value = self.compact_value(object, tag);
        self.b.ins().jump(go_on, &[BlockArg::Value(value)]);
        self.b.switch_to_block(go_on);
        result
    }

    fn check_entry(&mut self, holds: Value, outside: Block) {
        let go_on = self.b.create_block();
        self.b.ins().brif(holds, go_on, &[], outside, &[]);
        self.b.switch_to_block(go_on);
    }

    fn check_class(&mut self, object: Value, type_: *mut ffi::PyTypeObject, outside: Block) {
        let found = self.load(I64, object, offset_of!(ffi::PyObject, ob_type));
        let holds = self.b.ins().icmp_imm_s(IntCC::Equal, found, type_.addr() as i64);
        self.check_entry(holds, outside);
    }

    /// Nothing but the variable, which does not borrow, refers to the object.
    fn check_unshared(&mut self, bits: Value, object: Value, outside: Block) {
        let count = self.load(I32, object, 0);
        let tag = self.b.ins().ireduce(I32, bits);
        let tag = self.b.ins().band_imm_s(tag, UNCOUNTED);
        // The count of an object with the tag is 1 at least.
        let count = self.b.ins().iadd(count, tag);
        let holds = self.b.ins().icmp_imm_s(IntCC::Equal, count, 1);
        self.check_entry(holds, outside);
    }

    /// The same, or it is one of the ints that exist only once.
    fn check_unshared_int(&mut self, bits: Value, object: Value, outside: Block) {
        let (shared, go_on) = (self.b.create_block(), self.b.create_block());
        let count = self.load(I32, object, 0);
        let is_immortal = self.b.ins().icmp_imm_s(IntCC::SignedLessThan, count, 0);
        self.b.ins().brif(is_immortal, go_on, &[], shared, &[]);
        self.b.switch_to_block(shared);
        self.check_unshared(bits, object, outside);
        self.b.ins().jump(go_on, &[]);
        self.b.switch_to_block(go_on);
    }

    /// The shape that the end of the iteration has.
    pub(super) fn shape_at_end(&self) -> Shape {
        let Ok([frame]) = <&[FrameState; 1]>::try_from(&self.state.frames[..]) else {
            return Shape::default();
        };
        let overwritten = overwritten(self.trace);
        let form = |at: At, slot: Slot| {
            let known = &self.state.values[slot.id];
            match known.number {
                Some(Number::Float(_)) if known.is_only_a_number() && known.holders == 1 => Some(Form::Float),
                Some(Number::Int { .. }) if known.is_only_a_number() && known.holders == 1 => Some(Form::Int),
                _ if known.constant == Some(NULL) => None,
                _ if overwritten.contains(&at) => Some(Form::Object {
                    class: Class::Unknown,
                    version: None,
                    has_inline_values: false,
                    is_in_memory: slot.memory.is_some(),
                }),
                _ => Some(Form::Object {
                    class: known.class,
                    version: known.version,
                    has_inline_values: known.has_inline_values && known.version.is_some(),
                    is_in_memory: slot.memory.is_some(),
                }),
            }
        };
        let locals = frame.locals.iter().enumerate();
        let locals = locals.filter_map(|(index, slot)| {
            let at = At::Local(index);
            Some((at, form(at, (*slot)?)?))
        });
        // The stack is as deep as at the beginning. A number on it gets an object.
        let stack = frame.stack.iter().rev().enumerate();
        let stack = stack.filter_map(|(index, &slot)| {
            let at = At::Stack(index + 1);
            Some((at, form(at, slot)?))
        });
        let stack = stack.filter(|(_, form)| matches!(form, Form::Object { .. }));
        Shape { slots: locals.chain(stack).collect(), is_valid: self.is_valid }
    }

    /// Continues with the next iteration.
    pub(super) fn jump_to_start(&mut self, shape: &Shape) -> Lowered {
        // Ints that are too wide for a register leave first, while nothing has changed.
        for &(at, form) in &shape.slots {
            let id = self.slot(at)?.id;
            if form == Form::Int
                && let Some(Number::Int { value, width }) = self.state.number(id)
                && width > INT_WIDTH
            {
                self.guard_width(value, INT_WIDTH)?;
            }
        }
        self.jump_with(shape)
    }

    /// Ends a branch by a jump to the loop that it has come from, which has this shape. Returns false if the program is not as at
    /// the beginning of the loop. `word` leads there otherwise.
    pub(super) fn return_to_loop(&mut self, word: usize, shape: &Shape) -> Lowered<bool> {
        for &(at, form) in &shape.slots {
            if !self.fits(at, form, word)? {
                return Ok(false);
            }
        }
        if shape.is_valid {
            self.check_validity_by(word)?;
        }
        self.jump_with(shape)?;
        Ok(true)
    }

    /// Jumps to the beginning of the loop, whose shape fits.
    fn jump_with(&mut self, shape: &Shape) -> Lowered {
        let (registers, _) = self.registers(shape)?;
        let arguments: Vec<BlockArg> = registers.into_iter().map(BlockArg::Value).collect();
        self.b.ins().jump(self.start, &arguments);
        Ok(())
    }

    /// The registers for this shape, which fits. They own what is in them from now on, and all the rest is in memory.
    fn registers(&mut self, shape: &Shape) -> Lowered<(Registers, Missing)> {
        let mut registers = Vec::new();
        let mut missing = Vec::new();
        for &(at, form) in &shape.slots {
            let slot = self.slot(at)?;
            registers.push(match (form, self.state.number(slot.id)) {
                (Form::Float, Some(Number::Float(value))) | (Form::Int, Some(Number::Int { value, .. })) => {
                    missing.push((at, slot));
                    self.set_slot(at, None);
                    Some(value)
                }
                (Form::Object { is_in_memory: false, .. }, _) if slot.memory.is_none() => {
                    let bits = self.bits_for(slot);
                    missing.push((at, slot));
                    // No other slot gets this reference.
                    self.set_slot(at, Some(Slot { memory: Some(bits), ..slot }));
                    Some(bits)
                }
                (Form::Object { .. }, _) => None,
                // The shape fits.
                _ => return Err(TooLarge),
            });
        }
        self.flush();
        let mut all = vec![self.frame_in_memory().ok_or(TooLarge)?, self.stack_pointer()];
        for (&(at, _), register) in shape.slots.iter().zip(registers) {
            all.push(match register {
                Some(register) => register,
                None => self.slot(at)?.memory.ok_or(TooLarge)?,
            });
        }
        Ok((all, missing))
    }

    /// Ends the code by a jump into the loop of other code, which has this shape. Returns false if the program is not as at the
    /// beginning of that loop.
    pub(super) fn leave_to_loop(&mut self, word: usize, link: &Link, shape: &Shape) -> Lowered<bool> {
        for &(at, form) in &shape.slots {
            if !self.fits(at, form, word)? {
                return Ok(false);
            }
        }
        let (registers, missing) = self.registers(shape)?;
        // If the loop is gone, memory gets what is in the registers.
        for (at, slot) in missing {
            self.set_slot(at, Some(slot));
        }
        self.state.version += 1;
        let mut spills = Spills::starting_with(registers);
        let description = self.description(&[], &mut spills);
        self.store_all(&spills)?;
        let exit = self.add_exit(word, description, false)?;
        let (there, gone) = (self.b.create_block(), self.b.create_block());
        let link = self.constant((&raw const *link).addr() as u64);
        let (executor, code) = self.follow(link, 0, there, gone);
        self.enter_loop_at_once();
        self.continue_with(executor, code);
        self.b.switch_to_block(gone);
        let exit = self.constant(exit);
        self.leave_by_exit(exit);
        Ok(true)
    }

    /// The next code begins at its loop.
    fn enter_loop_at_once(&mut self) {
        let yes = self.b.ins().iconst(I8, 1);
        self.store(yes, self.machine, offset_of!(Machine, enters_loop));
    }

    /// Ends the code by entering other code of the same executor: in its loop if the program is as there, else at its beginning.
    pub(super) fn continue_in(&mut self, code: MachineCode, shape: &Shape) -> Lowered {
        let beginning = (&raw const self.trace[1]).addr();
        let mut fits = !shape.is_empty();
        for &(at, form) in &shape.slots {
            fits = fits && self.fits(at, form, beginning)?;
        }
        if fits {
            let (registers, _) = self.registers(shape)?;
            self.store_all(&Spills::starting_with(registers))?;
            self.enter_loop_at_once();
        } else {
            self.flush();
            let sp = self.stack_pointer();
            self.store(sp, self.machine, offset_of!(Machine, sp));
        }
        let executor = self.constant(self.executor.as_ptr().addr() as u64);
        let code = self.constant(code.address() as u64);
        self.continue_with(executor, code);
        Ok(())
    }

    /// Whether the slot can be of this form in a register. What is not known of an object is checked: the code leaves if it is
    /// otherwise.
    fn fits(&mut self, at: At, form: Form, word: usize) -> Lowered<bool> {
        let slot = self.slot(at)?;
        let id = slot.id;
        let is_number = self.state.values[id].is_only_a_number() && self.state.values[id].holders == 1;
        match (form, self.state.number(id)) {
            (Form::Float, Some(Number::Float(_))) => Ok(is_number),
            (Form::Int, Some(Number::Int { value, width })) if is_number => {
                if width > INT_WIDTH {
                    self.guard_width(value, INT_WIDTH)?;
                }
                Ok(true)
            }
            // A small int has the same object each time.
            (Form::Int, _) => {
                let known = &self.state.values[id];
                let is_small = known.class == Class::Int && known.constant.is_some_and(owns_nothing);
                if is_small {
                    self.int(id)?;
                }
                Ok(is_small)
            }
            (Form::Object { .. }, _) if self.state.values[id].constant == Some(NULL) => Ok(false),
            (Form::Object { class, version, has_inline_values, .. }, _) => {
                if class != Class::Unknown && self.state.values[id].class != class {
                    return Ok(false);
                }
                if let Some(version) = version {
                    self.guard_version_of(id, version, word)?;
                    if has_inline_values {
                        self.guard_inline_values_of(id, word)?;
                    }
                }
                Ok(true)
            }
            _ => Ok(false),
        }
    }
}

/// The variables that an iteration sets before it uses them. What they hold at its beginning does not matter.
fn overwritten(trace: &[Uop]) -> Vec<At> {
    let (mut set, mut used) = (Vec::new(), Vec::new());
    let mut depth = 0_usize;
    for uop in trace {
        let oparg = usize::from(uop.oparg);
        let (first, second) = (At::Local(oparg >> 4), At::Local(oparg & 15));
        match original(uop.number()) {
            micro_op::push_frame | micro_op::enter_consumer => depth += 1,
            // What follows is in a frame that the trace has not come from.
            micro_op::for_iter_innermost | micro_op::send_innermost | micro_op::yield_to_receiver => break,
            micro_op::return_value
            | micro_op::yield_value
            | micro_op::return_generator
            | micro_op::return_consumer
            | micro_op::return_consumer_only => {
                let Some(below) = depth.checked_sub(1) else { break };
                depth = below;
            }
            _ if depth > 0 => {}
            micro_op::store_fast if !used.contains(&At::Local(oparg)) => set.push(At::Local(oparg)),
            micro_op::store_fast_store_fast => {
                set.extend([first, second].into_iter().filter(|at| !used.contains(at)));
            }
            micro_op::store_fast_load_fast => {
                set.extend(Some(first).filter(|at| !used.contains(at)));
                used.extend(Some(second).filter(|at| !set.contains(at)));
            }
            micro_op::load_fast_load_fast | micro_op::load_fast_borrow_load_fast_borrow => {
                used.extend([first, second].into_iter().filter(|at| !set.contains(at)));
            }
            micro_op::load_fast
            | micro_op::load_fast_borrow
            | micro_op::load_fast_check
            | micro_op::load_fast_and_clear
            | micro_op::load_deref => used.extend(Some(At::Local(oparg)).filter(|at| !set.contains(at))),
            _ => {}
        }
    }
    set
}
