//! Executors that the loop of an unmodified host meets in bytecode.
//!
//! Code may run in this library's evaluator and, from before it was installed or after it was removed, in the host's. That
//! one takes an executor for one of its own JIT, and calls its machine code. What it calls here takes the executor out of the
//! bytecode, so that the host goes on with the instruction that was there before.

use super::executor::Executor;
use super::invalidate;
use crate::host::{Frame, StackRef, ThreadState, ffi};

/// Prepares a new executor for such a loop.
///
/// # Safety
/// The executor is live.
pub(super) unsafe fn prepare(executor: Executor) {
    // SAFETY: the executor is live (caller). Without the host's JIT, nothing else uses this field.
    unsafe { (*executor.as_ptr()).jit_code = leave as *mut _ }
}

/// The executor is in no bytecode any more. The host would free what it takes for machine code at the interpreter's end.
///
/// # Safety
/// The executor is live.
pub(super) unsafe fn forget(executor: Executor) {
    // SAFETY: the executor is live (caller).
    unsafe { (*executor.as_ptr()).jit_code = core::ptr::null_mut() }
}

/// Machine code of an executor, by the convention of the host's JIT (`jit_func`): returns the instruction to continue with, in
/// the current frame.
///
/// # Safety
/// The thread is attached and `tstate` is its state. `frame` is its current frame, whose instruction pointer is at the
/// ENTER_EXECUTOR of the thread's current executor. `sp` is its stack pointer. The caller owns a reference to the executor.
unsafe extern "C" fn leave(frame: Frame, sp: *mut StackRef, tstate: ThreadState) -> *mut ffi::_Py_CODEUNIT {
    // SAFETY: frame, state and executor are live (caller). That puts the original instruction back.
    unsafe {
        let executor =
            core::ptr::replace(&raw mut (*tstate.as_ptr()).current_executor, core::ptr::null_mut());
        frame.set_stack_pointer(sp);
        if let Some(executor) = Executor::from_ptr(executor.cast()) {
            invalidate::clear(tstate.interp(), executor);
        }
        frame.instr().as_ptr()
    }
}
