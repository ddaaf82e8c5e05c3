//! Micro-ops as functions that machine code calls: those that it does not contain itself.

use super::engine::{Tier2, UopOperands};
use super::handlers::NUMBERS;
use crate::bytecode::micro_op;
use crate::engine::{Exit, TraceExit, run, run_with};
use crate::host::ThreadState;
use crate::ops;
use crate::tier2::Uop;
use crate::tier2::compiled::{Machine, Next};

/// A micro-op as a function. Returns 0 if it has succeeded, and otherwise a [`Next`].
///
/// # Safety
/// As for a handler of the micro-op, with frame and stack pointer in the machine.
pub(crate) type Helper = unsafe extern "C" fn(&mut Machine, ThreadState, *const Uop) -> usize;

macro_rules! helpers {
    (everywhere { $({ $name:ident ($($copies:literal)?) [$($operands:tt)?] $needs:tt $flags:tt })* }
     bytecode $bytecode:tt
     traces { $({ $trace:ident [$($trace_operands:tt)?] $trace_needs:tt $trace_flags:tt })* }
     engine $engine:tt
     own { $({ $own:ident [$($own_operands:tt)?] $own_needs:tt $own_flags:tt })* }) => {
        /// The function of each micro-op that has a body, by its number.
        pub(crate) static HELPERS: [Option<Helper>; NUMBERS] = {
            let mut table: [Option<Helper>; NUMBERS] = [None; NUMBERS];
            $(
                let mut number = micro_op::$name as usize;
                let last = number + copies!($($copies)?);
                while number <= last {
                    table[number] = Some(helper::$name);
                    number += 1;
                }
            )*
            $(table[micro_op::$trace as usize] = Some(helper::$trace);)*
            $(table[micro_op::$own as usize] = Some(helper::$own);)*
            table
        };

        /// Their safety contract is that of [`Helper`].
        #[allow(clippy::missing_safety_doc)]
        mod helper {
            use super::*;

            $(helper_of_body! { $name [$($operands)?] })*
            $(helper_of_body! { $trace [$($trace_operands)?] })*
            $(helper_of_body! { $own [$($own_operands)?] })*
        }
    };
}

macro_rules! helper_of_body {
    ($name:ident $operands:tt) => {
        pub(super) unsafe extern "C" fn $name(machine: &mut Machine, tstate: ThreadState, uop: *const Uop) -> usize {
            // SAFETY: the parameters are those of a handler (caller). A body follows those that it needs.
            unsafe {
                let mut e = Tier2::begin(machine.frame, machine.sp, tstate, uop);
                let next = match body!(e $name $operands).map_err(TraceExit::from) {
                    Ok(()) => {
                        e.end_call(machine);
                        0
                    }
                    Err(TraceExit::Exit(Exit::Deopt) | TraceExit::Side | TraceExit::Settled) => {
                        uop.addr() | Next::FAILED_GUARD
                    }
                    Err(TraceExit::Exit(Exit::Error | Exit::ErrorNoPop)) => uop.addr() | Next::ERROR,
                };
                (machine.frame, machine.sp) = (e.frame, e.sp);
                e.frame.set_some_stack_pointer();
                next
            }
        }
    };
}

for_each_micro_op!(helpers);
