//! How often a trace has run without machine code, and how fast.
//!
//! A long program runs almost all of its traces often, sooner or later. Machine code saves little where much of a trace is calls
//! that need frames. Where such a trace has taken long to become hot, code costs more than it saves, and pushes other code out of
//! the processor's caches.

use core::sync::atomic::{AtomicU32, Ordering};

use crate::bytecode::thresholds;

/// The fewest runs in a millisecond of the program's time.
const LEAST_RATE: u32 = 8;

/// How often something has run without machine code, and when the first run was, in milliseconds of the program's time.
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug)]
pub(crate) struct Heat {
    runs: u32,
    began: u32,
}

static_assertions::const_assert!(size_of::<Heat>() == size_of::<u64>() && usize::BITS == u64::BITS);

impl Heat {
    /// From a word that the host keeps.
    #[inline(always)]
    pub(crate) fn from_word(word: usize) -> Heat {
        Heat { runs: word as u32, began: (word >> u32::BITS) as u32 }
    }

    #[inline(always)]
    pub(crate) fn to_word(self) -> usize {
        self.runs as usize | (self.began as usize) << u32::BITS
    }

    /// After one run more. The count stops at its end.
    #[inline(always)]
    pub(crate) fn after_run(self) -> Heat {
        let began = if self.runs == 0 { program_time() } else { self.began };
        Heat { runs: self.runs.saturating_add(1), began }
    }

    #[inline(always)]
    pub(crate) fn runs(self) -> usize {
        self.runs as usize
    }

    /// Whether the runs until now have come fast enough for any machine code.
    ///
    /// # Safety
    /// The thread is attached to an interpreter that runs code.
    pub(crate) unsafe fn is_fast_enough(self) -> bool {
        // SAFETY: the contract is the same.
        unsafe { thresholds::get().waits_for_code() || self.is_fast(program_time()) }
    }

    fn is_fast(self, now: u32) -> bool {
        // The time of a new process after a fork is less than that of the old one.
        let elapsed = (now.wrapping_sub(self.began) as i32).max(0) as u32;
        elapsed.saturating_mul(LEAST_RATE) <= self.runs
    }
}

/// The milliseconds that the compiler's threads have taken.
static COMPILER_TIME: AtomicU32 = AtomicU32::new(0);

/// Does a job whose time is not the program's: this thread runs no Python code.
pub(crate) fn beside_the_program<T>(job: impl FnOnce() -> T) -> T {
    let began = time_of(libc::CLOCK_THREAD_CPUTIME_ID);
    let result = job();
    let taken = time_of(libc::CLOCK_THREAD_CPUTIME_ID).wrapping_sub(began);
    COMPILER_TIME.fetch_add(taken, Ordering::Relaxed);
    result
}

/// The processor time of all threads of the process but the compiler's, in milliseconds. It begins anew after some weeks.
#[cold]
fn program_time() -> u32 {
    time_of(libc::CLOCK_PROCESS_CPUTIME_ID).wrapping_sub(COMPILER_TIME.load(Ordering::Relaxed))
}

/// Milliseconds on a clock.
fn time_of(clock: libc::clockid_t) -> u32 {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: the parameter is a variable of this type. Without such a clock, it stays 0: all is fast.
    unsafe { libc::clock_gettime(clock, &raw mut time) };
    (time.tv_sec as u32).wrapping_mul(1000).wrapping_add((time.tv_nsec / 1_000_000) as u32)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_run_says_when_it_began() {
        let heat = Heat::default().after_run();
        assert_eq!(heat.after_run(), Heat { runs: 2, began: heat.began });
        assert!(program_time().wrapping_sub(heat.began) < 60_000);
    }

    #[test]
    fn a_word_holds_both() {
        for heat in [Heat::default(), Heat { runs: 1, began: u32::MAX }, Heat { runs: u32::MAX, began: 7 }] {
            assert_eq!(Heat::from_word(heat.to_word()), heat);
        }
    }

    #[test]
    fn many_runs_are_worth_code_if_they_take_little_time() {
        let heat = Heat { runs: 2048, began: u32::MAX - 9 };
        assert!(heat.is_fast(heat.began));
        assert!(heat.is_fast(heat.began.wrapping_add(2048 / LEAST_RATE)));
        assert!(!heat.is_fast(heat.began.wrapping_add(2048 / LEAST_RATE + 1)));
        assert!(heat.is_fast(0));
        assert!(heat.is_fast(heat.began.wrapping_sub(1)));
    }
}
