//! What a thread wants to be recorded: a counter has asked for an executor, which does not exist yet.

use core::cell::Cell;

#[cfg(feature = "jit")]
use super::super::declined::{self, Term};
use super::super::executor::{Executor, OwnedExecutor, SideExit};
use super::super::list;
use super::super::translate::{Purpose, code_version};
#[cfg(feature = "jit")]
use crate::bytecode::counter::MAX_VALUE;
use crate::bytecode::{BackoffCounter, opcode, thresholds};
use crate::host::{Code, CodeUnit, Frame, ThreadState, ffi};
use crate::instrument::version;

/// The number of executors that side exits may lead to one after the other, until one has to be in the bytecode.
const MAX_CHAIN_DEPTH: u8 = ffi::MAX_CHAIN_DEPTH as u8;

/// The most executors that begin at the same instruction.
const MAX_ALTERNATIVES: usize = 8;

/// A recording that is wanted.
pub(super) struct Wish {
    /// The first instruction of the trace, in live bytecode while the recording runs. For a loop, the jump back.
    start: CodeUnit,
    /// The number of executors that side exits lead through from one in the bytecode to the new one.
    depth: u8,
    asker: Asker,
    /// No other executor may begin there besides.
    is_last: bool,
}

/// What has counted to its end.
enum Asker {
    /// A jump back: its unit with the opcode.
    Loop(CodeUnit),
    /// A side exit, and its executor.
    Exit(OwnedExecutor, SideExit),
    /// The calls of a function with this code, which have been counted so often before.
    Calls(Code, u8),
}

thread_local! {
    /// What the thread wants. It is taken before anything else runs, so it never waits for the end of a thread.
    static WISH: Cell<*mut Wish> = const { Cell::new(core::ptr::null_mut()) };
}

/// Whether the thread wants a recording.
#[inline(always)]
pub(crate) fn is_wanted() -> bool {
    !WISH.get().is_null()
}

/// Asks for an executor for what `frame` runs from `start` on. If the thread runs an executor, it is for the side exit that
/// has just become hot. Otherwise it is for the loop that the jump at `start` closes, or for the function whose RESUME is
/// there. Returns the executor if there is one already that begins at `start`. If there is none, the thread wants a
/// recording from now on.
///
/// # Safety
/// The thread is attached. `frame` is its current frame, and `start` an instruction in its bytecode.
pub(crate) unsafe fn ask(frame: Frame, start: CodeUnit, chain_depth: u8) -> Option<OwnedExecutor> {
    // SAFETY: thread and frame are as the caller says. The current executor is live. An EXTENDED_ARG is followed by
    // another unit.
    unsafe {
        let instr = if start.opcode() == opcode::EXTENDED_ARG { start.add(1) } else { start };
        if instr.opcode() == opcode::EXTENDED_ARG {
            return None;
        }
        let tstate = ThreadState::current();
        let mut is_last = false;
        #[cfg(feature = "jit")]
        let declined = code_version(frame.code()).and_then(|version| declined::term(start, version));
        let asker = match Executor::from_ptr((*tstate.as_ptr()).current_executor.cast()) {
            None => match instr.opcode() {
                opcode::JUMP_BACKWARD_JIT => Asker::Loop(instr),
                opcode::RESUME | opcode::RESUME_CHECK => {
                    Asker::Calls(frame.code(), version::take_attempts(frame.code()))
                }
                // A tool watches the EXTENDED_ARG of a jump.
                _ => return None,
            },
            #[cfg(feature = "jit")]
            Some(_) if declined.is_some() => return None,
            Some(executor) => {
                match alternative(tstate.interp(), executor, frame.code(), start) {
                    Ok(count) => is_last = count + 1 == MAX_ALTERNATIVES,
                    Err(answer) => return answer,
                }
                let target = start.offset_from(frame.bytecode()) as u32;
                let asks = |exit: &SideExit| exit.target() == target && exit.temperature().triggers();
                let mut asking = executor.exits().filter(asks);
                // If there are two, the offsets may be of two code objects. The one that does not ask now will be alone.
                let (Some(exit), None) = (asking.next(), asking.next()) else { return None };
                Asker::Exit(executor.new_ref(), exit)
            }
        };
        #[cfg(feature = "jit")]
        if let Some(term) = declined {
            if term == Term::ForNow {
                asker.put_off(MAX_VALUE);
            }
            return None;
        }
        drop(take());
        let wish = super::on_heap(Wish { start, depth: chain_depth % MAX_CHAIN_DEPTH, asker, is_last });
        WISH.set(wish.map_or(core::ptr::null_mut(), Box::into_raw));
        None
    }
}

/// Whether a side exit of `current` to `start` is to get a new executor. Returns how many there are already, or what it gets
/// instead.
///
/// All exits to an instruction lead to the same executor, the first one that was made for it. If its guards fail in
/// front of that instruction, its exit leads to another one for the same instruction, and so on.
///
/// # Safety
/// The thread is attached to the interpreter; executor and code are live, and `start` is in its bytecode.
unsafe fn alternative(
    interp: *mut ffi::PyInterpreterState,
    current: Executor,
    code: Code,
    start: CodeUnit,
) -> Result<usize, Option<OwnedExecutor>> {
    // SAFETY: executors in the list are live (caller).
    unsafe {
        let Some(version) = code_version(code) else { return Ok(0) };
        let all = core::iter::successors(list::first(interp), |&executor| list::next(executor));
        let (mut first, mut count) = (None, 0);
        for executor in all.filter(|executor| executor.begins_at(start, version)) {
            // The newest is the first of the list.
            (first, count) = (Some(executor), count + 1);
        }
        match first {
            _ if count >= MAX_ALTERNATIVES => Err(None),
            Some(first) if !current.begins_at(start, version) => Err(Some(first.new_ref())),
            _ => Ok(count),
        }
    }
}

impl Asker {
    /// Lets calls ask again in `steps` steps, as if they had not asked yet.
    ///
    /// # Safety
    /// The thread is attached; the code is live.
    unsafe fn put_off(&self, steps: u16) {
        if let Asker::Calls(code, attempts) = *self {
            // SAFETY: the code is live (caller), and the thread is attached to the only interpreter that runs it.
            unsafe { version::count_calls(code, steps, attempts) }
        }
    }
}

/// Takes what the thread wants.
pub(super) fn take() -> Option<Wish> {
    let wish = WISH.replace(core::ptr::null_mut());
    // SAFETY: the pointer is null or that of a box, which belongs to the cell that has just been emptied.
    (!wish.is_null()).then(|| unsafe { *Box::from_raw(wish) })
}

impl Wish {
    /// The first instruction of the trace.
    pub(super) fn start(&self) -> CodeUnit {
        self.start
    }

    /// Whether the executor is to take the place of the first instruction. Every fourth of a chain is.
    pub(super) fn is_for_bytecode(&self) -> bool {
        self.depth == 0
    }

    /// Whether the first instruction is to take whatever comes, since there will be no other executor for it.
    pub(super) fn is_last(&self) -> bool {
        self.is_last
    }

    /// The depth of the new executor, which is in the bytecode or not.
    pub(super) fn depth(&self, in_bytecode: bool) -> u8 {
        if in_bytecode || self.depth > 0 { self.depth } else { MAX_CHAIN_DEPTH - 1 }
    }

    /// The side exit leads to the new executor from now on. (Others are in the bytecode.)
    ///
    /// # Safety
    /// The thread is attached.
    pub(super) unsafe fn fulfil(&self, new: OwnedExecutor) {
        if let Asker::Exit(executor, exit) = &self.asker {
            // SAFETY: the reference keeps the executor of the exit alive. A valid one may lead to others.
            unsafe {
                if executor.executor().is_valid() && exit.executor().is_none() {
                    exit.set_executor(new);
                }
            }
        }
    }

    /// What the trace is to be.
    pub(super) fn purpose(&self) -> Purpose {
        match self.asker {
            Asker::Loop(_) => Purpose::Loop,
            Asker::Exit(..) => Purpose::Exit,
            Asker::Calls(..) => Purpose::Function,
        }
    }

    /// The counter begins anew, since the executor is there.
    ///
    /// # Safety
    /// The thread is attached; the code of the start is live.
    pub(super) unsafe fn reset_counter(&self) {
        // SAFETY: the contract is the same.
        unsafe { self.set_counter(self.first_counter()) }
    }

    /// How often the counter has asked before this time, as far as it shows that.
    ///
    /// # Safety
    /// As for [`Wish::reset_counter`].
    pub(super) unsafe fn earlier_attempts(&self) -> u16 {
        if let Asker::Calls(_, attempts) = self.asker {
            return attempts.into();
        }
        // SAFETY: the contract is the same. The counter has restarted after this attempt, too.
        unsafe {
            self.counter().map_or(0, |counter| counter.restarts_since(self.first_counter()).saturating_sub(1))
        }
    }

    /// Lets the counter ask again in `steps` steps.
    ///
    /// # Safety
    /// As for [`Wish::reset_counter`].
    pub(super) unsafe fn ask_again(&self, steps: u16) {
        // SAFETY: the contract is the same.
        unsafe {
            if let Asker::Calls(code, attempts) = self.asker {
                version::count_calls(code, steps, attempts.saturating_add(1));
            } else if let Some(counter) = self.counter() {
                self.set_counter(counter.in_steps(steps));
            }
        }
    }

    /// Lets calls ask again in `steps` steps, as if they had not asked yet.
    ///
    /// # Safety
    /// As for [`Wish::reset_counter`].
    pub(super) unsafe fn put_off(&self, steps: u16) {
        // SAFETY: the contract is the same.
        unsafe { self.asker.put_off(steps) }
    }

    /// What the counter was at first.
    ///
    /// # Safety
    /// The thread is attached.
    unsafe fn first_counter(&self) -> BackoffCounter {
        // SAFETY: an interpreter that runs code has read its configuration (caller).
        let thresholds = unsafe { thresholds::get() };
        match self.asker {
            Asker::Exit(..) => thresholds.side_exit,
            Asker::Loop(_) | Asker::Calls(..) => thresholds.jump_backward,
        }
    }

    /// The counter that has asked for the recording. That of calls is a part of the version of the code.
    ///
    /// # Safety
    /// The code of the start is live.
    unsafe fn counter(&self) -> Option<BackoffCounter> {
        // SAFETY: the executor of the exit is live; a backward jump has a counter.
        unsafe {
            match &self.asker {
                Asker::Exit(_, exit) => Some(exit.temperature()),
                Asker::Loop(instr) => Some(BackoffCounter::load_at(*instr)),
                Asker::Calls(..) => None,
            }
        }
    }

    /// # Safety
    /// The code of the start is live.
    unsafe fn set_counter(&self, counter: BackoffCounter) {
        // SAFETY: as for `counter`.
        unsafe {
            match &self.asker {
                Asker::Exit(_, exit) => exit.set_temperature(counter),
                Asker::Loop(instr) => counter.store_at(*instr),
                Asker::Calls(..) => {}
            }
        }
    }
}
