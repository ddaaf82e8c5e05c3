//! The list of the valid executors of an interpreter, the newest first.

use super::executor::Executor;
use crate::host::ffi;

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
/// The thread is attached to the interpreter; the executor is live and in no list.
pub(crate) unsafe fn link(interp: *mut ffi::PyInterpreterState, executor: Executor) {
    // SAFETY: the executors in the list are live, since each leaves it before it is freed.
    unsafe {
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
/// The thread is attached to the interpreter, whose executor it is, and the executor is live.
pub(crate) unsafe fn unlink(interp: *mut ffi::PyInterpreterState, executor: Executor) {
    // SAFETY: the executors in the list are live, since each leaves it before it is freed.
    unsafe {
        executor.set_valid(false);
        #[cfg(feature = "jit")]
        super::compiled::unlink(executor);
        if !executor.is_linked() {
            return;
        }
        let ffi::_PyExecutorLinkListNode { next, previous } = *executor.links();
        if let Some(next) = Executor::from_ptr(next) {
            (*next.links()).previous = previous;
        }
        match Executor::from_ptr(previous) {
            Some(previous) => (*previous.links()).next = next,
            None => (*interp).executor_list_head = next,
        }
        executor.set_linked(false);
    }
}

#[cfg(test)]
mod tests {
    use core::ptr::NonNull;
    use std::alloc::{Layout, alloc_zeroed, handle_alloc_error};

    use proptest::prelude::*;

    use super::*;

    /// A structure of the host whose fields are all zero. It is never freed, as the tests need few.
    fn zeroed<T>() -> *mut T {
        let layout = Layout::new::<T>();
        // SAFETY: the structures of the host have a size.
        let memory = unsafe { alloc_zeroed(layout) };
        NonNull::new(memory).unwrap_or_else(|| handle_alloc_error(layout)).cast().as_ptr()
    }

    fn all(interp: *mut ffi::PyInterpreterState) -> Vec<Executor> {
        // SAFETY: interpreter and executors are live.
        unsafe { core::iter::successors(first(interp), |&executor| next(executor)).collect() }
    }

    proptest! {
        #[test]
        fn holds_what_was_linked_and_not_unlinked(steps in prop::collection::vec(0_usize..6, 0..40)) {
            let interp = zeroed();
            let executors: [Executor; 6] =
                core::array::from_fn(|_| Executor::from_ptr(zeroed()).expect("not null"));
            let mut expected: Vec<Executor> = Vec::new();
            for step in steps {
                let executor = executors[step];
                // SAFETY: all executors are live; each is linked only if it is not in the list.
                unsafe {
                    if expected.contains(&executor) {
                        unlink(interp, executor);
                        // Once more does nothing.
                        unlink(interp, executor);
                        expected.retain(|&other| other != executor);
                    } else {
                        link(interp, executor);
                        expected.insert(0, executor);
                    }
                    prop_assert_eq!(all(interp), &expected[..]);
                    for executor in executors {
                        prop_assert_eq!(executor.is_valid(), expected.contains(&executor));
                    }
                }
            }
        }
    }
}
