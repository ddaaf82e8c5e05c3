//! The array of copies of bytecode that a code object has in free-threaded hosts: one copy for each thread that
//! has run it. Source: `_PyCodeArray` in `cpython/code.h`.
//!
//! Entry 0 is the main copy, at the end of the code object. Entry `n` belongs to the thread with index `n`, and
//! is null until that thread needs it. Readers need no lock: the array and its entries are stored with release
//! order once they are complete, an array that is too short is replaced by one with the same entries, and
//! entries are removed only while the world is stopped. Writers hold the lock of the code object or have
//! stopped the world.
//!
//! An array is "valid" while its code object is live and the thread has not passed a quiescent state since it
//! read the array from the code object, or while the caller prevents that the array is replaced. A new array is
//! valid as soon as it is initialized.

use core::mem::offset_of;
use core::sync::atomic::{AtomicPtr, Ordering};

use super::code::{Code, CodeUnit};
use super::ffi;

/// Whether threads have copies of their own; not with `-X tlbc=0` or `PYTHON_TLBC=0`. Then every thread has
/// index 0 and runs the main copy, and the host tells `_PyCode_Quicken` not to enable specialization.
///
/// # Safety
/// The interpreter is live.
#[inline]
pub(crate) unsafe fn enabled(interp: *mut ffi::PyInterpreterState) -> bool {
    // SAFETY: the interpreter is live (caller), and the setting never changes.
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
    /// The code object is live. The caller uses the result only while it is valid, as the module says.
    #[inline(always)]
    pub(crate) unsafe fn of(code: Code) -> Copies {
        // SAFETY: the code object is live (caller), and has an array from its creation on.
        Copies(unsafe { AtomicPtr::from_ptr(&raw mut (*code.as_ptr()).co_tlbc).load(Ordering::Acquire) })
    }

    /// Makes this the array of `code`. Other threads see it from now on.
    ///
    /// # Safety
    /// The code object is live and locked by this thread. The array has the main copy and all other copies of
    /// `code`. The code object owns the array from now on, and the caller owns the old one, which other threads
    /// may still be reading.
    pub(crate) unsafe fn publish(self, code: Code) {
        // SAFETY: the code object is live, and no other thread writes the field (caller).
        unsafe { AtomicPtr::from_ptr(&raw mut (*code.as_ptr()).co_tlbc).store(self.0, Ordering::Release) }
    }

    #[inline(always)]
    pub(crate) fn as_ptr(self) -> *mut ffi::_PyCodeArray {
        self.0
    }

    /// The size in bytes of an array with `len` entries; `None` if it overflows.
    pub(crate) fn bytes(len: usize) -> Option<usize> {
        len.checked_mul(size_of::<*mut u8>())?.checked_add(offset_of!(ffi::_PyCodeArray, entries))
    }

    /// Initializes a block of memory as an array of `len` entries with the copies of `shorter`.
    ///
    /// # Safety
    /// The block has [`Copies::bytes`]`(len)` bytes, is aligned for pointers and not shared. `shorter` is
    /// valid, has at most `len` entries, and no thread changes it meanwhile.
    pub(crate) unsafe fn from_shorter(memory: *mut u8, len: usize, shorter: Copies) -> Copies {
        let copies = Copies(memory.cast());
        // SAFETY: the block is large enough and not shared; `shorter` is valid and not longer (caller).
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
        // SAFETY: the array is valid (caller); lengths are not negative and never change.
        unsafe { (*self.0).size as usize }
    }

    /// The entries.
    ///
    /// # Safety
    /// The array is valid while the slice is used.
    #[inline(always)]
    unsafe fn entries<'a>(self) -> &'a [AtomicPtr<ffi::_Py_CODEUNIT>] {
        // SAFETY: the array is valid (caller) and has that many entries, which all threads access atomically.
        unsafe { core::slice::from_raw_parts((&raw const (*self.0).entries).cast(), self.places()) }
    }

    /// The copy at `index`, or `None` if there is none yet.
    ///
    /// # Safety
    /// The array is valid.
    #[inline(always)]
    pub(crate) unsafe fn get(self, index: usize) -> Option<CodeUnit> {
        // SAFETY: the array is valid (caller).
        let copy = unsafe { self.entries().get(index)?.load(Ordering::Acquire) };
        (!copy.is_null()).then(|| CodeUnit::from_ptr(copy))
    }

    /// The copy at `index`, which must exist.
    ///
    /// # Safety
    /// The array is valid, is longer than `index`, and has that copy.
    #[inline(always)]
    pub(crate) unsafe fn get_unchecked(self, index: usize) -> CodeUnit {
        // SAFETY: the array is valid and longer than `index` (caller).
        CodeUnit::from_ptr(unsafe { self.entries().get_unchecked(index).load(Ordering::Acquire) })
    }

    /// Stores `copy` at `index`. Other threads see it from now on. Returns false, without effect, if the array
    /// is too short.
    ///
    /// # Safety
    /// The array is valid. Its code object is locked by this thread, or the array is not shared. There is no
    /// copy at `index` yet. The bytecode is complete, and the array owns its memory if the result is true.
    pub(crate) unsafe fn add(self, index: usize, copy: CodeUnit) -> bool {
        // SAFETY: the array is valid (caller).
        let entry = unsafe { self.entries().get(index) };
        entry.inspect(|entry| entry.store(copy.as_ptr(), Ordering::Release)).is_some()
    }

    /// Removes the copy at `index` and returns it, or `None` if there is none. The caller owns the memory of
    /// the result.
    ///
    /// # Safety
    /// The array is valid and `index` is not 0. The world is stopped, and no frame runs in that copy.
    pub(crate) unsafe fn remove(self, index: usize) -> Option<CodeUnit> {
        debug_assert_ne!(index, 0, "the main copy is part of the code object");
        // SAFETY: the array is valid (caller).
        unsafe {
            let copy = self.get(index)?;
            self.entries().get(index)?.store(core::ptr::null_mut(), Ordering::Release);
            Some(copy)
        }
    }

    /// The existing copies with their indices.
    ///
    /// # Safety
    /// The array is valid while the iterator is used.
    pub(crate) unsafe fn iter(self) -> impl Iterator<Item = (usize, CodeUnit)> {
        // SAFETY: the array is valid while the iterator is used (caller).
        unsafe { (0..self.places()).filter_map(move |index| Some((index, self.get(index)?))) }
    }
}
