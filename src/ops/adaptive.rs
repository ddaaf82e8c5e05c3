//! The specializing micro-ops, the first ones of adaptive instructions.

use crate::bytecode::BackoffCounter;
use crate::engine::{BytecodeEngine, BytecodeExit, BytecodeOp};

/// Defines a specializing micro-op, for the instruction with this name. The expression calls the family's
/// specializer: the operands are on the published stack below the engine's stack pointer.
macro_rules! specializing {
    ($name:ident: $instruction:ident = |$e:ident| $specializer:expr) => {
        #[doc = concat!("Specializes ", stringify!($instruction), " if its counter triggers.")]
        ///
        /// # Safety
        /// As [`crate::engine`] says for every micro-op.
        #[inline(always)]
        pub(crate) unsafe fn $name<E: BytecodeEngine>(
            e: &mut E,
            counter: u16,
            []: [StackRef; 0],
        ) -> BytecodeOp {
            // SAFETY: the operands are the topmost values of the stack, and live. The argument is that of the
            // instruction, so the frame and its code have the names and locals that it stands for.
            unsafe { $crate::ops::adaptive::specialize(e, counter, |$e| $specializer) }
        }
    };
}
pub(super) use specializing;

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
