//! Recursion limits.

use core::ffi::{c_char, c_int, c_void};

use crate::calls::recursion;
use crate::host::owned::status;
use crate::host::{ThreadState, ffi};

/// The C convention of [`check_python_recursion`]: -1 with RecursionError set if no Python calls
/// remain, else 0. Ends the process far beyond the limit. Stands for the host's symbol of this name
/// (`ceval.c`).
///
/// # Safety
/// The thread is attached and `tstate` is its state.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _Py_CheckRecursiveCallPy(tstate: *mut ffi::PyThreadState) -> c_int {
    // SAFETY: the contract of this function.
    status(unsafe { recursion::check_python_recursion(ThreadState::from_ptr(tstate)) })
}

/// The interpreter's limit of nested Python calls. Stands for the host's symbol of this name
/// (`ceval.c`).
///
/// # Safety
/// The thread is attached.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn Py_GetRecursionLimit() -> c_int {
    // SAFETY: the contract of this function.
    unsafe { (*ThreadState::current().interp()).ceval.recursion_limit }
}

/// Changes the interpreter's limit of nested Python calls, for every thread; the calls that a thread
/// is in still count. Stands for the host's symbol of this name (`ceval.c`).
///
/// # Safety
/// The thread is attached.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn Py_SetRecursionLimit(new_limit: c_int) {
    // SAFETY: the contract of this function.
    unsafe { recursion::set_limit(ThreadState::current().interp(), new_limit) }
}

// --- the C stack ----------------------------------------------------------------------------

/// Sets RecursionError, since the soft limit of the C stack is passed; `place` (a C string) ends the
/// message. Gives -1, or 0 if the limit does not hold for now. Past the hard limit the process ends.
/// Stands for the host's symbol of this name (`ceval.c`).
///
/// # Safety
/// The thread is attached and `tstate` is its state.
#[cold]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _Py_CheckRecursiveCall(
    tstate: *mut ffi::PyThreadState,
    place: *const c_char,
) -> c_int {
    // SAFETY: the contract of this function.
    status(unsafe { recursion::overflow(ThreadState::from_ptr(tstate), place) })
}

/// Ends the process if the hard limit of the C stack is passed, for calls that must not raise. Stands
/// for the host's symbol of this name (`ceval.c`).
///
/// # Safety
/// `tstate` is the calling thread's state.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _Py_EnterRecursiveCallUnchecked(tstate: *mut ffi::PyThreadState) {
    // SAFETY: the contract of this function.
    unsafe { recursion::check_hard_limit(ThreadState::from_ptr(tstate)) }
}

/// Whether the C stack has come within `margin_count` margins of its soft limit (1 or 0); sets the
/// limits first if that has not been done. Stands for the host's symbol of this name (`ceval.c`).
///
/// # Safety
/// `tstate` is the calling thread's state.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _Py_ReachedRecursionLimitWithMargin(
    tstate: *mut ffi::PyThreadState,
    margin_count: c_int,
) -> c_int {
    // SAFETY: the contract of this function.
    unsafe { recursion::is_near_limit(ThreadState::from_ptr(tstate), margin_count) }.into()
}

/// Sets RecursionError if the C stack is used up, which is nonzero, else 0; `place` (a C string) ends
/// the message. Stands for the host's symbol of this name (`ceval.c`).
///
/// # Safety
/// The thread is attached.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn Py_EnterRecursiveCall(place: *const c_char) -> c_int {
    // SAFETY: the contract of this function.
    unsafe { recursion::enter_recursive_call(ThreadState::current(), place) }.into()
}

/// Ends what [`Py_EnterRecursiveCall`] began; nothing, since the stack tells its depth by itself.
/// Stands for the host's symbol of this name (`ceval.c`).
#[unsafe(no_mangle)]
pub extern "C" fn Py_LeaveRecursiveCall() {}

/// Sets the limits of the calling thread's C stack from what the system says about it. Stands for the
/// host's symbol of this name (`ceval.c`).
///
/// # Safety
/// `tstate` is the calling thread's state.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _Py_InitializeRecursionLimits(tstate: *mut ffi::PyThreadState) {
    // SAFETY: the contract of this function.
    unsafe { recursion::initialize(ThreadState::from_ptr(tstate)) }
}

/// Says which memory the thread uses as its C stack from now on. Gives 0, or -1 with ValueError set
/// if it is too small. Stands for the host's symbol of this name (`ceval.c`).
///
/// # Safety
/// The thread is attached; `tstate` is the state of a thread that runs on the given stack.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyUnstable_ThreadState_SetStackProtection(
    tstate: *mut ffi::PyThreadState,
    stack_start_addr: *mut c_void,
    stack_size: usize,
) -> c_int {
    // SAFETY: the contract of this function.
    status(unsafe {
        recursion::protect(ThreadState::from_ptr(tstate), stack_start_addr as usize, stack_size)
    })
}

/// Goes back to the stack that the thread had in the beginning. Stands for the host's symbol of this
/// name (`ceval.c`).
///
/// # Safety
/// `tstate` is the calling thread's state.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyUnstable_ThreadState_ResetStackProtection(tstate: *mut ffi::PyThreadState) {
    // SAFETY: the contract of this function.
    unsafe { recursion::unprotect(ThreadState::from_ptr(tstate)) }
}
