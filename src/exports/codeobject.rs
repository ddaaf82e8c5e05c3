//! What is replaced of `codeobject.o`: see `host/replaced-functions.txt`.

use core::ffi::c_int;

use crate::host::{Code, CodeUnit, copies, ffi};
use crate::seams;
use crate::tlbc::{NoMemory, copy, unused};

/// The attached thread's copy of the bytecode of `code` (borrowed), which is made if need be; borrowed from the
/// code object. Stands for the host's symbol of this name (`pycore_code.h`).
///
/// Null with MemoryError.
///
/// # Safety
/// The thread is attached, `code` is live.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _PyCode_GetTLBC(code: *mut ffi::PyCodeObject) -> *mut ffi::_Py_CODEUNIT {
    // SAFETY: the contract of this function.
    unsafe { copy::get_or_make(Code::from_ptr(code)).map_or(core::ptr::null_mut(), CodeUnit::as_ptr) }
}

/// The index that a new thread of the interpreter gets: 0 if all share one copy. Stands for the host's symbol of
/// this name (`pycore_code.h`).
///
/// -1 with MemoryError (if a thread is attached that can have an exception).
///
/// # Safety
/// The interpreter is live.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _Py_ReserveTLBCIndex(interp: *mut ffi::PyInterpreterState) -> i32 {
    // SAFETY: the contract of this function.
    unsafe {
        if copies::enabled(interp) { seams::index_pool::take(&raw mut (*interp).tlbc_indices) } else { 0 }
    }
}

/// Gives the index of a thread back, whose copies the next one with that index goes on with; cannot fail.
/// Stands for the host's symbol of this name (`pycore_code.h`).
///
/// # Safety
/// The thread state and its interpreter are live; it runs no Python code any more.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _Py_ClearTLBCIndex(tstate: *mut ffi::_PyThreadStateImpl) {
    // SAFETY: the contract of this function.
    unsafe {
        let interp = (*tstate).base.interp;
        if copies::enabled(interp) {
            seams::index_pool::give_back(&raw mut (*interp).tlbc_indices, (*tstate).tlbc_index);
        }
    }
}

/// Frees the copies that belong to no thread of the interpreter. Stands for the host's symbol of this name
/// (`pycore_code.h`).
///
/// 0, or -1 with MemoryError; then nothing is freed.
///
/// # Safety
/// The thread is attached to the interpreter, and has not stopped the world.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _Py_ClearUnusedTLBC(interp: *mut ffi::PyInterpreterState) -> c_int {
    // SAFETY: the contract of this function.
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
