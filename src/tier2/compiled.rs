//! Machine code of the library's own compiler: when an executor gets it, and how it runs.
//!
//! The compiler is a room above this one. An executor that has become hot leaves to bytecode, and says here that it wants
//! machine code. The engine of tier 1 has it compiled, and the program comes back.

use core::cell::Cell;
use core::mem::transmute;
use core::ptr::NonNull;

use super::Uop;
use super::code_memory::Block;
use super::executor::{Executor, OwnedExecutor};
use crate::bytecode::thresholds;
use crate::host::{Frame, StackRef, ThreadState};

/// In the place of the count: it is not counted any more.
const GIVEN_UP: usize = usize::MAX;

/// The machine code of an executor.
#[derive(Clone, Copy)]
pub(super) struct MachineCode(NonNull<u8>);

/// What an executor has.
pub(super) enum Compiled {
    Code(MachineCode),
    /// No machine code, now or ever.
    Interpreted,
    /// No machine code yet: it has just become hot.
    Hot,
}

/// What machine code and the micro-ops that it calls share: where the program is.
#[repr(C)]
pub(crate) struct Machine {
    pub(crate) frame: Frame,
    pub(crate) sp: *mut StackRef,
}

/// Where the micro-op interpreter continues when machine code leaves.
pub(crate) enum Next {
    /// At this micro-op.
    At(*const Uop),
    /// Where this micro-op leads to if it is a guard that has failed.
    FailedGuard(*const Uop),
    /// Where this micro-op leads to with an exception, which is set.
    Error(*const Uop),
}

impl Next {
    /// Bits of the word that machine code returns, beside the address of the micro-op.
    pub(crate) const FAILED_GUARD: usize = 1;
    pub(crate) const ERROR: usize = 2;

    /// Reads what machine code has returned.
    pub(crate) fn from_word(word: usize) -> Next {
        let uop = (word & !3) as *const Uop;
        match word & 3 {
            Next::FAILED_GUARD => Next::FailedGuard(uop),
            Next::ERROR => Next::Error(uop),
            _ => Next::At(uop),
        }
    }
}

thread_local! {
    /// The executor that the thread wants to be compiled. The engine takes it before anything else runs, so it never
    /// waits for the end of the thread.
    static WANTED: Cell<Option<OwnedExecutor>> = const { Cell::new(None) };
}

impl MachineCode {
    /// Runs the code. Returns the current frame, its stack pointer, and where the micro-op interpreter continues.
    ///
    /// # Safety
    /// The code is that of the current executor of `tstate`, the attached thread's state. The stack of `frame`, the current
    /// frame, is as the executor expects it.
    pub(super) unsafe fn run(
        self,
        frame: Frame,
        sp: *mut StackRef,
        tstate: ThreadState,
    ) -> (Frame, *mut StackRef, Next) {
        type Function = unsafe extern "C" fn(&mut Machine, ThreadState) -> usize;
        let mut machine = Machine { frame, sp };
        // SAFETY: the code is such a function, and the program is as it expects it (caller).
        let word = unsafe { transmute::<NonNull<u8>, Function>(self.0)(&mut machine, tstate) };
        (machine.frame, machine.sp, Next::from_word(word))
    }
}

/// What the executor has, which is about to run: counts that.
///
/// # Safety
/// The thread is attached, and the executor live.
#[inline(always)]
pub(super) unsafe fn of(executor: Executor) -> Compiled {
    // SAFETY: the executor is live (caller).
    unsafe {
        let head = executor.as_ptr();
        if let Some(code) = NonNull::new((*head).jit_code) {
            return Compiled::Code(MachineCode(code.cast()));
        }
        // Until there is code, its size is the count.
        match (*head).jit_size {
            GIVEN_UP => Compiled::Interpreted,
            count if count >= thresholds::get().heat() => Compiled::Hot,
            count => {
                (*head).jit_size = count + 1;
                Compiled::Interpreted
            }
        }
    }
}

/// The thread wants this executor to be compiled.
///
/// # Safety
/// The thread is attached, and the executor live.
#[cold]
pub(super) unsafe fn want(executor: Executor) {
    // SAFETY: the thread is attached, and the executor live (caller).
    drop(WANTED.replace(Some(unsafe { executor.new_ref() })));
}

/// The executor that the thread wants to be compiled.
pub(crate) fn take_wanted() -> Option<OwnedExecutor> {
    WANTED.take()
}

/// Gives an executor its machine code. `None`, or no memory for it, means that it stays interpreted.
///
/// # Safety
/// The thread is attached, and the executor live and without code. The code is a function as [`MachineCode::run`] calls it.
pub(crate) unsafe fn set_code(executor: Executor, code: Option<&[u8]>) {
    // SAFETY: the executor is live (caller).
    unsafe {
        let head = executor.as_ptr();
        let block = code.and_then(Block::publish);
        (*head).jit_size = block.map_or(GIVEN_UP, Block::length);
        (*head).jit_code = block.map_or(core::ptr::null_mut(), |block| block.start().as_ptr().cast());
    }
}

/// Frees the machine code of an executor, if it has any.
///
/// # Safety
/// The executor is live, and nothing runs it or will.
pub(super) unsafe fn free(executor: Executor) {
    // SAFETY: the executor is live, and its code does not run (caller).
    unsafe {
        let head = executor.as_ptr();
        if let Some(code) = NonNull::new(core::mem::replace(&mut (*head).jit_code, core::ptr::null_mut())) {
            Block::at(code.cast(), (*head).jit_size).free();
        }
    }
}
