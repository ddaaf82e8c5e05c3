//! The two queues of a lock, built on a mutex and condition variables in the memory that the host's struct has
//! for them: `pthreads`, or on Windows `windows`.
//!
//! `parking_lot_core` was tried and rejected. Its table of queues belongs to the process, so a `fork` would
//! have to wait until no thread uses the table: until each thread that waits for a GIL has run. That made a
//! fork beside busy threads up to ten times slower on a loaded machine. What is in the lock's own memory can be
//! made anew in the child.

#[cfg(not(windows))]
mod pthreads;
#[cfg(test)]
mod tests;
#[cfg(windows)]
mod windows;

use core::sync::atomic::AtomicUsize;

use super::gil::Queue;
use super::sync::AtomicSwitches;
use super::system_error::SystemError;
use crate::host::ffi;
#[cfg(not(windows))]
use pthreads as platform;
#[cfg(windows)]
use windows as platform;

pub(crate) use platform::Deadline;

/// The queues of a lock, both protected by one mutex.
#[derive(Clone, Copy)]
pub(crate) struct Queues(*mut ffi::_gil_runtime_state);

/// The queues are locked by this thread; dropping this unlocks them.
struct Locked(Queues);

impl Queues {
    /// The queues of the lock at `gil`.
    ///
    /// # Safety
    /// The lock's memory stays live while the result is used. All methods except [`Queues::create`] require
    /// that `create` has run.
    #[inline(always)]
    pub(crate) unsafe fn of(gil: *mut ffi::_gil_runtime_state) -> Queues {
        Queues(gil)
    }

    /// Creates the queues, empty. In the child after a fork, creates them anew.
    ///
    /// # Safety
    /// No other thread uses them.
    pub(crate) unsafe fn create(self) {
        // SAFETY: the memory is live (see [`Queues::of`]), and used by no other thread (caller).
        unsafe { platform::create(self.0) }
    }

    /// The lock's word.
    ///
    /// # Safety
    /// The lock's memory outlives the uses of the result.
    #[inline(always)]
    pub(crate) unsafe fn word(self) -> &'static AtomicUsize {
        // SAFETY: the memory lives long enough (caller); after `create` the word changes only atomically.
        unsafe { AtomicUsize::from_ptr(platform::word(self.0)) }
    }

    /// How often the lock has passed to another thread.
    ///
    /// # Safety
    /// The lock's memory outlives the uses of the result.
    #[inline(always)]
    pub(crate) unsafe fn switches(self) -> &'static AtomicSwitches {
        // SAFETY: the memory lives long enough (caller); after `create` the number changes only atomically.
        unsafe { AtomicSwitches::from_ptr(platform::switches(self.0)) }
    }

    /// Sleeps in `queue` if `wanted` returns true, until woken; may also wake spuriously. If `deadline` passes
    /// first (None: no deadline), runs `timed_out`. Both closures run while the queues are locked. Preserves
    /// the system's error number, because callers attach between a system call and the check of its result.
    pub(crate) fn sleep(
        self,
        queue: Queue,
        deadline: Option<Deadline>,
        wanted: impl FnOnce() -> bool,
        timed_out: impl FnOnce(),
    ) {
        let error = SystemError::last();
        {
            let locked = Locked::new(self);
            if wanted() {
                locked.count(queue, 1);
                // SAFETY: the queues exist, and this thread has locked them.
                let woken = unsafe { platform::wait(self.0, queue, deadline) };
                locked.count(queue, -1);
                if !woken {
                    timed_out();
                }
            }
        }
        error.restore();
    }

    /// Wakes one thread in the queue of takers. First runs `action`, while the queues are locked, with whether
    /// more threads may be in that queue.
    pub(crate) fn wake_taker(self, action: impl FnOnce(bool)) {
        let locked = Locked::new(self);
        let asleep = locked.takers();
        action(asleep > 1);
        if asleep > 0 {
            // SAFETY: the queues exist. They are locked when a thread is woken, because the lock's memory may be
            // freed as soon as they are unlocked.
            unsafe { platform::wake_one(self.0, Queue::Takers) };
        }
    }

    /// Wakes all threads in the queue of droppers.
    pub(crate) fn wake_droppers(self) {
        let _locked = Locked::new(self);
        // SAFETY: the queues exist.
        unsafe { platform::wake_all(self.0, Queue::Droppers) };
    }

    /// Runs `action` while the queues are locked.
    #[cfg_attr(py_gil_disabled, allow(dead_code))]
    pub(crate) fn locked<T>(self, action: impl FnOnce() -> T) -> T {
        let _locked = Locked::new(self);
        action()
    }
}

impl Locked {
    /// Locks the queues.
    fn new(queues: Queues) -> Locked {
        // SAFETY: the queues exist, and this thread has not locked them: closures that run while they are locked
        // do not call back here.
        unsafe { platform::lock(queues.0) };
        Locked(queues)
    }

    /// An upper bound of the number of takers that sleep.
    fn takers(&self) -> platform::Count {
        // SAFETY: the memory is live, and the number is used only while the queues are locked.
        unsafe { *platform::takers(self.0.0) }
    }

    /// Counts a thread that goes to sleep in `queue` (1), or has woken (-1). The number of droppers is not needed.
    fn count(&self, queue: Queue, change: i8) {
        if queue == Queue::Takers {
            // SAFETY: as in `takers`.
            unsafe {
                let takers = platform::takers(self.0.0);
                *takers = (*takers).wrapping_add_signed(change.into());
            }
        }
    }
}

impl Drop for Locked {
    fn drop(&mut self) {
        // SAFETY: this thread has locked the queues (`Locked::new`).
        unsafe { platform::unlock(self.0.0) };
    }
}
