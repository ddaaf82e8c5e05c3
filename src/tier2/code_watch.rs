//! Notices the end of code objects that traces run through.
//!
//! A trace has the constants of its code objects, which keep them alive. The guards of the trace fail when a code object is gone, so
//! nothing runs what follows them. But the compiler looks at all of a trace. So such executors are invalidated.

use core::ffi::c_int;
use std::collections::HashSet;
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::invalidate;
use crate::host::{Code, ThreadState, ffi};

/// The addresses of code objects that traces of any interpreter run through. The lock is held for moments only, by attached threads
/// that run nothing else meanwhile.
static CODES: Mutex<Option<HashSet<usize>>> = Mutex::new(None);

fn codes() -> MutexGuard<'static, Option<HashSet<usize>>> {
    CODES.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A trace is going to depend on the code. Returns false if its end would not be noticed. Sets no exception.
///
/// # Safety
/// The thread is attached, no exception is set, and the code is live.
pub(super) unsafe fn watch(code: Code) -> bool {
    // SAFETY: the thread is attached (caller), and its interpreter live.
    let is_watching = unsafe { is_called(ThreadState::current().interp()) || add_watcher() };
    if is_watching {
        codes().get_or_insert_default().insert(code.as_ptr().addr());
    }
    is_watching
}

/// Whether the interpreter calls [`code_event`].
///
/// # Safety
/// The thread is attached to the interpreter.
unsafe fn is_called(interp: *mut ffi::PyInterpreterState) -> bool {
    let own = code_event as *const ();
    // SAFETY: the interpreter is live (caller).
    let watchers = unsafe { (*interp).code_watchers };
    watchers.into_iter().flatten().any(|watcher| core::ptr::eq(watcher as *const (), own))
}

/// Makes the interpreter of the thread call [`code_event`]. Returns false if it has too many watchers.
///
/// # Safety
/// The thread is attached, and no exception is set.
unsafe fn add_watcher() -> bool {
    // SAFETY: the thread is attached (caller).
    unsafe {
        let is_added = ffi::PyCode_AddWatcher(Some(code_event)) >= 0;
        if !is_added {
            ffi::PyErr_Clear();
        }
        is_added
    }
}

/// # Safety
/// The thread is attached, and the code is live.
unsafe extern "C" fn code_event(event: ffi::PyCodeEvent, code: *mut ffi::PyCodeObject) -> c_int {
    if event == ffi::PY_CODE_EVENT_DESTROY {
        let is_in_traces = codes().as_mut().is_some_and(|codes| codes.remove(&code.addr()));
        if is_in_traces {
            // SAFETY: the thread is attached (caller). That runs no Python code.
            unsafe { invalidate::dependents(ThreadState::current().interp(), code) };
        }
    }
    0
}
