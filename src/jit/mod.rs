//! The compiler: machine code for the traces of executors, by Cranelift.
//!
//! The machine code of a trace is a function. It contains the frequent micro-ops ([`ops`]), and calls the others
//! ([`crate::tier2::interpreter::HELPERS`]). It returns where the micro-op interpreter continues: at a micro-op of the same
//! trace, with the stack in memory as that micro-op expects it. So whatever is rare, a failed guard or a number that is
//! too large, leaves to the interpreter, which does the same work and comes back at the next round of the loop.
//!
//! - [`compile`]: from an executor to Cranelift's form of a function; [`emit`]: from there to machine code; [`worker`]: the thread
//!   that does this; [`spare`]: memory for that; [`loops`]: what stays in registers from one round to the next.
//! - [`values`], [`state`]: what is known of the values and frames of the trace.
//! - [`describe`], [`exits`], [`lists`]: where the code leaves; [`branches`], [`bridges`]: code that continues there.
//! - [`lower`]: what all micro-ops share: guards, references, exits; [`memory`]: frames and stacks in memory, calls.
//! - [`boxes`]: objects for numbers that are in registers, and for virtual tuples.
//! - [`ops`]: what each micro-op becomes.
//! - [`delegated`], [`quiet`], [`runtime`]: what machine code calls, beside `exits`; [`reserve`]: when there is no memory.
//! - [`sources`]: which lines machine code stands for, while a run is explained.
//! - [`forced`]: leaving where nothing asks for it, for tests.
//! - [`pauses`]: how long the program waits for all that.

mod boxes;
mod branches;
mod bridges;
mod compile;
mod delegated;
mod describe;
mod emit;
mod exits;
mod forced;
mod lists;
mod loops;
mod lower;
mod memory;
mod ops;
mod pauses;
mod quiet;
mod quiet_work;
mod reserve;
mod runtime;
mod sources;
mod spare;
mod state;
mod values;
mod worker;

use crate::explain;
use crate::host::ThreadState;
use crate::tier2::compiled::{self, Wanted};
use crate::tier2::declined::Term;
use crate::tier2::invalidate;
use exits::Exit;
// Without the drop-in's header, nothing reads these.
#[cfg(not(feature = "attach"))]
pub(crate) use forced::count as forced_exits;
#[cfg(not(feature = "attach"))]
pub(crate) use pauses::{PAUSES, Pauses};

/// Compiles what the thread wants to be compiled, if anything.
///
/// # Safety
/// The thread is attached, and its frames are published.
#[inline(always)]
pub(crate) unsafe fn compile_wanted() {
    if let Some(wanted) = compiled::take_wanted() {
        // SAFETY: the contract is the same.
        pauses::count(|| explain::while_making(|| unsafe { compile(wanted) }));
    }
}

/// Begins to compile an executor.
///
/// # Safety
/// As for [`compile_wanted`].
#[cold]
unsafe fn compile(wanted: Wanted) {
    let executor = wanted.executor.executor();
    // SAFETY: the thread is attached (caller), and the references keep the executors alive, and so the exit.
    unsafe {
        quiet::prepare(ThreadState::current().interp());
        reserve::fill();
        match wanted.from {
            None if compiled::can_get_entry(executor) => {
                let declined = match compile::begin(executor, wanted.is_fast) {
                    Ok(product) => {
                        compiled::expect_entry(executor, Some(product));
                        compiled::is_given_up(executor).then_some(Term::ForGood)
                    }
                    Err(term) => Some(term),
                };
                if let Some(term) = declined {
                    invalidate::decline(ThreadState::current().interp(), executor, term);
                }
            }
            // Code for an exit needed it before.
            None => {}
            Some((_, exit)) => {
                let exit = exit.cast::<Exit>().as_ref();
                match compile::begin_bridge(executor, exit, wanted.is_fast) {
                    Ok(product) => exit.expect(executor, product),
                    Err(progress) => exit.note(progress),
                }
            }
        }
    }
}
