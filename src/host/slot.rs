//! Places in objects and tables that hold a reference, which another thread may be replacing.

use core::sync::atomic::{AtomicPtr, Ordering};

use super::ffi::PyObject;
use super::stackref::StackRef;
#[cfg(py_gil_disabled)]
use super::{biased, refcount};

/// How a pointer is read that another thread may be replacing.
pub(super) const ACQUIRE: Ordering =
    if cfg!(py_gil_disabled) { Ordering::Acquire } else { Ordering::Relaxed };
/// How a pointer is written that another thread may be reading.
pub(super) const RELEASE: Ordering =
    if cfg!(py_gil_disabled) { Ordering::Release } else { Ordering::Relaxed };

/// A place that holds a reference, or null: an attribute of an object, or a value in a table.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(transparent)]
pub(crate) struct Slot(pub(super) *mut *mut PyObject);

impl Slot {
    /// The slot `offset` bytes into `object`.
    ///
    /// # Safety
    /// The object has one there.
    #[inline(always)]
    pub(crate) unsafe fn of_object(object: *mut PyObject, offset: u16) -> Slot {
        // SAFETY: the caller's promise.
        Slot(unsafe { object.byte_add(offset.into()).cast() })
    }

    /// The slot at an address.
    #[inline(always)]
    pub(crate) fn at(address: *mut *mut PyObject) -> Slot {
        Slot(address)
    }

    /// What is in the slot, as a new reference; `None` if that is null, or changes meanwhile under the
    /// hands of another thread. In that case a destructor may run: `publish` is called before.
    ///
    /// # Safety
    /// The slot is in a live object or table; the thread is attached, and `publish` publishes its frame.
    #[inline(always)]
    pub(crate) unsafe fn load(self, publish: impl FnOnce()) -> Option<StackRef> {
        // SAFETY: the slot holds null or a live object.
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

    /// A reference to `value`, which was in the slot a moment ago and which other threads may have
    /// freed since (`_Py_TryIncrefCompareStackRef`). Its memory is kept for readers like us.
    #[cfg(py_gil_disabled)]
    #[inline(always)]
    unsafe fn try_load(self, value: *mut PyObject, publish: impl FnOnce()) -> Option<StackRef> {
        // SAFETY: what only the collector frees stays while we run, and so does an object of our own: if
        // its count was zero, we would have freed it. Of any other only the count is touched before the
        // slot has shown that it still is in use.
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

    /// Puts `value` into the slot, which takes over the reference; the old value becomes the caller's
    /// (null if there was none).
    ///
    /// # Safety
    /// The slot is in a live object or table, which in free-threaded hosts is locked; the caller owns
    /// `value`.
    #[inline(always)]
    pub(crate) unsafe fn replace(self, value: *mut PyObject) -> *mut PyObject {
        // SAFETY: the caller's promise: nobody else writes.
        unsafe {
            let old = *self.0;
            AtomicPtr::from_ptr(self.0).store(value, RELEASE);
            old
        }
    }

    /// Whether there is nothing in the slot.
    ///
    /// # Safety
    /// The slot is in a live object or table.
    #[inline(always)]
    pub(crate) unsafe fn is_empty(self) -> bool {
        // SAFETY: the caller's promise.
        unsafe { AtomicPtr::from_ptr(self.0).load(ACQUIRE).is_null() }
    }
}
