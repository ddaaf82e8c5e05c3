//! The array of the copies that a code object has of its bytecode, one for each thread that has run it. Only
//! free-threaded hosts have it. Source: `_PyCodeArray` in `cpython/code.h`.
//!
//! Entry 0 is the main copy, at the end of the code object; entry `n` belongs to the thread whose index is `n`,
//! and is null until that thread needs it. Readers need no lock: the array and its entries are stored with
//! release order when they are complete, an array that is too short is replaced by one with the same entries,
//! and entries are only taken away while the world is stopped. Those who write hold the code object's lock, or
//! have stopped the world.

use core::mem::offset_of;
use core::sync::atomic::{AtomicPtr, Ordering};

use super::code::{Code, CodeUnit};
use super::ffi;

/// Whether threads have copies of their own: not with `-X tlbc=0` or `PYTHON_TLBC=0`. Then every thread has index 0,
/// so that the main copy is its own, and the host tells `_PyCode_Quicken` that nothing is to be specialized.
///
/// # Safety
/// The interpreter is live.
#[inline]
pub(crate) unsafe fn enabled(interp: *mut ffi::PyInterpreterState) -> bool {
    // SAFETY: the caller's promise; the setting never changes.
    unsafe { (*interp).config.tlbc_enabled != 0 }
}

/// An array of copies, borrowed from a code object.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(transparent)]
pub(crate) struct Copies(*mut ffi::_PyCodeArray);

impl Copies {
    /// The copies of `code` (`_PyCode_GetTLBCArray`).
    ///
    /// # Safety
    /// The code object is live. The result is good for as long as the thread makes no quiescent state known,
    /// or keeps others from adding copies.
    #[inline(always)]
    pub(crate) unsafe fn of(code: Code) -> Copies {
        // SAFETY: the caller's promise; every code object has an array from its beginning.
        Copies(unsafe { AtomicPtr::from_ptr(&raw mut (*code.as_ptr()).co_tlbc).load(Ordering::Acquire) })
    }

    /// Makes this the array of `code`, for all to see.
    ///
    /// # Safety
    /// The code object is live and locked. The array has the main copy and all others that `code` has; the
    /// caller hands over the array, and takes over the old one.
    pub(crate) unsafe fn publish(self, code: Code) {
        // SAFETY: the caller's promise.
        unsafe { AtomicPtr::from_ptr(&raw mut (*code.as_ptr()).co_tlbc).store(self.0, Ordering::Release) }
    }

    #[inline(always)]
    pub(crate) fn as_ptr(self) -> *mut ffi::_PyCodeArray {
        self.0
    }

    /// The bytes of an array with `len` entries; none if there are too many.
    pub(crate) fn bytes(len: usize) -> Option<usize> {
        len.checked_mul(size_of::<*mut u8>())?.checked_add(offset_of!(ffi::_PyCodeArray, entries))
    }

    /// Makes an array of `len` entries out of a block of memory, with the copies of `shorter`.
    ///
    /// # Safety
    /// The memory has [`Copies::bytes`]`(len)` bytes and nobody else knows it; `shorter` is valid, nobody
    /// changes it, and it is not longer.
    pub(crate) unsafe fn from_shorter(memory: *mut u8, len: usize, shorter: Copies) -> Copies {
        let copies = Copies(memory.cast());
        // SAFETY: the caller's promise.
        unsafe {
            debug_assert!(shorter.places() <= len);
            (*copies.0).size = len as isize;
            let entries = (&raw mut (*copies.0).entries).cast::<*mut ffi::_Py_CODEUNIT>();
            entries.write_bytes(0, len);
            for (index, entry) in shorter.entries().iter().enumerate() {
                entries.add(index).write(entry.load(Ordering::Relaxed));
            }
        }
        copies
    }

    /// The number of entries, empty ones included.
    ///
    /// # Safety
    /// The array is valid.
    #[inline(always)]
    pub(crate) unsafe fn places(self) -> usize {
        // SAFETY: the caller's promise; lengths are not negative and never change.
        unsafe { (*self.0).size as usize }
    }

    #[inline(always)]
    unsafe fn entries<'a>(self) -> &'a [AtomicPtr<ffi::_Py_CODEUNIT>] {
        // SAFETY: the callers' promise: the array is valid, and so it stays while the slice is used.
        unsafe { core::slice::from_raw_parts((&raw const (*self.0).entries).cast(), self.places()) }
    }

    /// The copy at `index`, if there is one.
    ///
    /// # Safety
    /// The array is valid.
    #[inline(always)]
    pub(crate) unsafe fn get(self, index: usize) -> Option<CodeUnit> {
        // SAFETY: the caller's promise.
        let copy = unsafe { self.entries().get(index)?.load(Ordering::Acquire) };
        (!copy.is_null()).then(|| CodeUnit::from_ptr(copy))
    }

    /// The copy at `index`, which is there.
    ///
    /// # Safety
    /// The array is valid and has that copy.
    #[inline(always)]
    pub(crate) unsafe fn get_unchecked(self, index: usize) -> CodeUnit {
        // SAFETY: the caller's promise.
        CodeUnit::from_ptr(unsafe { self.entries().get_unchecked(index).load(Ordering::Acquire) })
    }

    /// Makes `copy` the one at `index`, for all to see; false if the array is too short.
    ///
    /// # Safety
    /// The array is valid, its code object is locked or nobody else knows the array, and there is no such copy
    /// yet. The bytecode is complete, and the caller hands over its memory.
    pub(crate) unsafe fn add(self, index: usize, copy: CodeUnit) -> bool {
        // SAFETY: the caller's promise.
        let entry = unsafe { self.entries().get(index) };
        entry.inspect(|entry| entry.store(copy.as_ptr(), Ordering::Release)).is_some()
    }

    /// Takes the copy at `index` away, if there is one; its memory becomes the caller's.
    ///
    /// # Safety
    /// The array is valid and `index` is not 0; the world is stopped, and no frame is in that copy.
    pub(crate) unsafe fn remove(self, index: usize) -> Option<CodeUnit> {
        debug_assert_ne!(index, 0, "the main copy is part of the code object");
        // SAFETY: the caller's promise.
        unsafe {
            let copy = self.get(index)?;
            self.entries().get(index)?.store(core::ptr::null_mut(), Ordering::Release);
            Some(copy)
        }
    }

    /// The copies that there are, with their indices.
    ///
    /// # Safety
    /// The array is valid, and so it stays while the iterator is used.
    pub(crate) unsafe fn iter(self) -> impl Iterator<Item = (usize, CodeUnit)> {
        // SAFETY: the caller's promise.
        unsafe { (0..self.places()).filter_map(move |index| Some((index, self.get(index)?))) }
    }
}
