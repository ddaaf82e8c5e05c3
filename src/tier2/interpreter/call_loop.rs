//! Dispatch by a loop that calls handlers, for compilers without guaranteed tail calls.

use super::{Instr, handler_of};
use crate::host::{Frame, StackRef, ThreadState};
use crate::tier2::Uop;

/// The handler of a micro-op.
///
/// # Safety
/// Parameters: frame, stack pointer, thread state, micro-op. The thread is attached, and `frame` is its current
/// frame. The micro-op is in the trace of the thread's current executor, and the stack is as it expects it.
pub(super) type Handler = unsafe fn(Frame, *mut StackRef, ThreadState, *const Uop) -> Outcome;

/// What a handler returns.
pub(super) enum Outcome {
    Continue(Frame, *mut StackRef, *const Uop),
    End(Instr),
}

/// Ends the trace.
#[inline(always)]
pub(super) fn end_trace(instr: Instr) -> Outcome {
    Outcome::End(instr)
}

/// Defines a handler.
macro_rules! handler {
    ($(#[$attribute:meta])* $vis:vis $name:ident($frame:pat, $sp:pat, $tstate:pat, $uop:pat) $body:block) => {
        $(#[$attribute])*
        $vis unsafe fn $name(
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
        return $handler($frame, $sp, $tstate, $uop)
    };
}

/// Ends a handler by that of a micro-op.
macro_rules! continue_at {
    ($frame:expr, $sp:expr, $tstate:expr, $uop:expr) => {{
        let _: ThreadState = $tstate;
        return Outcome::Continue($frame, $sp, $uop);
    }};
}

/// Runs micro-ops from `uop` on until one of them leaves.
///
/// # Safety
/// As for a [`Handler`].
pub(super) unsafe fn run_handlers(
    mut frame: Frame,
    mut sp: *mut StackRef,
    tstate: ThreadState,
    mut uop: *const Uop,
) -> Instr {
    loop {
        // SAFETY: the contract of a handler holds at first (caller), and each handler passes it on.
        match unsafe { handler_of(tstate, uop)(frame, sp, tstate, uop) } {
            Outcome::Continue(at, stack, next) => (frame, sp, uop) = (at, stack, next),
            Outcome::End(instr) => return instr,
        }
    }
}
