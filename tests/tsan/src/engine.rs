//! The evaluator's registers, in memory.

use crate::engine::{BytecodeEngine, Engine, StoreFast};
use crate::host::{CodeUnit, Frame, StackRef, ThreadState};

/// An engine that runs single micro-ops.
pub struct Registers {
    pub frame: Frame,
    pub tstate: ThreadState,
    pub oparg: usize,
    pub this: CodeUnit,
    pub previous: CodeUnit,
    pub next: CodeUnit,
    pub sp: *mut StackRef,
}

// SAFETY: `frames.rs` makes the registers: the thread is attached, the frame is its current one and stores
// `this` as its instruction, and all slots below `sp` hold live references.
unsafe impl Engine for Registers {
    type NextStore = StoreFast;

    fn frame(&self) -> Frame {
        self.frame
    }
    fn tstate(&self) -> ThreadState {
        self.tstate
    }
    fn oparg(&self) -> usize {
        self.oparg
    }
    fn return_offset(&self) -> usize {
        unreachable!("no calls are made")
    }
    fn sp(&self) -> *mut StackRef {
        self.sp
    }
    unsafe fn set_sp(&mut self, sp: *mut StackRef) {
        self.sp = sp;
    }
    unsafe fn switch_frame(&mut self, _frame: Frame, _next: CodeUnit) {
        unreachable!("no calls are made")
    }
    fn give_frame(&mut self, _frame: Frame) {
        unreachable!("no calls are made")
    }
    fn take_frame(&mut self) -> Frame {
        unreachable!("no calls are made")
    }
    unsafe fn following_store(&self) -> usize {
        unreachable!("the objects do not change")
    }
    unsafe fn skip_next(&mut self) {
        unreachable!("the objects do not change")
    }
    unsafe fn stay_at_previous_instr(&mut self) {
        unreachable!("no loop ends")
    }
}

// SAFETY: as for `Engine`.
unsafe impl BytecodeEngine for Registers {
    fn this_instr(&self) -> CodeUnit {
        self.this
    }
    fn set_oparg(&mut self, oparg: usize) {
        self.oparg = oparg;
    }
    fn previous_instr(&self) -> CodeUnit {
        self.previous
    }
    fn next(&self) -> CodeUnit {
        self.next
    }
    unsafe fn set_next(&mut self, instr: CodeUnit) {
        self.next = instr;
    }
}
