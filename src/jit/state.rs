//! The frames of a trace while it is lowered: which values their variables and stacks hold, and what memory has of that.

use core::cell::Cell;
use std::rc::Rc;

use cranelift_codegen::ir::Value;

use super::values::{Class, Id, Known, NULL, Number, Reference, Values};
use crate::host::{Code, CodeUnit, ffi};
use crate::ops::calls::init_cleanup;
use crate::ops::{consumers, trampolines};

/// The most slots that are stored in line where the code leaves.
const MAX_STORES: usize = 6;

/// Whether it is the code of a trampoline, which has no function.
pub(super) fn is_trampoline(code: Code) -> bool {
    code == init_cleanup() || !is_counted(code)
}

/// Whether the recursion limit counts the frames of this code.
pub(super) fn is_counted(code: Code) -> bool {
    code != trampolines::code() && code != consumers::code()
}

/// A variable or a place on the stack.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Slot {
    pub(super) id: Id,
    /// The word that memory has, unless it is out of date. It belongs to the slot.
    pub(super) memory: Option<Value>,
    /// The program has borrowed the value from a variable, of this frame, or, as an argument, of one below. So memory may have it
    /// without a count.
    pub(super) is_borrowed: bool,
}

impl Slot {
    /// A slot that memory does not have yet.
    pub(super) fn new(id: Id) -> Slot {
        Slot { id, memory: None, is_borrowed: false }
    }
}

/// Where a frame is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Place {
    Memory(Value),
    /// Nowhere yet. The slot of the function is a value.
    Virtual {
        function: Id,
    },
}

/// A frame.
#[derive(Clone, Debug)]
pub(super) struct FrameState {
    pub(super) place: Place,
    /// The code, if it is known. It is, of a virtual frame.
    pub(super) code: Option<Code>,
    /// The variables that are known. All of them in a virtual frame. The others are in memory.
    pub(super) locals: Vec<Option<Slot>>,
    /// The topmost values of the stack. All of them in a virtual frame.
    pub(super) stack: Vec<Slot>,
    /// The stack in memory, up to its known part, ends `offset` slots above this address. Not for virtual frames.
    pub(super) sp: Option<Value>,
    pub(super) offset: i32,
    /// The instruction that the frame is at, unless memory has it.
    pub(super) instr: Option<u64>,
    pub(super) return_offset: Option<u16>,
    /// The globals and the builtins, if the trace has checked them.
    pub(super) globals: Option<(u64, u64)>,
    /// The generator that the frame is part of, if the trace has resumed it.
    pub(super) generator: Option<Value>,
}

impl FrameState {
    /// A frame of which nothing is known, in the place of one that is not there: see [`State::fault`].
    fn nothing() -> FrameState {
        FrameState {
            place: Place::Virtual { function: Id::FIRST },
            code: None,
            locals: Vec::new(),
            stack: Vec::new(),
            sp: None,
            offset: 0,
            instr: None,
            return_offset: None,
            globals: None,
            generator: None,
        }
    }

    /// A frame in memory, of which nothing else is known.
    pub(super) fn in_memory(frame: Value, sp: Value) -> FrameState {
        FrameState { place: Place::Memory(frame), sp: Some(sp), ..FrameState::nothing() }
    }

    /// A frame of this code that does not exist, at this instruction, with nothing in it.
    pub(super) fn not_made(function: Id, code: Code, instr: CodeUnit) -> FrameState {
        FrameState {
            place: Place::Virtual { function },
            code: Some(code),
            instr: Some(instr.as_ptr().addr() as u64),
            return_offset: Some(0),
            ..FrameState::nothing()
        }
    }

    /// The address of the instruction at which the frame continues after a call, so many code units behind the one that it is
    /// at; `None` for those of a return. The result is `None` if memory knows it.
    pub(super) fn continues_at(&self, units: Option<u64>) -> Option<u64> {
        let units = units.or(self.return_offset.map(u64::from))?;
        Some(self.instr? + units * size_of::<ffi::_Py_CODEUNIT>() as u64)
    }

    /// Its address, if it is in memory.
    pub(super) fn address(&self) -> Option<Value> {
        match self.place {
            Place::Memory(frame) => Some(frame),
            Place::Virtual { .. } => None,
        }
    }

    /// All known slots.
    pub(super) fn slots(&self) -> impl Iterator<Item = &Slot> {
        self.locals.iter().flatten().chain(&self.stack)
    }
}

/// A frame that a call has prepared, and not entered yet.
pub(super) struct NewFrame {
    pub(super) function: Id,
    pub(super) code: Code,
    /// The first variables, which memory does not have.
    pub(super) arguments: Vec<Slot>,
}

/// A generator that a call has resumed, whose frame is not entered yet.
pub(super) struct Resumed {
    /// The address of the generator.
    pub(super) generator: Value,
    /// Its code, if the trace has checked that.
    pub(super) code: Option<Code>,
    /// What it is sent.
    pub(super) sent: Id,
}

/// All frames that the trace knows, the innermost last, and the values in them.
#[derive(Clone)]
pub(super) struct State {
    pub(super) frames: Vec<FrameState>,
    pub(super) values: Values,
    /// Values that have lost a holder in this micro-op.
    pub(super) pending: Vec<Id>,
    /// Changes whenever an exit would look differently.
    pub(super) version: u32,
    /// See [`State::fault`]. All copies share it.
    has_fault: Rc<Cell<bool>>,
    /// In the place of a frame that is not there.
    nothing: Box<FrameState>,
}

impl State {
    pub(super) fn new(first: FrameState) -> State {
        let mut values = Values::default();
        // In the place of a value that is not there.
        values.add(Known::constant(NULL, Class::Unknown));
        State {
            frames: vec![first],
            values,
            pending: Vec::new(),
            version: 0,
            has_fault: Rc::default(),
            nothing: Box::new(FrameState::nothing()),
        }
    }

    /// The compiler has a fault: something is not there that it relies on. The lowering goes on with something else in the place of
    /// it, and comes to nothing: the trace gets no machine code. A panic would end the program.
    pub(super) fn fault(&self) {
        debug_assert!(false, "a fault of the compiler");
        self.has_fault.set(true);
    }

    /// The same: goes on with this.
    pub(super) fn instead<T>(&self, other: T) -> T {
        self.fault();
        other
    }

    /// A register, which is there unless there is a fault: the first one is the code's.
    pub(super) fn register(&self, register: Option<Value>) -> Value {
        register.unwrap_or_else(|| self.instead(Value::from_u32(0)))
    }

    /// Whether there was a fault.
    pub(super) fn has_fault(&self) -> bool {
        self.has_fault.get() || self.values.are_too_many()
    }

    /// The innermost frame.
    pub(super) fn top(&mut self) -> &mut FrameState {
        self.version += 1;
        if self.frames.is_empty() {
            self.fault();
        }
        self.frames.last_mut().unwrap_or(&mut self.nothing)
    }

    /// The innermost frame, to look at.
    pub(super) fn frame(&self) -> &FrameState {
        self.frames.last().unwrap_or_else(|| self.instead(&self.nothing))
    }

    /// Takes the innermost frame away.
    pub(super) fn pop_frame(&mut self) -> FrameState {
        self.version += 1;
        self.frames.pop().unwrap_or_else(|| self.instead(FrameState::nothing()))
    }

    /// All known slots of all frames.
    pub(super) fn slots(&self) -> impl Iterator<Item = &Slot> {
        self.frames.iter().flat_map(FrameState::slots)
    }

    pub(super) fn add(&mut self, known: Known) -> Id {
        self.values.add(known)
    }

    // --- holders -------------------------------------------------------------------------------

    /// Counts the holders of all values anew.
    pub(super) fn count_holders(&mut self) {
        let slots: Vec<Id> = self.slots().map(|slot| slot.id).collect();
        let functions = self.frames.iter().filter_map(|frame| match frame.place {
            Place::Virtual { function } => Some(function),
            Place::Memory(_) => None,
        });
        let holding: Vec<Id> = slots.into_iter().chain(functions).collect();
        for known in self.values.all() {
            known.holders = 0;
        }
        for id in holding {
            self.hold(id);
        }
    }

    /// One more slot or tuple holds the value. A virtual tuple holds its items as long as something holds it.
    pub(super) fn hold(&mut self, id: Id) {
        self.values[id].holders += 1;
        if self.values[id].holders == 1 {
            for item in self.items(id) {
                self.hold(item);
            }
        }
    }

    /// The items of a virtual tuple; nothing for other values.
    pub(super) fn items(&self, id: Id) -> Vec<Id> {
        self.values[id].items.as_deref().unwrap_or_default().to_vec()
    }

    /// Puts a value on the stack.
    pub(super) fn push(&mut self, id: Id) {
        self.push_slot(Slot::new(id));
    }

    /// Puts a slot on the stack, which holds its value from now on.
    pub(super) fn push_slot(&mut self, slot: Slot) {
        self.hold(slot.id);
        self.top().stack.push(slot);
    }

    pub(super) fn push_new(&mut self, known: Known) -> Id {
        let id = self.add(known);
        self.push(id);
        id
    }

    /// The slot `depth` places below the top of the stack (1 is the topmost), which must be known.
    pub(super) fn slot_at(&self, depth: usize) -> Slot {
        let stack = &self.frame().stack;
        let slot = stack.len().checked_sub(depth).and_then(|index| stack.get(index));
        slot.copied().unwrap_or_else(|| self.instead(Slot::new(Id::FIRST)))
    }

    /// Takes the topmost value off the stack, which must be known. The caller has to put it somewhere, or to let go of it.
    pub(super) fn take(&mut self) -> Slot {
        self.top().stack.pop().unwrap_or_else(|| self.instead(Slot::new(Id::FIRST)))
    }

    /// A slot or tuple does not hold the value any more. Its references are released at the end of the micro-op if nothing else
    /// does. A virtual tuple that nothing holds lets go of its items, from the last one on, as the end of a tuple does.
    pub(super) fn let_go(&mut self, id: Id) {
        self.version += 1;
        self.values[id].holders -= 1;
        self.pending.push(id);
        if self.values[id].holders == 0 {
            for item in self.items(id).into_iter().rev() {
                self.let_go(item);
            }
        }
    }

    /// A virtual tuple gets an object, which takes the items over: they have lost it as their holder.
    pub(super) fn take_items(&mut self, id: Id) -> Option<Rc<[Id]>> {
        let items = self.values[id].items.take()?;
        // Otherwise it has let go of them before.
        if self.values[id].holders > 0 {
            for &item in items.iter() {
                self.let_go(item);
            }
        }
        Some(items)
    }

    /// The values of all slots that memory lacks, with those of the items of virtual tuples.
    pub(super) fn missing_values(&self) -> Vec<Id> {
        let mut missing: Vec<Id> =
            self.slots().filter(|slot| slot.memory.is_none()).map(|slot| slot.id).collect();
        let mut at = 0;
        while let Some(&id) = missing.get(at) {
            missing.extend(self.items(id));
            at += 1;
        }
        missing
    }

    /// Sets a variable, whose old value is known, or is none of the code's business any more.
    pub(super) fn set_local(&mut self, index: usize, slot: Slot) {
        let locals = &mut self.top().locals;
        if locals.len() <= index {
            locals.resize(index + 1, None);
        }
        locals[index] = Some(slot);
    }

    pub(super) fn local(&self, index: usize) -> Option<Slot> {
        self.frame().locals.get(index).copied().flatten()
    }

    // --- references ----------------------------------------------------------------------------

    /// The references to a value that no slot in memory holds.
    pub(super) fn free_references(&self, id: Id) -> Vec<Reference> {
        let is_in_memory = |bits: Value| self.slots().any(|slot| slot.id == id && slot.memory == Some(bits));
        self.values[id].references.iter().copied().filter(|reference| !is_in_memory(reference.bits)).collect()
    }

    /// Whether each frame that has borrowed the value can rely on a variable that holds it: its stack on one of its own, an
    /// argument on one of a frame below.
    pub(super) fn is_in_variable(&self, id: Id) -> bool {
        let borrows = |slot: &Slot| slot.is_borrowed && slot.id == id;
        let mut is_below = false;
        self.frames.iter().all(|frame| {
            let is_here = frame.locals.iter().flatten().any(|slot| slot.id == id);
            let is_reliable = (is_here || !frame.stack.iter().any(borrows))
                && (is_below || !frame.locals.iter().flatten().any(borrows));
            is_below |= is_here;
            is_reliable
        })
    }

    /// Takes a reference away from a value that has more of them than holders. One that is not in memory.
    pub(super) fn surplus(&mut self, id: Id) -> Option<Reference> {
        if self.values[id].references.len() <= self.values[id].holders {
            return None;
        }
        let reference = self.free_references(id).pop()?;
        self.version += 1;
        self.values[id].references.retain(|other| other.bits != reference.bits);
        Some(reference)
    }

    /// The references to values that nothing holds since this micro-op has begun.
    pub(super) fn lost_references(&self) -> Vec<Value> {
        let mut lost: Vec<Value> = Vec::new();
        for &id in self.pending.iter().filter(|&&id| self.values[id].holders == 0) {
            for reference in &self.values[id].references {
                if !lost.contains(&reference.bits) {
                    lost.push(reference.bits);
                }
            }
        }
        lost
    }

    /// Slots of memory have taken over a reference: the code does not own it any more.
    pub(super) fn forget_reference(&mut self, id: Id, bits: Option<Value>) {
        self.version += 1;
        self.values[id].references.retain(|reference| Some(reference.bits) != bits);
    }

    /// Nothing is known any more of the variables of frames, which are all in memory. Their values stay where they are.
    pub(super) fn forget_locals(&mut self) {
        self.forget_locals_unless(|_, _, _| false);
    }

    /// The same of those for which this does not hold, by the index of the frame, its code, and the value.
    pub(super) fn forget_locals_unless(&mut self, is_kept: impl Fn(usize, Option<Code>, &Known) -> bool) {
        self.version += 1;
        for (index, frame) in self.frames.iter_mut().enumerate() {
            for local in &mut frame.locals {
                let is_known = |slot: &mut Slot| is_kept(index, frame.code, &self.values[slot.id]);
                if let Some(slot) = local.take_if(|slot| !is_known(slot)) {
                    let known = &mut self.values[slot.id];
                    known.holders -= 1;
                    known.references.retain(|reference| Some(reference.bits) != slot.memory);
                }
            }
            let last = frame.locals.iter().rposition(Option::is_some);
            frame.locals.truncate(last.map_or(0, |last| last + 1));
        }
    }

    /// Other code may have run: what an object looks like may have changed.
    pub(super) fn forget_facts(&mut self) {
        for known in self.values.all() {
            known.version = None;
            known.has_inline_values = false;
        }
    }

    /// Whether few stores bring memory up to date: no frame and no object has to be made, and nothing to be released.
    pub(super) fn is_almost_in_memory(&self) -> bool {
        let stale = || self.slots().filter(|slot| slot.memory.is_none());
        let has_surplus = |id: Id| self.values[id].references.len() > self.values[id].holders;
        self.frames.iter().all(|frame| matches!(frame.place, Place::Memory(_)))
            && self.pending.is_empty()
            && self.slots().all(|slot| !has_surplus(slot.id))
            && stale().count() <= MAX_STORES
            && stale().all(|slot| self.values[slot.id].has_object())
    }

    pub(super) fn number(&self, id: Id) -> Option<Number> {
        self.values[id].number
    }
}
