//! Machine code of the library's own compiler: when an executor gets it, and how it runs.
//!
//! The compiler is a room above this one. An executor that has become hot leaves to bytecode, and says here that it wants
//! machine code. The engine of tier 1 has it compiled, and the program comes back.

use core::any::Any;
use core::cell::Cell;
use core::mem::{MaybeUninit, transmute};
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

/// The most registers that machine code stores when it leaves.
pub(crate) const MAX_SPILLED: usize = 192;
/// The most operands of a micro-op that machine code calls without a frame.
pub(crate) const MAX_OPERANDS: usize = 32;

/// What machine code, the micro-ops that it calls, and what follows it share: where the program is.
#[repr(C)]
pub(crate) struct Machine {
    pub(crate) frame: Frame,
    pub(crate) sp: *mut StackRef,
    /// Registers where the code leaves.
    pub(crate) spilled: [MaybeUninit<u64>; MAX_SPILLED],
    /// The stack of micro-ops that need no frame.
    pub(crate) operands: [MaybeUninit<StackRef>; MAX_OPERANDS],
}

impl Machine {
    /// How many operands a micro-op without a frame has left.
    ///
    /// # Safety
    /// Such a micro-op was the last one that has changed `sp`.
    pub(crate) unsafe fn operands_left(&self) -> usize {
        // SAFETY: the stack pointer points to an operand or behind them (caller).
        unsafe { self.sp.offset_from(self.operands.as_ptr().cast()) as usize }
    }
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
        let mut machine = Machine {
            frame,
            sp,
            spilled: [const { MaybeUninit::uninit() }; MAX_SPILLED],
            operands: [const { MaybeUninit::uninit() }; MAX_OPERANDS],
        };
        // SAFETY: the code is such a function, and the program is as it expects it (caller).
        let word = unsafe { transmute::<NonNull<u8>, Function>(self.0)(&mut machine, tstate) };
        (machine.frame, machine.sp, Next::from_word(word))
    }
}

/// The machine code of an executor.
///
/// # Safety
/// The executor is live.
#[inline(always)]
pub(super) unsafe fn code_of(executor: Executor) -> Option<MachineCode> {
    // SAFETY: the executor is live (caller).
    NonNull::new(unsafe { (*executor.as_ptr()).jit_code }).map(|code| MachineCode(code.cast()))
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
        if let Some(code) = code_of(executor) {
            return Compiled::Code(code);
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

/// Gives an executor its machine code, with the data that the code refers to. `None`, or no memory for it, means that the
/// executor stays interpreted.
///
/// # Safety
/// The thread is attached, and the executor live and without code. The code is a function as [`MachineCode::run`] calls it.
pub(crate) unsafe fn set_code(executor: Executor, code: Option<(Vec<u8>, Box<dyn Any>)>) {
    let published = code.and_then(|(code, data)| Some((Block::publish(&code)?, data)));
    // SAFETY: the executor is live (caller).
    unsafe {
        let head = executor.as_ptr();
        match published {
            Some((block, data)) => {
                (*head).jit_size = block.length();
                (*head).jit_code = block.start().as_ptr().cast();
                (*head).jit_side_entry = Box::into_raw(Box::new(data)).cast();
            }
            None => (*head).jit_size = GIVEN_UP,
        }
    }
}

/// Frees the machine code of an executor, and its data, if it has any.
///
/// # Safety
/// The executor is live, and nothing runs it or will.
pub(super) unsafe fn free(executor: Executor) {
    // SAFETY: the executor is live, and its code does not run (caller).
    unsafe {
        let head = executor.as_ptr();
        if let Some(code) = NonNull::new(core::mem::replace(&mut (*head).jit_code, core::ptr::null_mut())) {
            Block::at(code.cast(), (*head).jit_size).free();
            drop(Box::from_raw((*head).jit_side_entry.cast::<Box<dyn Any>>()));
        }
    }
}
