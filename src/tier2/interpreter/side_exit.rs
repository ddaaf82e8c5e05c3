//! Side exits of traces. An exit that is taken often gets an executor of its own. Source: `pycore_optimizer.h`.

use core::ptr::NonNull;

use crate::bytecode::{BackoffCounter, opcode, thresholds};
use crate::host::{CodeUnit, Frame, PyResult, Raised, ffi, refcount};

/// Returns the executor behind an exit of `current`, which keeps it alive. Counts down the exit's temperature and, when
/// it triggers, creates one. `None`: continue in bytecode. Fails with an exception set.
///
/// # Safety
/// The thread is attached. `frame` is its current frame, published, and at the target of the exit, which belongs to
/// `current`, a live executor.
pub(super) unsafe fn executor(
    frame: Frame,
    exit: *mut ffi::_PyExitData,
    current: *mut ffi::_PyExecutorObject,
) -> PyResult<Option<NonNull<ffi::_PyExecutorObject>>> {
    // SAFETY: the exit and its executor are live (caller).
    unsafe {
        if let Some(executor) = NonNull::new((*exit).executor) {
            if (*executor.as_ptr()).vm_data.valid() != 0 {
                return Ok(Some(executor));
            }
            set_temperature(exit, thresholds::get().side_exit);
            (*exit).executor = core::ptr::null_mut();
            refcount::decref(executor.as_ptr().cast());
        }
        let temperature = BackoffCounter::from_bits((*exit).temperature.value_and_backoff);
        if !temperature.triggers() {
            set_temperature(exit, temperature.advance());
            return Ok(None);
        }
        let target = frame.bytecode().add((*exit).target as isize);
        match make(frame, target, (*current).vm_data.chain_depth() + 1) {
            Ok(Some(executor)) => {
                set_temperature(exit, thresholds::get().side_exit);
                (*exit).executor = executor.as_ptr();
                Ok(Some(executor))
            }
            declined => {
                set_temperature(exit, temperature.restart());
                declined
            }
        }
    }
}

/// Returns a new reference to the executor for `target`: the loop's that begins there, or one that is made now. `None` if
/// the optimizer declines.
///
/// # Safety
/// The thread is attached. `frame` is its current frame, published, and `target` is an instruction in its bytecode.
#[cold]
unsafe fn make(
    frame: Frame,
    target: CodeUnit,
    chain_depth: u8,
) -> PyResult<Option<NonNull<ffi::_PyExecutorObject>>> {
    // SAFETY: the argument of ENTER_EXECUTOR is an index of the code's executors, which the code keeps alive.
    unsafe {
        let (opcode, index) = target.decode();
        if opcode == opcode::ENTER_EXECUTOR {
            let executors = &raw const (*(*frame.code().as_ptr()).co_executors).executors;
            let executor = *executors.cast::<NonNull<ffi::_PyExecutorObject>>().add(index);
            refcount::incref(executor.as_ptr().cast());
            return Ok(Some(executor));
        }
        let mut executor = core::ptr::null_mut();
        let start = target.as_ptr();
        match ffi::_PyOptimizer_Optimize(frame.as_ptr(), start, &raw mut executor, chain_depth.into()) {
            ..0 => Err(Raised),
            0 => Ok(None),
            1.. => Ok(NonNull::new(executor)),
        }
    }
}

/// # Safety
/// The exit is live.
unsafe fn set_temperature(exit: *mut ffi::_PyExitData, temperature: BackoffCounter) {
    // SAFETY: the exit is live (caller).
    unsafe { (*exit).temperature.value_and_backoff = temperature.bits() }
}
