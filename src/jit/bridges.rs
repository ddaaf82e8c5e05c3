//! Bridges: machine code that continues from an exit of other machine code, with its registers.
//!
//! The code before the bridge has stored the registers that its exit names, and done nothing else. What it knew of the values
//! is known in the bridge, and frames that did not exist there do not exist here yet.

use core::mem::offset_of;
use core::num::{NonZeroU32, NonZeroU64};

use cranelift_codegen::ir::types::{F64, I8, I64};
use cranelift_codegen::ir::{InstBuilder, Type, Value};

use super::exits::{
    Exit, ExitFrame, ExitPlace, ExitReference, ExitSlot, ExitSlots, ExitValue, Source, Spill,
};
use super::lower::{Lowered, Lowering, SLOT, plain};
use super::state::{FrameState, Place, Slot};
use super::values::{Class, Id, Known, Number, Reference};
use crate::tier2::compiled::Machine;

impl Lowering<'_> {
    /// Begins where an exit of other code leads to.
    pub(super) fn enter_from(&mut self, exit: &Exit) -> Lowered {
        let mut ids = Vec::new();
        for (value, references) in exit.values() {
            let id = self.take_over(value, references, &ids);
            ids.push(id);
        }
        self.state.frames.clear();
        for (described, slots) in exit.frames() {
            let frame = self.frame_of(described, slots, &ids);
            self.state.frames.push(frame);
        }
        for &bits in exit.releases() {
            let bits = self.register(I64, bits);
            let id = self.state.add(Known::owned(bits, false, Class::Unknown));
            self.state.pending.push(id);
        }
        self.state.pending.extend(ids);
        self.begin_part()
    }

    /// Begins where a guard has failed, with these frames and values: nothing but them holds values, and what is left over is
    /// released.
    pub(super) fn begin_part(&mut self) -> Lowered {
        self.inherited = self.state.frames.len();
        self.state.count_holders();
        self.settle()
    }

    /// A register that the code before has stored.
    pub(super) fn register(&mut self, type_: Type, index: Spill) -> Value {
        let at = offset_of!(Machine, spilled) + usize::from(index) * size_of::<u64>();
        self.load(type_, self.machine, at)
    }

    /// A value of the code before, behind these.
    fn take_over(&mut self, value: &ExitValue, references: &[ExitReference], before: &[Id]) -> Id {
        let known = match value.source {
            Source::Constant(bits) => Known::constant(bits, value.class),
            Source::Object(word) => {
                let word = self.register(I64, word);
                Known { word: Some(word), pointer: None, ..Known::borrowed(word, value.class) }
            }
            Source::Float(register) => Known::number(Number::Float(self.register(F64, register))),
            Source::Int(register, width) => {
                Known::number(Number::Int { value: self.register(I64, register), width })
            }
            Source::Bool(register) => Known::number(Number::Bool(self.register(I8, register))),
            Source::Tuple(ref items) => {
                Known::tuple(items.iter().map(|&item| before[usize::from(item)]).collect())
            }
        };
        let references = references
            .iter()
            .map(|reference| Reference {
                bits: self.register(I64, reference.bits),
                is_heap_safe: reference.is_heap_safe,
            })
            .collect();
        self.state.add(Known {
            references,
            version: value.version.map(NonZeroU32::get),
            has_inline_values: value.has_inline_values,
            address: value.address.map(NonZeroU64::get).or(known.address),
            ..known
        })
    }

    /// A frame of the code before, with these values.
    fn frame_of(
        &mut self,
        described: &ExitFrame,
        [known_locals, known_stack]: [ExitSlots; 2],
        ids: &[Id],
    ) -> FrameState {
        let (place, sp, offset) = match described.place {
            ExitPlace::Memory { frame, stack, offset } => {
                let (frame, stack) = (self.register(I64, frame), self.register(I64, stack));
                (Place::Memory(frame), Some(stack), offset)
            }
            ExitPlace::Virtual { function, .. } => {
                (Place::Virtual { function: ids[usize::from(function)] }, None, 0)
            }
        };
        let missing = |slot: &ExitSlot| Slot {
            id: ids[usize::from(slot.value)],
            memory: None,
            is_borrowed: slot.is_borrowed,
        };
        let mut locals: Vec<Option<Slot>> = Vec::new();
        let mut set_local = |slot: &ExitSlot, known: Slot| {
            let index = usize::from(slot.index);
            locals.resize(locals.len().max(index + 1), None);
            locals[index] = Some(known);
        };
        for slot in known_locals.missing {
            set_local(slot, missing(slot));
        }
        if let Place::Memory(frame) = place {
            for slot in known_locals.present {
                let bits = self.load(I64, frame, Self::local_offset(slot.index.into()));
                set_local(slot, self.present(slot, ids, bits));
            }
        }
        let mut stack: Vec<Option<Slot>> = vec![None; described.depth.into()];
        for slot in known_stack.missing {
            stack[usize::from(slot.index)] = Some(missing(slot));
        }
        let stack = stack.into_iter().enumerate().map(|(index, slot)| {
            slot.unwrap_or_else(|| {
                // A virtual frame knows its stack.
                let sp = self.state.register(sp);
                let bits = self.b.ins().load(I64, plain(), sp, (offset + index as i32) * SLOT);
                match known_stack.present.iter().find(|slot| usize::from(slot.index) == index) {
                    Some(slot) => self.present(slot, ids, bits),
                    None => {
                        let id = self.state.add(Known::owned(bits, false, Class::Unknown));
                        Slot { id, memory: Some(bits), is_borrowed: false }
                    }
                }
            })
        });
        let stack = stack.collect();
        FrameState {
            place,
            code: described.code,
            locals,
            stack,
            sp,
            offset,
            instr: described.instr,
            return_offset: described.return_offset,
            globals: described.globals,
            generator: described.generator.map(|generator| self.register(I64, generator)),
        }
    }

    /// A slot that memory has, with a value that is also elsewhere.
    fn present(&mut self, slot: &ExitSlot, ids: &[Id], bits: Value) -> Slot {
        let id = ids[usize::from(slot.value)];
        self.state.values[id].references.push(Reference { bits, is_heap_safe: false });
        Slot { id, memory: Some(bits), is_borrowed: slot.is_borrowed }
    }
}
