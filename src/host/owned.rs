//! References that Rust code owns, and the results of calls into the host.

use core::ptr::NonNull;

use super::ffi::{self, PyObject};
use super::refcount;

/// An exception is set on the attached thread (what the host reports as null or -1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Raised;

/// The result of a call into the host: a value, or [`Raised`] with an exception set.
pub(crate) type PyResult<T = Owned> = Result<T, Raised>;

/// An owned reference to an object. Dropping it releases the reference, which may run Python code.
///
/// Not for the hot path: instruction bodies keep their values on the evaluation stack, where the garbage
/// collector finds them.
#[derive(Debug)]
#[repr(transparent)]
pub(crate) struct Owned(NonNull<PyObject>);

impl Owned {
    /// Takes over a reference that the host returned. Null becomes [`Raised`].
    ///
    /// # Safety
    /// `object` is null and an exception is set, or the caller owns a reference to it. The thread stays
    /// attached while the value lives, and its frames are published when the value is dropped.
    #[inline]
    pub(crate) unsafe fn from_host(object: *mut PyObject) -> PyResult {
        NonNull::new(object).map(Owned).ok_or(Raised)
    }

    /// Takes over a reference that may be null without an exception.
    ///
    /// # Safety
    /// `object` is null, or the caller owns a reference to it. Otherwise as for [`Owned::from_host`].
    #[inline]
    pub(crate) unsafe fn optional(object: *mut PyObject) -> Option<Owned> {
        NonNull::new(object).map(Owned)
    }

    /// A new reference to a live object.
    ///
    /// # Safety
    /// `object` is live. The thread stays attached while the value lives, and its frames are published when the
    /// value is dropped.
    #[inline]
    pub(crate) unsafe fn new_ref(object: *mut PyObject) -> Owned {
        // SAFETY: `object` is live, so not null, and the thread is attached (caller).
        unsafe {
            refcount::incref(object);
            Owned(NonNull::new_unchecked(object))
        }
    }

    /// The object, borrowed from this reference.
    #[inline]
    pub(crate) fn as_ptr(&self) -> *mut PyObject {
        self.0.as_ptr()
    }

    /// The object with the reference, which the caller owns from now on.
    #[inline]
    pub(crate) fn into_ptr(self) -> *mut PyObject {
        let object = self.0.as_ptr();
        core::mem::forget(self);
        object
    }
}

impl Drop for Owned {
    #[inline]
    fn drop(&mut self) {
        // SAFETY: the value owns its reference; the thread is attached and its frames are published (the
        // contract of the constructors).
        unsafe { refcount::decref(self.0.as_ptr()) }
    }
}

/// Converts a [`PyResult`] to the host's C convention: the reference, or null with the exception set.
#[inline]
pub(crate) fn into_host(result: PyResult) -> *mut PyObject {
    result.map_or(core::ptr::null_mut(), Owned::into_ptr)
}

/// Converts an `int` result of the host: a negative value becomes [`Raised`], with the exception set.
#[inline]
pub(crate) fn check(status: core::ffi::c_int) -> PyResult<core::ffi::c_int> {
    if status < 0 { Err(Raised) } else { Ok(status) }
}

/// Converts success or failure to the host's C convention: 0, or -1 with the exception set.
#[inline]
pub(crate) fn into_status(result: Result<(), Raised>) -> core::ffi::c_int {
    if result.is_ok() { 0 } else { -1 }
}

/// Sets `exception` with a formatted message (`PyErr_Format`) and evaluates to [`Raised`]. The format is a C
/// string literal in the host's format language; the arguments are C values that match its directives. The
/// thread must be attached.
macro_rules! raise {
    ($exception:ident, $format:literal $(, $argument:expr)* $(,)?) => {{
        // SAFETY: the format is a C string, and its directives match the arguments at the place of use.
        $crate::host::ffi::PyErr_Format(
            $crate::host::ffi::$exception,
            $format.as_ptr(),
            $($argument),*
        );
        $crate::host::Raised
    }};
}
pub(crate) use raise;

/// Whether the calling thread has an exception set.
///
/// # Safety
/// The thread is attached.
#[inline]
pub(crate) unsafe fn exception_is_set() -> bool {
    // SAFETY: the thread is attached (caller).
    unsafe { !ffi::PyErr_Occurred().is_null() }
}
