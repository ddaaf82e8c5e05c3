//! Samples: what the signal handler sees.

use core::ffi::{c_int, c_void};
use core::sync::atomic::Ordering;

use super::kinds::{COUNTED, Kind};
use super::places::{PlaceId, Places};
use super::{IS_MAKING, STATE, State};
use crate::host::object::is_exact;
use crate::host::{Code, Frame, StackRef, ThreadState, ffi};

/// Samples at one instruction of the same kind.
#[derive(Clone, Copy)]
struct Counted {
    /// The address of the code object. 0: the entry is empty.
    code: usize,
    /// The address of the instruction.
    instr: usize,
    kind: Kind,
    count: u32,
}

const EMPTY: Counted = Counted { code: 0, instr: 0, kind: Kind::C, count: 0 };

/// The entries of the table: a power of two.
const CAPACITY: usize = 1 << 14;
/// The most entries that one sample looks at.
const MAX_PROBES: usize = 64;
/// The bits of the filter.
const FILTER_BITS: usize = 1 << 12;
/// The most frames between the innermost one and the one that C code has entered.
const MAX_FRAMES: usize = 1 << 12;
/// The most words of the stack, and frames on it, that are looked at to find the machine code that has called C code.
const MAX_WORDS: usize = 1 << 10;
const MAX_CALLS: usize = 128;
/// How far above its entry frame the frame of the evaluator can be on the stack, in bytes.
const MAX_ENTRY: usize = 1 << 12;

/// Samples outside of machine code are counted here until their code object ends, or the run.
pub(super) struct Samples {
    table: Box<[Counted]>,
    /// Code objects that may be in the table.
    filter: [u64; FILTER_BITS / 64],
    /// All samples.
    pub(super) total: u64,
    /// Samples in threads that run no Python code of the interpreter.
    pub(super) elsewhere: u64,
    /// Samples without a known place.
    pub(super) without_place: [u32; COUNTED],
}

impl Samples {
    pub(super) fn new() -> Samples {
        Samples {
            table: vec![EMPTY; CAPACITY].into_boxed_slice(),
            filter: [0; FILTER_BITS / 64],
            total: 0,
            elsewhere: 0,
            without_place: [0; COUNTED],
        }
    }

    /// Counts a sample. Allocates nothing.
    fn count(&mut self, code: usize, instr: usize, kind: Kind) {
        let hash = (code.rotate_left(20) ^ instr ^ kind as usize).wrapping_mul(0x9E37_79B9_7F4A_7C15);
        let first = hash >> (usize::BITS - CAPACITY.ilog2());
        for probe in 0..MAX_PROBES {
            let entry = &mut self.table[(first + probe) % CAPACITY];
            if entry.code == 0 {
                *entry = Counted { code, instr, kind, count: 0 };
                let bit = filter_bit(code);
                self.filter[bit / 64] |= 1 << (bit % 64);
            }
            if entry.code == code && entry.instr == instr && entry.kind == kind {
                entry.count += 1;
                return;
            }
        }
        self.without_place[kind as usize] += 1;
    }

    /// Assigns all samples to places.
    ///
    /// # Safety
    /// The thread is attached.
    pub(super) unsafe fn place_all(&mut self, places: &mut Places) {
        for index in 0..self.table.len() {
            // SAFETY: a code object in the table has not ended: its samples would have been taken out.
            unsafe { self.take_entry(index, places) };
        }
        self.filter = [0; FILTER_BITS / 64];
    }

    /// Assigns the samples in a code object to places.
    ///
    /// # Safety
    /// The thread is attached, and the code object at this address live.
    pub(super) unsafe fn place_those_in(&mut self, code: usize, places: &mut Places) {
        let bit = filter_bit(code);
        if self.filter[bit / 64] & 1 << (bit % 64) == 0 {
            return;
        }
        // What stays in the table must be found again: all go.
        // SAFETY: the contract is the same.
        unsafe { self.place_all(places) };
    }

    /// Takes an entry out of the table, and assigns it to a place.
    ///
    /// # Safety
    /// The thread is attached, and the code object of the entry is live.
    unsafe fn take_entry(&mut self, index: usize, places: &mut Places) {
        let Counted { code, instr, kind, count } = core::mem::replace(&mut self.table[index], EMPTY);
        if code == 0 {
            return;
        }
        // SAFETY: the object is live (caller).
        unsafe {
            let object = core::ptr::with_exposed_provenance_mut::<ffi::PyObject>(code);
            if !is_exact(object, &raw mut ffi::PyCode_Type) {
                self.without_place[kind as usize] += count;
                return;
            }
            let code = Code::from_ptr(object.cast());
            let distance = instr.wrapping_sub(code.bytecode().as_ptr().addr()) as isize;
            let offset = distance / size_of::<ffi::_Py_CODEUNIT>() as isize;
            let place = places.of(code, i32::try_from(offset).unwrap_or(-1));
            places.count(place, kind, count);
        }
    }
}

fn filter_bit(code: usize) -> usize {
    (code >> 4).wrapping_mul(0x9E37_79B9_7F4A_7C15) >> (usize::BITS - FILTER_BITS.ilog2())
}

/// The registers of the interrupted thread.
struct Registers {
    /// Where it is in its code.
    pc: usize,
    sp: usize,
    /// The frame pointer.
    fp: usize,
}

impl Registers {
    /// # Safety
    /// `context` is what the system gives to a signal handler.
    #[cfg(target_arch = "x86_64")]
    unsafe fn of(context: *const c_void) -> Registers {
        // SAFETY: it is a `ucontext_t` (caller).
        let registers = unsafe { (*context.cast::<libc::ucontext_t>()).uc_mcontext.gregs };
        let register = |index: c_int| registers[index as usize] as usize;
        Registers { pc: register(libc::REG_RIP), sp: register(libc::REG_RSP), fp: register(libc::REG_RBP) }
    }

    /// # Safety
    /// As above.
    #[cfg(target_arch = "aarch64")]
    unsafe fn of(context: *const c_void) -> Registers {
        // SAFETY: it is a `ucontext_t` (caller).
        let machine = unsafe { &(*context.cast::<libc::ucontext_t>()).uc_mcontext };
        Registers { pc: machine.pc as usize, sp: machine.sp as usize, fp: machine.regs[29] as usize }
    }

    /// # Safety
    /// None.
    #[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
    unsafe fn of(_context: *const c_void) -> Registers {
        Registers { pc: 0, sp: 0, fp: 0 }
    }
}

/// The signal handler: takes a sample of the interrupted thread.
///
/// # Safety
/// Only the system calls it, as the handler of a signal.
pub(super) unsafe extern "C" fn handle(_signal: c_int, _info: *mut libc::siginfo_t, context: *mut c_void) {
    // SAFETY: the address of a thread-local variable.
    unsafe {
        let errno = libc::__errno_location();
        let saved = *errno;
        let state = STATE.load(Ordering::Acquire);
        // SAFETY: a state is never freed, and who holds the lock has it for itself.
        if !state.is_null() && (*state).try_lock() {
            sample(&mut *state, &Registers::of(context));
            (*state).unlock();
        }
        *errno = saved;
    }
}

/// Takes a sample.
///
/// # Safety
/// The thread was interrupted with these registers, and does nothing else until this returns.
unsafe fn sample(state: &mut State, registers: &Registers) {
    state.samples.total += 1;
    // SAFETY: both functions read a variable of the thread. What is found belongs to the thread, which is interrupted: so its
    // frames are linked to each other, and their code objects live.
    unsafe {
        let attached = ThreadState::current();
        let is_attached = !attached.as_ptr().is_null();
        let tstate =
            if is_attached { attached } else { ThreadState::from_ptr(ffi::PyGILState_GetThisThreadState()) };
        if tstate.as_ptr().is_null() || tstate.interp() != state.interp {
            state.samples.elsewhere += 1;
            return;
        }
        let runs_trace = !(*tstate.as_ptr()).current_executor.is_null();
        let is_in_library = state.library.contains(&registers.pc);
        let special = if is_attached && IS_MAKING.load(Ordering::Relaxed) {
            Some(Kind::Making)
        } else if is_attached && (*state.interp).gc.collecting != 0 {
            Some(Kind::Collector)
        } else {
            None
        };
        if let Some(place) = state.regions.place_at(registers.pc) {
            return count_at(state, tstate, place, special.unwrap_or(Kind::Compiled));
        }
        if runs_trace && let Some(place) = calling_place(state, tstate, registers) {
            let kind = if is_in_library { Kind::Compiled } else { Kind::CompiledC };
            return count_at(state, tstate, place, special.unwrap_or(kind));
        }
        let kind = special.unwrap_or(match (is_in_library, runs_trace) {
            (true, true) => Kind::Trace,
            (true, false) => Kind::Bytecode,
            (false, _) => Kind::C,
        });
        count_at(state, tstate, None, kind);
    }
}

/// Counts a sample at a place, or where the innermost frame is.
///
/// # Safety
/// As for [`innermost`].
unsafe fn count_at(state: &mut State, tstate: ThreadState, place: Option<PlaceId>, kind: Kind) {
    if let Some(place) = place {
        return state.places.count(place, kind, 1);
    }
    // SAFETY: the contract is the same.
    match unsafe { innermost(tstate) } {
        Some((code, instr)) => state.samples.count(code, instr, kind),
        None => state.samples.without_place[kind as usize] += 1,
    }
}

/// The code object and the instruction of the innermost frame with Python code.
///
/// # Safety
/// The thread state is the calling thread's.
unsafe fn innermost(tstate: ThreadState) -> Option<(usize, usize)> {
    // SAFETY: the frames of the thread are live and linked (caller).
    unsafe {
        let mut frame = tstate.current_frame()?;
        while frame.is_entry() {
            frame = frame.previous()?;
        }
        let code = StackRef::from_raw((*frame.as_ptr()).f_executable).object();
        Some((code.expose_provenance(), frame.instr().as_ptr().addr()))
    }
}

/// The place in machine code that has called the C code at which the thread is. `None` if no machine code has.
///
/// # Safety
/// As for [`sample`].
unsafe fn calling_place(
    state: &State,
    tstate: ThreadState,
    registers: &Registers,
) -> Option<Option<PlaceId>> {
    if state.regions.is_empty() {
        return None;
    }
    // SAFETY: between the stack pointer and a frame on the stack, the stack is readable.
    unsafe {
        // What is behind that was there before the evaluator was entered.
        let end = entry_frame(tstate)?.as_ptr().addr();
        let is_on_stack = |address: usize| {
            address >= registers.sp && address < end && address.is_multiple_of(size_of::<usize>())
        };
        if !is_on_stack(registers.sp) {
            return None;
        }
        let word = |address: usize| *core::ptr::with_exposed_provenance::<usize>(address);
        let called_from = |address: usize| state.regions.place_at(word(address).wrapping_sub(1));
        // Functions without a frame of their own have the return address on top.
        if let Some(place) = called_from(registers.sp) {
            return Some(place);
        }
        let scan = |end: usize| {
            let words = (end - registers.sp) / size_of::<usize>();
            (0..words.min(MAX_WORDS)).find_map(|index| called_from(registers.sp + index * size_of::<usize>()))
        };
        let mut fp = registers.fp;
        for _ in 0..MAX_CALLS {
            if !is_on_stack(fp) || !is_on_stack(fp + size_of::<usize>()) {
                break;
            }
            let place = called_from(fp + size_of::<usize>());
            if place.is_some() {
                return place;
            }
            if state.regions.is_in_entry(word(fp + size_of::<usize>())) {
                // This is the frame of machine code. What it has called has no frame.
                return scan(fp).or(Some(None));
            }
            let next = word(fp);
            if next >= end && next < end + MAX_ENTRY {
                // The evaluator was entered there: all calls since then have been looked at.
                return None;
            }
            if next <= fp {
                break;
            }
            fp = next;
        }
        // A function without frame pointers has used the register for something else.
        scan(end)
    }
}

/// The innermost frame that stands for C code which has entered the evaluator. It is on the thread's stack.
///
/// # Safety
/// The thread state is the calling thread's.
unsafe fn entry_frame(tstate: ThreadState) -> Option<Frame> {
    // SAFETY: the frames of the thread are live and linked (caller).
    unsafe {
        let mut frame = tstate.current_frame()?;
        for _ in 0..MAX_FRAMES {
            if frame.is_entry() {
                return Some(frame);
            }
            frame = frame.previous()?;
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counted(samples: &Samples) -> u32 {
        samples.table.iter().map(|entry| entry.count).sum()
    }

    #[test]
    fn equal_samples_share_an_entry() {
        let mut samples = Samples::new();
        for _ in 0..3 {
            samples.count(0x1000, 0x1100, Kind::Bytecode);
        }
        samples.count(0x1000, 0x1100, Kind::C);
        samples.count(0x1000, 0x1102, Kind::C);
        let mut counts: Vec<u32> =
            samples.table.iter().filter(|entry| entry.code != 0).map(|entry| entry.count).collect();
        counts.sort_unstable();
        assert_eq!(counts, [1, 1, 3]);
    }

    #[test]
    fn no_sample_is_lost_when_the_table_is_full() {
        let mut samples = Samples::new();
        let all = 2 * CAPACITY;
        for index in 0..all {
            samples.count(0x1000 + 16 * index, 0x1100, Kind::C);
        }
        let without_place = samples.without_place[Kind::C as usize];
        assert!(without_place as usize >= CAPACITY);
        assert_eq!(counted(&samples) + without_place, all as u32);
    }
}
