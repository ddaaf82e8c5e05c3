//! The two queues of a lock, built on a mutex and condition variables in the memory that the host's struct has
//! for them.
//!
//! `parking_lot_core` was tried and rejected. Its table of queues belongs to the process, so a `fork` would
//! have to wait until no thread uses the table: until each thread that waits for a GIL has run. That made a
//! fork beside busy threads up to ten times slower on a loaded machine. What is in the lock's own memory can be
//! made anew in the child.

use core::ffi::{CStr, c_int};
use core::sync::atomic::AtomicUsize;
use std::time::Duration;

use super::gil::Queue;
use crate::host::ffi;

/// What this crate stores where C has the mutex of its second condition variable.
#[repr(C)]
struct Extra {
    word: AtomicUsize,
    /// Upper bounds of the number of threads asleep in each queue. Accessed only while the queues are locked.
    asleep: [usize; 2],
}

static_assertions::const_assert!(size_of::<ffi::pthread_mutex_t>() >= size_of::<Extra>());
static_assertions::const_assert!(
    core::mem::offset_of!(ffi::_gil_runtime_state, switch_mutex) % align_of::<Extra>() == 0
);
static_assertions::assert_eq_size!(ffi::pthread_mutex_t, libc::pthread_mutex_t);
static_assertions::assert_eq_size!(ffi::pthread_cond_t, libc::pthread_cond_t);

/// A time on the monotonic clock.
#[derive(Clone, Copy)]
pub(crate) struct Deadline(libc::timespec);

impl Deadline {
    /// The time `duration` from now.
    pub(crate) fn after(duration: Duration) -> Deadline {
        let mut now = libc::timespec { tv_sec: 0, tv_nsec: 0 };
        // SAFETY: the pointer is to a local variable; this clock always exists.
        unsafe { libc::clock_gettime(libc::CLOCK_MONOTONIC, &raw mut now) };
        let since = Duration::new(now.tv_sec as u64, now.tv_nsec as u32).saturating_add(duration);
        let seconds = libc::time_t::try_from(since.as_secs()).unwrap_or(libc::time_t::MAX);
        Deadline(libc::timespec { tv_sec: seconds, tv_nsec: since.subsec_nanos().into() })
    }
}

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
        // SAFETY: the memory is live (see [`Queues::of`]), large enough (see the assertions above), and used by
        // no other thread (caller). The pthread functions cannot fail on the platforms that we know: they only
        // fill in memory.
        unsafe {
            self.extra().write(Extra { word: AtomicUsize::new(0), asleep: [0; 2] });
            libc::pthread_mutex_init(self.mutex(), core::ptr::null());
            let mut attributes = core::mem::zeroed();
            libc::pthread_condattr_init(&raw mut attributes);
            libc::pthread_condattr_setclock(&raw mut attributes, libc::CLOCK_MONOTONIC);
            for queue in [Queue::Takers, Queue::Droppers] {
                libc::pthread_cond_init(self.bell(queue), &raw const attributes);
            }
            libc::pthread_condattr_destroy(&raw mut attributes);
        }
    }

    /// The lock's word.
    ///
    /// # Safety
    /// The lock's memory outlives the uses of the result.
    #[inline(always)]
    pub(crate) unsafe fn word(self) -> &'static AtomicUsize {
        // SAFETY: the memory lives long enough (caller); after `create` the word changes only atomically.
        unsafe { &(*self.extra()).word }
    }

    /// Sleeps in `queue` if `wanted` returns true, until woken; may also wake spuriously. If `deadline` passes
    /// first (None: no deadline), runs `timed_out`. Both closures run while the queues are locked. Preserves
    /// `errno`, because callers attach between a system call and the check of its result.
    pub(crate) fn sleep(
        self,
        queue: Queue,
        deadline: Option<Deadline>,
        wanted: impl FnOnce() -> bool,
        timed_out: impl FnOnce(),
    ) {
        // SAFETY: `errno` is the calling thread's own; the mutex is live and locked by this thread when it
        // waits.
        unsafe {
            let errno = *libc::__errno_location();
            {
                let locked = Locked::new(self);
                if wanted() {
                    *locked.asleep(queue) += 1;
                    let (bell, mutex) = (self.bell(queue), self.mutex());
                    let ended = match deadline {
                        Some(Deadline(time)) => libc::pthread_cond_timedwait(bell, mutex, &raw const time),
                        None => libc::pthread_cond_wait(bell, mutex),
                    };
                    *locked.asleep(queue) -= 1;
                    if ended == libc::ETIMEDOUT {
                        timed_out();
                    }
                }
            }
            *libc::__errno_location() = errno;
        }
    }

    /// Wakes one thread in `queue`. First runs `action`, while the queues are locked, with whether more threads
    /// may be in the queue.
    pub(crate) fn wake_one(self, queue: Queue, action: impl FnOnce(bool)) {
        let locked = Locked::new(self);
        // SAFETY: the condition variable is live. It is signalled while the queues are locked, because the
        // lock's memory may be freed as soon as they are unlocked.
        unsafe {
            let asleep = *locked.asleep(queue);
            action(asleep > 1);
            if asleep > 0 {
                libc::pthread_cond_signal(self.bell(queue));
            }
        }
    }

    /// Wakes all threads in `queue`.
    pub(crate) fn wake_all(self, queue: Queue) {
        let _locked = Locked::new(self);
        // SAFETY: the condition variable is live.
        unsafe { libc::pthread_cond_broadcast(self.bell(queue)) };
    }

    /// Runs `action` while the queues are locked.
    #[cfg_attr(py_gil_disabled, allow(dead_code))]
    pub(crate) fn locked<T>(self, action: impl FnOnce() -> T) -> T {
        let _locked = Locked::new(self);
        action()
    }

    /// The address of the part that this crate adds.
    fn extra(self) -> *mut Extra {
        // SAFETY: only an address is computed.
        unsafe { (&raw mut (*self.0).switch_mutex).cast() }
    }

    /// The address of the mutex.
    fn mutex(self) -> *mut libc::pthread_mutex_t {
        // SAFETY: only an address is computed.
        unsafe { (&raw mut (*self.0).mutex).cast() }
    }

    /// The address of a queue's condition variable.
    fn bell(self, queue: Queue) -> *mut libc::pthread_cond_t {
        // SAFETY: only an address is computed.
        unsafe {
            match queue {
                Queue::Takers => (&raw mut (*self.0).cond).cast(),
                Queue::Droppers => (&raw mut (*self.0).switch_cond).cast(),
            }
        }
    }
}

impl Locked {
    /// Locks the queues.
    fn new(queues: Queues) -> Locked {
        // SAFETY: the mutex is live, and this thread has not locked it: closures that run under it do not call
        // back here.
        let status = unsafe { libc::pthread_mutex_lock(queues.mutex()) };
        check(status, c"PyMUTEX_LOCK(gil->mutex) failed");
        Locked(queues)
    }

    /// The address of a queue's count.
    fn asleep(&self, queue: Queue) -> *mut usize {
        // SAFETY: only an address is computed; there is an entry for each queue.
        unsafe { &raw mut (*self.0.extra()).asleep[queue as usize] }
    }
}

impl Drop for Locked {
    fn drop(&mut self) {
        // SAFETY: this thread has locked the mutex (`Locked::new`).
        let status = unsafe { libc::pthread_mutex_unlock(self.0.mutex()) };
        check(status, c"PyMUTEX_UNLOCK(gil->mutex) failed");
    }
}

/// Ends the process if a mutex function failed. Then the mutex has been overwritten, and nothing can be relied
/// on.
fn check(status: c_int, complaint: &CStr) {
    if status != 0 {
        // SAFETY: both arguments are C strings; the function does not return.
        unsafe { ffi::_Py_FatalErrorFunc(c"take_gil".as_ptr(), complaint.as_ptr()) }
    }
}
