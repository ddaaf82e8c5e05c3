//! Generators that wait for each other, in one step: what machine code calls.

use crate::host::generator::Generator;
use crate::host::{CodeUnit, Frame, StackRef, ThreadState};
use crate::ops::delegation;
use crate::ops::frames::{after_yield, guard_continues_at};

/// Resumes a generator and those that it waits for, and makes the frame of the innermost the current one. That one lacks the value
/// that is sent. Returns null, and does nothing, unless that frame continues at an instruction in code of a version.
///
/// # Safety
/// The thread is attached, and `tstate` is its state. The generator is live and suspended. `caller` is the current frame.
pub(super) unsafe extern "C" fn resume_at(
    tstate: ThreadState,
    generator: Generator,
    caller: Frame,
    instr: CodeUnit,
    version: u64,
) -> Option<Frame> {
    // SAFETY: the contract is the same.
    unsafe {
        let frame = delegation::resume_at(tstate, generator, caller, (instr, version as u32)).ok()?;
        tstate.set_current_frame(Some(frame));
        Some(frame)
    }
}

/// Suspends the generator in `frame`, and those that pass on what it yields. Returns the frame that gets it, which is current then.
/// Returns null, and does nothing, unless that frame continues at an instruction in code of a version.
///
/// # Safety
/// The thread is attached, and `tstate` is its state. `frame` is its current frame, that of a generator, at its YIELD_VALUE, with
/// `sp` as its stack pointer without the value.
pub(super) unsafe extern "C" fn suspend_to(
    tstate: ThreadState,
    frame: Frame,
    sp: *mut StackRef,
    instr: CodeUnit,
    version: u64,
    is_delegating: u64,
) -> Option<Frame> {
    // SAFETY: the contract is the same.
    unsafe {
        let receiver = delegation::receiver(frame);
        guard_continues_at(receiver, after_yield(receiver), (instr, version as u32)).ok()?;
        frame.set_instr(frame.instr().add(1));
        frame.set_stack_pointer(sp);
        Some(delegation::suspend(tstate, frame, is_delegating != 0))
    }
}
