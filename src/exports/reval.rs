//! The library's own symbols: how it was built, and what tier 2 has done.

use core::ffi::{c_char, c_int};
#[cfg(feature = "jit")]
use core::sync::atomic::Ordering;

#[cfg(feature = "jit")]
use crate::explain;
use crate::host::PyObject;
use crate::host::check::BUILT_VERSION;
use crate::host::owned::{into_host, into_status};
#[cfg(feature = "jit")]
use crate::tier2::{compiled, interpreter};
#[cfg(not(feature = "jit"))]
use crate::{host::Raised, raise};

/// How the library was built.
#[repr(C)]
pub struct RevalBuild {
    /// `REVAL_VERSION`.
    pub version: *const c_char,
    /// `REVAL_VERSION_HEX`.
    pub version_hex: u32,
    /// `PY_VERSION_HEX` of the host.
    pub host_version_hex: u32,
    /// `_Py_TIER2`: 1 JIT, 2 off by default, 4 interpreter; 0 without tier 2.
    pub tier2: u32,
    /// Whether the host is free-threaded.
    pub gil_disabled: bool,
    /// Whether the host is a `--with-pydebug` build.
    pub debug: bool,
}

// SAFETY: nothing changes it, and the pointer is to a constant.
unsafe impl Sync for RevalBuild {}

/// What `PY_VERSION_HEX` has for a release that is no alpha, beta or candidate.
const FINAL: u32 = 0xf0;

const fn number(text: &str) -> u32 {
    match u32::from_str_radix(text, 10) {
        Ok(number) => number,
        Err(_) => panic!("cargo's versions are numbers"),
    }
}

static BUILD: RevalBuild = RevalBuild {
    version: concat!(env!("CARGO_PKG_VERSION"), "\0").as_ptr().cast(),
    version_hex: number(env!("CARGO_PKG_VERSION_MAJOR")) << 24
        | number(env!("CARGO_PKG_VERSION_MINOR")) << 16
        | number(env!("CARGO_PKG_VERSION_PATCH")) << 8
        | FINAL,
    host_version_hex: BUILT_VERSION as u32,
    tier2: cfg!(tier2_jit) as u32
        | (cfg!(tier2_off_by_default) as u32) << 1
        | (cfg!(tier2_interpreter) as u32) << 2,
    gil_disabled: cfg!(py_gil_disabled),
    debug: cfg!(py_debug),
};

/// Returns how the library was built: a constant. Any thread may call this at any time.
#[unsafe(no_mangle)]
pub extern "C" fn reval_build() -> *const RevalBuild {
    &raw const BUILD
}

/// How many attempts at making a trace had one outcome, in all threads since the process began.
#[repr(C)]
pub struct RevalTraceAttempts {
    /// What became of them, in words.
    pub outcome: *const c_char,
    /// How many there were. It grows while programs run.
    pub count: u64,
}

/// How long threads have waited for the compiler of traces, since the process began. It takes what it needs of the program's
/// objects while the program waits; machine code is made in another thread after that.
#[repr(C)]
#[derive(Default)]
pub struct RevalCompilerPauses {
    /// How many pauses there were: one for each trace that was compiled, or could not be.
    pub count: u64,
    /// How many of them took longer than 300 microseconds.
    pub long_count: u64,
    /// The longest one in nanoseconds.
    pub longest: u64,
    /// All of them in nanoseconds.
    pub total: u64,
}

/// Stores how long threads have waited for the compiler of traces: all zero without it. Any thread may call this at any time.
///
/// # Safety
/// `pauses` is writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn reval_compiler_pauses(pauses: *mut RevalCompilerPauses) {
    #[cfg(feature = "jit")]
    let counted = {
        let crate::jit::Pauses { count, long_count, longest, total } = &crate::jit::PAUSES;
        let [count, long_count, longest, total] =
            [count, long_count, longest, total].map(|counter| counter.load(Ordering::Relaxed));
        RevalCompilerPauses { count, long_count, longest, total }
    };
    #[cfg(not(feature = "jit"))]
    let counted = RevalCompilerPauses::default();
    // SAFETY: it is writable (caller).
    unsafe { pauses.write(counted) };
}

/// Returns how many exits of machine code were forced since the process began, which tests ask for by PYTHON_JIT_FAIL_GUARDS: 0
/// without the compiler. Any thread may call this at any time.
#[unsafe(no_mangle)]
pub extern "C" fn reval_forced_exits() -> u64 {
    #[cfg(feature = "jit")]
    let count = crate::jit::forced_exits();
    #[cfg(not(feature = "jit"))]
    let count = 0;
    count
}

/// Returns what became of the attempts to make traces: an array that the library owns, one element for each outcome.
/// Stores its length in `length`: 0 without tier 2. Any thread may call this at any time.
///
/// # Safety
/// `length` is writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn reval_trace_attempts(length: *mut usize) -> *const RevalTraceAttempts {
    #[cfg(py_tier2)]
    let attempts = &crate::tier2::record::ATTEMPTS[..];
    #[cfg(not(py_tier2))]
    let attempts: &[RevalTraceAttempts] = &[];
    // SAFETY: the length is writable (caller).
    unsafe { *length = attempts.len() };
    attempts.as_ptr().cast()
}

/// Begins to explain the run of the calling thread's interpreter: a timer of processor time takes samples, until
/// `reval_explain_stop`. Returns 0, or -1 with an exception: RuntimeError if the library has no compiler or explains a run
/// already, OSError if the system has no such timer. `python -m reval explain` calls this.
///
/// # Safety
/// The thread is attached.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn reval_explain_start() -> c_int {
    // SAFETY: the contract is the same.
    #[cfg(feature = "jit")]
    return into_status(unsafe { explain::start(interpreter::library_code(), compiled::entry_code()) });
    #[cfg(not(feature = "jit"))]
    // SAFETY: the thread is attached (caller).
    into_status(Err(unsafe { has_no_compiler() }))
}

/// Ends that. Returns a new dictionary, which `src/explain/report.rs` describes, or NULL with an exception: RuntimeError if no
/// run of this interpreter is explained.
///
/// # Safety
/// The thread is attached.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn reval_explain_stop() -> *mut PyObject {
    // SAFETY: the contract is the same.
    #[cfg(feature = "jit")]
    return into_host(unsafe { explain::stop() });
    #[cfg(not(feature = "jit"))]
    // SAFETY: the thread is attached (caller).
    into_host(Err(unsafe { has_no_compiler() }))
}

/// Sets RuntimeError.
///
/// # Safety
/// The thread is attached.
#[cfg(not(feature = "jit"))]
unsafe fn has_no_compiler() -> Raised {
    // SAFETY: the thread is attached (caller).
    unsafe {
        raise!(
            PyExc_RuntimeError,
            c"the library has no compiler: make COMPILER=cranelift EXPERIMENTAL_JIT=interpreter"
        )
    }
}
