//! The pool of an interpreter's indices (`_PyIndexPool` in `pycore_interp_structs.h`), and who gets one.
//!
//! The host zeroes the structure with the interpreter and leaves it to these functions, except for
//! `tlbc_generation`: debuggers that look in from outside keep what they have read of the copies of a code
//! object until it changes.

use core::sync::atomic::{AtomicU32, Ordering};

use super::indices::Indices;
use crate::host::{ThreadState, copies, ffi};

type Pool = *mut ffi::_PyIndexPool;

/// Words for as many threads as most programs ever have.
const FIRST_WORDS: usize = 32;

/// Lets debuggers know that there are other copies than before.
///
/// # Safety
/// The pool is that of a live interpreter.
pub unsafe fn count_change(pool: Pool) {
    // SAFETY: the caller's promise; nobody writes the number in another way.
    unsafe {
        AtomicU32::from_ptr(&raw mut (*pool).tlbc_generation).fetch_add(1, Ordering::Relaxed);
    }
}

/// Runs `action` on the indices of a pool that nobody else uses meanwhile.
unsafe fn with_indices<T>(pool: Pool, action: impl FnOnce(Pool) -> T) -> T {
    // SAFETY: the callers' promise: the pool is that of a live interpreter. The thread, which need not be
    // attached, does not wait for anything else while it holds the lock.
    unsafe {
        let mutex = &raw mut (*pool).mutex;
        ffi::_PyMutex_LockTimed(mutex, -1, ffi::_Py_LOCK_DONT_DETACH);
        let result = action(pool);
        ffi::PyMutex_Unlock(mutex);
        result
    }
}

/// The indices of a locked pool.
unsafe fn indices<'a>(pool: Pool) -> Indices<'a> {
    // SAFETY: the callers' promise: the pool is locked; `capacity` words belong to it.
    unsafe {
        let heap = &mut (*pool).free_indices;
        let returned = if heap.values.is_null() {
            &mut []
        } else {
            core::slice::from_raw_parts_mut(heap.values.cast::<u32>(), heap.capacity as usize)
        };
        Indices { returned, count: &mut heap.size, next: &mut (*pool).next_index }
    }
}

/// Makes room for the next index; false if there is no memory for it.
unsafe fn grow(pool: Pool) -> bool {
    // SAFETY: the callers' promise: the pool is locked. Raw memory can be had without being attached.
    unsafe {
        let heap = &mut (*pool).free_indices;
        let old = heap.capacity as usize;
        let words = Indices::words_for((*pool).next_index).next_power_of_two().max(FIRST_WORDS);
        let values = ffi::PyMem_RawCalloc(words, size_of::<u32>()).cast::<i32>();
        if values.is_null() {
            return false;
        }
        if !heap.values.is_null() {
            values.copy_from_nonoverlapping(heap.values, old);
            ffi::PyMem_RawFree(heap.values.cast());
        }
        heap.values = values;
        heap.capacity = words as isize;
        true
    }
}

/// Takes the smallest free index out of the pool. Stands for the host's symbol of this name
/// (`pycore_index_pool.h`).
///
/// -1 with MemoryError (if a thread is attached that can have an exception).
///
/// # Safety
/// The pool is that of a live interpreter.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _PyIndexPool_AllocIndex(pool: *mut ffi::_PyIndexPool) -> i32 {
    // SAFETY: the caller's promise.
    unsafe {
        let index = with_indices(pool, |pool| {
            indices(pool).take().or_else(|| if grow(pool) { indices(pool).take() } else { None })
        });
        match index {
            Some(index) => {
                count_change(pool);
                index
            }
            None => {
                if !ThreadState::current().as_ptr().is_null() {
                    ffi::PyErr_NoMemory();
                }
                -1
            }
        }
    }
}

/// Puts an index back into the pool, in constant time; cannot fail. Stands for the host's symbol of this name
/// (`pycore_index_pool.h`).
///
/// # Safety
/// The pool is that of a live interpreter; who had the index runs no Python code any more.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _PyIndexPool_FreeIndex(pool: *mut ffi::_PyIndexPool, index: i32) {
    // SAFETY: the caller's promise.
    unsafe {
        with_indices(pool, |pool| indices(pool).give_back(index));
        count_change(pool);
    }
}

/// Frees what the pool has allocated, and leaves it as it was before the first thread. Stands for the host's
/// symbol of this name (`pycore_index_pool.h`).
///
/// # Safety
/// The pool is that of an interpreter which no other thread uses any more.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _PyIndexPool_Fini(pool: *mut ffi::_PyIndexPool) {
    // SAFETY: the caller's promise.
    unsafe {
        let heap = &mut (*pool).free_indices;
        ffi::PyMem_RawFree(heap.values.cast());
        heap.values = core::ptr::null_mut();
        heap.size = 0;
        heap.capacity = 0;
        (*pool).next_index = 0;
    }
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
    // SAFETY: the caller's promise.
    unsafe {
        if copies::enabled(interp) { _PyIndexPool_AllocIndex(&raw mut (*interp).tlbc_indices) } else { 0 }
    }
}

/// Gives the index of a thread back, whose copies the next one with that index goes on with; cannot fail.
/// Stands for the host's symbol of this name (`pycore_code.h`).
///
/// # Safety
/// The thread state and its interpreter are live; it runs no Python code any more.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _Py_ClearTLBCIndex(tstate: *mut ffi::_PyThreadStateImpl) {
    // SAFETY: the caller's promise.
    unsafe {
        let interp = (*tstate).base.interp;
        if copies::enabled(interp) {
            _PyIndexPool_FreeIndex(&raw mut (*interp).tlbc_indices, (*tstate).tlbc_index);
        }
    }
}
