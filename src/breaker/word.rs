//! The eval breaker: one word per thread, with requests in the low bits and the version of the instrumentation
//! above them. Source: `pycore_ceval.h`.
//!
//! Any thread may send a request to another by setting a bit in the other's word. The version is a copy,
//! so that one comparison answers two questions: is there a request, and is this code's instrumentation up to
//! date? The authoritative version is in the interpreter (`ceval.instrumentation_version`). A thread's copy is
//! updated when the thread attaches or, on free-threaded hosts, when the interpreter's version changes. Both
//! parts change by atomic read-modify-write only, so a change of one part never loses a change of the other.

use core::sync::atomic::{AtomicUsize, Ordering};

use crate::host::{ThreadState, ffi};

/// The bits for requests.
pub(crate) const REQUESTS: usize = ffi::_PY_EVAL_EVENTS_MASK as usize;

/// The difference between one version and the next.
const STEP: u32 = 1 << ffi::_PY_EVAL_EVENTS_BITS;

/// A request to a thread, or a set of them.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Request(usize);

impl Request {
    /// Another thread waits for the GIL.
    pub(crate) const GIL_DROP_REQUEST: Request = Request(ffi::_PY_GIL_DROP_REQUEST_BIT as usize);
    /// A signal has arrived. For the main thread.
    pub(crate) const SIGNALS_PENDING: Request = Request(ffi::_PY_SIGNALS_PENDING_BIT as usize);
    /// There are pending calls.
    pub(crate) const CALLS_TO_DO: Request = Request(ffi::_PY_CALLS_TO_DO_BIT as usize);
    /// Another thread has sent an exception to this one.
    pub(crate) const ASYNC_EXCEPTION: Request = Request(ffi::_PY_ASYNC_EXCEPTION_BIT as usize);
    /// The garbage collector is due.
    pub(crate) const GC_SCHEDULED: Request = Request(ffi::_PY_GC_SCHEDULED_BIT as usize);
    /// The world is to stop, or another process has a script for this thread.
    pub(crate) const PLEASE_STOP: Request = Request(ffi::_PY_EVAL_PLEASE_STOP_BIT as usize);
    /// Other threads have queued objects whose reference counts this thread must merge.
    #[cfg(any(py_gil_disabled, test))]
    pub(crate) const EXPLICIT_MERGE: Request = Request(ffi::_PY_EVAL_EXPLICIT_MERGE_BIT as usize);
    /// Executors that were not used recently are to be invalidated.
    #[cfg(any(py_tier2, test))]
    pub(crate) const JIT_INVALIDATE_COLD: Request = Request(ffi::_PY_EVAL_JIT_INVALIDATE_COLD_BIT as usize);

    /// The requests in a C caller's bits. Other bits are ignored.
    #[inline]
    pub(crate) const fn from_bits(bits: usize) -> Request {
        Request(bits & REQUESTS)
    }
}

/// A version of the instrumentation, in the bits of the word that hold it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) struct Version(usize);

impl Version {
    /// From a field of the host that holds only a version.
    #[inline(always)]
    pub(crate) const fn from_field(field: usize) -> Version {
        debug_assert!(field & REQUESTS == 0);
        Version(field)
    }

    /// The value for such a field.
    #[inline(always)]
    pub(crate) const fn field(self) -> usize {
        self.0
    }

    /// The version `steps` later; None if there are no more: in C, a version has 32 bits.
    pub(crate) fn later(self, steps: u32) -> Option<Version> {
        let version = u32::try_from(self.0).ok()?.checked_add(STEP.checked_mul(steps)?)?;
        Some(Version(version as usize))
    }
}

/// The value of an eval breaker at one moment.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Word(usize);

impl Word {
    /// Whether there is any request.
    #[inline(always)]
    pub(crate) const fn has_requests(self) -> bool {
        self.0 & REQUESTS != 0
    }

    /// Whether any request of `request` is set.
    #[inline(always)]
    pub(crate) const fn has(self, request: Request) -> bool {
        self.0 & request.0 != 0
    }

    #[inline(always)]
    pub(crate) const fn version(self) -> Version {
        Version(self.0 & !REQUESTS)
    }

    /// Whether there is no request and `field`, one of the host's, is the version.
    #[inline(always)]
    pub(crate) const fn is(self, field: usize) -> bool {
        self.0 == field
    }

    /// The same requests with another version.
    const fn with_version(self, version: Version) -> Word {
        Word(self.0 & REQUESTS | version.0)
    }
}

/// A thread's eval breaker.
#[derive(Clone, Copy)]
pub(crate) struct EvalBreaker<'a>(&'a AtomicUsize);

impl<'a> EvalBreaker<'a> {
    /// The eval breaker of a thread.
    ///
    /// # Safety
    /// The thread state stays live while the result is used.
    #[inline(always)]
    pub(crate) unsafe fn of(tstate: ThreadState) -> EvalBreaker<'a> {
        // SAFETY: the thread state is live (caller), and all code changes the word atomically.
        EvalBreaker(unsafe { AtomicUsize::from_ptr(&raw mut (*tstate.as_ptr()).eval_breaker) })
    }

    #[inline(always)]
    pub(crate) fn load(self) -> Word {
        Word(self.0.load(Ordering::Relaxed))
    }

    /// Sets `request`.
    #[inline]
    pub(crate) fn set(self, request: Request) {
        self.0.fetch_or(request.0, Ordering::SeqCst);
    }

    /// Clears `request`. If another thread sets it at the same time, it may stay set.
    #[inline]
    pub(crate) fn clear(self, request: Request) {
        if self.load().has(request) {
            self.0.fetch_and(!request.0, Ordering::SeqCst);
        }
    }

    /// Sets the copy of the version. Keeps all requests, including those that arrive meanwhile.
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

    const ALL: [Request; 8] = [
        Request::GIL_DROP_REQUEST,
        Request::SIGNALS_PENDING,
        Request::CALLS_TO_DO,
        Request::ASYNC_EXCEPTION,
        Request::GC_SCHEDULED,
        Request::PLEASE_STOP,
        Request::EXPLICIT_MERGE,
        Request::JIT_INVALIDATE_COLD,
    ];
    const VERSION: Version = Version(7 * STEP as usize);

    #[test]
    fn requests_are_distinct_and_fill_the_bits_below_the_version() {
        assert_eq!(ALL.iter().map(|request| request.0).sum::<usize>(), REQUESTS);
        assert_eq!(ALL.iter().fold(0, |bits, request| bits | request.0), REQUESTS);
    }

    #[test]
    fn a_request_leaves_the_version_and_others_alone() {
        let memory = AtomicUsize::new(VERSION.0);
        let breaker = EvalBreaker(&memory);
        assert!(breaker.load().is(VERSION.0));
        for request in ALL {
            breaker.set(Request::GC_SCHEDULED);
            breaker.set(request);
            assert!(breaker.load().has(request) && breaker.load().has_requests());
            assert_eq!(breaker.load().version(), VERSION);
            breaker.clear(request);
            assert!(!breaker.load().has(request));
            assert_eq!(breaker.load().has(Request::GC_SCHEDULED), request != Request::GC_SCHEDULED);
        }
        breaker.clear(Request::GC_SCHEDULED);
        assert!(breaker.load().is(VERSION.0));
    }

    #[test]
    fn a_version_leaves_the_requests_alone() {
        let memory = AtomicUsize::new(0);
        let breaker = EvalBreaker(&memory);
        breaker.set(Request::CALLS_TO_DO);
        breaker.set_version(VERSION);
        assert_eq!(breaker.load().version(), VERSION);
        assert!(breaker.load().has(Request::CALLS_TO_DO) && !breaker.load().is(VERSION.0));
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

    /// Neither part is torn or lost while several threads change both.
    #[test]
    fn versions_and_requests_change_at_the_same_time() {
        const ROUNDS: usize = 20_000;
        let memory = AtomicUsize::new(0);
        std::thread::scope(|scope| {
            for request in [Request::GIL_DROP_REQUEST, Request::ASYNC_EXCEPTION] {
                let breaker = EvalBreaker(&memory);
                scope.spawn(move || {
                    for _ in 0..ROUNDS {
                        breaker.set(request);
                        assert!(breaker.load().has(request));
                        breaker.clear(request);
                        assert!(!breaker.load().has(request));
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
        assert!(EvalBreaker(&memory).load().is(last.0));
    }
}
