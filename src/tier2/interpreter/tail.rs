//! Dispatch by guaranteed tail calls: a handler ends with a jump to the next one.

use super::{Instr, handler_of};
pub(super) use crate::engine::separate_load;
use crate::host::{Frame, StackRef, ThreadState};
use crate::tier2::Uop;

/// The handler of a micro-op. The calling convention keeps the parameters in registers that calls into the host
/// preserve.
///
/// # Safety
/// Parameters: frame, stack pointer, thread state, micro-op. The thread is attached, and `frame` is its current
/// frame. The micro-op is in the trace of the thread's current executor, and the stack is as it expects it.
pub(super) type Handler =
    unsafe extern "rust-preserve-none" fn(Frame, *mut StackRef, ThreadState, *const Uop) -> Outcome;

/// What a handler returns.
pub(super) type Outcome = Instr;

/// Ends the trace.
#[inline(always)]
pub(super) fn end_trace(instr: Instr) -> Outcome {
    instr
}

/// Defines a handler.
macro_rules! handler {
    ($(#[$attribute:meta])* $vis:vis $name:ident($frame:pat, $sp:pat, $tstate:pat, $uop:pat) $body:block) => {
        $(#[$attribute])*
        $vis unsafe extern "rust-preserve-none" fn $name(
            $frame: Frame,
            $sp: *mut StackRef,
            $tstate: ThreadState,
            $uop: *const Uop,
        ) -> Outcome {
            $body
        }
    };
}

/// Ends a handler by another one.
macro_rules! become_handler {
    ($handler:expr, $frame:expr, $sp:expr, $tstate:expr, $uop:expr) => {
        become $handler($frame, $sp, $tstate, $uop)
    };
}

/// Ends a handler by that of a micro-op.
macro_rules! continue_at {
    ($frame:expr, $sp:expr, $tstate:expr, $uop:expr) => {{
        let uop: *const Uop = $uop;
        let handler = separate_load($crate::tier2::interpreter::handler_of($tstate, uop) as *const ());
        become core::mem::transmute::<*const (), Handler>(handler)($frame, $sp, $tstate, uop)
    }};
}

/// Runs micro-ops from `uop` on until one of them leaves.
///
/// # Safety
/// As for a [`Handler`].
#[inline(never)]
pub(super) unsafe fn run_handlers(
    frame: Frame,
    sp: *mut StackRef,
    tstate: ThreadState,
    uop: *const Uop,
) -> Instr {
    // SAFETY: the contract is the same.
    unsafe { handler_of(tstate, uop)(frame, sp, tstate, uop) }
}
