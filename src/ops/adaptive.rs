//! The common part of the specializing micro-ops, the first ones of adaptive instructions.

use crate::bytecode::BackoffCounter;
use crate::engine::{BytecodeEngine, BytecodeExit, BytecodeOp};

/// Runs a specializing micro-op. If the counter triggers, publishes the frame, calls `specializer`, and reads
/// the instruction again. Otherwise counts down the counter.
///
/// # Safety
/// The thread is attached, the current instruction has a counter in its first cache unit, and `counter` is
/// its value. `specializer` may be called with the frame published.
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
    // SAFETY: the current instruction has a counter (caller).
    unsafe { BackoffCounter::advance_at(e.this_instr()) };
    Ok([])
}
