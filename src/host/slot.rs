//! Memory locations in objects and tables that hold a reference, and that another thread may change at any
//! time.

use core::sync::atomic::{AtomicPtr, Ordering};

use super::ffi::PyObject;
use super::stackref::StackRef;
#[cfg(py_gil_disabled)]
use super::{biased, refcount};

/// The order for reading a pointer that another thread may be replacing.
pub(super) const ACQUIRE: Ordering =
    if cfg!(py_gil_disabled) { Ordering::Acquire } else { Ordering::Relaxed };
/// The order for writing a pointer that another thread may be reading.
pub(super) const RELEASE: Ordering =
    if cfg!(py_gil_disabled) { Ordering::Release } else { Ordering::Relaxed };

/// A memory location that holds a reference or null: an attribute of an object, or a value in a table.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(transparent)]
pub(crate) struct Slot(pub(super) *mut *mut PyObject);

impl Slot {
    /// The slot `offset` bytes into `object`.
    ///
    /// # Safety
    /// `object` is live, and its type declares a slot at that offset.
    #[inline(always)]
    pub(crate) unsafe fn of_object(object: *mut PyObject, offset: u16) -> Slot {
        // SAFETY: the offset is within the object (caller).
        Slot(unsafe { object.byte_add(offset.into()).cast() })
    }

    /// The slot at `address`.
    #[inline(always)]
    pub(crate) fn at(address: *mut *mut PyObject) -> Slot {
        Slot(address)
    }

    /// The reference in the slot as a new reference. `None` if it is null, or, in free-threaded hosts, if it
    /// cannot be taken without a lock: the object does not allow it, or another thread changes the slot
    /// meanwhile. In the last case the function may run a destructor; it calls `publish` before.
    ///
    /// # Safety
    /// The slot is in a live object or table. The thread is attached, and `publish` publishes its frame.
    #[inline(always)]
    pub(crate) unsafe fn load(self, publish: impl FnOnce()) -> Option<StackRef> {
        // SAFETY: the slot is readable (caller) and holds null or an object; with a GIL the object is live, and
        // `try_load` expects one that may not be.
        unsafe {
            let value = AtomicPtr::from_ptr(self.0).load(ACQUIRE);
            if value.is_null() {
                return None;
            }
            #[cfg(not(py_gil_disabled))]
            {
                let _ = publish;
                Some(StackRef::new(value))
            }
            #[cfg(py_gil_disabled)]
            self.try_load(value, publish)
        }
    }

    /// A reference to `value`, which was read from this slot and which another thread may have freed since
    /// (`_Py_TryIncrefCompareStackRef`). Returns `None` in that case.
    ///
    /// # Safety
    /// As for [`Slot::load`]; `value` is not null and was just read from this slot, so that its memory is kept
    /// for concurrent readers.
    #[cfg(py_gil_disabled)]
    #[inline(always)]
    unsafe fn try_load(self, value: *mut PyObject, publish: impl FnOnce()) -> Option<StackRef> {
        // SAFETY: the memory of `value` is readable (caller). A deferred object is freed only by the collector,
        // which does not run while this thread runs. An object that this thread owns has not been freed: only
        // this thread finds that its count is zero. For any other object, only the count is touched until the
        // slot is seen to hold `value` still.
        unsafe {
            if refcount::is_deferred(value) {
                return Some(StackRef::borrow_object(value));
            }
            if !biased::try_increment(value) {
                return None;
            }
            if !biased::is_own(value) && AtomicPtr::from_ptr(self.0).load(Ordering::SeqCst) != value {
                core::hint::cold_path();
                publish();
                StackRef::steal(value).close_seldom();
                return None;
            }
            Some(StackRef::steal(value))
        }
    }

    /// Stores `value` in the slot and returns the old value, null if there was none. The slot takes over the
    /// reference to `value`, and the caller owns the old one.
    ///
    /// # Safety
    /// The slot is in a live object or table, which in free-threaded hosts is locked or not shared. `value` is
    /// null or the caller owns it.
    #[inline(always)]
    pub(crate) unsafe fn replace(self, value: *mut PyObject) -> *mut PyObject {
        // SAFETY: the slot is valid and no other thread writes it (caller).
        unsafe {
            let old = *self.0;
            AtomicPtr::from_ptr(self.0).store(value, RELEASE);
            old
        }
    }

    /// The reference in the slot, borrowed, or null.
    ///
    /// # Safety
    /// The slot is in a live object or table. With the GIL held, the reference is good until other code runs.
    #[inline(always)]
    pub(crate) unsafe fn borrow(self) -> *mut PyObject {
        // SAFETY: the slot is readable (caller).
        unsafe { *self.0 }
    }

    /// Whether the slot holds null.
    ///
    /// # Safety
    /// The slot is in a live object or table.
    #[inline(always)]
    pub(crate) unsafe fn is_empty(self) -> bool {
        // SAFETY: the slot is readable (caller).
        unsafe { AtomicPtr::from_ptr(self.0).load(ACQUIRE).is_null() }
    }
}
