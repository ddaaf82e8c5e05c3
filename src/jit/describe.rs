//! The state of the lowering as an exit.

use core::mem::offset_of;
use core::num::{NonZeroU32, NonZeroU64};
use core::ops::Range;

use cranelift_codegen::ir::types::I64;
use cranelift_codegen::ir::{Block, BlockArg, InstBuilder, Value};

use super::exits::{
    Description, ExitFrame, ExitPlace, ExitReference, ExitSlot, ExitValue, MAX_VALUES, SlotCounts, Source,
    Spills,
};
use super::lower::{Leaving, Lowered, Lowering, NULL, TooLarge};
use super::state::{FrameState, Place, Slot, State};
use super::values::{Id, Number, Reference};
use crate::tier2::compiled::{MAX_SPILLED, Machine};

impl Lowering<'_> {
    /// Describes the state, and stores the registers that the description names. Returns its address.
    pub(super) fn describe(&mut self, word: usize, releases: &[Value], has_operands: bool) -> Lowered<u64> {
        let mut spills = Spills::default();
        let description = self.description(releases, &mut spills);
        self.store_all(&spills)?;
        self.add_exit(word, description, has_operands)
    }

    /// A block that leaves by the state as it is now. It gets its code in the end.
    pub(super) fn leaving_block(&mut self, word: usize, has_operands: bool) -> Lowered<Block> {
        let mut spills = Spills::default();
        let mut description = self.description(&[], &mut spills);
        // Now that all registers are known, they are numbered in the order of all exits.
        description.renumber(&spills.sort());
        if spills.registers().len() > MAX_SPILLED {
            return Err(TooLarge);
        }
        let exit = self.add_exit(word, description, has_operands)?;
        let block = self.b.create_block();
        self.b.set_cold_block(block);
        self.leaving.push(Leaving { spills, block, exit });
        Ok(block)
    }

    /// The code of all blocks that leave by an exit.
    pub(super) fn finish_leaving(&mut self) {
        let mut leaving = core::mem::take(&mut self.leaving);
        leaving.sort_by(|one, other| one.spills.cmp(&other.spills));
        self.leave_after(0, self.tail, &leaving);
    }

    /// The code of blocks whose first `stored` registers `next` stores: they are the same. `next` takes the exit as its parameter.
    fn leave_after(&mut self, stored: usize, next: Block, leaving: &[Leaving]) {
        match leaving {
            [] => {}
            [Leaving { spills, block, exit }] => {
                self.b.switch_to_block(*block);
                self.store_registers(spills, stored..spills.registers().len());
                let exit = self.constant(*exit);
                self.b.ins().jump(next, &[BlockArg::Value(exit)]);
            }
            [first, .., last] => {
                // They are sorted, so those between begin with the same registers.
                let shared = first.spills.shared_with(&last.spills);
                let block = if shared > stored { self.b.create_block() } else { next };
                let ends = leaving.partition_point(|leaving| leaving.spills.registers().len() == shared);
                for Leaving { block: here, exit, .. } in &leaving[..ends] {
                    self.b.switch_to_block(*here);
                    let exit = self.constant(*exit);
                    self.b.ins().jump(block, &[BlockArg::Value(exit)]);
                }
                let next_register = |leaving: &Leaving| leaving.spills.registers()[shared];
                for group in leaving[ends..].chunk_by(|one, other| next_register(one) == next_register(other))
                {
                    self.leave_after(shared, block, group);
                }
                if shared > stored {
                    self.b.set_cold_block(block);
                    self.b.switch_to_block(block);
                    let exit = self.b.append_block_param(block, I64);
                    self.store_registers(&first.spills, stored..shared);
                    self.b.ins().jump(next, &[BlockArg::Value(exit)]);
                }
            }
        }
    }

    /// Adds an exit. Returns its address.
    pub(super) fn add_exit(
        &mut self,
        word: usize,
        description: Description,
        has_operands: bool,
    ) -> Lowered<u64> {
        if description.values.len() > MAX_VALUES {
            return Err(TooLarge);
        }
        Ok(self.exits.add((self.part, word), description, has_operands))
    }

    /// Stores these registers for the code that runs next.
    fn store_registers(&mut self, spills: &Spills, which: Range<usize>) {
        for index in which {
            let register = spills.registers()[index];
            self.store(register, self.machine, offset_of!(Machine, spilled) + index * size_of::<u64>());
        }
    }

    /// Stores registers for the code that runs next.
    pub(super) fn store_all(&mut self, spills: &Spills) -> Lowered {
        let count = spills.registers().len();
        if count > MAX_SPILLED {
            return Err(TooLarge);
        }
        self.store_registers(spills, 0..count);
        Ok(())
    }

    /// The state as an exit describes it.
    pub(super) fn description(&self, releases: &[Value], spills: &mut Spills) -> Description {
        let state = &self.state;
        let mut known = Known::default();
        let mut description = Description::default();
        // What is missing somewhere is known.
        for frame in &state.frames {
            known.function(state, frame);
            known.missing(state, indexed_locals(frame));
            known.missing(state, indexed_stack(frame));
        }
        for frame in &state.frames {
            let place = exit_place(state, frame, spills, &known);
            let locals = exit_slots(state, &indexed_locals(frame), &known, &mut description.slots);
            let stack = exit_slots(state, &indexed_stack(frame), &known, &mut description.slots);
            description.frames.push(ExitFrame {
                place,
                code: frame.code,
                instr: frame.instr,
                return_offset: frame.return_offset,
                locals,
                stack,
                depth: frame.stack.len() as u16,
                globals: frame.globals,
                generator: frame.generator.map(|generator| spills.add(generator)),
            });
        }
        for &id in &known.0 {
            let value = self.exit_value(id, &known, spills, &mut description.references);
            description.values.push(value);
        }
        let lost = state.lost_references();
        description.releases.extend(releases.iter().chain(&lost).map(|&bits| spills.add(bits)));
        description
    }

    /// One of the `values` of an exit.
    fn exit_value(
        &self,
        id: Id,
        values: &Known,
        spills: &mut Spills,
        references: &mut Vec<ExitReference>,
    ) -> ExitValue {
        let before = references.len();
        for Reference { bits, is_heap_safe } in self.state.free_references(id) {
            references.push(ExitReference { bits: spills.add(bits), is_heap_safe });
        }
        let known = &self.state.values[id];
        let source = match (known.constant, known.word, known.number, &known.items) {
            (Some(bits), ..) => Source::Constant(bits),
            (_, Some(word), ..) => Source::Object(spills.add(word)),
            (_, _, Some(Number::Float(value)), _) => Source::Float(spills.add(value)),
            (_, _, Some(Number::Int { value, width }), _) => Source::Int(spills.add(value), width),
            (_, _, Some(Number::Bool(value)), _) => Source::Bool(spills.add(value)),
            (_, _, _, Some(items)) => Source::Tuple(
                items
                    .iter()
                    .map(|&item| values.index(item).unwrap_or_else(|| self.state.instead(0)))
                    .collect(),
            ),
            _ => self.state.instead(Source::Constant(NULL)),
        };
        ExitValue {
            source,
            address: known.address.and_then(NonZeroU64::new),
            version: known.version.and_then(NonZeroU32::new),
            references: (references.len() - before) as u16,
            class: known.class,
            has_inline_values: known.has_inline_values,
        }
    }
}

/// The values of an exit, each once.
#[derive(Default)]
struct Known(Vec<Id>);

impl Known {
    fn index(&self, id: Id) -> Option<u16> {
        self.0.iter().position(|&other| other == id).map(|index| index as u16)
    }

    /// Adds a value, behind its items if it is a virtual tuple, unless it is there.
    fn add(&mut self, state: &State, id: Id) {
        if self.0.contains(&id) {
            return;
        }
        for item in state.items(id) {
            self.add(state, item);
        }
        self.0.push(id);
    }

    /// The function of a virtual frame.
    fn function(&mut self, state: &State, frame: &FrameState) {
        if let (Place::Virtual { function }, Some(_)) = (frame.place, frame.code) {
            self.add(state, function);
        }
    }

    /// The values of the slots that memory lacks.
    fn missing(&mut self, state: &State, slots: impl Iterator<Item = (usize, Slot)>) {
        for (_, slot) in slots.filter(|(_, slot)| slot.memory.is_none()) {
            self.add(state, slot.id);
        }
    }
}

/// The known variables of a frame with their indices.
fn indexed_locals(frame: &FrameState) -> impl Iterator<Item = (usize, Slot)> + Clone {
    frame.locals.iter().enumerate().filter_map(|(at, slot)| Some((at, (*slot)?)))
}

/// The known part of a stack with its indices.
fn indexed_stack(frame: &FrameState) -> impl Iterator<Item = (usize, Slot)> + Clone {
    frame.stack.iter().copied().enumerate()
}

fn exit_place(state: &State, frame: &FrameState, spills: &mut Spills, known: &Known) -> ExitPlace {
    match (frame.place, frame.code) {
        (Place::Virtual { function }, Some(code)) => {
            let function = known.index(function).unwrap_or_else(|| state.instead(0));
            ExitPlace::Virtual { function, code }
        }
        _ => ExitPlace::Memory {
            frame: spills.add(state.register(frame.address())),
            stack: spills.add(state.register(frame.sp)),
            offset: frame.offset,
        },
    }
}

/// Describes those of the slots whose values are known: first those that memory lacks. The values of all of these are.
fn exit_slots(
    state: &State,
    slots: &(impl Iterator<Item = (usize, Slot)> + Clone),
    known: &Known,
    described: &mut Vec<ExitSlot>,
) -> SlotCounts {
    let mut describe = |is_missing: bool| {
        let before = described.len();
        for (index, slot) in slots.clone().filter(|(_, slot)| slot.memory.is_none() == is_missing) {
            if let Some(value) = known.index(slot.id) {
                described.push(exit_slot(state, index, slot, value));
            }
        }
        (described.len() - before) as u16
    };
    SlotCounts { missing: describe(true), present: describe(false) }
}

fn exit_slot(state: &State, index: usize, slot: Slot, value: u16) -> ExitSlot {
    let is_in_variable = slot.is_borrowed && state.is_in_variable(slot.id);
    let index = u16::try_from(index).unwrap_or_else(|_| state.instead(0));
    ExitSlot { index, value, is_borrowed: slot.is_borrowed, is_in_variable }
}
