//! Leaving machine code: from registers back to frames in memory, or on to other machine code.
//!
//! Where machine code may leave, the lowering notes as data how the program looks there ([`Exit`]). The code stores the
//! registers that matter. If machine code continues from this exit, the code jumps to it ([`super::bridges`]). Otherwise it
//! calls [`leave`], which makes numbers objects, counts references that were not counted so far, makes the frames that do not
//! exist yet, and stores what their slots in memory lack.

use core::cell::{Cell, OnceCell};
use core::mem::offset_of;
use core::num::{NonZeroU32, NonZeroU64};
use core::ptr::NonNull;
use std::rc::Rc;

use cranelift_codegen::ir::Value;

use super::lists::{Part, Pool};
use super::state::{is_counted, is_trampoline};
use super::values::Class;
use super::{forced, quiet, runtime};
use crate::bytecode::{micro_op, thresholds};
use crate::explain;
use crate::host::object::tuple_items;
use crate::host::{Code, CodeUnit, Frame, PyObject, StackRef, ThreadState, ffi, refcount};
use crate::ops::trampolines;
use crate::tier2::Uop;
use crate::tier2::compiled::{self, Link, MAX_SPILLED, Machine, Next, Pending, Product, Progress, Wanted};
use crate::tier2::executor::{Executor, SideExit};
use crate::tier2::explained;
use crate::tier2::heat::Heat;
use crate::tier2::invalidate;

/// The index of a register in [`Machine::spilled`].
pub(super) type Spill = u16;

/// The registers that an exit stores, each once.
#[derive(PartialEq, Eq, PartialOrd, Ord, Default, Debug)]
pub(super) struct Spills(Vec<Value>);

impl Spills {
    /// Registers that are stored first, in this order.
    pub(super) fn starting_with(registers: Vec<Value>) -> Spills {
        Spills(registers)
    }

    pub(super) fn add(&mut self, value: Value) -> Spill {
        let index = self.0.iter().position(|&other| other == value).unwrap_or_else(|| {
            self.0.push(value);
            self.0.len() - 1
        });
        index as Spill
    }

    pub(super) fn registers(&self) -> &[Value] {
        &self.0
    }

    /// Brings the registers into the order in which the code has got them. Returns the new number of each.
    pub(super) fn sort(&mut self) -> Vec<Spill> {
        let before = self.0.clone();
        self.0.sort();
        // Each register is there once.
        before.iter().map(|value| self.0.partition_point(|other| other < value) as Spill).collect()
    }

    /// How many registers both store first.
    pub(super) fn shared_with(&self, other: &Spills) -> usize {
        self.0.iter().zip(&other.0).take_while(|(one, other)| one == other).count()
    }
}

/// The most values of one exit.
pub(super) const MAX_VALUES: usize = MAX_SPILLED;

/// What a value is.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Source {
    /// This stack reference, which owns nothing.
    Constant(u64),
    /// The object at the address in this register; the tag does not matter.
    Object(Spill),
    Float(Spill),
    Int(Spill, u8),
    Bool(Spill),
    /// A virtual tuple of the values at these indices, which are lower than its own.
    Tuple(Box<[u16]>),
}

/// A reference that the code owns.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct ExitReference {
    pub(super) bits: Spill,
    pub(super) is_heap_safe: bool,
}

/// A value, and what is known about it: see [`super::values::Known`]. There are many of them, so they are small.
#[derive(PartialEq, Eq, Debug)]
pub(super) struct ExitValue {
    pub(super) source: Source,
    pub(super) address: Option<NonZeroU64>,
    pub(super) version: Option<NonZeroU32>,
    /// How many references to it no slot in memory holds: see [`Exit::values`].
    pub(super) references: u16,
    pub(super) class: Class,
    pub(super) has_inline_values: bool,
}

/// A slot: its index, and the index of the value.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct ExitSlot {
    pub(super) index: u16,
    pub(super) value: u16,
    pub(super) is_borrowed: bool,
    /// A variable holds the value, so that the slot gets no reference of its own.
    pub(super) is_in_variable: bool,
}

/// Slots of a frame: its variables, or a part of its stack.
#[derive(Clone, Copy, Default, Debug)]
pub(super) struct ExitSlots<'a> {
    /// Those that memory lacks.
    pub(super) missing: &'a [ExitSlot],
    /// Those that memory has, if their values are also elsewhere.
    pub(super) present: &'a [ExitSlot],
}

/// How many slots there are of each kind: see [`Exit::frames`].
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub(super) struct SlotCounts {
    pub(super) missing: u16,
    pub(super) present: u16,
}

impl SlotCounts {
    /// Takes so many slots from the beginning of `slots`.
    fn take<'a>(self, slots: &mut &'a [ExitSlot]) -> ExitSlots<'a> {
        let mut first = |count: u16| {
            let (first, rest) = slots.split_at(count.into());
            *slots = rest;
            first
        };
        ExitSlots { missing: first(self.missing), present: first(self.present) }
    }
}

#[derive(PartialEq, Eq, Debug)]
pub(super) enum ExitPlace {
    /// The frame exists. Its stack, as far as it is known, begins this many slots above an address.
    Memory { frame: Spill, stack: Spill, offset: i32 },
    /// The frame has to be made. The function is a value.
    Virtual { function: u16, code: Code },
}

#[derive(PartialEq, Eq, Debug)]
pub(super) struct ExitFrame {
    pub(super) place: ExitPlace,
    /// The code, if it is known.
    pub(super) code: Option<Code>,
    /// The address of the instruction that it is at, unless memory has it.
    pub(super) instr: Option<u64>,
    pub(super) return_offset: Option<u16>,
    pub(super) locals: SlotCounts,
    /// Their indices count from the place where the stack begins.
    pub(super) stack: SlotCounts,
    pub(super) depth: u16,
    /// The globals and the builtins, if the trace has checked them.
    pub(super) globals: Option<(u64, u64)>,
    /// The generator that the frame is part of, if the trace has resumed it.
    pub(super) generator: Option<Spill>,
}

/// What an exit consists of. Lists of one kind are one list here.
#[derive(Default, Debug)]
pub(super) struct Description {
    pub(super) values: Vec<ExitValue>,
    /// The references to all values.
    pub(super) references: Vec<ExitReference>,
    /// The innermost last.
    pub(super) frames: Vec<ExitFrame>,
    /// The slots of all frames: missing variables, present ones, and the same of the stack.
    pub(super) slots: Vec<ExitSlot>,
    /// References to be released at the end.
    pub(super) releases: Vec<Spill>,
}

impl Description {
    /// Numbers the registers anew: that with the number `n` gets the number `numbers[n]`.
    pub(super) fn renumber(&mut self, numbers: &[Spill]) {
        let set = |spill: &mut Spill| *spill = numbers[usize::from(*spill)];
        for value in &mut self.values {
            match &mut value.source {
                Source::Constant(_) | Source::Tuple(_) => {}
                Source::Object(spill)
                | Source::Float(spill)
                | Source::Int(spill, _)
                | Source::Bool(spill) => {
                    set(spill);
                }
            }
        }
        for reference in &mut self.references {
            set(&mut reference.bits);
        }
        for described in &mut self.frames {
            if let ExitPlace::Memory { frame, stack, .. } = &mut described.place {
                set(frame);
                set(stack);
            }
            if let Some(generator) = &mut described.generator {
                set(generator);
            }
        }
        for spill in &mut self.releases {
            set(spill);
        }
    }
}

/// What all exits of a trace consist of.
#[derive(Default)]
struct Lists {
    values: Pool<ExitValue>,
    references: Pool<ExitReference>,
    frames: Pool<ExitFrame>,
    slots: Pool<ExitSlot>,
    releases: Pool<Spill>,
}

/// How the program looks where machine code leaves.
#[repr(C)]
pub(super) struct Exit {
    /// To the code that continues from here. Machine code follows it ([`Lowering::finish`][super::lower::Lowering::finish]).
    link: Link,
    /// How often the executor behind the exit, if it is a side exit, has run without such code. `None`: there will be none.
    heat: Cell<Option<Heat>>,
    /// The code while it is made.
    pending: Cell<Option<Pending>>,
    /// What machine code returns.
    pub(super) word: usize,
    /// The executor of the micro-op in that word.
    executor: Executor,
    /// Where the parts of its [`Description`] are. The lists are there when the code is complete.
    lists: OnceCell<Rc<Lists>>,
    values: Part,
    references: Part,
    frames: Part,
    slots: Part,
    releases: Part,
    /// What a micro-op has left of its operands is to be released.
    pub(super) has_operands: bool,
}

impl Exit {
    pub(super) const LINK: usize = offset_of!(Exit, link);

    /// A part of the description.
    fn part<T: PartialEq>(&self, pool: impl FnOnce(&Lists) -> &Pool<T>, part: Part) -> &[T] {
        debug_assert!(self.lists.get().is_some());
        self.lists.get().map_or(&[], |lists| pool(lists).get(part))
    }

    /// The values, and the references to them that no slot in memory holds.
    pub(super) fn values(&self) -> impl Iterator<Item = (&ExitValue, &[ExitReference])> {
        let mut left = self.part(|lists| &lists.references, self.references);
        self.part(|lists| &lists.values, self.values).iter().map(move |value| {
            let (own, rest) = left.split_at(value.references.into());
            left = rest;
            (value, own)
        })
    }

    /// The frames, the innermost last, and their variables and stacks.
    pub(super) fn frames(&self) -> impl Iterator<Item = (&ExitFrame, [ExitSlots<'_>; 2])> {
        let mut left = self.part(|lists| &lists.slots, self.slots);
        self.part(|lists| &lists.frames, self.frames)
            .iter()
            .map(move |frame| (frame, [frame.locals.take(&mut left), frame.stack.take(&mut left)]))
    }

    /// References to be released at the end.
    pub(super) fn releases(&self) -> &[Spill] {
        self.part(|lists| &lists.releases, self.releases)
    }

    /// Whether some of the frames have to be made.
    pub(super) fn has_virtual_frames(&self) -> bool {
        self.frames().any(|(frame, _)| matches!(frame.place, ExitPlace::Virtual { .. }))
    }

    /// The executor is going to have code that continues from here.
    ///
    /// # Safety
    /// The thread is attached, and the executor live and valid.
    pub(super) unsafe fn expect(&self, executor: Executor, product: Product) {
        // SAFETY: the contract is the same. The exit is in a box.
        unsafe { self.note(compiled::expect_bridge(executor, product, &self.link)) }
    }

    /// How it is with the code that continues from here.
    ///
    /// # Safety
    /// The thread is attached, and the executor of the exit is live.
    pub(super) unsafe fn note(&self, progress: Progress) {
        self.heat.set(Some(Heat::default()));
        match progress {
            Progress::Pending(pending) => self.pending.set(Some(pending)),
            Progress::There | Progress::Again => {}
            Progress::Never => self.heat.set(None),
            Progress::Seldom => {
                // SAFETY: the executor of the exit is live (caller).
                if let Some(exit) = unsafe { self.side_exit() } {
                    // SAFETY: as above; the thread is attached (caller).
                    unsafe { invalidate::decline_behind(exit) }
                }
            }
        }
    }

    /// The program continues at the micro-op of the exit. Returns what machine code returns. The executor that owns the code is
    /// not in use any more: the exit is not used again.
    ///
    /// # Safety
    /// `tstate` is the attached thread's state, and the executors are live.
    unsafe fn come_out(&self, tstate: ThreadState) -> usize {
        let word = self.word;
        // SAFETY: the state is live (caller).
        unsafe { (*tstate.as_ptr()).current_executor = self.executor.object() };
        word
    }

    /// The side exit that it leads to, if it does.
    ///
    /// # Safety
    /// The trace is live.
    unsafe fn side_exit(&self) -> Option<SideExit> {
        if self.has_operands || self.word & 3 != 0 {
            return None;
        }
        // SAFETY: without these bits, the word is the address of a micro-op of the trace (caller).
        let uop = unsafe { *(self.word as *const Uop) };
        (uop.number() == micro_op::exit_trace).then(|| SideExit::of(uop))
    }
}

/// The exits of a trace, and the ways into other code. The code refers to them by their addresses.
#[derive(Default)]
#[expect(clippy::vec_box, reason = "an address stays as it is when more exits are added")]
pub(super) struct Exits {
    exits: Vec<Box<Exit>>,
    links: Vec<Box<Link>>,
    /// Empty when the code is complete.
    lists: Lists,
}

impl Exits {
    /// Adds an exit to a micro-op of an executor. Returns its address.
    pub(super) fn add(
        &mut self,
        (executor, word): (Executor, usize),
        description: Description,
        has_operands: bool,
    ) -> u64 {
        let lists = &mut self.lists;
        let exit = Box::new(Exit {
            link: Link::default(),
            heat: Cell::new(Some(Heat::default())),
            pending: Cell::new(None),
            word,
            executor,
            lists: OnceCell::new(),
            values: lists.values.add(description.values),
            references: lists.references.add(description.references),
            frames: lists.frames.add(description.frames),
            slots: lists.slots.add(description.slots),
            releases: lists.releases.add(description.releases),
            has_operands,
        });
        let address = (&raw const *exit).addr() as u64;
        self.exits.push(exit);
        address
    }

    /// The code is complete: no exit is going to be added.
    pub(super) fn finish(&mut self) {
        let mut lists = core::mem::take(&mut self.lists);
        lists.values.finish();
        lists.references.finish();
        lists.frames.finish();
        lists.slots.finish();
        lists.releases.finish();
        let lists = Rc::new(lists);
        for exit in &self.exits {
            exit.lists.get_or_init(|| lists.clone());
        }
    }

    /// Keeps the way into other code.
    pub(super) fn add_link(&mut self, link: Box<Link>) {
        self.links.push(link);
    }
}

/// A value while frames are completed.
struct Held<'a> {
    /// A stack reference to it, borrowed.
    reference: StackRef,
    /// References that are not used yet.
    left: &'a [ExitReference],
    /// A reference to an object that was made here.
    made: Option<StackRef>,
}

impl Held<'_> {
    /// What a slot gets.
    ///
    /// # Safety
    /// As for [`Held::take`].
    unsafe fn give(&mut self, slot: &ExitSlot, machine: &Machine) -> StackRef {
        // SAFETY: the contract is the same. A variable keeps the object alive as long as the slot holds it.
        unsafe {
            if slot.is_in_variable && !self.reference.is_null() {
                StackRef::borrow_object(self.reference.object())
            } else {
                self.take(machine)
            }
        }
    }

    /// A reference for a slot.
    ///
    /// # Safety
    /// The value is live, and the thread attached.
    unsafe fn take(&mut self, machine: &Machine) -> StackRef {
        if let Some(made) = self.made.take() {
            return made;
        }
        if let Some((&first, rest)) = self.left.split_first() {
            self.left = rest;
            // SAFETY: the code has stored the reference there.
            return unsafe { reference(machine, first.bits) };
        }
        if self.reference.is_null() {
            return StackRef::NULL;
        }
        // SAFETY: the value is live (caller).
        unsafe { StackRef::new(self.reference.object()) }
    }
}

/// The register that the code has stored at this index.
///
/// # Safety
/// It has.
unsafe fn spilled(machine: &Machine, index: Spill) -> u64 {
    // SAFETY: the code has stored it (caller).
    unsafe { machine.spilled[usize::from(index)].assume_init() }
}

/// The register at this index as a stack reference.
///
/// # Safety
/// As for [`spilled`], and it is one.
unsafe fn reference(machine: &Machine, index: Spill) -> StackRef {
    // SAFETY: the register is a stack reference (caller).
    unsafe { StackRef::from_raw(ffi::_PyStackRef { bits: spilled(machine, index) as usize }) }
}

/// Leaves machine code for memory: completes the frames. Returns what the code returns.
///
/// # Safety
/// The thread is attached, and `tstate` is its state. The code has stored the registers that the exit names, and does
/// nothing else. The code belongs to the current executor.
pub(super) unsafe extern "C" fn leave(machine: &mut Machine, tstate: ThreadState, exit: &Exit) -> usize {
    // SAFETY: the contract is the same. If there are operands, a micro-op has left them.
    unsafe {
        let wanted = wanted(tstate, exit);
        let operands = if exit.has_operands { machine.operands_left() } else { 0 };
        // Making an object without memory would replace the exception.
        let raised = (exit.word & 3 == Next::ERROR).then(|| ffi::PyErr_GetRaisedException());
        complete(machine, tstate, exit);
        if let Some(raised) = raised {
            ffi::PyErr_SetRaisedException(raised);
        }
        for index in (0..operands).rev() {
            machine.operands[index].assume_init().close();
        }
        release_rest(machine, exit);
        let word = exit.come_out(tstate);
        if let Some(wanted) = wanted {
            compiled::want(wanted);
            return word | Next::BYTECODE;
        }
        word
    }
}

/// Counts that the executor behind a side exit runs. Returns what is to be compiled if that is often.
///
/// # Safety
/// As for [`leave`].
unsafe fn wanted(tstate: ThreadState, exit: &Exit) -> Option<Wanted> {
    // SAFETY: the code is that of the current executor, a live one, so the interpreter runs code. The side exit keeps the
    // executor behind it alive (caller).
    unsafe {
        let behind = exit.side_exit()?.executor().filter(|executor| executor.is_valid())?;
        let heat = exit.heat.get()?.after_run();
        if let Some(pending) = exit.pending.take() {
            exit.note(compiled::look_for_bridge(behind, pending, &exit.link));
            return None;
        }
        exit.heat.set(Some(heat));
        if heat.runs() < thresholds::get().heat() {
            return None;
        }
        // If code has continued from here, it was that of another executor.
        exit.heat.set(Some(Heat::default()));
        let current = Executor::from_ptr((*tstate.as_ptr()).current_executor.cast())?;
        let from = Some((current.new_ref(), NonNull::from(exit).cast()));
        Some(Wanted { executor: behind.new_ref(), is_fast: heat.is_fast_enough(), from })
    }
}

/// Destroys an object whose count is 0. Returns 0 if the code can continue. Otherwise Python code may have run: the frames
/// have been completed for it, and the code returns what this function returns.
///
/// # Safety
/// As for [`leave`]. Nothing refers to the object.
pub(super) unsafe extern "C" fn end_object(
    machine: &mut Machine,
    tstate: ThreadState,
    exit: &Exit,
    object: *mut PyObject,
) -> usize {
    // SAFETY: the contract is the same. The frames are published before anything can see them.
    unsafe {
        if !forced::is_forced() && quiet::begins_to_end_quietly(object) {
            refcount::release(object);
            return 0;
        }
        if explain::is_on() {
            explained::note_end(tstate, exit.executor, (exit.word & !3) as *const Uop, object);
        }
        complete(machine, tstate, exit);
        refcount::release(object);
        release_rest(machine, exit);
        exit.come_out(tstate)
    }
}

/// Completes and publishes the frames.
///
/// # Safety
/// As for [`leave`].
unsafe fn complete(machine: &mut Machine, tstate: ThreadState, exit: &Exit) {
    // SAFETY: the code has stored what the exit names (caller). References are taken before any is released.
    unsafe {
        let mut held: arrayvec::ArrayVec<Held, MAX_VALUES> = arrayvec::ArrayVec::new();
        for (value, references) in exit.values() {
            let next = hold(machine, tstate, value, references, &mut held);
            held.push(next);
        }
        let mut previous: Option<Frame> = None;
        for (described, slots) in exit.frames() {
            let frame = frame_of(machine, tstate, (described, slots), &mut held, previous);
            previous = Some(frame);
        }
        if let Some(frame) = previous {
            machine.frame = frame;
            machine.sp = frame.stack_pointer();
            tstate.set_current_frame(Some(frame));
        }
        for value in &held {
            for left in value.left {
                reference(machine, left.bits).close();
            }
            if let Some(made) = value.made {
                made.close();
            }
        }
    }
}

/// Releases what is left when frames are complete.
///
/// # Safety
/// As for [`leave`]. The frames are published.
unsafe fn release_rest(machine: &Machine, exit: &Exit) {
    for &index in exit.releases() {
        // SAFETY: the reference belongs to the code (caller).
        unsafe { reference(machine, index).close() };
    }
}

/// Reads a value, and makes its object if there is none.
///
/// # Safety
/// As for [`leave`]. `before` are the values in front of it.
unsafe fn hold<'a>(
    machine: &Machine,
    tstate: ThreadState,
    value: &ExitValue,
    references: &'a [ExitReference],
    before: &mut [Held],
) -> Held<'a> {
    // SAFETY: the registers are of these types (caller). A new tuple lacks its items.
    unsafe {
        let register = |index| spilled(machine, index);
        let made = match value.source {
            Source::Constant(bits) => return held(bits, references),
            Source::Object(index) => return held(register(index), references),
            Source::Bool(index) => {
                let reference = StackRef::bool(register(index) & 0xFF != 0);
                return Held { reference, left: references, made: None };
            }
            Source::Float(index) => runtime::new_float(tstate, f64::from_bits(register(index))),
            Source::Int(index, _) => runtime::new_int(tstate, register(index) as i64),
            Source::Tuple(ref items) => {
                let tuple = runtime::new_tuple(tstate, items.len());
                for (index, &item) in items.iter().enumerate() {
                    let item = before[usize::from(item)].take(machine).into_object();
                    tuple_items(tuple.object()).add(index).write(item);
                }
                tuple
            }
        };
        Held { reference: made, left: references, made: Some(made) }
    }
}

fn held(bits: u64, references: &[ExitReference]) -> Held<'_> {
    let reference = StackRef::from_raw(ffi::_PyStackRef { bits: bits as usize });
    Held { reference, left: references, made: None }
}

/// Completes one frame. Returns it.
///
/// # Safety
/// As for [`leave`]. `previous` is the frame below it, if the exit describes that.
unsafe fn frame_of(
    machine: &Machine,
    tstate: ThreadState,
    (described, [locals, stack]): (&ExitFrame, [ExitSlots; 2]),
    held: &mut [Held],
    previous: Option<Frame>,
) -> Frame {
    // SAFETY: a frame in memory is live, and its slots have these indices. There is room for one that has to be made: the
    // code has checked that. Old contents of the slots have been taken over by the code (caller).
    unsafe {
        let (frame, base) = match described.place {
            ExitPlace::Memory { frame, stack, offset } => {
                let frame = Frame::from_ptr(spilled(machine, frame) as *mut _);
                (frame, (spilled(machine, stack) as *mut StackRef).offset(offset as isize))
            }
            ExitPlace::Virtual { function, code } => {
                let frame = if is_trampoline(code) {
                    // It has a caller.
                    let previous = previous.unwrap_or(machine.frame);
                    if is_counted(code) {
                        Frame::push_trampoline_unchecked(tstate, code, 0, previous)
                    } else {
                        trampolines::push(tstate, code, 0, previous)
                    }
                } else {
                    let function = held[usize::from(function)].take(machine);
                    let frame = tstate.take_stack_space((*code.as_ptr()).co_framesize as usize);
                    let locals = code.nlocalsplus();
                    frame.initialize(tstate, function, core::ptr::null_mut(), code, locals, previous);
                    frame
                };
                if is_counted(code) {
                    tstate.enter_python_call();
                }
                (frame, frame.stack_base())
            }
        };
        if let Some(instr) = described.instr {
            frame.set_instr(CodeUnit::from_ptr(instr as *mut _));
        }
        if let Some(offset) = described.return_offset {
            (*frame.as_ptr()).return_offset = offset;
        }
        for slot in locals.missing {
            frame.set_local(slot.index.into(), held[usize::from(slot.value)].give(slot, machine));
        }
        for slot in stack.missing {
            *base.add(slot.index.into()) = held[usize::from(slot.value)].give(slot, machine);
        }
        frame.set_stack_pointer(base.add(described.depth.into()));
        frame
    }
}
