//! Recursion limits: the symbols of `ceval.o` that check and change them. The implementation is
//! [`crate::calls::recursion`].

use core::ffi::{c_char, c_int, c_void};

use crate::calls::recursion;
use crate::host::owned::into_status;
use crate::host::{ThreadState, ffi};

/// Sets RecursionError if the thread has no Python calls left under the interpreter's limit. Returns 0, or -1
/// with the exception set. Ends the process if the thread is far beyond the limit.
///
/// # Safety
/// The calling thread is attached and `tstate` is its state.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _Py_CheckRecursiveCallPy(tstate: *mut ffi::PyThreadState) -> c_int {
    // SAFETY: the callee has the same contract.
    into_status(unsafe { recursion::check_python_recursion(ThreadState::from_ptr(tstate)) })
}

/// Returns the interpreter's limit of nested Python calls.
///
/// # Safety
/// The calling thread is attached.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn Py_GetRecursionLimit() -> c_int {
    // SAFETY: the thread is attached (caller), so its interpreter is live.
    unsafe { (*ThreadState::current().interp()).ceval.recursion_limit }
}

/// Changes the interpreter's limit of nested Python calls, for all threads. Calls that are in progress still
/// count. Stops the world meanwhile.
///
/// # Safety
/// The calling thread is attached and has not stopped the world.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn Py_SetRecursionLimit(new_limit: c_int) {
    // SAFETY: the callee has the same contract.
    unsafe { recursion::set_limit(ThreadState::current().interp(), new_limit) }
}

// --- the C stack ----------------------------------------------------------------------------

/// Sets RecursionError because the soft limit of the C stack is passed. `place`, a C string, ends the message.
/// Returns -1, or 0 while the limit is suspended. Past the hard limit, ends the process.
///
/// # Safety
/// The calling thread is attached and `tstate` is its state.
#[cold]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _Py_CheckRecursiveCall(
    tstate: *mut ffi::PyThreadState,
    place: *const c_char,
) -> c_int {
    // SAFETY: the callee has the same contract.
    into_status(unsafe { recursion::overflow(ThreadState::from_ptr(tstate), place) })
}

/// Ends the process if the hard limit of the C stack is passed. For calls that must not raise.
///
/// # Safety
/// `tstate` is the calling thread's state.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _Py_EnterRecursiveCallUnchecked(tstate: *mut ffi::PyThreadState) {
    // SAFETY: the callee has the same contract.
    unsafe { recursion::check_hard_limit(ThreadState::from_ptr(tstate)) }
}

/// Returns 1 if the C stack is within `margin_count` margins of its soft limit, else 0. Sets the thread's
/// limits first if they are not set.
///
/// # Safety
/// `tstate` is the calling thread's state.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _Py_ReachedRecursionLimitWithMargin(
    tstate: *mut ffi::PyThreadState,
    margin_count: c_int,
) -> c_int {
    // SAFETY: the callee has the same contract.
    unsafe { recursion::is_near_limit(ThreadState::from_ptr(tstate), margin_count) }.into()
}

/// Returns 0, or nonzero with RecursionError set if the C stack is used up. `place`, a C string, ends the
/// message.
///
/// # Safety
/// The calling thread is attached.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn Py_EnterRecursiveCall(place: *const c_char) -> c_int {
    // SAFETY: the callee has the same contract.
    unsafe { recursion::enter_recursive_call(ThreadState::current(), place) }.into()
}

/// Ends what `Py_EnterRecursiveCall` began. Does nothing: the depth is read from the stack pointer.
#[unsafe(no_mangle)]
pub extern "C" fn Py_LeaveRecursiveCall() {}

/// Sets the limits of the calling thread's C stack from the stack bounds that the system reports.
///
/// # Safety
/// `tstate` is the calling thread's state.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _Py_InitializeRecursionLimits(tstate: *mut ffi::PyThreadState) {
    // SAFETY: the callee has the same contract.
    unsafe { recursion::initialize(ThreadState::from_ptr(tstate)) }
}

/// Declares the memory that the thread uses as its C stack from now on. Returns 0, or -1 with ValueError set if
/// it is too small.
///
/// # Safety
/// The calling thread is attached; `tstate` is the state of a thread that runs on the given stack.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyUnstable_ThreadState_SetStackProtection(
    tstate: *mut ffi::PyThreadState,
    stack_start_addr: *mut c_void,
    stack_size: usize,
) -> c_int {
    // SAFETY: the callee has the same contract.
    into_status(unsafe {
        recursion::protect(ThreadState::from_ptr(tstate), stack_start_addr as usize, stack_size)
    })
}

/// Restores the limits of the C stack that the thread had at its start.
///
/// # Safety
/// `tstate` is the calling thread's state.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyUnstable_ThreadState_ResetStackProtection(tstate: *mut ffi::PyThreadState) {
    // SAFETY: the callee has the same contract.
    unsafe { recursion::unprotect(ThreadState::from_ptr(tstate)) }
}
