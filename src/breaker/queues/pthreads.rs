//! The parts of the queues by pthreads.

use core::ffi::{CStr, c_int};
use core::mem::offset_of;
use std::time::Duration;

use crate::breaker::gil::Queue;
use crate::breaker::sync::Switches;
use crate::host::ffi::{self, _gil_runtime_state as HostLock};

/// A number of threads.
pub(super) type Count = usize;

/// What this crate stores where C has the mutex of its second condition variable.
#[repr(C)]
struct Extra {
    word: usize,
    takers: Count,
}

static_assertions::const_assert!(size_of::<ffi::pthread_mutex_t>() >= size_of::<Extra>());
static_assertions::const_assert!(offset_of!(HostLock, switch_mutex) % align_of::<Extra>() == 0);
static_assertions::assert_eq_size!(ffi::pthread_mutex_t, libc::pthread_mutex_t);
static_assertions::assert_eq_size!(ffi::pthread_cond_t, libc::pthread_cond_t);
static_assertions::assert_eq_size!(core::ffi::c_ulong, Switches);

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

/// Creates all parts.
///
/// # Safety
/// The memory is live, and no other thread uses it.
pub(super) unsafe fn create(lock: *mut HostLock) {
    // SAFETY: the memory is live, large enough (see the assertions above), and used by no other thread (caller).
    // The pthread functions cannot fail on the platforms that we know: they only fill in memory.
    unsafe {
        extra(lock).write(Extra { word: 0, takers: 0 });
        libc::pthread_mutex_init(mutex(lock), core::ptr::null());
        let mut attributes = core::mem::zeroed();
        libc::pthread_condattr_init(&raw mut attributes);
        libc::pthread_condattr_setclock(&raw mut attributes, libc::CLOCK_MONOTONIC);
        for queue in [Queue::Takers, Queue::Droppers] {
            libc::pthread_cond_init(bell(lock, queue), &raw const attributes);
        }
        libc::pthread_condattr_destroy(&raw mut attributes);
    }
}

/// The address of the part that this crate adds.
fn extra(lock: *mut HostLock) -> *mut Extra {
    // SAFETY: only an address is computed.
    unsafe { (&raw mut (*lock).switch_mutex).cast() }
}

/// The address of the lock's word.
#[inline(always)]
pub(super) fn word(lock: *mut HostLock) -> *mut usize {
    // SAFETY: only an address is computed.
    unsafe { &raw mut (*extra(lock)).word }
}

/// The address of the number of switches.
#[inline(always)]
pub(super) fn switches(lock: *mut HostLock) -> *mut Switches {
    // SAFETY: only an address is computed.
    unsafe { (&raw mut (*lock).switch_number).cast() }
}

/// The address of the number of takers that sleep.
pub(super) fn takers(lock: *mut HostLock) -> *mut Count {
    // SAFETY: only an address is computed.
    unsafe { &raw mut (*extra(lock)).takers }
}

/// The address of the mutex.
fn mutex(lock: *mut HostLock) -> *mut libc::pthread_mutex_t {
    // SAFETY: only an address is computed.
    unsafe { (&raw mut (*lock).mutex).cast() }
}

/// The address of a queue's condition variable.
fn bell(lock: *mut HostLock, queue: Queue) -> *mut libc::pthread_cond_t {
    // SAFETY: only an address is computed.
    unsafe {
        match queue {
            Queue::Takers => (&raw mut (*lock).cond).cast(),
            Queue::Droppers => (&raw mut (*lock).switch_cond).cast(),
        }
    }
}

/// Locks the queues.
///
/// # Safety
/// The parts exist, and this thread has not locked the queues.
pub(super) unsafe fn lock(lock: *mut HostLock) {
    // SAFETY: the mutex exists and is not this thread's (caller).
    check(unsafe { libc::pthread_mutex_lock(mutex(lock)) }, c"PyMUTEX_LOCK(gil->mutex) failed");
}

/// Unlocks the queues.
///
/// # Safety
/// This thread has locked them.
pub(super) unsafe fn unlock(lock: *mut HostLock) {
    // SAFETY: this thread has locked the mutex (caller).
    check(unsafe { libc::pthread_mutex_unlock(mutex(lock)) }, c"PyMUTEX_UNLOCK(gil->mutex) failed");
}

/// Ends the process if a mutex function failed. Then the mutex has been overwritten, and nothing can be relied
/// on.
fn check(status: c_int, complaint: &CStr) {
    if status != 0 {
        // SAFETY: both arguments are C strings; the function does not return.
        unsafe { ffi::_Py_FatalErrorFunc(c"take_gil".as_ptr(), complaint.as_ptr()) }
    }
}

/// Sleeps in `queue`, and unlocks the queues meanwhile. Returns false if the deadline has passed.
///
/// # Safety
/// This thread has locked the queues.
pub(super) unsafe fn wait(lock: *mut HostLock, queue: Queue, deadline: Option<Deadline>) -> bool {
    let (bell, mutex) = (bell(lock, queue), mutex(lock));
    // SAFETY: the parts exist, and this thread has locked the mutex (caller).
    let ended = unsafe {
        match deadline {
            Some(Deadline(time)) => libc::pthread_cond_timedwait(bell, mutex, &raw const time),
            None => libc::pthread_cond_wait(bell, mutex),
        }
    };
    ended != libc::ETIMEDOUT
}

/// Wakes one thread in `queue`.
///
/// # Safety
/// The parts exist.
pub(super) unsafe fn wake_one(lock: *mut HostLock, queue: Queue) {
    // SAFETY: the condition variable exists (caller).
    unsafe { libc::pthread_cond_signal(bell(lock, queue)) };
}

/// Wakes all threads in `queue`.
///
/// # Safety
/// The parts exist.
pub(super) unsafe fn wake_all(lock: *mut HostLock, queue: Queue) {
    // SAFETY: the condition variable exists (caller).
    unsafe { libc::pthread_cond_broadcast(bell(lock, queue)) };
}
