//! The pool of an interpreter's indices (`_PyIndexPool` in `pycore_interp_structs.h`) in the host's memory.
//! [`super::indices`] decides which index a thread gets.
//!
//! The host zeroes the structure with the interpreter, and otherwise leaves it to these functions. Debuggers
//! outside of the process read `tlbc_generation`: they cache what they have read of a code object's copies
//! until the number changes.

use core::sync::atomic::{AtomicU32, Ordering};

use super::NoMemory;
use super::indices::Indices;
use crate::host::ffi;

type Pool = *mut ffi::_PyIndexPool;

/// The initial size of the set of free indices, in words: enough for the threads of most programs.
const FIRST_WORDS: usize = 32;

/// Tells debuggers that the set of copies or indices has changed.
///
/// # Safety
/// The pool belongs to a live interpreter.
pub(crate) unsafe fn count_change(pool: Pool) {
    // SAFETY: the pool is live (caller), and all code changes the number atomically.
    unsafe {
        AtomicU32::from_ptr(&raw mut (*pool).tlbc_generation).fetch_add(1, Ordering::Relaxed);
    }
}

/// Runs `action` while holding the pool's lock.
///
/// # Safety
/// The pool belongs to a live interpreter, and the thread does not hold the pool's lock. `action` waits for no
/// other thread.
unsafe fn with_indices<T>(pool: Pool, action: impl FnOnce(Pool) -> T) -> T {
    // SAFETY: the mutex is part of the pool, which is live (caller). The thread need not be attached: locking
    // does not detach it.
    unsafe {
        let mutex = &raw mut (*pool).mutex;
        ffi::_PyMutex_LockTimed(mutex, -1, ffi::_Py_LOCK_DONT_DETACH);
        let result = action(pool);
        ffi::PyMutex_Unlock(mutex);
        result
    }
}

/// The indices of a locked pool.
///
/// # Safety
/// The pool is locked by this thread while the result is used, and there is only one result at a time.
unsafe fn indices<'a>(pool: Pool) -> Indices<'a> {
    // SAFETY: the lock makes the access exclusive (caller); `values` points to `capacity` words that belong to
    // the pool.
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

/// Makes room for the next index. Returns false if memory is short.
///
/// # Safety
/// The pool is locked by this thread, and no result of [`indices`] is in use.
unsafe fn grow(pool: Pool) -> bool {
    // SAFETY: the lock makes the access exclusive (caller). Raw memory may be allocated by a thread that is not
    // attached. The new block is larger than the old one, since the next index does not fit into that.
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

/// Takes the smallest free index.
///
/// # Safety
/// The pool belongs to a live interpreter, and the thread does not hold the pool's lock.
pub(crate) unsafe fn take(pool: Pool) -> Result<i32, NoMemory> {
    // SAFETY: the pool is live and not locked by this thread (caller); inside `with_indices` it is.
    unsafe {
        let index = with_indices(pool, |pool| {
            indices(pool).take().or_else(|| if grow(pool) { indices(pool).take() } else { None })
        });
        let index = index.ok_or(NoMemory)?;
        count_change(pool);
        Ok(index)
    }
}

/// Returns an index to the pool.
///
/// # Safety
/// As for [`take`], which returned the index for this pool.
pub(crate) unsafe fn give_back(pool: Pool, index: i32) {
    // SAFETY: the pool is live and not locked by this thread (caller); inside `with_indices` it is.
    unsafe {
        with_indices(pool, |pool| indices(pool).give_back(index));
        count_change(pool);
    }
}

/// Frees the memory of the pool.
///
/// # Safety
/// The pool belongs to a live interpreter, and no other thread uses the pool.
pub(crate) unsafe fn clear(pool: Pool) {
    // SAFETY: this thread has exclusive access (caller), and the memory came from `PyMem_RawCalloc` or is null.
    unsafe {
        let heap = &mut (*pool).free_indices;
        ffi::PyMem_RawFree(heap.values.cast());
        heap.values = core::ptr::null_mut();
        heap.size = 0;
        heap.capacity = 0;
        (*pool).next_index = 0;
    }
}
