//! The symbols of `index_pool.o`: the pool of an interpreter's indices of thread-local bytecode. The
//! implementation is [`crate::tlbc::pool`].

use crate::host::{ThreadState, ffi};
use crate::tlbc::{NoMemory, pool as indices};

/// Takes the smallest free index out of the pool and returns it. Declared in `pycore_index_pool.h`.
///
/// Returns -1 if memory is short; sets MemoryError if the calling thread is attached.
///
/// # Safety
/// The pool belongs to a live interpreter, and the calling thread does not hold the pool's mutex.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _PyIndexPool_AllocIndex(pool: *mut ffi::_PyIndexPool) -> i32 {
    // SAFETY: `take` has the same contract. MemoryError is set only with a current thread state.
    unsafe {
        indices::take(pool).unwrap_or_else(|NoMemory| {
            if !ThreadState::current().as_ptr().is_null() {
                ffi::PyErr_NoMemory();
            }
            -1
        })
    }
}

/// Returns an index to the pool, in constant time; cannot fail. Declared in `pycore_index_pool.h`.
///
/// # Safety
/// The pool belongs to a live interpreter, and the calling thread does not hold the pool's mutex. `index` came
/// from `_PyIndexPool_AllocIndex` of this pool, and the thread that had it runs no more Python code.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _PyIndexPool_FreeIndex(pool: *mut ffi::_PyIndexPool, index: i32) {
    // SAFETY: the callee has the same contract.
    unsafe { indices::give_back(pool, index) }
}

/// Frees the memory of the pool and leaves it as it was before the first thread. Declared in
/// `pycore_index_pool.h`.
///
/// # Safety
/// The pool belongs to an interpreter that is being finalized; no other thread uses the pool.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _PyIndexPool_Fini(pool: *mut ffi::_PyIndexPool) {
    // SAFETY: the callee has the same contract.
    unsafe { indices::clear(pool) }
}
