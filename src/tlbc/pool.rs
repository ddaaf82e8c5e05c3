//! The pool of an interpreter's indices (`_PyIndexPool` in `pycore_interp_structs.h`), and who gets one.
//!
//! The host zeroes the structure with the interpreter and leaves it to these functions, except for
//! `tlbc_generation`: debuggers that look in from outside keep what they have read of the copies of a code
//! object until it changes.

use core::sync::atomic::{AtomicU32, Ordering};

use super::NoMemory;
use super::indices::Indices;
use crate::host::ffi;

type Pool = *mut ffi::_PyIndexPool;

/// Words for as many threads as most programs ever have.
const FIRST_WORDS: usize = 32;

/// Lets debuggers know that there are other copies than before.
///
/// # Safety
/// The pool is that of a live interpreter.
pub(crate) unsafe fn count_change(pool: Pool) {
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

/// Takes the smallest index that is free.
///
/// # Safety
/// The pool is that of a live interpreter.
pub(crate) unsafe fn take(pool: Pool) -> Result<i32, NoMemory> {
    // SAFETY: the caller's promise.
    unsafe {
        let index = with_indices(pool, |pool| {
            indices(pool).take().or_else(|| if grow(pool) { indices(pool).take() } else { None })
        });
        let index = index.ok_or(NoMemory)?;
        count_change(pool);
        Ok(index)
    }
}

/// Gives an index back.
///
/// # Safety
/// As for [`take`], which has returned the index.
pub(crate) unsafe fn give_back(pool: Pool, index: i32) {
    // SAFETY: the caller's promise.
    unsafe {
        with_indices(pool, |pool| indices(pool).give_back(index));
        count_change(pool);
    }
}

/// Frees the memory of the pool.
///
/// # Safety
/// As for [`take`]; nobody uses the pool meanwhile.
pub(crate) unsafe fn clear(pool: Pool) {
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
