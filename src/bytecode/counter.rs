//! Counters in inline caches, with exponential backoff. Source: `pycore_backoff.h`.

use crate::host::{CodeUnit, ffi};

/// A countdown that triggers at zero and starts each time from a larger value
/// (`_Py_BackoffCounter`): a 12-bit value above a 4-bit backoff.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(transparent)]
pub struct BackoffCounter(u16);

static_assertions::assert_eq_size!(BackoffCounter, ffi::_Py_BackoffCounter);

const BACKOFF_BITS: u16 = 4;
const MAX_BACKOFF: u16 = 12;
/// The backoff of a counter that never triggers.
const UNREACHABLE_BACKOFF: u16 = 15;

impl BackoffCounter {
    /// A counter that will trigger after `value` steps.
    pub const fn new(value: u16, backoff: u16) -> BackoffCounter {
        debug_assert!(value <= 0xFFF && backoff <= MAX_BACKOFF);
        BackoffCounter((value << BACKOFF_BITS) | backoff)
    }

    /// A counter that never triggers.
    pub const UNREACHABLE: BackoffCounter = BackoffCounter(UNREACHABLE_BACKOFF);

    /// `JUMP_BACKWARD`'s first counter, for hosts that make it anew after each trace.
    pub const fn jump_backward() -> BackoffCounter {
        BackoffCounter::new(
            ffi::JUMP_BACKWARD_INITIAL_VALUE as u16,
            ffi::JUMP_BACKWARD_INITIAL_BACKOFF as u16,
        )
    }

    #[inline(always)]
    pub const fn from_bits(bits: u16) -> BackoffCounter {
        BackoffCounter(bits)
    }

    #[inline(always)]
    pub const fn bits(self) -> u16 {
        self.0
    }

    /// Whether the countdown is over.
    #[inline(always)]
    pub const fn triggers(self) -> bool {
        // An unreachable counter has value zero too, but a backoff that no other counter has.
        self.0 < UNREACHABLE_BACKOFF
    }

    /// One step closer.
    #[inline(always)]
    pub const fn advance(self) -> BackoffCounter {
        BackoffCounter(self.0.wrapping_sub(1 << BACKOFF_BITS))
    }

    /// Keeps the counter from triggering at the next look, since the instruction is about to run
    /// once more and would count twice.
    #[inline(always)]
    pub const fn pause(self) -> BackoffCounter {
        BackoffCounter(self.0 | (1 << BACKOFF_BITS))
    }

    /// After a failure: starts again, from twice as much up to the limit.
    pub const fn restart(self) -> BackoffCounter {
        let backoff = self.0 & ((1 << BACKOFF_BITS) - 1);
        debug_assert!(backoff <= MAX_BACKOFF);
        let backoff = if backoff < MAX_BACKOFF { backoff + 1 } else { MAX_BACKOFF };
        BackoffCounter::new((1 << backoff) - 1, backoff)
    }

    /// Advances the counter in the cache after `instr`.
    ///
    /// # Safety
    /// `instr` is an instruction with a counter.
    #[inline(always)]
    pub unsafe fn advance_at(instr: CodeUnit) {
        // SAFETY: the caller's promise.
        unsafe {
            let unit = instr.add(1);
            unit.set_word(BackoffCounter(unit.word()).advance().0);
        }
    }

    /// Pauses the counter in the cache after `instr`.
    ///
    /// # Safety
    /// `instr` is an instruction with a counter.
    #[inline(always)]
    pub unsafe fn pause_at(instr: CodeUnit) {
        // SAFETY: the caller's promise.
        unsafe {
            let unit = instr.add(1);
            unit.set_word(BackoffCounter(unit.word()).pause().0);
        }
    }
}
