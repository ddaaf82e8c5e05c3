//! Connects the lock of [`gil`](super::gil) to the host: its fields are in the host's structures, and its
//! threads are the host's. Source: `pycore_gil.h`.

use core::sync::atomic::{AtomicI32, AtomicUsize, Ordering};
use std::time::Duration;

use super::gil::{Gil, HOLDER_ALIGNMENT, Holder, Queue, World};
use super::queues::{Deadline, Queues};
use super::word::{EvalBreaker, Request};
use crate::host::{AtomicULong, ThreadState, ffi};

static_assertions::const_assert!(align_of::<ffi::PyThreadState>() >= HOLDER_ALIGNMENT);
static_assertions::assert_eq_size!(*mut ffi::PyThreadState, AtomicUsize);

/// An interpreter's lock (`struct _gil_runtime_state`), borrowed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct HostGil(*mut ffi::_gil_runtime_state);

/// The [`World`] of a lock: the host's threads and the lock's queues.
#[derive(Clone, Copy)]
pub(crate) struct Host {
    queues: Queues,
    interval: *mut core::ffi::c_ulong,
}

impl Holder {
    /// The thread with this state, as a holder.
    ///
    /// # Safety
    /// The thread state is not null.
    #[inline(always)]
    pub(super) unsafe fn of(tstate: ThreadState) -> Holder {
        // SAFETY: not null (caller), so `new` returns a holder.
        unsafe { Holder::new(tstate.as_ptr() as usize).unwrap_unchecked() }
    }

    #[inline(always)]
    pub(super) fn tstate(self) -> ThreadState {
        ThreadState::from_ptr(self.id() as *mut ffi::PyThreadState)
    }
}

impl World for Host {
    type Deadline = Deadline;

    fn one_interval_from_now(&self) -> Deadline {
        // SAFETY: threads that wait for the lock keep it alive; all code changes the interval atomically.
        let interval = unsafe { AtomicULong::from_ptr(self.interval) }.load(Ordering::Relaxed);
        #[allow(clippy::useless_conversion, reason = "C's `unsigned long` has 4 bytes on Windows")]
        Deadline::after(Duration::from_micros(interval.max(1).into()))
    }

    fn sleep(
        &self,
        queue: Queue,
        deadline: Option<Deadline>,
        wanted: impl FnOnce() -> bool,
        timed_out: impl FnOnce(),
    ) {
        self.queues.sleep(queue, deadline, wanted, timed_out);
    }

    fn wake_taker(&self, action: impl FnOnce(bool)) {
        self.queues.wake_taker(action);
    }

    fn wake_droppers(&self) {
        self.queues.wake_droppers();
    }

    fn with_queues<T>(&self, action: impl FnOnce() -> T) -> T {
        self.queues.locked(action)
    }

    fn request_drop(&self, thread: Holder, wanted: bool) {
        // SAFETY: the lock only passes threads that are alive.
        let breaker = unsafe { EvalBreaker::of(thread.tstate()) };
        if wanted { breaker.set(Request::GIL_DROP_REQUEST) } else { breaker.clear(Request::GIL_DROP_REQUEST) }
    }

    fn is_drop_requested(&self, thread: Holder) -> bool {
        // SAFETY: the lock only passes threads that are alive.
        unsafe { EvalBreaker::of(thread.tstate()) }.load().has(Request::GIL_DROP_REQUEST)
    }

    fn must_exit(&self, thread: Holder) -> bool {
        // SAFETY: the lock only passes threads that are alive.
        unsafe { must_exit(thread.tstate()) }
    }
}

impl HostGil {
    pub(crate) fn from_ptr(gil: *mut ffi::_gil_runtime_state) -> HostGil {
        HostGil(gil)
    }

    /// The lock that the interpreter uses, its own or a shared one; null before it has one.
    ///
    /// # Safety
    /// The interpreter is live.
    #[inline(always)]
    pub(crate) unsafe fn of(interp: *mut ffi::PyInterpreterState) -> HostGil {
        // SAFETY: the interpreter is live (caller).
        HostGil(unsafe { (*interp).ceval.gil })
    }

    #[inline(always)]
    pub(crate) fn as_ptr(self) -> *mut ffi::_gil_runtime_state {
        self.0
    }

    /// The lock, as the lock's logic sees it.
    ///
    /// # Safety
    /// The queues of the lock were created, and its memory outlives the uses of the result.
    #[inline(always)]
    pub(crate) unsafe fn lock(self) -> Gil<'static, Host> {
        // SAFETY: the memory lives long enough (caller); all code changes the fields atomically, and they have
        // these sizes (see the assertions above).
        unsafe {
            let queues = Queues::of(self.0);
            Gil {
                word: queues.word(),
                last_holder: AtomicUsize::from_ptr((&raw mut (*self.0).last_holder).cast()),
                switches: queues.switches(),
                locked: AtomicI32::from_ptr(&raw mut (*self.0).locked),
                world: Host { queues, interval: &raw mut (*self.0).interval },
            }
        }
    }

    /// Whether the lock exists, and not only its memory.
    ///
    /// # Safety
    /// The lock's memory is live, or this is null.
    pub(crate) unsafe fn is_created(self) -> bool {
        // SAFETY: not null, so live (caller).
        !self.0.is_null()
            && unsafe { AtomicI32::from_ptr(&raw mut (*self.0).locked).load(Ordering::Acquire) >= 0 }
    }

    /// Whether threads need the lock at all.
    ///
    /// # Safety
    /// The lock's memory is live.
    #[cfg(py_gil_disabled)]
    pub(crate) unsafe fn is_enabled(self) -> bool {
        // SAFETY: the memory is live (caller), and the result of `enabled` is used only here.
        unsafe { self.enabled().load(Ordering::Relaxed) != 0 }
    }

    /// The number of open requests that the lock be enabled; `INT_MAX` if it is enabled permanently.
    ///
    /// # Safety
    /// The lock's memory outlives the uses of the result.
    #[cfg(py_gil_disabled)]
    pub(crate) unsafe fn enabled(self) -> &'static AtomicI32 {
        // SAFETY: the memory lives long enough (caller), and all code changes the number atomically.
        unsafe { AtomicI32::from_ptr(&raw mut (*self.0).enabled) }
    }
}

/// Whether the interpreter is being finalized and the thread must not attach (`_PyThreadState_MustExit`).
///
/// # Safety
/// The thread state is live.
#[inline]
pub(super) unsafe fn must_exit(tstate: ThreadState) -> bool {
    // SAFETY: the thread state is live (caller).
    unsafe { ffi::_PyThreadState_MustExit(tstate.as_ptr()) != 0 }
}
