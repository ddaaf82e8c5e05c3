//! Executors without references, which wait to be freed: a thread may still run them.
//!
//! A side exit leads from one executor to the next without a reference; the exit holds one. If the exit is
//! cleared meanwhile, only the thread's `current_executor` says that the executor is in use. When the executor
//! calls code that enters the evaluator, the entry frame holds a reference, and gives it up again. So an executor
//! that waits here has one reference, of the list: it cannot be destroyed a second time.

use super::executor::Executor;
use crate::host::{ThreadState, ffi, refcount};

/// The most executors that the list takes before unused ones are freed.
const CAPACITY: i32 = ffi::EXECUTOR_DELETE_LIST_MAX as i32;

/// Adds an executor whose destructor runs. Now and then frees those that are not in use; not so in the attached form, since a
/// host that instruments code invalidates executors while it holds the lock of the runtime's interpreters. There, they are
/// freed before a new one is made, and at the end of the interpreter.
///
/// # Safety
/// The thread is attached to the interpreter. Nothing refers to the executor except threads that run it, and it is
/// in no list.
pub(crate) unsafe fn add(interp: *mut ffi::PyInterpreterState, executor: Executor) {
    // SAFETY: the thread is attached (caller), so it alone changes the list.
    unsafe {
        refcount::revive(executor.object());
        #[cfg(feature = "attach")]
        super::host_loop::forget(executor);
        (*executor.links()).next = (*interp).executor_deletion_list_head;
        (*interp).executor_deletion_list_head = executor.as_ptr();
        if cfg!(feature = "attach") {
            return;
        }
        if (*interp).executor_deletion_list_remaining_capacity > 0 {
            (*interp).executor_deletion_list_remaining_capacity -= 1;
        } else {
            free_unused(interp);
        }
    }
}

/// Frees the executors of the list that no thread uses.
///
/// # Safety
/// The thread is attached to the interpreter, and does not hold the lock of the runtime's interpreters.
pub(crate) unsafe fn free_unused(interp: *mut ffi::PyInterpreterState) {
    // SAFETY: the thread is attached (caller). What is taken out of the list is not in use.
    unsafe {
        // Freeing an executor may add others. The loop frees those, too.
        (*interp).executor_deletion_list_remaining_capacity = i32::MAX;
        while let Some(executor) = take_unused(interp) {
            free(executor);
        }
        (*interp).executor_deletion_list_remaining_capacity = CAPACITY;
    }
}

/// Takes the first executor out of the list that is not in use.
///
/// # Safety
/// As for [`free_unused`].
unsafe fn take_unused(interp: *mut ffi::PyInterpreterState) -> Option<Executor> {
    // SAFETY: this thread does not hold the lock (caller), and the action does nothing but read and unlink. The
    // executors in the list are live, and the states of threads as long as the lock is held.
    unsafe {
        ThreadState::with_all(interp, |threads| {
            let is_current = |executor: Executor| {
                threads.clone().any(|thread| (*thread.as_ptr()).current_executor == executor.object())
            };
            let mut link = &raw mut (*interp).executor_deletion_list_head;
            while let Some(executor) = Executor::from_ptr(*link) {
                let next = &raw mut (*executor.links()).next;
                if refcount::is_unique(executor.object()) && !is_current(executor) {
                    *link = *next;
                    return Some(executor);
                }
                link = next;
            }
            None
        })
    }
}

/// Frees an executor with its machine code, and releases the executors behind its side exits.
///
/// # Safety
/// The thread is attached; nothing refers to the executor and no thread runs it.
unsafe fn free(executor: Executor) {
    // SAFETY: nothing uses the executor (caller). The executors behind its exits are other ones, since nothing
    // refers to this one.
    unsafe {
        #[cfg(feature = "jit")]
        {
            super::explained::forget(executor);
            super::compiled::free(executor);
        }
        for exit in executor.exits() {
            drop(exit.take());
        }
        #[cfg(tier2_jit)]
        ffi::_PyJIT_Free(executor.as_ptr());
        ffi::PyObject_GC_Del(executor.as_ptr().cast());
    }
}
