//! The first step of adaptive instructions.

use crate::bytecode::BackoffCounter;
use crate::engine::{BytecodeEngine, BytecodeExit, BytecodeOp};

/// Ends the first micro-op of an adaptive instruction: when the counter says so, `specializer` looks for
/// a specialized form, and the instruction is read again.
#[inline(always)]
pub(super) unsafe fn specialize<E: BytecodeEngine>(
    e: &mut E,
    counter: u16,
    specializer: impl FnOnce(&E),
) -> BytecodeOp {
    if BackoffCounter::from_bits(counter).triggers() {
        e.publish();
        specializer(e);
        return Err(BytecodeExit::Again);
    }
    // SAFETY: the instruction has a counter.
    unsafe { BackoffCounter::advance_at(e.this_instr()) };
    Ok([])
}
