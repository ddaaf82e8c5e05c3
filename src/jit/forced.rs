//! Forced exits, for tests: machine code leaves now and then where it may leave, although nothing asks for it.
//!
//! `PYTHON_JIT_FAIL_GUARDS=n` in the environment forces every n-th exit. What a program does stays the same: where an exit is
//! forced, the program goes on with the same instruction, which then looks at everything anew. So a program that prints
//! something else shows a fault in the description of an exit ([`super::exits`]). Without the variable, machine code is the
//! same as ever.
//!
//! Two kinds of exits are never forced: the way out of a branch or of a loop, which leads to where the program would go
//! otherwise; and one in front of the first instruction of an executor that bytecode enters there, which would enter it again.

use core::num::NonZeroUsize;
use core::sync::atomic::{AtomicU64, Ordering};

use once_cell::race::OnceNonZeroUsize;

use crate::host::ffi;

/// The variable.
const VARIABLE: &str = "PYTHON_JIT_FAIL_GUARDS";

/// Machine code changes it, too. Only the main interpreter runs machine code, with its GIL.
#[repr(C)]
pub(super) struct Counter {
    /// Places that can still be passed until an exit is forced, and that one.
    pub(super) left: AtomicU64,
    /// The exits that were forced.
    pub(super) forced: AtomicU64,
}

pub(super) static COUNTER: Counter = Counter { left: AtomicU64::new(1), forced: AtomicU64::new(0) };

/// How many exits were forced since the process began.
#[cfg(not(feature = "attach"))]
pub(crate) fn count() -> u64 {
    COUNTER.forced.load(Ordering::Relaxed)
}

/// Which exits are forced: every n-th one. `None`: none are.
///
/// # Safety
/// The thread is attached to an interpreter that has read its configuration.
pub(super) unsafe fn period() -> Option<u64> {
    const NEVER: NonZeroUsize = NonZeroUsize::MAX;
    static PERIOD: OnceNonZeroUsize = OnceNonZeroUsize::new();
    let period = PERIOD.get_or_init(|| {
        // SAFETY: the interpreter has a configuration (caller).
        let use_environment = unsafe { (*ffi::_Py_GetConfig()).use_environment != 0 };
        let text = use_environment.then(|| std::env::var(VARIABLE).ok()).flatten();
        text.and_then(|text| text.parse().ok()).unwrap_or(NEVER)
    });
    (period != NEVER).then_some(period.get() as u64)
}

/// Passes a place where the code may leave. Returns whether the exit is forced.
///
/// # Safety
/// As for [`period`].
pub(super) unsafe fn is_forced() -> bool {
    // SAFETY: the contract is the same.
    let Some(period) = (unsafe { period() }) else { return false };
    let left = COUNTER.left.load(Ordering::Relaxed) - 1;
    let is_forced = left == 0;
    COUNTER.left.store(if is_forced { period } else { left }, Ordering::Relaxed);
    COUNTER.forced.fetch_add(is_forced.into(), Ordering::Relaxed);
    is_forced
}
