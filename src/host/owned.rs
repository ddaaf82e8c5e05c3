//! References owned by Rust code, and results of calls into the host.

use core::ptr::NonNull;

use super::ffi::{self, PyObject};
use super::refcount;

/// An exception has been set on the attached thread (the host's null or -1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Raised;

/// What a call into the host gives: a value, or an exception that is set.
pub(crate) type PyResult<T = Owned> = Result<T, Raised>;

/// An owned reference to an object; dropping it gives the reference up, which may run Python code.
///
/// For code that is not on the hot path: instruction bodies keep their values on the evaluation
/// stack, where the garbage collector finds them.
#[derive(Debug)]
#[repr(transparent)]
pub(crate) struct Owned(NonNull<PyObject>);

impl Owned {
    /// Takes over a reference that the host returned; null means an exception is set.
    ///
    /// # Safety
    /// `object` is null with an exception set, or the caller owns a reference to it. The thread
    /// stays attached while the value lives.
    #[inline]
    pub(crate) unsafe fn from_host(object: *mut PyObject) -> PyResult {
        NonNull::new(object).map(Owned).ok_or(Raised)
    }

    /// Takes over a reference that may be absent without an exception.
    ///
    /// # Safety
    /// `object` is null, or the caller owns a reference to it. The thread stays attached while the
    /// value lives.
    #[inline]
    pub(crate) unsafe fn optional(object: *mut PyObject) -> Option<Owned> {
        NonNull::new(object).map(Owned)
    }

    /// A new reference to a live object.
    ///
    /// # Safety
    /// `object` is live; the thread stays attached while the value lives.
    #[inline]
    pub(crate) unsafe fn new_ref(object: *mut PyObject) -> Owned {
        // SAFETY: the caller's promise.
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

    /// The object with the reference; the caller owns it now.
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
        // SAFETY: the reference is owned and the thread attached, as promised at construction.
        unsafe { refcount::decref(self.0.as_ptr()) }
    }
}

/// The host's C convention for a [`PyResult`]: the reference, or null with the exception set.
#[inline]
pub(crate) fn into_host(result: PyResult) -> *mut PyObject {
    result.map_or(core::ptr::null_mut(), Owned::into_ptr)
}

/// An `int` result of the host: negative means an exception is set.
#[inline]
pub(crate) fn check(status: core::ffi::c_int) -> PyResult<core::ffi::c_int> {
    if status < 0 { Err(Raised) } else { Ok(status) }
}

/// The host's C convention for what succeeds or raises: 0, or -1 with the exception set.
#[inline]
pub(crate) fn status(result: Result<(), Raised>) -> core::ffi::c_int {
    if result.is_ok() { 0 } else { -1 }
}

/// Sets `exception` with a formatted message (`PyErr_Format`): the format is a C string literal of
/// the host's format language, the arguments are C values. Gives [`Raised`].
macro_rules! raise {
    ($exception:ident, $format:literal $(, $argument:expr)* $(,)?) => {{
        // SAFETY: the format is a C string whose directives match the arguments given here.
        $crate::host::ffi::PyErr_Format(
            $crate::host::ffi::$exception,
            $format.as_ptr(),
            $($argument),*
        );
        $crate::host::Raised
    }};
}
pub(crate) use raise;

/// Whether an exception is set on the attached thread.
#[inline]
pub(crate) fn exception_is_set() -> bool {
    // SAFETY: the thread is attached.
    unsafe { !ffi::PyErr_Occurred().is_null() }
}
