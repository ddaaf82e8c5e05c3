//! A reserve of memory for numbers and tuples. Where machine code needs an object for one, the program has computed it before,
//! and cannot be told any more that there is no memory. So the object comes from the reserve then. If that happens often, the
//! thread gets a MemoryError as an asynchronous exception, which it raises where it looks for requests next.

use std::sync::{Mutex, PoisonError};

use arrayvec::ArrayVec;

use super::values::MAX_ITEMS;
use crate::host::{PyObject, ThreadState, ffi};

/// How many objects there is memory for.
const COUNT: usize = 1024;
/// If there is less, the thread gets a MemoryError.
const LOW: usize = COUNT * 3 / 4;
/// The bits of a digit.
const MASK: u64 = (1 << ffi::PyLong_SHIFT) - 1;
/// The most digits of an int in machine code.
const MAX_DIGITS: usize = u64::BITS.div_ceil(ffi::PyLong_SHIFT) as usize;
/// The size of the largest int. That of a float is smaller.
const INT_SIZE: usize = size_of::<ffi::_longobject>() + (MAX_DIGITS - 1) * size_of::<ffi::digit>();
/// The size of the largest tuple, with the collector's head in front of it.
const TUPLE_SIZE: usize =
    HEAD_SIZE + size_of::<ffi::PyTupleObject>() + (MAX_ITEMS - 1) * size_of::<*mut PyObject>();
const HEAD_SIZE: usize = size_of::<ffi::PyGC_Head>();
/// The size of what each object gets.
const SIZE: usize = if INT_SIZE > TUPLE_SIZE { INT_SIZE } else { TUPLE_SIZE };

/// Memory for one object, from the host's allocator of objects.
struct Memory(*mut PyObject);

// SAFETY: any thread may free memory of the host while it is attached.
unsafe impl Send for Memory {}

/// The lock is held only by attached threads, which run nothing else meanwhile: none waits for it, and none is lost by a fork.
static RESERVE: Mutex<ArrayVec<Memory, COUNT>> = Mutex::new(ArrayVec::new_const());

/// Fills the reserve, as far as there is memory.
///
/// # Safety
/// The thread is attached to the main interpreter.
pub(super) unsafe fn fill() {
    let mut reserve = RESERVE.lock().unwrap_or_else(PoisonError::into_inner);
    while !reserve.is_full() {
        // SAFETY: the thread is attached (caller).
        let memory = unsafe { ffi::PyObject_Malloc(SIZE) };
        if memory.is_null() {
            break;
        }
        reserve.push(Memory(memory.cast()));
    }
}

/// A float from the reserve, with a reference for the caller, after the host had no memory for it: its MemoryError is set.
///
/// # Safety
/// The thread is attached to the main interpreter, and `tstate` is its state.
pub(super) unsafe fn float(tstate: ThreadState, value: f64) -> *mut PyObject {
    // SAFETY: the contract is the same. The memory is large enough.
    unsafe {
        let float = ffi::PyObject_Init(take(tstate), &raw mut ffi::PyFloat_Type);
        (*float.cast::<ffi::PyFloatObject>()).ob_fval = value;
        float
    }
}

/// The same for an int, which is not a small one.
///
/// # Safety
/// As for [`float`].
pub(super) unsafe fn int(tstate: ThreadState, value: i64) -> *mut PyObject {
    // SAFETY: the contract is the same. The memory is large enough for all digits.
    unsafe {
        let int = ffi::PyObject_Init(take(tstate), &raw mut ffi::PyLong_Type);
        let parts = &raw mut (*int.cast::<ffi::_longobject>()).long_value;
        let digits = (&raw mut (*parts).ob_digit).cast::<ffi::digit>();
        let (mut left, mut count) = (value.unsigned_abs(), 0);
        while left != 0 {
            *digits.add(count) = (left & MASK) as ffi::digit;
            left >>= ffi::PyLong_SHIFT;
            count += 1;
        }
        let sign = if value < 0 { ffi::SIGN_NEGATIVE as usize } else { 0 };
        (*parts).lv_tag = count << ffi::NON_SIZE_BITS | sign;
        int
    }
}

/// The same for a tuple of so many items, at most [`MAX_ITEMS`], which the caller stores at once: they are null.
///
/// # Safety
/// As for [`float`].
pub(super) unsafe fn tuple(tstate: ThreadState, size: usize) -> *mut PyObject {
    // SAFETY: the contract is the same. The memory is large enough, and all of the tuple is set before the collector knows it.
    unsafe {
        let head = take(tstate).cast::<u8>();
        head.write_bytes(0, TUPLE_SIZE);
        let tuple = head.add(HEAD_SIZE).cast::<ffi::PyTupleObject>();
        ffi::PyObject_InitVar(tuple.cast(), &raw mut ffi::PyTuple_Type, size as isize);
        (*tuple).ob_hash = NO_HASH;
        ffi::PyObject_GC_Track(tuple.cast());
        tuple.cast()
    }
}

/// What a tuple has in the place of its hash as long as that is not known.
const NO_HASH: ffi::Py_hash_t = -1;

/// Memory for a new object. Clears the host's MemoryError.
///
/// # Safety
/// As for [`float`].
unsafe fn take(tstate: ThreadState) -> *mut PyObject {
    // SAFETY: the thread is attached (caller), and the memory is nothing else's. The arguments of the last function are C
    // strings, and it does not return.
    unsafe {
        ffi::PyErr_Clear();
        let (memory, left) = {
            let mut reserve = RESERVE.lock().unwrap_or_else(PoisonError::into_inner);
            (reserve.pop(), reserve.len())
        };
        if left < LOW && (*tstate.as_ptr()).async_exc.is_null() {
            ffi::PyThreadState_SetAsyncExc((*tstate.as_ptr()).thread_id, ffi::PyExc_MemoryError);
        }
        match memory {
            Some(Memory(memory)) => memory,
            None => ffi::_Py_FatalErrorFunc(c"machine code".as_ptr(), c"no memory for an object".as_ptr()),
        }
    }
}
