//! The first step of adaptive instructions.

use crate::bytecode::BackoffCounter;
use crate::engine::{Engine, Exit, Op};

/// Ends the first micro-op of an adaptive instruction: when the counter says so, `specializer` looks for
/// a specialized form, and the instruction is read again.
#[inline(always)]
pub(super) unsafe fn specialize<E: Engine>(e: &mut E, counter: u16, specializer: impl FnOnce(&E)) -> Op {
    if BackoffCounter::from_bits(counter).triggers() {
        e.publish();
        specializer(e);
        return Err(Exit::Again);
    }
    // SAFETY: the instruction has a counter.
    unsafe { BackoffCounter::advance_at(e.this_instr()) };
    Ok([])
}
