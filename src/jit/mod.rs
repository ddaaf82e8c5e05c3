//! The compiler: machine code for the traces of executors, by Cranelift.
//!
//! The machine code of a trace is a function. It contains the frequent micro-ops ([`ops`]), and calls the others
//! ([`crate::tier2::interpreter::HELPERS`]). It returns where the micro-op interpreter continues: at a micro-op of the same
//! trace, with the stack in memory as that micro-op expects it. So whatever is rare, a failed guard or a number that is
//! too large, leaves to the interpreter, which does the same work and comes back at the next round of the loop.
//!
//! - [`compile`]: from an executor to machine code; [`loops`]: what stays in registers from one round to the next.
//! - [`values`], [`state`]: what is known of the values and frames of the trace.
//! - [`describe`], [`exits`]: where the code leaves; [`branches`], [`bridges`]: code that continues there.
//! - [`lower`]: what all micro-ops share: guards, references, exits; [`memory`]: frames and stacks in memory, calls.
//! - [`boxes`]: objects for numbers that are in registers.
//! - [`ops`]: what each micro-op becomes.
//! - [`delegated`], [`quiet`], [`runtime`]: what machine code calls, beside `exits`.

mod boxes;
mod branches;
mod bridges;
mod compile;
mod delegated;
mod describe;
mod exits;
mod loops;
mod lower;
mod memory;
mod ops;
mod quiet;
mod runtime;
mod state;
mod values;

use crate::host::ThreadState;
use crate::tier2::compiled::{self, Wanted};
use exits::Exit;

/// Compiles what the thread wants to be compiled, if anything.
///
/// # Safety
/// The thread is attached, and its frames are published.
#[inline(always)]
pub(crate) unsafe fn compile_wanted() {
    if let Some(wanted) = compiled::take_wanted() {
        // SAFETY: the contract is the same.
        unsafe { compile(wanted) };
    }
}

/// Compiles an executor.
///
/// # Safety
/// As for [`compile_wanted`].
#[cold]
unsafe fn compile(wanted: Wanted) {
    let executor = wanted.executor.executor();
    // SAFETY: the thread is attached (caller), and the references keep the executors alive, and so the exit.
    unsafe {
        quiet::prepare(ThreadState::current().interp());
        match wanted.from {
            None => compiled::set_entry(executor, compile::compile(executor)),
            Some((_, exit)) => {
                let exit = exit.cast::<Exit>().as_ref();
                exit.continue_in(executor, compile::compile_bridge(executor, exit));
            }
        }
    }
}
