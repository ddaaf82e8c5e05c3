//! Versions of the instrumentation: the interpreter's version increases with every change of what tools
//! watch, and each code object has the version that its bytecode was written for. Source: `pycore_ceval.h`.
//! The versions of the interpreter and of its threads are accessed in [`crate::breaker::version`].
//!
//! Callers: this room, and `ops` for the version check of RESUME.

use core::sync::atomic::{AtomicUsize, Ordering};

pub(crate) use crate::breaker::version::{catch_up, global, set_global};
pub(crate) use crate::breaker::word::{Version, Word};
use crate::host::{Code, PyResult, ffi};
use crate::raise;

/// Returns the version `steps` after the interpreter's version. Fails with OverflowError if there is none.
///
/// # Safety
/// `interp` is live and the thread is attached.
pub(crate) unsafe fn next(interp: *mut ffi::PyInterpreterState, steps: u32) -> PyResult<Version> {
    // SAFETY: `interp` is live, and the thread is attached, as raising requires (caller).
    unsafe {
        match global(interp).later(steps) {
            Some(version) => Ok(version),
            None => Err(raise!(PyExc_OverflowError, c"events set too many times")),
        }
    }
}

/// The version that the bytecode of `code` was written for. An acquire load: a thread that sees this version
/// sees the bytecode and side tables of this version.
///
/// # Safety
/// `code` is live.
#[inline(always)]
pub(crate) unsafe fn of_code(code: Code) -> Version {
    // SAFETY: `code` is live (caller).
    Version::from_field(unsafe { field_of_code(code) }.load(Ordering::Acquire) & VERSION)
}

/// Whether a thread whose eval breaker is `word` has nothing to do when it calls `code`: there is no request, the bytecode
/// is of the current version, and calls are not counted ([`count_calls`]). One comparison; an acquire load, as
/// [`of_code`].
///
/// # Safety
/// `code` is live.
#[inline(always)]
pub(crate) unsafe fn is_quiet(code: Code, word: Word) -> bool {
    // SAFETY: `code` is live (caller).
    word.is(unsafe { field_of_code(code) }.load(Ordering::Acquire))
}

/// The bits of the field that hold the version, which has 32. Those above are free where a word has more.
const VERSION: usize = u32::MAX as usize;

/// Above the version: a counter of calls, and above that, how often one has ended before.
#[cfg(py_tier2)]
const ONE_CALL: usize = 1 << u32::BITS;
#[cfg(py_tier2)]
const ONE_ATTEMPT: usize = ONE_CALL << u16::BITS;
#[cfg(py_tier2)]
static_assertions::const_assert!(usize::BITS > u32::BITS + u16::BITS);

/// Counts the next calls of `code`: as long as it does, [`is_quiet`] is false. A new version ends that. `attempts` says how
/// often calls have been counted before, if there is a reason to count again.
///
/// # Safety
/// `code` is live, and no other thread changes its version meanwhile.
#[cfg(py_tier2)]
pub(crate) unsafe fn count_calls(code: Code, calls: u16, attempts: u8) {
    // SAFETY: `code` is live (caller).
    let field = unsafe { field_of_code(code) };
    let version = field.load(Ordering::Relaxed) & VERSION;
    let counters = usize::from(calls) * ONE_CALL + usize::from(attempts) * ONE_ATTEMPT;
    field.store(version | counters, Ordering::Relaxed);
}

/// Counts one call of `code`. Returns whether it is the last one that [`count_calls`] wanted. Then
/// [`take_attempts`] has to follow.
///
/// # Safety
/// As for [`count_calls`].
#[cfg(py_tier2)]
pub(crate) unsafe fn count_call(code: Code) -> bool {
    // SAFETY: `code` is live (caller).
    let field = unsafe { field_of_code(code) };
    let before = field.load(Ordering::Relaxed);
    if before % ONE_ATTEMPT < ONE_CALL {
        return false;
    }
    let after = before - ONE_CALL;
    field.store(after, Ordering::Relaxed);
    after % ONE_ATTEMPT < ONE_CALL
}

/// Counts no calls of `code` any more. Returns how often calls have been counted before.
///
/// # Safety
/// As for [`count_calls`].
#[cfg(py_tier2)]
pub(crate) unsafe fn take_attempts(code: Code) -> u8 {
    // SAFETY: `code` is live (caller).
    let field = unsafe { field_of_code(code) };
    let before = field.load(Ordering::Relaxed);
    field.store(before & VERSION, Ordering::Relaxed);
    (before / ONE_ATTEMPT) as u8
}

/// Publishes the bytecode and the side tables of `code` as those of `version`.
///
/// # Safety
/// `code` is live, and the caller has [exclusive access](super) to it.
pub(crate) unsafe fn set_of_code(code: Code, version: Version) {
    // SAFETY: `code` is live (caller).
    unsafe { field_of_code(code) }.store(version.field(), Ordering::Release);
}

/// # Safety
/// `code` is live, for as long as the result is used.
#[inline(always)]
unsafe fn field_of_code<'a>(code: Code) -> &'a AtomicUsize {
    // SAFETY: `code` is live (caller), and all accesses to the field are atomic.
    unsafe { AtomicUsize::from_ptr(&raw mut (*code.as_ptr())._co_instrumentation_version) }
}
