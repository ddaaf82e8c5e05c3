//! The header of every object (`PyObject`), and the fields of its type that the evaluator tests. Source: the
//! host's object headers.
//!
//! As in [`super::object`], which re-exports these functions, all take borrowed pointers to live objects.

#[cfg(py_gil_disabled)]
use core::sync::atomic::AtomicU8;
use core::sync::atomic::{AtomicU32, Ordering};

use super::AtomicULong;
use super::ffi::{self, PyObject, PyTypeObject};
use super::versions::TypeVersion;

/// The type of an object (`Py_TYPE`).
///
/// # Safety
/// `object` is live.
#[inline(always)]
pub(crate) unsafe fn type_of(object: *mut PyObject) -> *mut PyTypeObject {
    // SAFETY: the object is live (caller).
    unsafe { (*object).ob_type }
}

/// The header of an immortal object of type `type_` that is a static of this library (`_PyObject_HEAD_INIT`).
pub(crate) const fn static_head(type_: *mut PyTypeObject) -> PyObject {
    // SAFETY: the fields are integers and a pointer; zero is a valid value of each.
    let mut head: PyObject = unsafe { core::mem::zeroed() };
    head.ob_type = type_;
    #[cfg(not(py_gil_disabled))]
    {
        // SAFETY: the union's members are integers, and every bit pattern is a valid integer.
        let count = unsafe { &mut head.__bindgen_anon_1.__bindgen_anon_1 };
        count.ob_refcnt = ffi::_Py_IMMORTAL_INITIAL_REFCNT;
        count.ob_flags = (ffi::_Py_STATICALLY_ALLOCATED_FLAG | ffi::_Py_IMMORTAL_FLAGS) as u16;
    }
    #[cfg(py_gil_disabled)]
    {
        head.ob_ref_local = u32::MAX;
        head.ob_flags = ffi::_Py_STATICALLY_ALLOCATED_FLAG as u16;
        head.ob_gc_bits = ffi::_PyGC_BITS_DEFERRED as u8;
    }
    head
}

/// Whether the type of the object is exactly `type_` (`Py_IS_TYPE`). With a static type of the host:
/// `is_exact(object, &raw mut ffi::PyLong_Type)`.
///
/// # Safety
/// `object` is live.
#[inline(always)]
pub(crate) unsafe fn is_exact(object: *mut PyObject, type_: *mut PyTypeObject) -> bool {
    // SAFETY: the object is live (caller).
    unsafe { type_of(object) == type_ }
}

/// The bits that the garbage collector of a free-threaded host keeps in an object (`ob_gc_bits`,
/// `_PyGC_BITS_*`).
///
/// # Safety
/// `object` is live, or it was freed and its memory is still kept for concurrent readers.
#[cfg(py_gil_disabled)]
#[inline(always)]
pub(crate) unsafe fn gc_bits(object: *mut PyObject) -> u8 {
    // SAFETY: the memory is readable (caller); other threads change the bits atomically.
    unsafe { AtomicU8::from_ptr(&raw mut (*object).ob_gc_bits).load(Ordering::Relaxed) }
}

/// The flags of a type (`PyType_GetFlags`), `Py_TPFLAGS_…`: 32 bits, whatever the size of C's `unsigned long`.
///
/// # Safety
/// `type_` is live.
#[inline(always)]
pub(crate) unsafe fn type_flags(type_: *mut PyTypeObject) -> u32 {
    // SAFETY: the type is live (caller); other threads change the flags atomically.
    unsafe { AtomicULong::from_ptr(&raw mut (*type_).tp_flags).load(Ordering::Relaxed) as u32 }
}

/// Whether the type of the object has `flag` (`PyType_HasFeature`): `PyList_Check` is `has_feature(object,
/// ffi::Py_TPFLAGS_LIST_SUBCLASS)`.
///
/// # Safety
/// `object` is live.
#[inline(always)]
pub(crate) unsafe fn has_feature(object: *mut PyObject, flag: u32) -> bool {
    // SAFETY: the object is live (caller), and so is its type.
    unsafe { type_flags(type_of(object)) & flag != 0 }
}

/// The version of a type, if it has one now (`tp_version_tag`).
///
/// # Safety
/// `type_` is live.
#[cfg(not(py_gil_disabled))]
#[inline(always)]
pub(crate) unsafe fn type_version(type_: *mut PyTypeObject) -> Option<TypeVersion> {
    // SAFETY: the type is live (caller), and the GIL protects it.
    TypeVersion::new(unsafe { (*type_).tp_version_tag })
}

/// Whether the type has this version (`tp_version_tag`).
///
/// # Safety
/// `type_` is live.
#[inline(always)]
pub(crate) unsafe fn type_has_version(type_: *mut PyTypeObject, version: TypeVersion) -> bool {
    // SAFETY: the type is live (caller); other threads change the version atomically.
    let field = unsafe { AtomicU32::from_ptr(&raw mut (*type_).tp_version_tag) };
    field.load(Ordering::Relaxed) == version.get()
}
