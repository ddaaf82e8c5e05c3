//! Counters with exponential backoff, in inline caches and, for tier 2, in side exits. Source:
//! `pycore_backoff.h`, and `pycore_code.h` for the initial values that the specializer uses.

use crate::host::{CodeUnit, ffi};

/// A countdown that triggers at zero and restarts from a larger value each time (`_Py_BackoffCounter`): a
/// 12-bit value above a 4-bit backoff. The specializer and tier 2 share this type.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(transparent)]
pub(crate) struct BackoffCounter(u16);

static_assertions::assert_eq_size!(BackoffCounter, ffi::_Py_BackoffCounter);

const BACKOFF_BITS: u16 = ffi::BACKOFF_BITS as u16;
/// The largest value of a counter.
pub(crate) const MAX_VALUE: u16 = u16::MAX >> BACKOFF_BITS;
/// The largest backoff. From there on, each failure restarts the counter from its largest value.
pub(crate) const MAX_BACKOFF: u16 = ffi::MAX_BACKOFF as u16;
/// The backoff of a counter that never triggers.
const UNREACHABLE_BACKOFF: u16 = ffi::UNREACHABLE_BACKOFF as u16;

impl BackoffCounter {
    /// A counter that triggers after `value` steps.
    pub(crate) const fn new(value: u16, backoff: u16) -> BackoffCounter {
        debug_assert!(value <= MAX_VALUE && backoff <= MAX_BACKOFF);
        BackoffCounter((value << BACKOFF_BITS) | backoff)
    }

    /// The counter of a new instruction, which is specialized the second time that it runs.
    pub(crate) const WARMUP: BackoffCounter =
        BackoffCounter::new(ffi::ADAPTIVE_WARMUP_VALUE as u16, ffi::ADAPTIVE_WARMUP_BACKOFF as u16);

    /// The counter of an instruction that was just specialized. From now on it counts misses.
    pub(crate) const COOLDOWN: BackoffCounter =
        BackoffCounter::new(ffi::ADAPTIVE_COOLDOWN_VALUE as u16, ffi::ADAPTIVE_COOLDOWN_BACKOFF as u16);

    /// A counter that never triggers, no matter how often it advances.
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

    /// Whether the countdown has reached zero.
    #[inline(always)]
    pub(crate) const fn triggers(self) -> bool {
        // The value of an unreachable counter is zero, too, but no other counter has its backoff.
        self.0 < UNREACHABLE_BACKOFF
    }

    /// Whether the next step brings the countdown to zero, or it is there already.
    #[cfg(py_tier2)]
    #[inline(always)]
    pub(crate) const fn is_due(self) -> bool {
        debug_assert!(!self.is_unreachable());
        self.0 < 2 << BACKOFF_BITS
    }

    /// The same counter at zero: it triggers at the next check.
    #[cfg(py_tier2)]
    pub(crate) const fn expired(self) -> BackoffCounter {
        BackoffCounter(self.backoff())
    }

    /// How often the counter has restarted since it was `first`, as far as the backoff shows it: not beyond the largest.
    #[cfg(py_tier2)]
    pub(crate) const fn restarts_since(self, first: BackoffCounter) -> u16 {
        self.backoff().saturating_sub(first.backoff())
    }

    /// The same counter with `value` steps to go.
    #[cfg(py_tier2)]
    pub(crate) const fn in_steps(self, value: u16) -> BackoffCounter {
        BackoffCounter::new(value, self.backoff())
    }

    /// The steps until the counter triggers.
    #[cfg(py_tier2)]
    pub(crate) const fn value(self) -> u16 {
        self.0 >> BACKOFF_BITS
    }

    /// Whether the instruction has not been specialized, nor found to have no form, since it was made.
    #[cfg(not(py_gil_disabled))]
    #[inline(always)]
    pub(crate) const fn is_new(self) -> bool {
        self.backoff() == BackoffCounter::WARMUP.backoff()
    }

    #[cfg(any(py_tier2, not(py_gil_disabled)))]
    const fn backoff(self) -> u16 {
        self.0 & ((1 << BACKOFF_BITS) - 1)
    }

    /// Counts down one step.
    #[inline(always)]
    pub(crate) const fn advance(self) -> BackoffCounter {
        BackoffCounter(self.0.wrapping_sub(1 << BACKOFF_BITS))
    }

    /// Keeps the counter from triggering at the next check. For an instruction that is about to run again and
    /// would be counted twice.
    #[inline(always)]
    pub(crate) const fn pause(self) -> BackoffCounter {
        BackoffCounter(self.0 | (1 << BACKOFF_BITS))
    }

    /// Restarts the counter after a failure, from about twice the previous value up to the limit.
    pub(crate) const fn restart(self) -> BackoffCounter {
        debug_assert!(!self.is_unreachable());
        let backoff = self.0 & ((1 << BACKOFF_BITS) - 1);
        let backoff = if backoff < MAX_BACKOFF { backoff + 1 } else { MAX_BACKOFF };
        BackoffCounter::new((1 << backoff) - 1, backoff)
    }

    /// Reads the counter in the cache of `instr`.
    ///
    /// # Safety
    /// `instr` is in live bytecode, and its first cache unit is a counter.
    #[inline(always)]
    pub(crate) unsafe fn load_at(instr: CodeUnit) -> BackoffCounter {
        // SAFETY: the unit after `instr` is a counter (caller).
        BackoffCounter(unsafe { instr.add(1).word() })
    }

    /// Writes this counter to the cache of `instr`.
    ///
    /// # Safety
    /// `instr` is in live, writable bytecode, and its first cache unit is a counter.
    #[inline(always)]
    pub(crate) unsafe fn store_at(self, instr: CodeUnit) {
        // SAFETY: the unit after `instr` is a counter and writable (caller).
        unsafe { instr.add(1).set_word(self.0) }
    }

    /// Counts down the counter in the cache of `instr` by one step.
    ///
    /// # Safety
    /// As for [`BackoffCounter::store_at`].
    #[inline(always)]
    pub(crate) unsafe fn advance_at(instr: CodeUnit) {
        // SAFETY: the unit after `instr` is a counter and writable (caller).
        unsafe { BackoffCounter::load_at(instr).advance().store_at(instr) }
    }

    /// Moves the counter in the cache of `instr` one step back. For an instruction that is about to run again
    /// and must not be counted. The value may overflow; the step that follows undoes that.
    ///
    /// # Safety
    /// As for [`BackoffCounter::store_at`].
    #[inline(always)]
    pub(crate) unsafe fn retreat_at(instr: CodeUnit) {
        // SAFETY: the unit after `instr` is a counter and writable (caller).
        unsafe {
            let counter = BackoffCounter::load_at(instr);
            BackoffCounter(counter.0.wrapping_add(1 << BACKOFF_BITS)).store_at(instr);
        }
    }

    /// Pauses the counter in the cache of `instr`: see [`BackoffCounter::pause`].
    ///
    /// # Safety
    /// As for [`BackoffCounter::store_at`].
    #[inline(always)]
    pub(crate) unsafe fn pause_at(instr: CodeUnit) {
        // SAFETY: the unit after `instr` is a counter and writable (caller).
        unsafe { BackoffCounter::load_at(instr).pause().store_at(instr) }
    }
}

#[cfg(test)]
#[path = "counter_tests.rs"]
mod tests;
