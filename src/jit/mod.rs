//! The compiler: machine code for the traces of executors, by Cranelift.
//!
//! The machine code of a trace is a function. It contains the frequent micro-ops ([`ops`]), and calls the others
//! ([`crate::tier2::interpreter::HELPERS`]). It returns where the micro-op interpreter continues: at a micro-op of the same
//! trace, with the stack in memory as that micro-op expects it. So whatever is rare, a failed guard or a number that is
//! too large, leaves to the interpreter, which does the same work and comes back at the next round of the loop.
//!
//! - [`compile`]: from an executor to machine code; [`loops`]: what stays in registers from one round to the next.
//! - [`values`], [`state`]: what is known of the values and frames of the trace.
//! - [`lower`]: what all micro-ops share: guards, references, exits; [`memory`]: frames and stacks in memory, calls.
//! - [`ops`]: what each micro-op becomes.
//! - [`exits`], [`quiet`], [`runtime`]: what machine code calls.

mod compile;
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
use crate::tier2::compiled;

/// Compiles the executor that the thread wants to be compiled, if there is one.
///
/// # Safety
/// The thread is attached, and its frames are published.
#[inline(always)]
pub(crate) unsafe fn compile_wanted() {
    if let Some(executor) = compiled::take_wanted() {
        // SAFETY: the thread is attached (caller), and the reference keeps the executor alive.
        unsafe {
            quiet::prepare(ThreadState::current().interp());
            let code = compile::compile(executor.executor());
            compiled::set_code(executor.executor(), code);
        }
    }
}
