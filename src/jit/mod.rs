//! The JIT: machine code for the traces of executors, by Cranelift.
//!
//! The machine code of a trace is a function. It contains the frequent micro-ops ([`lower`]), and calls the others
//! ([`crate::tier2::interpreter::HELPERS`]). It returns where the micro-op interpreter continues: at a micro-op of the same
//! trace, with the stack in memory as that micro-op expects it. So whatever is rare, a failed guard or a number that is
//! too large, leaves to the interpreter, which does the same work and comes back at the next round of the loop.

mod entries;
mod frames;
mod lower;
mod memory;
mod runtime;

use core::mem::transmute;
use core::ptr::NonNull;

use memory::Block;

use crate::host::{Frame, StackRef, ThreadState};
use crate::tier2::interpreter::{Machine, Next};
use crate::tier2::executor::Executor;

/// How often a trace is entered, or goes round, until it is compiled.
const HEAT: usize = 64;
/// In the place of the count: the trace cannot be compiled.
const GIVEN_UP: usize = usize::MAX;

/// The machine code of an executor.
#[derive(Clone, Copy)]
pub(crate) struct MachineCode(NonNull<u8>);

impl MachineCode {
    /// Runs the code. Returns the current frame, its stack pointer, and where the micro-op interpreter continues.
    ///
    /// # Safety
    /// The code is that of the current executor of `tstate`, the attached thread's state. The stack of `frame`, the current
    /// frame, is as the executor expects it.
    pub(crate) unsafe fn run(
        self,
        frame: Frame,
        sp: *mut StackRef,
        tstate: ThreadState,
    ) -> (Frame, *mut StackRef, Next) {
        type Function = unsafe extern "C" fn(&mut Machine, ThreadState) -> usize;
        let mut machine = Machine { frame, sp };
        // SAFETY: the code is such a function (`lower`), and the program is as it expects it (caller).
        let word = unsafe { transmute::<NonNull<u8>, Function>(self.0)(&mut machine, tstate) };
        (machine.frame, machine.sp, Next::from_word(word))
    }
}

/// The machine code of an executor, which is about to run. Compiles it when it has become hot.
///
/// # Safety
/// The thread is attached, and the executor live.
#[inline(always)]
pub(crate) unsafe fn code_of(executor: Executor) -> Option<MachineCode> {
    // SAFETY: the executor is live (caller).
    unsafe {
        let head = executor.as_ptr();
        if let Some(code) = NonNull::new((*head).jit_code) {
            return Some(MachineCode(code.cast()));
        }
        // Until there is code, its size is the count.
        let count = (*head).jit_size;
        if count >= HEAT {
            return if count == GIVEN_UP { None } else { compile(executor) };
        }
        (*head).jit_size = count + 1;
        None
    }
}

/// Compiles an executor.
///
/// # Safety
/// As for [`code_of`].
#[cold]
unsafe fn compile(executor: Executor) -> Option<MachineCode> {
    // SAFETY: the executor is live (caller).
    unsafe {
        let head = executor.as_ptr();
        let block = lower::compile(executor).and_then(|code| Block::publish(&code));
        (*head).jit_size = block.map_or(GIVEN_UP, Block::length);
        let start = block?.start();
        (*head).jit_code = start.as_ptr().cast();
        Some(MachineCode(start))
    }
}

/// Frees the machine code of an executor, if it has any.
///
/// # Safety
/// The executor is live, and nothing runs it or will.
pub(crate) unsafe fn free(executor: Executor) {
    // SAFETY: the executor is live, and its code does not run (caller).
    unsafe {
        let head = executor.as_ptr();
        if let Some(code) = NonNull::new(core::mem::replace(&mut (*head).jit_code, core::ptr::null_mut())) {
            Block::at(code.cast(), (*head).jit_size).free();
        }
    }
}
