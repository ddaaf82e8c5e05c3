//! The parts of the queues by Windows' slim locks and condition variables.
//!
//! C has four of them in its struct, each of 8 bytes, and no room besides. So the lock's word is where C has the
//! second mutex, and the number of takers shares the 4 bytes of `switch_number` with that of the switches.

use core::mem::offset_of;
use std::time::{Duration, Instant};

use crate::breaker::gil::Queue;
use crate::breaker::sync::Switches;
use crate::host::ffi::{self, _gil_runtime_state as HostLock};

/// A number of threads. With more than this can count, a taker may have to wait until its interval ends.
pub(super) type Count = u16;

/// What this crate stores where C has the number of switches.
#[repr(C)]
struct Numbers {
    switches: Switches,
    takers: Count,
}

static_assertions::assert_eq_size!(ffi::SRWLOCK, ffi::CONDITION_VARIABLE, usize);
static_assertions::assert_eq_size!(core::ffi::c_ulong, Numbers);
static_assertions::const_assert!(offset_of!(HostLock, switch_mutex) % align_of::<usize>() == 0);

/// The wait of `SleepConditionVariableSRW` that never times out.
const INFINITE: u32 = u32::MAX;

/// A time on the monotonic clock; None if it is too far away for the clock.
#[derive(Clone, Copy)]
pub(crate) struct Deadline(Option<Instant>);

impl Deadline {
    /// The time `duration` from now.
    pub(crate) fn after(duration: Duration) -> Deadline {
        Deadline(Instant::now().checked_add(duration))
    }

    /// The time that is left in milliseconds, rounded up: a thread that wakes early would find the deadline ahead.
    fn milliseconds(self) -> u32 {
        let Some(time) = self.0 else { return INFINITE };
        let left = time.saturating_duration_since(Instant::now());
        u32::try_from(left.as_nanos().div_ceil(1_000_000)).unwrap_or(INFINITE).min(INFINITE - 1)
    }
}

/// Creates all parts.
///
/// # Safety
/// The memory is live, and no other thread uses it.
pub(super) unsafe fn create(lock: *mut HostLock) {
    // SAFETY: the memory is live, used by no other thread (caller), and has these sizes (see the assertions above).
    // All zeros is what Windows' functions for creating these parts store (SRWLOCK_INIT, CONDITION_VARIABLE_INIT).
    unsafe {
        word(lock).write(0);
        numbers(lock).write(Numbers { switches: 0, takers: 0 });
        mutex(lock).write(core::mem::zeroed());
        for queue in [Queue::Takers, Queue::Droppers] {
            bell(lock, queue).write(core::mem::zeroed());
        }
    }
}

/// The address of the lock's word.
#[inline(always)]
pub(super) fn word(lock: *mut HostLock) -> *mut usize {
    // SAFETY: only an address is computed.
    unsafe { (&raw mut (*lock).switch_mutex).cast() }
}

/// The address of the numbers.
#[inline(always)]
fn numbers(lock: *mut HostLock) -> *mut Numbers {
    // SAFETY: only an address is computed.
    unsafe { (&raw mut (*lock).switch_number).cast() }
}

/// The address of the number of switches.
#[inline(always)]
pub(super) fn switches(lock: *mut HostLock) -> *mut Switches {
    // SAFETY: only an address is computed.
    unsafe { &raw mut (*numbers(lock)).switches }
}

/// The address of the number of takers that sleep.
pub(super) fn takers(lock: *mut HostLock) -> *mut Count {
    // SAFETY: only an address is computed.
    unsafe { &raw mut (*numbers(lock)).takers }
}

/// The address of the mutex.
fn mutex(lock: *mut HostLock) -> *mut ffi::SRWLOCK {
    // SAFETY: only an address is computed.
    unsafe { &raw mut (*lock).mutex }
}

/// The address of a queue's condition variable.
fn bell(lock: *mut HostLock, queue: Queue) -> *mut ffi::CONDITION_VARIABLE {
    // SAFETY: only an address is computed.
    unsafe {
        match queue {
            Queue::Takers => &raw mut (*lock).cond,
            Queue::Droppers => &raw mut (*lock).switch_cond,
        }
    }
}

/// Locks the queues.
///
/// # Safety
/// The parts exist, and this thread has not locked the queues.
pub(super) unsafe fn lock(lock: *mut HostLock) {
    // SAFETY: the mutex exists and is not this thread's (caller).
    unsafe { ffi::AcquireSRWLockExclusive(mutex(lock)) }
}

/// Unlocks the queues.
///
/// # Safety
/// This thread has locked them.
pub(super) unsafe fn unlock(lock: *mut HostLock) {
    // SAFETY: this thread has locked the mutex (caller).
    unsafe { ffi::ReleaseSRWLockExclusive(mutex(lock)) }
}

/// Sleeps in `queue`, and unlocks the queues meanwhile. Returns false if the deadline has passed.
///
/// # Safety
/// This thread has locked the queues.
pub(super) unsafe fn wait(lock: *mut HostLock, queue: Queue, deadline: Option<Deadline>) -> bool {
    let milliseconds = deadline.map_or(INFINITE, Deadline::milliseconds);
    // SAFETY: the parts exist, and this thread has locked the mutex (caller). Only the end of the time makes the
    // function fail.
    unsafe { ffi::SleepConditionVariableSRW(bell(lock, queue), mutex(lock), milliseconds, 0) != 0 }
}

/// Wakes one thread in `queue`.
///
/// # Safety
/// The parts exist.
pub(super) unsafe fn wake_one(lock: *mut HostLock, queue: Queue) {
    // SAFETY: the condition variable exists (caller).
    unsafe { ffi::WakeConditionVariable(bell(lock, queue)) }
}

/// Wakes all threads in `queue`.
///
/// # Safety
/// The parts exist.
pub(super) unsafe fn wake_all(lock: *mut HostLock, queue: Queue) {
    // SAFETY: the condition variable exists (caller).
    unsafe { ffi::WakeAllConditionVariable(bell(lock, queue)) }
}
