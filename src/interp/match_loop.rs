//! Dispatch by one loop around a `match`, for compilers without guaranteed tail calls. Stands for the loop of
//! the host's `ceval.o`.

use super::unwind::{self, Resume};
use super::{Tier1, instructions};
use crate::bytecode::{metadata, opcode};
use crate::engine::{BytecodeExit, Exit};
use crate::host::{CodeUnit, Frame, PyObject, ThreadState};

macro_rules! instruction_loop {
    ($({ $name:ident $family:tt $steps:tt })*) => {
        /// Runs `frame` from the instruction `next` until the entry frame below it returns. Returns the result
        /// of the entry frame, or null with an exception set.
        ///
        /// # Safety
        /// `tstate` is the attached thread's. `frame` is its current frame, published, with an entry frame
        /// below it. `next` is an instruction in its bytecode.
        pub(crate) unsafe fn interpret(tstate: ThreadState, frame: Frame, next: CodeUnit) -> *mut PyObject {
            let (mut frame, mut next) = (frame, next);
            // SAFETY: the contract of `interpret` (caller) holds again whenever an instruction ends, since
            // instructions keep the rules of `crate::engine`.
            unsafe {
                let mut sp = frame.stack_pointer();
                let (mut opcode, mut oparg) = next.decode();
                loop {
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
                    let resume = match result {
                        Ok(()) | Err(BytecodeExit::Dispatch) => {
                            e.check_stack(opcode);
                            (frame, sp, next) = (e.frame, e.sp, e.next);
                            (opcode, oparg) = next.decode();
                            continue;
                        }
                        Err(BytecodeExit::Exit(Exit::Deopt)) => {
                            opcode = family;
                            sp = e.sp;
                            continue;
                        }
                        Err(BytecodeExit::Again) => {
                            (sp, next) = (e.sp, e.this);
                            opcode = next.opcode();
                            continue;
                        }
                        Err(BytecodeExit::As(original)) => {
                            (frame, sp, next, oparg) = (e.frame, e.sp, e.next, e.oparg);
                            opcode = original;
                            continue;
                        }
                        Err(BytecodeExit::Return(result)) => return result,
                        Err(BytecodeExit::Exit(Exit::Error | Exit::ErrorNoPop)) => {
                            e.frame.set_stack_pointer(e.sp);
                            unwind::error(tstate, e.frame, e.next)
                        }
                        Err(BytecodeExit::Unwind) => {
                            e.frame.set_stack_pointer(e.sp);
                            unwind::exception_unwind(tstate, e.frame, e.next)
                        }
                        Err(BytecodeExit::DropFrame) => {
                            e.frame.set_stack_pointer(e.sp);
                            unwind::drop_frame(tstate, e.frame, e.next)
                        }
                    };
                    let Resume::At(at, instr) = resume else { return core::ptr::null_mut() };
                    (frame, sp, next) = (at, at.stack_pointer(), instr);
                    (opcode, oparg) = next.decode();
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
