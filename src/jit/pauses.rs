//! How long threads wait for the compiler.

use core::sync::atomic::{AtomicU64, Ordering};
use core::time::Duration;
use std::time::Instant;

/// A longer pause counts as long.
const LONG: Duration = Duration::from_micros(300);

/// The pauses of all threads since the process began.
pub(crate) struct Pauses {
    pub(crate) count: AtomicU64,
    pub(crate) long_count: AtomicU64,
    /// In nanoseconds.
    pub(crate) longest: AtomicU64,
    /// In nanoseconds.
    pub(crate) total: AtomicU64,
}

pub(crate) static PAUSES: Pauses = Pauses {
    count: AtomicU64::new(0),
    long_count: AtomicU64::new(0),
    longest: AtomicU64::new(0),
    total: AtomicU64::new(0),
};

/// Runs `action`, and counts how long that takes.
pub(super) fn count<T>(action: impl FnOnce() -> T) -> T {
    let begin = Instant::now();
    let result = action();
    let pause = begin.elapsed();
    let nanoseconds = pause.as_nanos() as u64;
    PAUSES.count.fetch_add(1, Ordering::Relaxed);
    PAUSES.long_count.fetch_add((pause > LONG).into(), Ordering::Relaxed);
    PAUSES.longest.fetch_max(nanoseconds, Ordering::Relaxed);
    PAUSES.total.fetch_add(nanoseconds, Ordering::Relaxed);
    result
}
