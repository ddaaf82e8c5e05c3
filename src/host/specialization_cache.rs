//! What a class keeps for specialized instructions that call one of its methods (`_spec_cache`). Source:
//! `_specialization_cache` in `cpython/object.h`.
//!
//! The functions are borrowed: the class keeps them alive as long as it does not change. On a free-threaded host,
//! where another thread may change it at any time, the host caches only functions with a deferred count. The
//! collector frees those, while the world is stopped. So there, a function that was read from the cache is live
//! until the thread may stop, and longer if it is on the published stack by then.

use super::ffi::{self, PyObject, PyTypeObject};
use super::function::Function;

/// The cache of a class, borrowed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(transparent)]
pub(crate) struct SpecializationCache(*mut ffi::_specialization_cache);

impl SpecializationCache {
    /// # Safety
    /// `class` is a live heap type.
    #[inline(always)]
    pub(crate) unsafe fn of(class: *mut PyTypeObject) -> SpecializationCache {
        // SAFETY: heap types have the cache (caller).
        SpecializationCache(unsafe { &raw mut (*class.cast::<ffi::PyHeapTypeObject>())._spec_cache })
    }

    /// The `__init__`, borrowed: a Python function with simple parameters.
    ///
    /// # Safety
    /// The class is live. It has had the version for which the specializer has cached an `__init__`, when this
    /// thread looked.
    #[inline(always)]
    pub(crate) unsafe fn init(self) -> Function {
        // SAFETY: the class is live (caller).
        Function::from_object(unsafe { load(&raw mut (*self.0).init) })
    }

    /// The `__getitem__`, borrowed: a Python function with two parameters. `None` if none is cached, or if the
    /// function has changed.
    ///
    /// # Safety
    /// The class is live.
    #[inline(always)]
    pub(crate) unsafe fn getitem(self) -> Option<Function> {
        // SAFETY: the class is live, and keeps the function alive as the module says.
        unsafe {
            let function = load(&raw mut (*self.0).getitem);
            if function.is_null() {
                return None;
            }
            let function = Function::from_object(function);
            (function.version_field() == self.getitem_version()).then_some(function)
        }
    }

    /// The version that the cached `__getitem__` had.
    ///
    /// # Safety
    /// The class is live.
    #[inline(always)]
    unsafe fn getitem_version(self) -> u32 {
        // SAFETY: the class is live (caller); other threads change the version atomically.
        unsafe {
            #[cfg(not(py_gil_disabled))]
            return (*self.0).getitem_version;
            #[cfg(py_gil_disabled)]
            {
                use core::sync::atomic::{AtomicU32, Ordering};
                AtomicU32::from_ptr(&raw mut (*self.0).getitem_version).load(Ordering::Relaxed)
            }
        }
    }
}

/// A function in the cache. A plain load with a GIL, so that reading it twice costs nothing.
///
/// # Safety
/// The field is in the cache of a live class.
#[inline(always)]
unsafe fn load(field: *mut *mut PyObject) -> *mut PyObject {
    // SAFETY: the field is readable (caller); other threads change it atomically.
    unsafe {
        #[cfg(not(py_gil_disabled))]
        return *field;
        #[cfg(py_gil_disabled)]
        {
            use core::sync::atomic::{AtomicPtr, Ordering};
            AtomicPtr::from_ptr(field).load(Ordering::Acquire)
        }
    }
}
