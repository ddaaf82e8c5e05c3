//! Dispatch by one loop around a `match`: for recording traces, which needs to look at each instruction, and for
//! compilers without guaranteed tail calls. Stands for the loop of the host's `ceval.o`.

use super::unwind::{self, Resume};
use super::{Tier1, instructions};
use crate::bytecode::{metadata, opcode};
use crate::engine::{BytecodeExit, Exit};
use crate::host::{CodeUnit, Frame, PyObject, StackRef, ThreadState};

/// Looks at the instructions that a loop runs, and may stop it between two of them.
pub(super) trait Observer {
    /// The instruction at `instr` is about to run in `frame`, whose stack pointer is `sp`. The one before it is done;
    /// the frame may be another one by now. Returns whether to go on.
    ///
    /// # Safety
    /// The thread is attached. `frame` is its current frame, and `instr` an instruction in its bytecode, at the
    /// first of its EXTENDED_ARGs. `sp` is the frame's stack pointer.
    unsafe fn arrives(&mut self, frame: Frame, sp: *mut StackRef, instr: CodeUnit) -> bool;

    /// The body of `opcode` is about to run for the instruction at `instr`, the one at which the loop has just arrived
    /// or the one behind its EXTENDED_ARGs. Bodies that have run for it before had no effect. Returns the opcode whose
    /// body runs instead, and its argument: equivalent ones for the program.
    ///
    /// # Safety
    /// As for [`Observer::arrives`]; `oparg` is the argument of the instruction.
    unsafe fn runs(&mut self, opcode: u8, instr: CodeUnit, oparg: usize) -> (u8, usize);

    /// The instruction has raised an exception. Returns whether to go on after unwinding.
    fn raises(&mut self) -> bool;
}

/// How a loop of instructions ends.
pub(super) enum Stop {
    /// In front of this instruction of the thread's current frame, which has this stack pointer.
    At(Frame, *mut StackRef, CodeUnit),
    /// The same; a trace is to be recorded from there on.
    #[cfg(py_tier2)]
    Record(Frame, *mut StackRef, CodeUnit),
    /// The entry frame below the first frame has returned this; null with an exception set.
    Returned(*mut PyObject),
}

macro_rules! instruction_loop {
    ($({ $name:ident $family:tt $steps:tt })*) => {
        /// Runs `frame` from the instruction `next` on, until the entry frame below it returns or something stops the
        /// loop.
        ///
        /// # Safety
        /// `tstate` is the attached thread's. `frame` is its current frame, with an entry frame below it, and `sp` its
        /// stack pointer. `next` is an instruction in its bytecode.
        pub(super) unsafe fn run(
            tstate: ThreadState,
            frame: Frame,
            sp: *mut StackRef,
            next: CodeUnit,
            observer: &mut impl Observer,
        ) -> Stop {
            let (mut frame, mut sp, mut next) = (frame, sp, next);
            // SAFETY: the contract of `run` (caller) holds again whenever an instruction ends, since instructions
            // keep the rules of `crate::engine`.
            unsafe {
                loop {
                    if !observer.arrives(frame, sp, next) {
                        return Stop::At(frame, sp, next);
                    }
                    let (mut opcode, mut oparg) = next.decode();
                    let resume = loop {
                        (opcode, oparg) = observer.runs(opcode, next, oparg);
                        let (e, result, family) = match opcode {
                            $(opcode::$name => {
                                let units = const { 1 + metadata::$name.cache_units() };
                                let mut e = Tier1::begin(frame, sp, tstate, next, oparg, units);
                                let result = instructions::$name(&mut e);
                                (e, result, family!($family))
                            })*
                            _ => {
                                let e = Tier1::begin(frame, sp, tstate, next, oparg, 1);
                                unwind::unknown_opcode(frame, sp, next);
                                (e, Err(BytecodeExit::Exit(Exit::Error)), opcode)
                            }
                        };
                        match result {
                            Ok(()) | Err(BytecodeExit::Dispatch) => {
                                e.check_stack(opcode);
                                (frame, sp, next) = (e.frame, e.sp, e.next);
                                break None;
                            }
                            Err(BytecodeExit::Exit(Exit::Deopt)) => {
                                opcode = family;
                                sp = e.sp;
                            }
                            Err(BytecodeExit::Again) => {
                                (sp, next) = (e.sp, e.this);
                                opcode = next.opcode();
                            }
                            Err(BytecodeExit::As(original)) => {
                                (frame, sp, next, oparg) = (e.frame, e.sp, e.next, e.oparg);
                                opcode = original;
                            }
                            Err(BytecodeExit::Return(result)) => return Stop::Returned(result),
                            #[cfg(py_tier2)]
                            Err(BytecodeExit::Record) => return Stop::Record(e.frame, e.sp, e.next),
                            Err(BytecodeExit::Exit(Exit::Error | Exit::ErrorNoPop)) => {
                                e.frame.set_stack_pointer(e.sp);
                                break Some(unwind::error(tstate, e.frame, e.next));
                            }
                            Err(BytecodeExit::Unwind) => {
                                e.frame.set_stack_pointer(e.sp);
                                break Some(unwind::exception_unwind(tstate, e.frame, e.next));
                            }
                            Err(BytecodeExit::DropFrame) => {
                                e.frame.set_stack_pointer(e.sp);
                                break Some(unwind::drop_frame(tstate, e.frame, e.next));
                            }
                        }
                    };
                    match resume {
                        None => {}
                        Some(Resume::Leave) => return Stop::Returned(core::ptr::null_mut()),
                        Some(Resume::At(at, instr)) => {
                            (frame, sp, next) = (at, at.stack_pointer(), instr);
                            if !observer.raises() {
                                return Stop::At(frame, sp, next);
                            }
                        }
                    }
                }
            }
        }
    };
}

/// The generic opcode to run after a failed guard.
macro_rules! family {
    (($family:ident)) => {
        opcode::$family
    };
    (()) => {
        opcode::RESERVED
    };
}

for_each_instruction!(instruction_loop);
