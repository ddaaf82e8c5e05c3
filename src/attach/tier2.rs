//! Tier 2 in an unmodified host: switching it on and off, and why it cannot be on.

#[cfg(feature = "jit")]
use crate::explain;
use crate::host::{PyResult, ThreadState, ffi};
#[cfg(py_tier2)]
use crate::host::{check, owned, tier2};
#[cfg(not(feature = "jit"))]
use crate::raise;
#[cfg(py_tier2)]
use crate::seams;
#[cfg(py_tier2)]
use crate::tier2::deletion;
#[cfg(feature = "jit")]
use crate::tier2::{compiled, interpreter};

/// Why the calling thread's interpreter cannot have tier 2, if it cannot.
///
/// # Safety
/// The thread is attached and `tstate` is its state.
pub(super) unsafe fn refusal(tstate: ThreadState) -> Option<&'static str> {
    #[cfg(not(py_tier2))]
    {
        let _ = tstate;
        Some("the core was built without it")
    }
    #[cfg(py_tier2)]
    {
        // The loop of a host before that makes executors of its own where it meets a JUMP_BACKWARD_JIT.
        const FIRST: u64 = 0x030E_02F0;
        if check::BUILT_VERSION < FIRST {
            Some("it needs CPython 3.14.2 or newer")
        } else if !tier2::is_in_host() {
            Some("it needs a CPython that was built with --enable-experimental-jit=yes-off")
        // SAFETY: the state is that of the attached thread (caller).
        } else if !tier2::is_main(unsafe { tstate.interp() }) {
            Some("only the main interpreter has it")
        } else {
            None
        }
    }
}

/// Whether code of the interpreter becomes machine code.
///
/// # Safety
/// The thread is attached to `interp`.
pub(super) unsafe fn is_on(interp: *mut ffi::PyInterpreterState) -> bool {
    #[cfg(not(py_tier2))]
    {
        let _ = interp;
        false
    }
    #[cfg(py_tier2)]
    // SAFETY: the contract is the same.
    unsafe {
        tier2::is_on(interp)
    }
}

/// Code of the main interpreter becomes machine code from now on, while this library's evaluator is installed. Fails with
/// MemoryError.
///
/// # Safety
/// The thread is attached to the main interpreter, and there is no [`refusal`].
pub(super) unsafe fn switch_on() -> PyResult<()> {
    #[cfg(py_tier2)]
    {
        // SAFETY: the thread is attached (caller). A type that is ready stays so.
        unsafe { owned::check(ffi::PyType_Ready(seams::optimizer::executor_type()))? };
        tier2::set_wanted(true);
    }
    Ok(())
}

/// The interpreter ends: the host has invalidated all executors.
///
/// # Safety
/// The thread is attached to `interp`, and does not hold the lock of the runtime's interpreters.
pub(super) unsafe fn end(interp: *mut ffi::PyInterpreterState) {
    #[cfg(not(py_tier2))]
    let _ = interp;
    #[cfg(py_tier2)]
    // SAFETY: the contract is the same.
    unsafe {
        deletion::free_unused(interp);
    }
}

/// No machine code is made any more, and none is left in bytecode. Does nothing in interpreters that cannot have it.
///
/// # Safety
/// The thread is attached to `interp`.
pub(super) unsafe fn switch_off(interp: *mut ffi::PyInterpreterState) {
    #[cfg(not(py_tier2))]
    let _ = interp;
    #[cfg(py_tier2)]
    if tier2::is_main(interp) {
        tier2::set_wanted(false);
        // SAFETY: the thread is attached (caller).
        unsafe { seams::optimizer::invalidate_all(interp) };
    }
}

/// Begins to explain what the interpreter runs. Fails with an exception.
///
/// # Safety
/// The thread is attached.
pub(super) unsafe fn explain_start() -> PyResult<()> {
    // SAFETY: the contract is the same.
    #[cfg(feature = "jit")]
    return unsafe { explain::start(interpreter::library_code(), compiled::entry_code()) };
    #[cfg(not(feature = "jit"))]
    // SAFETY: the thread is attached (caller).
    Err(unsafe { raise!(PyExc_RuntimeError, c"the core was built without a compiler") })
}

/// Ends that. Returns a new dictionary. Fails with an exception.
///
/// # Safety
/// The thread is attached.
pub(super) unsafe fn explain_stop() -> PyResult {
    // SAFETY: the contract is the same.
    #[cfg(feature = "jit")]
    return unsafe { explain::stop() };
    #[cfg(not(feature = "jit"))]
    // SAFETY: the thread is attached (caller).
    Err(unsafe { raise!(PyExc_RuntimeError, c"the core was built without a compiler") })
}
