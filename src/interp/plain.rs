//! Dispatch by the `match` loop, for compilers without guaranteed tail calls.

use super::match_loop::{Observer, Stop, run};
#[cfg(py_tier2)]
use super::recording;
use crate::host::{CodeUnit, Frame, PyObject, StackRef, ThreadState};

/// Does nothing: the observer of the interpreter itself.
struct Unobserved;

impl Observer for Unobserved {
    #[inline(always)]
    unsafe fn arrives(&mut self, _frame: Frame, _sp: *mut StackRef, _instr: CodeUnit) -> bool {
        true
    }
    #[inline(always)]
    unsafe fn runs(&mut self, opcode: u8, _instr: CodeUnit, oparg: usize) -> (u8, usize) {
        (opcode, oparg)
    }
    #[inline(always)]
    fn raises(&mut self) -> bool {
        true
    }
}

/// Runs `frame` from the instruction `next` until the entry frame below it returns. Returns the result of the entry
/// frame, or null with an exception set.
///
/// # Safety
/// `tstate` is the attached thread's. `frame` is its current frame, published, with an entry frame below it. `next`
/// is an instruction in its bytecode.
pub(crate) unsafe fn interpret(tstate: ThreadState, frame: Frame, next: CodeUnit) -> *mut PyObject {
    // SAFETY: the frame is published, so its stack pointer is stored in it; the rest is the caller's. A recording
    // ends in such a state, too.
    unsafe {
        let mut stop = run(tstate, frame, frame.stack_pointer(), next, &mut Unobserved);
        loop {
            stop = match stop {
                Stop::Returned(result) => return result,
                Stop::At(frame, sp, next) => run(tstate, frame, sp, next, &mut Unobserved),
                #[cfg(py_tier2)]
                Stop::Record(frame, sp, next) => recording::record(tstate, frame, sp, next),
            };
        }
    }
}
