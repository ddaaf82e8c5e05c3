//! The eval breaker: one word per thread, requests below and the version of the instrumentation above.
//! Source: `pycore_ceval.h`.
//!
//! Any thread may ask something of another by setting an event there. The version is a copy, so that
//! one comparison answers both "is anything asked of me?" and "is this code instrumented as it should
//! be?"; the truth is in the interpreter (`ceval.instrumentation_version`), and a thread's copy follows
//! it: when the thread attaches, or without a GIL when the truth changes. Both parts change by atomic
//! read-modify-write, so neither is ever lost to a change of the other.

use core::sync::atomic::{AtomicUsize, Ordering};

use crate::host::{ThreadState, ffi};

/// The bits that are requests.
const EVENTS: usize = ffi::_PY_EVAL_EVENTS_MASK as usize;

/// From one version to the next.
const STEP: u32 = 1 << ffi::_PY_EVAL_EVENTS_BITS;

/// Something asked of a thread, or several things.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Event(usize);

impl Event {
    /// Another thread waits for the GIL.
    pub(crate) const GIL_DROP_REQUEST: Event = Event(ffi::_PY_GIL_DROP_REQUEST_BIT as usize);
    /// A signal has arrived; for the main thread.
    pub(crate) const SIGNALS_PENDING: Event = Event(ffi::_PY_SIGNALS_PENDING_BIT as usize);
    /// There are pending calls.
    pub(crate) const CALLS_TO_DO: Event = Event(ffi::_PY_CALLS_TO_DO_BIT as usize);
    /// An exception was sent to this thread.
    pub(crate) const ASYNC_EXCEPTION: Event = Event(ffi::_PY_ASYNC_EXCEPTION_BIT as usize);
    /// The collector is due.
    pub(crate) const GC_SCHEDULED: Event = Event(ffi::_PY_GC_SCHEDULED_BIT as usize);
    /// The world is to stop, or another process wants a script run.
    pub(crate) const PLEASE_STOP: Event = Event(ffi::_PY_EVAL_PLEASE_STOP_BIT as usize);
    /// Other threads have left references for this one to count.
    #[cfg(any(py_gil_disabled, test))]
    pub(crate) const EXPLICIT_MERGE: Event = Event(ffi::_PY_EVAL_EXPLICIT_MERGE_BIT as usize);
    /// Executors that were not used lately are to go.
    #[cfg(any(py_tier2, test))]
    pub(crate) const JIT_INVALIDATE_COLD: Event = Event(ffi::_PY_EVAL_JIT_INVALIDATE_COLD_BIT as usize);

    /// The events of a C caller's bits; others are no business of such callers.
    #[inline]
    pub(crate) const fn from_bits(bits: usize) -> Event {
        Event(bits & EVENTS)
    }
}

/// A version of the instrumentation, at the place in a word where it belongs.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) struct Version(usize);

impl Version {
    /// From a field of the host that holds nothing but a version.
    #[inline(always)]
    pub(crate) const fn from_field(field: usize) -> Version {
        debug_assert!(field & EVENTS == 0);
        Version(field)
    }

    /// As such a field holds it.
    #[inline(always)]
    pub(crate) const fn field(self) -> usize {
        self.0
    }

    /// The version `steps` later, if there are as many left: C has 32 bits for it.
    pub(crate) fn later(self, steps: u32) -> Option<Version> {
        let version = u32::try_from(self.0).ok()?.checked_add(STEP.checked_mul(steps)?)?;
        Some(Version(version as usize))
    }
}

/// What an eval breaker said at one moment.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Word(usize);

impl Word {
    /// Whether anything at all is asked.
    #[inline(always)]
    pub(crate) const fn has_events(self) -> bool {
        self.0 & EVENTS != 0
    }

    /// Whether `event`, or one of several, is asked.
    #[inline(always)]
    pub(crate) const fn has(self, event: Event) -> bool {
        self.0 & event.0 != 0
    }

    #[inline(always)]
    pub(crate) const fn version(self) -> Version {
        Version(self.0 & !EVENTS)
    }

    /// Whether nothing is asked and the version is this one: one comparison.
    #[inline(always)]
    pub(crate) const fn is_quiet_at(self, version: Version) -> bool {
        self.0 == version.0
    }

    /// The same events with another version.
    const fn with_version(self, version: Version) -> Word {
        Word(self.0 & EVENTS | version.0)
    }
}

/// A thread's eval breaker.
#[derive(Clone, Copy)]
pub(crate) struct EvalBreaker<'a>(&'a AtomicUsize);

impl<'a> EvalBreaker<'a> {
    /// # Safety
    /// The thread state stays live while the result is used.
    #[inline(always)]
    pub(crate) unsafe fn of(tstate: ThreadState) -> EvalBreaker<'a> {
        // SAFETY: the caller's promise; everybody changes the word atomically.
        EvalBreaker(unsafe { AtomicUsize::from_ptr(&raw mut (*tstate.as_ptr()).eval_breaker) })
    }

    #[inline(always)]
    pub(crate) fn load(self) -> Word {
        Word(self.0.load(Ordering::Relaxed))
    }

    /// Asks for `event`.
    #[inline]
    pub(crate) fn set(self, event: Event) {
        self.0.fetch_or(event.0, Ordering::SeqCst);
    }

    /// Asks for `event` no more. An event that is set meanwhile by somebody else may stay.
    #[inline]
    pub(crate) fn clear(self, event: Event) {
        if self.load().has(event) {
            self.0.fetch_and(!event.0, Ordering::SeqCst);
        }
    }

    /// Makes the copy of the version follow the truth, whatever happens to the events meanwhile.
    #[inline]
    pub(crate) fn set_version(self, version: Version) {
        let mut word = self.load();
        while word.version() != version {
            let wanted = word.with_version(version).0;
            match self.0.compare_exchange_weak(word.0, wanted, Ordering::SeqCst, Ordering::Relaxed) {
                Ok(_) => return,
                Err(found) => word = Word(found),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: [Event; 8] = [
        Event::GIL_DROP_REQUEST,
        Event::SIGNALS_PENDING,
        Event::CALLS_TO_DO,
        Event::ASYNC_EXCEPTION,
        Event::GC_SCHEDULED,
        Event::PLEASE_STOP,
        Event::EXPLICIT_MERGE,
        Event::JIT_INVALIDATE_COLD,
    ];
    const VERSION: Version = Version(7 * STEP as usize);

    #[test]
    fn events_are_distinct_and_fill_the_bits_below_the_version() {
        assert_eq!(ALL.iter().map(|event| event.0).sum::<usize>(), EVENTS);
        assert_eq!(ALL.iter().fold(0, |bits, event| bits | event.0), EVENTS);
    }

    #[test]
    fn an_event_leaves_the_version_and_other_events_alone() {
        let memory = AtomicUsize::new(VERSION.0);
        let breaker = EvalBreaker(&memory);
        assert!(breaker.load().is_quiet_at(VERSION));
        for event in ALL {
            breaker.set(Event::GC_SCHEDULED);
            breaker.set(event);
            assert!(breaker.load().has(event) && breaker.load().has_events());
            assert_eq!(breaker.load().version(), VERSION);
            breaker.clear(event);
            assert!(!breaker.load().has(event));
            assert_eq!(breaker.load().has(Event::GC_SCHEDULED), event != Event::GC_SCHEDULED);
        }
        breaker.clear(Event::GC_SCHEDULED);
        assert!(breaker.load().is_quiet_at(VERSION));
    }

    #[test]
    fn a_version_leaves_the_events_alone() {
        let memory = AtomicUsize::new(0);
        let breaker = EvalBreaker(&memory);
        breaker.set(Event::CALLS_TO_DO);
        breaker.set_version(VERSION);
        assert_eq!(breaker.load().version(), VERSION);
        assert!(breaker.load().has(Event::CALLS_TO_DO) && !breaker.load().is_quiet_at(VERSION));
    }

    #[test]
    fn versions_end_without_coming_back_to_zero() {
        let first = Version(0);
        assert_eq!(first.later(1), Some(Version(STEP as usize)));
        let last = Version(!(STEP - 1) as usize);
        assert_eq!(last.later(1), None);
        let before = Version(last.0 - STEP as usize);
        assert_eq!((before.later(1), before.later(2)), (Some(last), None));
    }

    /// Neither part is torn or lost while both are changed from several threads.
    #[test]
    fn versions_and_events_change_at_the_same_time() {
        const ROUNDS: usize = 20_000;
        let memory = AtomicUsize::new(0);
        std::thread::scope(|scope| {
            for event in [Event::GIL_DROP_REQUEST, Event::ASYNC_EXCEPTION] {
                let breaker = EvalBreaker(&memory);
                scope.spawn(move || {
                    for _ in 0..ROUNDS {
                        breaker.set(event);
                        assert!(breaker.load().has(event));
                        breaker.clear(event);
                        assert!(!breaker.load().has(event));
                    }
                });
            }
            let breaker = EvalBreaker(&memory);
            scope.spawn(move || {
                for round in 1..=ROUNDS {
                    let version = Version(round * STEP as usize);
                    breaker.set_version(version);
                    assert_eq!(breaker.load().version(), version);
                }
            });
        });
        let last = Version(ROUNDS * STEP as usize);
        assert!(EvalBreaker(&memory).load().is_quiet_at(last));
    }
}
