//! The compiler: machine code for the traces of executors, by Cranelift.
//!
//! The machine code of a trace is a function. It contains the frequent micro-ops ([`lower`]), and calls the others
//! ([`crate::tier2::interpreter::HELPERS`]). It returns where the micro-op interpreter continues: at a micro-op of the same
//! trace, with the stack in memory as that micro-op expects it. So whatever is rare, a failed guard or a number that is
//! too large, leaves to the interpreter, which does the same work and comes back at the next round of the loop.

mod entries;
mod frames;
mod lower;
mod runtime;
mod values;

use crate::tier2::compiled;

/// Compiles the executor that the thread wants to be compiled, if there is one.
///
/// # Safety
/// The thread is attached.
#[inline(always)]
pub(crate) unsafe fn compile_wanted() {
    if let Some(executor) = compiled::take_wanted() {
        // SAFETY: the thread is attached (caller), and the reference keeps the executor alive.
        unsafe {
            let code = lower::compile(executor.executor());
            compiled::set_code(executor.executor(), code.as_deref());
        }
    }
}
