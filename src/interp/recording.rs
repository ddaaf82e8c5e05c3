//! Recording traces: one pass of a loop runs in the `match` loop, and [`crate::tier2::record`] looks on.

use super::match_loop::{self, Observer, Stop};
use crate::host::{CodeUnit, Frame, StackRef, ThreadState};
use crate::tier2::record::Recording;

impl Observer for Recording {
    unsafe fn arrives(&mut self, frame: Frame, sp: *mut StackRef, instr: CodeUnit) -> bool {
        // SAFETY: the contract is the same.
        unsafe { Recording::arrives(self, frame, sp, instr) }
    }
    unsafe fn runs(&mut self, opcode: u8, instr: CodeUnit, oparg: usize) -> (u8, usize) {
        // SAFETY: the contract is the same.
        unsafe { Recording::runs(self, opcode, instr, oparg) }
    }
    fn raises(&mut self) -> bool {
        Recording::raises(self);
        false
    }
}

/// Runs `frame` from the instruction `next` on and records a trace, until the trace is complete or cannot go on. Makes
/// an executor of it, if it is worth one. Returns where the program is then.
///
/// # Safety
/// `tstate` is the attached thread's. `frame` is its current frame, with an entry frame below it, and `sp` its stack
/// pointer. `next` is an instruction in its bytecode. A recording is wanted
/// ([`wants_recording`](crate::engine::BytecodeEngine::wants_recording)).
#[cold]
#[inline(never)]
pub(super) unsafe fn record(tstate: ThreadState, frame: Frame, sp: *mut StackRef, next: CodeUnit) -> Stop {
    // SAFETY: thread, frame and instruction are as all of these functions require (caller). The loop stops where
    // it could go on, too, and there the frame is published for the end of the recording.
    unsafe {
        frame.set_stack_pointer(sp);
        let Some(mut recording) = Recording::begin(tstate, frame, next) else {
            return Stop::At(frame, frame.stack_pointer(), next);
        };
        match match_loop::run(tstate, frame, frame.stack_pointer(), next, &mut *recording) {
            // Nothing wants another recording meanwhile: `runs` leaves out what counts loops, and no executor runs.
            Stop::Record(frame, sp, next) | Stop::At(frame, sp, next) => {
                frame.set_stack_pointer(sp);
                recording.finish();
                Stop::At(frame, frame.stack_pointer(), next)
            }
            returned => returned,
        }
    }
}
