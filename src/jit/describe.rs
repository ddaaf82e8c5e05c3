//! The state of the lowering as an exit.

use core::mem::offset_of;
use core::ops::Range;

use cranelift_codegen::ir::types::I64;
use cranelift_codegen::ir::{Block, BlockArg, InstBuilder, Value};

use super::exits::{
    Exit, ExitFrame, ExitPlace, ExitReference, ExitSlot, ExitSlots, ExitValue, Facts, MAX_VALUES, Source,
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
        let exit = self.exit(word, releases, has_operands, &mut spills);
        self.add_exit(exit, spills)
    }

    /// Stores the registers that an exit names, and adds it. Returns its address.
    pub(super) fn add_exit(&mut self, exit: Exit, spills: Spills) -> Lowered<u64> {
        self.store_all(&spills)?;
        self.keep(exit)
    }

    /// A block that leaves by the state as it is now. It gets its code in the end.
    pub(super) fn leaving_block(&mut self, word: usize, has_operands: bool) -> Lowered<Block> {
        let mut spills = Spills::default();
        self.exit(word, &[], has_operands, &mut spills);
        // Now that all registers are known, they are numbered in the order of all exits.
        spills.sort();
        let exit = self.exit(word, &[], has_operands, &mut spills);
        if spills.registers().len() > MAX_SPILLED {
            return Err(TooLarge);
        }
        let exit = self.keep(exit)?;
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
    fn keep(&mut self, exit: Exit) -> Lowered<u64> {
        if exit.values.len() > MAX_VALUES {
            return Err(TooLarge);
        }
        Ok(self.exits.add(exit))
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

    /// The state as an exit.
    pub(super) fn exit(
        &self,
        word: usize,
        releases: &[Value],
        has_operands: bool,
        spills: &mut Spills,
    ) -> Exit {
        let mut known = Vec::new();
        let mut frames: Vec<ExitFrame> = self
            .state
            .frames
            .iter()
            .map(|frame| exit_frame(&self.state, frame, spills, &mut known))
            .collect();
        for (described, frame) in frames.iter_mut().zip(&self.state.frames) {
            described.locals.present = present(&self.state, indexed_locals(frame), &known);
            described.stack.present = present(&self.state, indexed_stack(frame), &known);
        }
        let values = known.iter().map(|&id| self.exit_value(id, &known, spills)).collect();
        let lost = self.state.lost_references();
        let releases = releases.iter().chain(&lost).map(|&bits| spills.add(bits)).collect();
        Exit::new((self.part, word), values, frames, releases, has_operands)
    }

    /// A value, one of the `values` of an exit.
    fn exit_value(&self, id: Id, values: &[Id], spills: &mut Spills) -> ExitValue {
        let reference = |reference: Reference, spills: &mut Spills| ExitReference {
            bits: spills.add(reference.bits),
            is_heap_safe: reference.is_heap_safe,
        };
        let references =
            self.state.free_references(id).into_iter().map(|free| reference(free, spills)).collect();
        let known = &self.state.values[id];
        let source = match (known.constant, known.word, known.number, &known.items) {
            (Some(bits), ..) => Source::Constant(bits),
            (_, Some(word), ..) => Source::Object(spills.add(word)),
            (_, _, Some(Number::Float(value)), _) => Source::Float(spills.add(value)),
            (_, _, Some(Number::Int { value, width }), _) => Source::Int(spills.add(value), width),
            (_, _, Some(Number::Bool(value)), _) => Source::Bool(spills.add(value)),
            (_, _, _, Some(items)) => Source::Tuple(self.indices_of(items, values)),
            _ => self.state.instead(Source::Constant(NULL)),
        };
        let facts = Facts {
            class: known.class,
            version: known.version,
            has_inline_values: known.has_inline_values,
            address: known.address,
        };
        ExitValue { source, references, facts }
    }

    /// Where these are among the values of an exit.
    fn indices_of(&self, items: &[Id], values: &[Id]) -> Box<[u16]> {
        let index = |item| values.iter().position(|&id| id == item).unwrap_or_else(|| self.state.instead(0));
        items.iter().map(|&item| index(item) as u16).collect()
    }
}

/// Adds a value, behind its items if it is a virtual tuple, unless it is there. Returns its index.
fn add_value(state: &State, id: Id, known: &mut Vec<Id>) -> u16 {
    let found = known.iter().position(|&other| other == id);
    let index = found.unwrap_or_else(|| {
        for item in state.items(id) {
            add_value(state, item, known);
        }
        known.push(id);
        known.len() - 1
    });
    index as u16
}

/// The known variables of a frame with their indices.
fn indexed_locals(frame: &FrameState) -> impl Iterator<Item = (usize, Slot)> {
    frame.locals.iter().enumerate().filter_map(|(at, slot)| Some((at, (*slot)?)))
}

/// The known part of a stack with its indices.
fn indexed_stack(frame: &FrameState) -> impl Iterator<Item = (usize, Slot)> {
    frame.stack.iter().copied().enumerate()
}

/// The frame, with the slots that memory lacks. Their values, and the function of a virtual frame, become `known`.
fn exit_frame(state: &State, frame: &FrameState, spills: &mut Spills, known: &mut Vec<Id>) -> ExitFrame {
    let mut value = |id: Id| add_value(state, id, known);
    let place = match (frame.place, frame.code) {
        (Place::Virtual { function }, Some(code)) => ExitPlace::Virtual { function: value(function), code },
        _ => ExitPlace::Memory {
            frame: spills.add(state.register(frame.address())),
            stack: spills.add(state.register(frame.sp)),
            offset: frame.offset,
        },
    };
    let mut missing = |slots: &mut dyn Iterator<Item = (usize, Slot)>| ExitSlots {
        missing: slots
            .filter(|(_, slot)| slot.memory.is_none())
            .map(|(index, slot)| exit_slot(state, index, slot, value(slot.id)))
            .collect(),
        present: Vec::new(),
    };
    ExitFrame {
        place,
        code: frame.code,
        instr: frame.instr,
        return_offset: frame.return_offset,
        locals: missing(&mut indexed_locals(frame)),
        stack: missing(&mut indexed_stack(frame)),
        depth: frame.stack.len() as u16,
        globals: frame.globals,
        generator: frame.generator.map(|generator| spills.add(generator)),
    }
}

/// The slots that memory has, if their values are among the known ones.
fn present(state: &State, slots: impl Iterator<Item = (usize, Slot)>, known: &[Id]) -> Vec<ExitSlot> {
    slots
        .filter(|(_, slot)| slot.memory.is_some())
        .filter_map(|(index, slot)| {
            let value = known.iter().position(|&id| id == slot.id)?;
            Some(exit_slot(state, index, slot, value as u16))
        })
        .collect()
}

fn exit_slot(state: &State, index: usize, slot: Slot, value: u16) -> ExitSlot {
    let is_in_variable = slot.is_borrowed && state.is_in_variable(slot.id);
    let index = u16::try_from(index).unwrap_or_else(|_| state.instead(0));
    ExitSlot { index, value, is_borrowed: slot.is_borrowed, is_in_variable }
}
