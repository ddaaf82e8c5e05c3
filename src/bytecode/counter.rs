//! Counters with exponential backoff: in inline caches and, for tier 2, in side exits. Source:
//! `pycore_backoff.h`, and `pycore_code.h` for the values that the specializer starts from.

use crate::host::{CodeUnit, ffi};

/// A countdown that triggers at zero and starts each time from a larger value
/// (`_Py_BackoffCounter`): a 12-bit value above a 4-bit backoff. One type for the specializer and for
/// tier 2.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(transparent)]
pub(crate) struct BackoffCounter(u16);

static_assertions::assert_eq_size!(BackoffCounter, ffi::_Py_BackoffCounter);

const BACKOFF_BITS: u16 = ffi::BACKOFF_BITS as u16;
/// The largest value of a counter.
pub(crate) const MAX_VALUE: u16 = u16::MAX >> BACKOFF_BITS;
/// The largest backoff: from there on each failure starts the counter from its largest value.
pub(crate) const MAX_BACKOFF: u16 = ffi::MAX_BACKOFF as u16;
/// The backoff of a counter that never triggers.
const UNREACHABLE_BACKOFF: u16 = ffi::UNREACHABLE_BACKOFF as u16;

impl BackoffCounter {
    /// A counter that will trigger after `value` steps.
    pub(crate) const fn new(value: u16, backoff: u16) -> BackoffCounter {
        debug_assert!(value <= MAX_VALUE && backoff <= MAX_BACKOFF);
        BackoffCounter((value << BACKOFF_BITS) | backoff)
    }

    /// A new instruction's counter: it is specialized the second time that it runs.
    pub(crate) const WARMUP: BackoffCounter =
        BackoffCounter::new(ffi::ADAPTIVE_WARMUP_VALUE as u16, ffi::ADAPTIVE_WARMUP_BACKOFF as u16);

    /// The counter of an instruction that was just specialized, and counts misses from now on.
    pub(crate) const COOLDOWN: BackoffCounter =
        BackoffCounter::new(ffi::ADAPTIVE_COOLDOWN_VALUE as u16, ffi::ADAPTIVE_COOLDOWN_BACKOFF as u16);

    /// A counter that never triggers, however often it is advanced.
    pub(crate) const UNREACHABLE: BackoffCounter = BackoffCounter(UNREACHABLE_BACKOFF);

    /// Whether this is [`BackoffCounter::UNREACHABLE`].
    #[inline(always)]
    pub(crate) const fn is_unreachable(self) -> bool {
        self.0 == UNREACHABLE_BACKOFF
    }

    #[inline(always)]
    pub(crate) const fn from_bits(bits: u16) -> BackoffCounter {
        BackoffCounter(bits)
    }

    #[inline(always)]
    pub(crate) const fn bits(self) -> u16 {
        self.0
    }

    /// Whether the countdown is over.
    #[inline(always)]
    pub(crate) const fn triggers(self) -> bool {
        // An unreachable counter has value zero too, but a backoff that no other counter has.
        self.0 < UNREACHABLE_BACKOFF
    }

    /// One step closer.
    #[inline(always)]
    pub(crate) const fn advance(self) -> BackoffCounter {
        BackoffCounter(self.0.wrapping_sub(1 << BACKOFF_BITS))
    }

    /// Keeps the counter from triggering at the next look, since the instruction is about to run
    /// once more and would count twice.
    #[inline(always)]
    pub(crate) const fn pause(self) -> BackoffCounter {
        BackoffCounter(self.0 | (1 << BACKOFF_BITS))
    }

    /// After a failure: starts again, from twice as much up to the limit.
    pub(crate) const fn restart(self) -> BackoffCounter {
        debug_assert!(!self.is_unreachable());
        let backoff = self.0 & ((1 << BACKOFF_BITS) - 1);
        let backoff = if backoff < MAX_BACKOFF { backoff + 1 } else { MAX_BACKOFF };
        BackoffCounter::new((1 << backoff) - 1, backoff)
    }

    /// The counter in the cache after `instr`.
    ///
    /// # Safety
    /// `instr` is an instruction with a counter.
    #[inline(always)]
    pub(crate) unsafe fn load_at(instr: CodeUnit) -> BackoffCounter {
        // SAFETY: the caller's promise.
        BackoffCounter(unsafe { instr.add(1).word() })
    }

    /// Puts this counter into the cache after `instr`.
    ///
    /// # Safety
    /// `instr` is an instruction with a counter.
    #[inline(always)]
    pub(crate) unsafe fn store_at(self, instr: CodeUnit) {
        // SAFETY: the caller's promise.
        unsafe { instr.add(1).set_word(self.0) }
    }

    /// Advances the counter in the cache after `instr`.
    ///
    /// # Safety
    /// `instr` is an instruction with a counter.
    #[inline(always)]
    pub(crate) unsafe fn advance_at(instr: CodeUnit) {
        // SAFETY: the caller's promise.
        unsafe { BackoffCounter::load_at(instr).advance().store_at(instr) }
    }

    /// Takes the counter in the cache after `instr` one step back, for an instruction that is about to run
    /// once more and must not be counted. The step that follows undoes any overflow.
    ///
    /// # Safety
    /// `instr` is an instruction with a counter.
    #[inline(always)]
    pub(crate) unsafe fn retreat_at(instr: CodeUnit) {
        // SAFETY: the caller's promise.
        unsafe {
            let counter = BackoffCounter::load_at(instr);
            BackoffCounter(counter.0.wrapping_add(1 << BACKOFF_BITS)).store_at(instr);
        }
    }

    /// Pauses the counter in the cache after `instr`.
    ///
    /// # Safety
    /// `instr` is an instruction with a counter.
    #[inline(always)]
    pub(crate) unsafe fn pause_at(instr: CodeUnit) {
        // SAFETY: the caller's promise.
        unsafe { BackoffCounter::load_at(instr).pause().store_at(instr) }
    }
}

#[cfg(test)]
#[path = "counter_tests.rs"]
mod tests;
