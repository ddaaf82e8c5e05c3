//! The handlers of micro-ops: what runs their bodies, and what follows a failure.

use super::current_executor;
use super::dispatch::*;
use super::engine::{Tier2, UopOperands};
use super::steering::*;
use crate::bytecode::micro_op;
use crate::engine::{Exit, TraceExit, run, run_with};
use crate::host::{Frame, StackRef, ThreadState};
use crate::ops;
use crate::tier2::Uop;
use crate::tier2::uop::Place;

/// The size of the table of handlers: a power of two, so that every index within it is computed without a branch.
pub(super) const NUMBERS: usize = (micro_op::LAST as usize + 1).next_power_of_two();

macro_rules! handlers {
    (everywhere { $({ $name:ident ($($copies:literal)?) [$($operands:tt)?] $needs:tt $flags:tt })* }
     bytecode $bytecode:tt
     traces { $({ $trace:ident [$($trace_operands:tt)?] $trace_needs:tt $trace_flags:tt })* }
     engine { $({ $engine:ident $engine_flags:tt })* }
     own { $({ $own:ident [$($own_operands:tt)?] $own_needs:tt $own_flags:tt })* }) => {
        /// The handler of each micro-op, by its number. Copies have the handler of the original.
        pub(super) static HANDLERS: [Handler; NUMBERS] = {
            let mut table: [Handler; NUMBERS] = [unknown; NUMBERS];
            $(
                let mut number = micro_op::$name as usize;
                let last = number + copies!($($copies)?);
                while number <= last {
                    table[number] = handler::$name;
                    number += 1;
                }
            )*
            $(table[micro_op::$trace as usize] = handler::$trace;)*
            $(table[micro_op::$engine as usize] = $engine;)*
            $(table[micro_op::$own as usize] = handler::$own;)*
            table
        };

        /// Their safety contract is that of [`Handler`].
        #[allow(clippy::missing_safety_doc)]
        mod handler {
            use super::*;

            $(handler_of_body! { $name [$($operands)?] })*
            $(handler_of_body! { $trace [$($trace_operands)?] })*
            $(handler_of_body! { $own [$($own_operands)?] })*
        }
    };
}

macro_rules! handler_of_body {
    ($name:ident $operands:tt) => {
        handler! {
            pub(super) $name(frame, sp, tstate, uop) {
                // SAFETY: the parameters are those of a handler. A body follows those that it needs, as the optimizer
                // has made the trace from whole instructions.
                unsafe {
                    let mut e = Tier2::begin(frame, sp, tstate, uop);
                    match body!(e $name $operands).map_err(TraceExit::from) {
                        Ok(()) => {
                            let next = e.end();
                            continue_at!(e.frame, e.sp, e.tstate, next)
                        }
                        Err(TraceExit::Exit(Exit::Deopt) | TraceExit::Side | TraceExit::Settled) => {
                            core::hint::cold_path();
                            become_handler!(failed_guard, e.frame, e.sp, e.tstate, e.uop)
                        }
                        Err(TraceExit::Exit(Exit::Error | Exit::ErrorNoPop)) => {
                            become_handler!(error, e.frame, e.sp, e.tstate, e.uop)
                        }
                    }
                }
            }
        }
    };
}

for_each_micro_op!(handlers);

// --- failures ----------------------------------------------------------------------------------

handler! {
    /// Continues at the stub for a guard that failed. A micro-op without one leaves the interpreter: it runs again in
    /// bytecode.
    ///
    /// # Safety
    /// As for a [`Handler`], with the micro-op that failed.
    #[inline(never)]
    pub(super) failed_guard(frame, sp, tstate, uop) {
        // SAFETY: stubs are in the same trace. The stack is as before the micro-op's instruction.
        unsafe {
            match (*uop).place() {
                Place::Stubs { exit, .. } => continue_at!(frame, sp, tstate, in_trace(tstate, exit)),
                Place::Target(_) => become_handler!(deopt, frame, sp, tstate, uop),
            }
        }
    }
}

handler! {
    /// Continues at the stub for an exception.
    ///
    /// # Safety
    /// As for a [`Handler`], with the micro-op that failed. An exception is set.
    #[cold]
    pub(super) error(frame, sp, tstate, uop) {
        // SAFETY: stubs are in the same trace. A micro-op without a stub belongs to the instruction at its target.
        unsafe {
            match (*uop).place() {
                Place::Stubs { error, .. } => continue_at!(frame, sp, tstate, in_trace(tstate, error)),
                Place::Target(target) => raise_at(frame, sp, tstate, target),
            }
        }
    }
}

/// The micro-op with this index in the trace of the current executor.
///
/// # Safety
/// The thread is attached and `tstate` is its state. It runs a trace, which has that many micro-ops.
#[inline(always)]
unsafe fn in_trace(tstate: ThreadState, index: u16) -> *const Uop {
    // SAFETY: the current executor has such a micro-op (caller).
    unsafe { current_executor(tstate).trace().as_ptr().add(usize::from(index)) }
}
