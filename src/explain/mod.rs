//! Explaining a run: where its time goes, line by line, and why code does not become a part of a trace.
//!
//! While a run is explained, a timer of processor time interrupts it ([`timer`]). The signal handler notes which line runs,
//! and in what: machine code, a trace, bytecode, C code ([`samples`]). Tier 2 and the compiler say what they make: which
//! lines a piece of machine code stands for ([`regions`]), how attempts to make a trace end, and where traces are left
//! ([`notes`]). [`report`] makes a Python dictionary of all that.
//!
//! One run of one interpreter can be explained at a time. What is known of it is a [`State`] behind a lock of its own. A
//! signal handler only tries to take the lock; it drops its sample if it cannot have it. It allocates nothing, and reads
//! only memory that the interrupted thread itself keeps alive.
//!
//! If nothing is explained, tier 2 looks at one word where a trace is made or left, and there is no other cost.

mod kinds;
mod notes;
mod places;
mod regions;
mod report;
mod samples;
mod timer;

use core::ffi::c_int;
use core::ops::Range;
use core::sync::atomic::{AtomicBool, AtomicPtr, Ordering};

pub(crate) use notes::{Attempt, Exit, Reasons};
pub(crate) use places::PlaceId;
pub(crate) use regions::Lines;

use crate::host::{Code, CodeUnit, PyResult, Raised, ThreadState, ffi};
use crate::raise;
use notes::{ExitKey, Notes};
use places::Places;
use regions::Regions;
use samples::Samples;
use timer::Timer;

/// What is known of the run that is explained.
struct State {
    lock: AtomicBool,
    /// The interpreter whose code is explained.
    interp: *mut ffi::PyInterpreterState,
    /// The library's own code, as far as it runs Python code.
    library: Range<usize>,
    /// The host's number for [`code_event`].
    watcher: c_int,
    places: Places,
    regions: Regions,
    samples: Samples,
    notes: Notes,
}

/// The run that is explained. A state is never freed: a signal handler may still look at it.
static STATE: AtomicPtr<State> = AtomicPtr::new(core::ptr::null_mut());

/// Whether a trace or machine code is being made.
static IS_MAKING: AtomicBool = AtomicBool::new(false);

/// Whether a run is explained.
#[inline(always)]
pub(crate) fn is_on() -> bool {
    !STATE.load(Ordering::Relaxed).is_null()
}

/// Begins to explain the interpreter of the calling thread. `library` is where the library's code is that runs Python code,
/// `entry` the function that enters machine code, if there is one. Fails with RuntimeError if a run is explained already, with OSError if there is no timer.
///
/// # Safety
/// The thread is attached.
pub(crate) unsafe fn start(library: Range<usize>, entry: Range<usize>) -> PyResult<()> {
    // SAFETY: the thread is attached (caller).
    unsafe {
        if is_on() {
            return Err(raise!(PyExc_RuntimeError, c"a run is explained already"));
        }
        let watcher = ffi::PyCode_AddWatcher(Some(code_event));
        if watcher < 0 {
            return Err(Raised);
        }
        let state = Box::into_raw(Box::new(State {
            lock: AtomicBool::new(false),
            interp: ThreadState::current().interp(),
            library,
            watcher,
            places: Places::default(),
            regions: Regions::new(entry),
            samples: Samples::new(),
            notes: Notes::default(),
        }));
        STATE.store(state, Ordering::Release);
        timer::forget_in_children(forget);
        if let Err(raised) = Timer::start(samples::handle) {
            forget();
            ffi::PyCode_ClearWatcher(watcher);
            return Err(raised);
        }
        Ok(())
    }
}

/// Ends it. Returns a new dictionary: what is known of the run. Fails with RuntimeError if none is explained.
///
/// # Safety
/// The thread is attached.
pub(crate) unsafe fn stop() -> PyResult {
    // SAFETY: the thread is attached (caller). From here on, the state belongs to this function: its lock stays taken, so that
    // late signal handlers leave it alone.
    unsafe {
        let state = STATE.load(Ordering::Acquire);
        if state.is_null() || (*state).interp != ThreadState::current().interp() {
            return Err(raise!(PyExc_RuntimeError, c"no run of this interpreter is explained"));
        }
        Timer::stop();
        (*state).take_lock();
        forget();
        let state = &mut *state;
        state.samples.place_all(&mut state.places);
        let report = report::make(state);
        ffi::PyCode_ClearWatcher(state.watcher);
        report
    }
}

/// Nothing is explained any more. In the child of a fork, nothing ever was.
extern "C" fn forget() {
    STATE.store(core::ptr::null_mut(), Ordering::Release);
}

impl State {
    /// Whether the lock could be taken at once.
    fn try_lock(&self) -> bool {
        self.lock.compare_exchange(false, true, Ordering::Acquire, Ordering::Relaxed).is_ok()
    }

    /// Waits for the lock. Only signal handlers of other threads hold it, for a moment.
    fn take_lock(&self) {
        while !self.try_lock() {
            std::thread::yield_now();
        }
    }

    fn unlock(&self) {
        self.lock.store(false, Ordering::Release);
    }
}

/// Calls `action` with the state of the run that is explained. `None` if there is none, or if it is not of the calling
/// thread's interpreter.
///
/// # Safety
/// The thread is attached. The action runs no Python code, does not give up the GIL, and does not call this function.
unsafe fn with<T>(action: impl FnOnce(&mut State) -> T) -> Option<T> {
    // SAFETY: the contract is the same.
    unsafe { with_of(ThreadState::current(), action) }
}

/// The same, for the attached thread with this state.
///
/// # Safety
/// As for [`with`].
unsafe fn with_of<T>(tstate: ThreadState, action: impl FnOnce(&mut State) -> T) -> Option<T> {
    let state = STATE.load(Ordering::Acquire);
    // SAFETY: states are never freed. Who holds the lock has the state for itself; the interpreter is fixed (caller).
    unsafe {
        if state.is_null() || (*state).interp != tstate.interp() {
            return None;
        }
        (*state).take_lock();
        let result = action(&mut *state);
        (*state).unlock();
        Some(result)
    }
}

/// The host creates or destroys a code object. Samples in one that ends are assigned to their lines.
///
/// # Safety
/// The thread is attached; the code is live.
unsafe extern "C" fn code_event(event: ffi::PyCodeEvent, code: *mut ffi::PyCodeObject) -> c_int {
    if event == ffi::PY_CODE_EVENT_DESTROY {
        // SAFETY: the thread is attached, and the code live (caller).
        unsafe {
            with(|state| {
                state.samples.place_those_in(code.addr(), &mut state.places);
                state.places.forget(code.addr());
            });
        }
    }
    0
}

/// While `make` runs, the time is that of making traces or machine code.
pub(crate) fn while_making<T>(make: impl FnOnce() -> T) -> T {
    let was = IS_MAKING.swap(true, Ordering::Relaxed);
    let result = make();
    IS_MAKING.store(was, Ordering::Relaxed);
    result
}

/// Remembers a code object through which a trace runs: [`code_at`] finds it.
///
/// # Safety
/// The thread is attached, and the code live.
pub(crate) unsafe fn know_code(code: Code) {
    if is_on() {
        // SAFETY: the contract is the same.
        unsafe { with(|state| state.places.know(code)) };
    }
}

/// The code object that is known to have the instruction at this address, and the offset of the instruction.
///
/// # Safety
/// The thread is attached.
pub(crate) unsafe fn code_at(instr: CodeUnit) -> Option<(Code, u32)> {
    // SAFETY: the contract is the same.
    unsafe { with(|state| state.places.code_at(instr)) }.flatten()
}

/// Whether the code object is one that [`know_code`] remembers.
///
/// # Safety
/// The thread is attached.
pub(crate) unsafe fn is_known(code: Code) -> bool {
    // SAFETY: the contract is the same.
    unsafe { with(|state| state.places.is_known(code)) }.unwrap_or(false)
}

/// The place of the instruction at this offset. `None` if nothing is explained.
///
/// # Safety
/// The thread is attached, and the code live.
pub(crate) unsafe fn place(code: Code, offset: u32) -> Option<PlaceId> {
    // SAFETY: the contract is the same.
    unsafe { with(|state| state.places.of(code, offset as i32)) }
}

/// There is machine code at `start`, with these lines.
///
/// # Safety
/// The thread is attached.
pub(crate) unsafe fn add_machine_code(start: usize, length: usize, lines: Lines) {
    if is_on() {
        // SAFETY: the contract is the same.
        unsafe { with(|state| state.regions.add(start, length, lines)) };
    }
}

/// The function at these addresses enters machine code.
///
/// # Safety
/// The thread is attached.
pub(crate) unsafe fn set_entry(entry: Range<usize>) {
    if is_on() {
        // SAFETY: the contract is the same.
        unsafe { with(|state| state.regions.set_entry(entry)) };
    }
}

/// The machine code at `start` will be freed.
///
/// # Safety
/// The thread is attached.
pub(crate) unsafe fn remove_machine_code(start: usize) {
    if is_on() {
        // SAFETY: the contract is the same.
        unsafe { with(|state| state.regions.remove(start)) };
    }
}

/// An attempt to make a trace has ended.
///
/// # Safety
/// The thread is attached.
pub(crate) unsafe fn note_attempt(attempt: Attempt) {
    // SAFETY: the contract is the same.
    unsafe { with(|state| state.notes.add_attempt(attempt)) };
}

/// A trace was left. If the exit is new, `describe` says for which place, and why.
///
/// # Safety
/// `tstate` is the attached thread's state.
pub(crate) unsafe fn note_exit(tstate: ThreadState, key: ExitKey, describe: impl FnOnce() -> Option<Exit>) {
    // SAFETY: the contract is the same.
    unsafe {
        if with_of(tstate, |state| state.notes.count_exit(key)) == Some(false)
            && let Some(exit) = describe()
        {
            with_of(tstate, |state| state.notes.add_exit(key, exit));
        }
    }
}

/// The micro-ops at these addresses will be freed.
///
/// # Safety
/// The thread is attached.
pub(crate) unsafe fn forget_exits(uops: Range<usize>) {
    if is_on() {
        // SAFETY: the contract is the same.
        unsafe { with(|state| state.notes.forget_exits(uops)) };
    }
}
