//! The replaced functions of `codeobject.o` (`host/replaced-functions.txt` lists them): copies of bytecode on
//! free-threaded hosts. The rest of that object stays the host's.

use core::ffi::c_int;

use crate::host::{Code, CodeUnit, copies, ffi};
use crate::seams;
use crate::tlbc::{NoMemory, copy, unused};

/// Returns the calling thread's copy of the bytecode of `code`; makes the copy if there is none yet. `code` is
/// borrowed, and the code object owns the copy. Declared in `pycore_code.h`.
///
/// Returns NULL with MemoryError set if memory is short.
///
/// # Safety
/// The calling thread is attached; `code` is live.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _PyCode_GetTLBC(code: *mut ffi::PyCodeObject) -> *mut ffi::_Py_CODEUNIT {
    // SAFETY: the callee has the same contract.
    unsafe { copy::get_or_make(Code::from_ptr(code)).map_or(core::ptr::null_mut(), CodeUnit::as_ptr) }
}

/// Returns the index of thread-local bytecode for a new thread of the interpreter: 0 if all threads share one
/// copy. Declared in `pycore_code.h`.
///
/// Returns -1 if memory is short; sets MemoryError if the calling thread is attached.
///
/// # Safety
/// The interpreter is live.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _Py_ReserveTLBCIndex(interp: *mut ffi::PyInterpreterState) -> i32 {
    // SAFETY: the interpreter is live (caller), so its pool is.
    unsafe {
        if copies::enabled(interp) { seams::index_pool::take(&raw mut (*interp).tlbc_indices) } else { 0 }
    }
}

/// Returns the thread's index to the pool; cannot fail. The copies under that index stay: the next thread that
/// gets the index continues with them. Declared in `pycore_code.h`.
///
/// # Safety
/// The thread state and its interpreter are live; the thread runs no more Python code.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _Py_ClearTLBCIndex(tstate: *mut ffi::_PyThreadStateImpl) {
    // SAFETY: thread state and interpreter are live (caller); the thread has had the index since its creation
    // and runs no more Python code (caller).
    unsafe {
        let interp = (*tstate).base.interp;
        if copies::enabled(interp) {
            seams::index_pool::give_back(&raw mut (*interp).tlbc_indices, (*tstate).tlbc_index);
        }
    }
}

/// Frees the copies of bytecode that belong to no thread of the interpreter. Stops the world meanwhile.
/// Declared in `pycore_code.h`.
///
/// Returns 0, or -1 with MemoryError set; then nothing is freed.
///
/// # Safety
/// The calling thread is attached to the interpreter and has not stopped the world.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _Py_ClearUnusedTLBC(interp: *mut ffi::PyInterpreterState) -> c_int {
    // SAFETY: `free` has the same contract; the thread is attached (caller), so an exception can be set.
    unsafe {
        match unused::free(interp) {
            Ok(()) => 0,
            Err(NoMemory) => {
                ffi::PyErr_NoMemory();
                -1
            }
        }
    }
}
