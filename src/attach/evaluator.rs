//! The evaluator of an interpreter: the host's own, or one that is installed (PEP 523).
//!
//! Frames that are running stay in the evaluator that runs them, and so do the calls of Python functions that it makes
//! without leaving it. Both evaluators leave code objects, frames and generators in the same form, so that either can
//! go on with what the other has begun.

use super::tier2;
use crate::host::thread::EVALUATOR;
use crate::host::{ThreadState, ffi};

/// Whether this library's evaluator is installed.
///
/// # Safety
/// The thread is attached and `tstate` is its state.
pub(super) unsafe fn is_installed(tstate: ThreadState) -> bool {
    // SAFETY: the thread is attached (caller).
    unsafe { !tstate.has_custom_eval_frame() }
}

/// Whether an evaluator is installed that is neither the host's nor this library's.
///
/// # Safety
/// The thread is attached and `tstate` is its state.
pub(super) unsafe fn is_another_installed(tstate: ThreadState) -> bool {
    // SAFETY: the thread is attached (caller), so its interpreter is live.
    unsafe { (*tstate.interp()).eval_frame.is_some() && !is_installed(tstate) }
}

/// Installs this library's evaluator in the interpreter of the thread.
///
/// # Safety
/// The thread is attached and `tstate` is its state. The host is the one that the library was built for.
pub(super) unsafe fn install(tstate: ThreadState) {
    // SAFETY: the thread is attached (caller).
    unsafe { ffi::_PyInterpreterState_SetEvalFrameFunc(tstate.interp(), Some(EVALUATOR)) }
}

/// Gives the interpreter of the thread its own evaluator back, if this library's is installed.
///
/// The host's JIT may have been switched on meanwhile, at the end of the interpreter's start. It stays off: frames that
/// are still running here cannot run the executors that it would put into their code.
///
/// # Safety
/// The thread is attached and `tstate` is its state.
pub(super) unsafe fn remove(tstate: ThreadState) {
    // SAFETY: the thread is attached (caller).
    unsafe {
        if is_installed(tstate) {
            tier2::switch_off(tstate.interp());
            (*tstate.interp()).jit = false;
            ffi::_PyInterpreterState_SetEvalFrameFunc(tstate.interp(), None);
        }
    }
}
