//! Leaving machine code: from registers back to frames in memory.
//!
//! Where machine code may leave, the lowering notes as data how the frames look there ([`Exit`]). The code stores the
//! registers that matter, and calls [`leave`], which makes numbers objects, counts references that were not counted so
//! far, makes the frames that do not exist yet, and stores what their slots in memory lack.

use super::quiet;
use crate::host::{Code, CodeUnit, Frame, PyObject, StackRef, ThreadState, ffi, numbers, refcount};
use crate::tier2::compiled::{MAX_SPILLED, Machine};

/// The index of a register in [`Machine::spilled`].
pub(super) type Spill = u16;

/// The most values of one exit.
pub(super) const MAX_VALUES: usize = MAX_SPILLED;

/// What a value is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Source {
    /// This stack reference, which owns nothing.
    Constant(u64),
    /// The object at the address in this register; the tag does not matter.
    Object(Spill),
    Float(Spill),
    Int(Spill),
    Bool(Spill),
}

#[derive(Debug)]
pub(super) struct ExitValue {
    pub(super) source: Source,
    /// References to it that the code owns, and that no slot in memory holds.
    pub(super) references: Vec<Spill>,
}

/// A slot that memory lacks: its index, and the index of the value.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct ExitSlot {
    pub(super) index: u16,
    pub(super) value: u16,
}

#[derive(Debug)]
pub(super) enum ExitPlace {
    /// The frame exists. Its stack, as far as it is known, begins this many slots above an address.
    Memory { frame: Spill, stack: Spill, offset: i32 },
    /// The frame has to be made. The function is a value.
    Virtual { code: Code, function: u16 },
}

#[derive(Debug)]
pub(super) struct ExitFrame {
    pub(super) place: ExitPlace,
    /// The address of the instruction that it is at, unless memory has it.
    pub(super) instr: Option<u64>,
    pub(super) return_offset: Option<u16>,
    pub(super) locals: Vec<ExitSlot>,
    /// Slots above the place where the stack begins.
    pub(super) stack: Vec<ExitSlot>,
    pub(super) depth: u16,
}

/// How the program looks where machine code leaves.
#[derive(Debug)]
pub(super) struct Exit {
    /// What machine code returns.
    pub(super) word: usize,
    pub(super) values: Vec<ExitValue>,
    /// The innermost last.
    pub(super) frames: Vec<ExitFrame>,
    /// References to be released at the end.
    pub(super) releases: Vec<Spill>,
    /// What a micro-op has left of its operands is to be released.
    pub(super) has_operands: bool,
}

/// The exits of a trace. The code refers to them by their addresses.
#[derive(Default)]
#[expect(clippy::vec_box, reason = "an address stays as it is when more exits are added")]
pub(super) struct Exits(Vec<Box<Exit>>);

impl Exits {
    /// Adds an exit. Returns its address.
    pub(super) fn add(&mut self, exit: Exit) -> u64 {
        let exit = Box::new(exit);
        let address = (&raw const *exit).addr() as u64;
        self.0.push(exit);
        address
    }
}

/// A value while frames are completed.
struct Held<'a> {
    /// A stack reference to it, borrowed.
    reference: StackRef,
    /// References that are not used yet.
    left: &'a [Spill],
    /// A reference to an object that was made here.
    made: Option<StackRef>,
}

impl Held<'_> {
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
            return unsafe { reference(machine, first) };
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

/// Leaves machine code: completes the frames in memory. Returns what the code returns.
///
/// # Safety
/// The thread is attached, and `tstate` is its state. The code has stored the registers that the exit names, and does
/// nothing else.
pub(super) unsafe extern "C" fn leave(machine: &mut Machine, tstate: ThreadState, exit: &Exit) -> usize {
    // SAFETY: the contract is the same. If there are operands, a micro-op has left them.
    unsafe {
        let operands = if exit.has_operands { machine.operands_left() } else { 0 };
        complete(machine, tstate, exit);
        for index in (0..operands).rev() {
            machine.operands[index].assume_init().close();
        }
        release_rest(machine, exit);
    }
    exit.word
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
        if quiet::ends_quietly(object) {
            refcount::release(object);
            return 0;
        }
        complete(machine, tstate, exit);
        refcount::release(object);
        release_rest(machine, exit);
    }
    exit.word
}

/// Completes and publishes the frames.
///
/// # Safety
/// As for [`leave`].
unsafe fn complete(machine: &mut Machine, tstate: ThreadState, exit: &Exit) {
    // SAFETY: the code has stored what the exit names (caller). References are taken before any is released.
    unsafe {
        let mut held: arrayvec::ArrayVec<Held, MAX_VALUES> = arrayvec::ArrayVec::new();
        for value in &exit.values {
            held.push(hold(machine, tstate, value));
        }
        let mut previous: Option<Frame> = None;
        for described in &exit.frames {
            let frame = frame_of(machine, tstate, described, &mut held, previous);
            previous = Some(frame);
        }
        if let Some(frame) = previous {
            machine.frame = frame;
            machine.sp = frame.stack_pointer();
            tstate.set_current_frame(Some(frame));
        }
        for value in &held {
            for &left in value.left {
                reference(machine, left).close();
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
    for &index in &exit.releases {
        // SAFETY: the reference belongs to the code (caller).
        unsafe { reference(machine, index).close() };
    }
}

/// Reads a value, and makes its object if there is none.
///
/// # Safety
/// As for [`leave`].
unsafe fn hold<'a>(machine: &Machine, tstate: ThreadState, value: &'a ExitValue) -> Held<'a> {
    // SAFETY: the registers are of these types (caller).
    unsafe {
        let register = |index| spilled(machine, index);
        let made = match value.source {
            Source::Constant(bits) => return held(bits, &value.references),
            Source::Object(index) => return held(register(index), &value.references),
            Source::Bool(index) => {
                let reference = StackRef::bool(register(index) & 0xFF != 0);
                return Held { reference, left: &value.references, made: None };
            }
            Source::Float(index) => {
                super::runtime::owned(numbers::new_float(tstate, f64::from_bits(register(index))))
            }
            Source::Int(index) => super::runtime::owned(numbers::int(tstate, register(index) as isize)),
        };
        Held { reference: made, left: &value.references, made: Some(made) }
    }
}

fn held(bits: u64, references: &[Spill]) -> Held<'_> {
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
    described: &ExitFrame,
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
            ExitPlace::Virtual { code, function } => {
                let function = held[usize::from(function)].take(machine);
                let frame = tstate.take_stack_space((*code.as_ptr()).co_framesize as usize);
                let locals = code.nlocalsplus();
                frame.initialize(tstate, function, core::ptr::null_mut(), code, locals, previous);
                tstate.enter_python_call();
                (frame, frame.stack_base())
            }
        };
        if let Some(instr) = described.instr {
            frame.set_instr(CodeUnit::from_ptr(instr as *mut _));
        }
        if let Some(offset) = described.return_offset {
            (*frame.as_ptr()).return_offset = offset;
        }
        for slot in &described.locals {
            frame.set_local(slot.index.into(), held[usize::from(slot.value)].take(machine));
        }
        for slot in &described.stack {
            *base.add(slot.index.into()) = held[usize::from(slot.value)].take(machine);
        }
        frame.set_stack_pointer(base.add(described.depth.into()));
        frame
    }
}
