//! The symbols of `index_pool.o`.

use crate::host::{ThreadState, ffi};
use crate::tlbc::{NoMemory, pool as indices};

/// Takes the smallest free index out of the pool. Stands for the host's symbol of this name
/// (`pycore_index_pool.h`).
///
/// -1 with MemoryError (if a thread is attached that can have an exception).
///
/// # Safety
/// The pool is that of a live interpreter.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _PyIndexPool_AllocIndex(pool: *mut ffi::_PyIndexPool) -> i32 {
    // SAFETY: the contract of this function; the exception is set if there is a thread to set it on.
    unsafe {
        indices::take(pool).unwrap_or_else(|NoMemory| {
            if !ThreadState::current().as_ptr().is_null() {
                ffi::PyErr_NoMemory();
            }
            -1
        })
    }
}

/// Puts an index back into the pool, in constant time; cannot fail. Stands for the host's symbol of this name
/// (`pycore_index_pool.h`).
///
/// # Safety
/// The pool is that of a live interpreter; who had the index runs no Python code any more.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _PyIndexPool_FreeIndex(pool: *mut ffi::_PyIndexPool, index: i32) {
    // SAFETY: the contract of this function.
    unsafe { indices::give_back(pool, index) }
}

/// Frees what the pool has allocated, and leaves it as it was before the first thread. Stands for the host's
/// symbol of this name (`pycore_index_pool.h`).
///
/// # Safety
/// The pool is that of an interpreter which no other thread uses any more.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _PyIndexPool_Fini(pool: *mut ffi::_PyIndexPool) {
    // SAFETY: the contract of this function.
    unsafe { indices::clear(pool) }
}
