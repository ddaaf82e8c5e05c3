//! The list of the valid executors of an interpreter, the newest first.

use super::executor::Executor;
use crate::host::{ThreadState, ffi};

/// The first executor of the list.
///
/// # Safety
/// The thread is attached to the interpreter.
pub(crate) unsafe fn first(interp: *mut ffi::PyInterpreterState) -> Option<Executor> {
    // SAFETY: the interpreter is live (caller).
    Executor::from_ptr(unsafe { (*interp).executor_list_head })
}

/// The executor behind this one.
///
/// # Safety
/// The executor is live and in the list.
pub(crate) unsafe fn next(executor: Executor) -> Option<Executor> {
    // SAFETY: the executor is in the list (caller).
    Executor::from_ptr(unsafe { (*executor.links()).next })
}

/// Adds a new executor to the list. From now on it is valid.
///
/// # Safety
/// The thread is attached; the executor is live and in no list.
pub(crate) unsafe fn link(executor: Executor) {
    // SAFETY: the executors in the list are live, since each leaves it before it is freed.
    unsafe {
        let interp = ThreadState::current().interp();
        let head = first(interp);
        *executor.links() = ffi::_PyExecutorLinkListNode {
            next: head.map_or(core::ptr::null_mut(), Executor::as_ptr),
            previous: core::ptr::null_mut(),
        };
        if let Some(head) = head {
            (*head.links()).previous = executor.as_ptr();
        }
        (*interp).executor_list_head = executor.as_ptr();
        executor.set_linked(true);
        executor.set_valid(true);
    }
}

/// Takes an executor out of the list, if it is there. From now on it is not valid.
///
/// # Safety
/// The thread is attached, and the executor is live.
pub(crate) unsafe fn unlink(executor: Executor) {
    // SAFETY: the executors in the list are live, since each leaves it before it is freed.
    unsafe {
        executor.set_valid(false);
        if !executor.is_linked() {
            return;
        }
        let ffi::_PyExecutorLinkListNode { next, previous } = *executor.links();
        if let Some(next) = Executor::from_ptr(next) {
            (*next.links()).previous = previous;
        }
        match Executor::from_ptr(previous) {
            Some(previous) => (*previous.links()).next = next,
            None => (*ThreadState::current().interp()).executor_list_head = next,
        }
        executor.set_linked(false);
    }
}
