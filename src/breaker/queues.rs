//! The two queues of a lock, on a mutex and condition variables, where the host's struct has room for them.
//!
//! Not on `parking_lot_core`, whose table belongs to the process: a `fork` would have to wait until no
//! thread is in it, so until each one that waits for a GIL has run. Tried, that made a fork beside busy
//! threads up to ten times slower on a loaded machine. What is in the lock's own memory is made anew in
//! the child.

use core::ffi::{CStr, c_int};
use core::sync::atomic::AtomicUsize;
use std::time::Duration;

use super::gil::Queue;
use crate::host::ffi;

/// What lies where C has the mutex of its second condition variable.
#[repr(C)]
struct Extra {
    word: AtomicUsize,
    /// Bounds of how many threads sleep in each queue, from above. Used by whoever has locked the queues.
    asleep: [usize; 2],
}

static_assertions::const_assert!(size_of::<ffi::pthread_mutex_t>() >= size_of::<Extra>());
static_assertions::const_assert!(
    core::mem::offset_of!(ffi::_gil_runtime_state, switch_mutex) % align_of::<Extra>() == 0
);
static_assertions::assert_eq_size!(ffi::pthread_mutex_t, libc::pthread_mutex_t);
static_assertions::assert_eq_size!(ffi::pthread_cond_t, libc::pthread_cond_t);

/// A time on the clock that nobody sets.
#[derive(Clone, Copy)]
pub(crate) struct Deadline(libc::timespec);

impl Deadline {
    pub(crate) fn after(duration: Duration) -> Deadline {
        let mut now = libc::timespec { tv_sec: 0, tv_nsec: 0 };
        // SAFETY: the pointer is good; this clock is always there.
        unsafe { libc::clock_gettime(libc::CLOCK_MONOTONIC, &raw mut now) };
        let since = Duration::new(now.tv_sec as u64, now.tv_nsec as u32).saturating_add(duration);
        let seconds = libc::time_t::try_from(since.as_secs()).unwrap_or(libc::time_t::MAX);
        Deadline(libc::timespec { tv_sec: seconds, tv_nsec: since.subsec_nanos().into() })
    }
}

/// The queues of a lock, both under one mutex.
#[derive(Clone, Copy)]
pub(crate) struct Queues(*mut ffi::_gil_runtime_state);

/// The queues are locked.
struct Locked(Queues);

impl Queues {
    /// # Safety
    /// The lock's memory outlives the result's use. All but [`Queues::create`] needs that to have run.
    #[inline(always)]
    pub(crate) unsafe fn of(gil: *mut ffi::_gil_runtime_state) -> Queues {
        Queues(gil)
    }

    /// Makes the queues, empty; or, in the child after a fork, makes them again.
    ///
    /// # Safety
    /// No other thread uses them.
    pub(crate) unsafe fn create(self) {
        // SAFETY: the caller's promise; there is memory for each. These cannot fail on the platforms that
        // we know: they fill it in.
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
    /// The lock's memory outlives the result's use.
    #[inline(always)]
    pub(crate) unsafe fn word(self) -> &'static AtomicUsize {
        // SAFETY: the caller's promise; after `create` it is only changed atomically.
        unsafe { &(*self.extra()).word }
    }

    /// Sleeps in `queue` if `wanted` says so, until woken, perhaps for no reason. If `deadline` (none:
    /// never) comes first, runs `timed_out`. Both closures run while the queues are locked. Keeps `errno`:
    /// callers attach between a system call and the look at its result.
    pub(crate) fn sleep(
        self,
        queue: Queue,
        deadline: Option<Deadline>,
        wanted: impl FnOnce() -> bool,
        timed_out: impl FnOnce(),
    ) {
        // SAFETY: the address is the calling thread's own; the mutex is locked by this thread.
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

    /// Wakes a thread in `queue`, after running `action` with whether there may be more of them. `action`
    /// runs while the queues are locked.
    pub(crate) fn wake_one(self, queue: Queue, action: impl FnOnce(bool)) {
        let locked = Locked::new(self);
        // SAFETY: the condition variable is live. The queues stay locked: once they are not, the lock
        // may be gone.
        unsafe {
            let asleep = *locked.asleep(queue);
            action(asleep > 1);
            if asleep > 0 {
                libc::pthread_cond_signal(self.bell(queue));
            }
        }
    }

    /// Wakes every thread in `queue`.
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

    fn extra(self) -> *mut Extra {
        // SAFETY: only an address is computed.
        unsafe { (&raw mut (*self.0).switch_mutex).cast() }
    }

    fn mutex(self) -> *mut libc::pthread_mutex_t {
        // SAFETY: only an address is computed.
        unsafe { (&raw mut (*self.0).mutex).cast() }
    }

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
    fn new(queues: Queues) -> Locked {
        // SAFETY: the mutex is live, and this thread has not locked it: closures do not come back here.
        let status = unsafe { libc::pthread_mutex_lock(queues.mutex()) };
        check(status, c"PyMUTEX_LOCK(gil->mutex) failed");
        Locked(queues)
    }

    fn asleep(&self, queue: Queue) -> *mut usize {
        // SAFETY: only an address is computed; there is a place for each queue.
        unsafe { &raw mut (*self.0.extra()).asleep[queue as usize] }
    }
}

impl Drop for Locked {
    fn drop(&mut self) {
        // SAFETY: this thread has locked the mutex.
        let status = unsafe { libc::pthread_mutex_unlock(self.0.mutex()) };
        check(status, c"PyMUTEX_UNLOCK(gil->mutex) failed");
    }
}

/// A mutex that fails has been overwritten, and then nothing can be relied on.
fn check(status: c_int, complaint: &CStr) {
    if status != 0 {
        // SAFETY: C strings; does not return.
        unsafe { ffi::_Py_FatalErrorFunc(c"take_gil".as_ptr(), complaint.as_ptr()) }
    }
}
