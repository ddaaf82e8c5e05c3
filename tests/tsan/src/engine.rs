//! The evaluator's registers, in memory.

use crate::engine::Engine;
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

impl Engine for Registers {
    fn frame(&self) -> Frame {
        self.frame
    }
    fn tstate(&self) -> ThreadState {
        self.tstate
    }
    fn oparg(&self) -> usize {
        self.oparg
    }
    fn set_oparg(&mut self, oparg: usize) {
        self.oparg = oparg;
    }
    fn this_instr(&self) -> CodeUnit {
        self.this
    }
    fn previous_instr(&self) -> CodeUnit {
        self.previous
    }
    fn next(&self) -> CodeUnit {
        self.next
    }
    fn set_next(&mut self, instr: CodeUnit) {
        self.next = instr;
    }
    fn sp(&self) -> *mut StackRef {
        self.sp
    }
    fn set_sp(&mut self, sp: *mut StackRef) {
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
}
