//! The host: its declarations, generated from its headers ([`ffi`]), and small typed handles over its
//! structures.
//!
//! Stands for no object of the host. All other modules use the host through this one, and it uses none of them.
//! Pointer arithmetic on structures of the host belongs here.

/// Defines a function that saves every register it uses, so that a call does not force the caller to save its
/// own. For rare paths of hot code.
#[cfg(not(py_debug))]
macro_rules! preserving_registers {
    ($(#[$doc:meta])* $visibility:vis unsafe fn $name:ident($($parameter:ident: $type_:ty),*) $body:block) => {
        $(#[$doc])*
        #[cfg(feature = "tail-call")]
        #[cold]
        #[inline(never)]
        $visibility unsafe extern "rust-cold" fn $name($($parameter: $type_),*) $body

        $(#[$doc])*
        #[cfg(not(feature = "tail-call"))]
        #[cold]
        #[inline(never)]
        $visibility unsafe fn $name($($parameter: $type_),*) $body
    };
}

#[cfg(py_tier2)]
pub(crate) mod array;
#[cfg(py_gil_disabled)]
pub(crate) mod biased;
#[cfg(feature = "jit")]
pub(crate) mod changes;
pub(crate) mod check;
pub(crate) mod code;
#[cfg(py_gil_disabled)]
pub(crate) mod copies;
pub(crate) mod dict;
pub(crate) mod dict_lookup;
pub(crate) mod exception_table;
pub(crate) mod ffi;
pub(crate) mod frame;
pub(crate) mod function;
pub(crate) mod generator;
pub(crate) mod head;
pub(crate) mod hidden;
#[cfg(feature = "jit")]
pub(crate) mod items;
#[cfg(feature = "jit")]
pub(crate) mod iterators;
#[cfg(feature = "jit")]
pub(crate) mod known_functions;
#[cfg(test)]
mod layouts;
pub(crate) mod lock;
pub(crate) mod numbers;
pub(crate) mod object;
pub(crate) mod opcode_byte;
pub(crate) mod owned;
#[cfg(feature = "jit")]
pub(crate) mod pairs;
#[cfg(feature = "jit")]
pub(crate) mod plain_text;
#[cfg(feature = "jit")]
pub(crate) mod quiet_functions;
pub(crate) mod refcount;
#[cfg(feature = "jit")]
mod set_lookup;
pub(crate) mod slot;
pub(crate) mod specialization_cache;
pub(crate) mod stackref;
#[cfg(test)]
mod stand_in;
pub(crate) mod text;
pub(crate) mod thread;
#[cfg(py_tier2)]
pub(crate) mod tier2;
pub(crate) mod versions;
#[cfg(feature = "jit")]
pub(crate) mod without_code;

pub(crate) use code::{Code, CodeUnit};
pub(crate) use ffi::{PyObject, PyTypeObject};
pub(crate) use frame::Frame;
pub(crate) use owned::{Owned, PyResult, Raised};
pub(crate) use stackref::StackRef;
pub(crate) use thread::ThreadState;
pub(crate) use versions::{FunctionVersion, KeysVersion, ShortKeysVersion, TypeVersion};

/// An `unsigned long` of C that threads change.
#[cfg(windows)]
pub(crate) use core::sync::atomic::AtomicU32 as AtomicULong;
#[cfg(not(windows))]
pub(crate) use core::sync::atomic::AtomicU64 as AtomicULong;
static_assertions::assert_eq_size!(core::ffi::c_ulong, AtomicULong);

/// Whether the host has no GIL, so that other threads may run at any time.
pub(crate) const FREE_THREADED: bool = cfg!(py_gil_disabled);

/// `None`, borrowed.
#[inline(always)]
pub(crate) fn none() -> *mut PyObject {
    &raw mut ffi::_Py_NoneStruct
}

/// `True`, borrowed.
#[inline(always)]
pub(crate) fn true_() -> *mut PyObject {
    (&raw mut ffi::_Py_TrueStruct).cast()
}

/// `False`, borrowed.
#[inline(always)]
pub(crate) fn false_() -> *mut PyObject {
    (&raw mut ffi::_Py_FalseStruct).cast()
}

/// The empty tuple, borrowed and immortal.
#[inline(always)]
pub(crate) const fn empty_tuple() -> *mut PyObject {
    // SAFETY: takes only the address of a part of a static of the host.
    unsafe { (&raw mut ffi::_PyRuntime.static_objects.singletons.tuple_empty).cast() }
}

/// An interned string of the host, borrowed and immortal. The name is the host's field: where C says
/// `&_Py_ID(__enter__)`, this is `id!(_py___enter__)`.
macro_rules! id {
    ($field:ident) => {
        (&raw mut $crate::host::ffi::_PyRuntime.static_objects.singletons.strings.identifiers.$field)
            .cast::<$crate::host::ffi::PyObject>()
    };
}

/// A string constant of the host, borrowed and immortal: `&_Py_STR(empty)` is `str_constant!(_py_empty)`.
macro_rules! str_constant {
    ($field:ident) => {
        (&raw mut $crate::host::ffi::_PyRuntime.static_objects.singletons.strings.literals.$field)
            .cast::<$crate::host::ffi::PyObject>()
    };
}

/// The values for which the host keeps an `int` object.
pub(crate) const SMALL_INTS: core::ops::Range<isize> =
    -(ffi::_PY_NSMALLNEGINTS as isize)..ffi::_PY_NSMALLPOSINTS as isize;

/// The `int` object that the host keeps for a small `value`, borrowed and immortal (`_PyLong_SMALL_INTS`). `None` for
/// other values.
#[inline(always)]
pub(crate) fn small_int(value: isize) -> Option<*mut PyObject> {
    if !SMALL_INTS.contains(&value) {
        return None;
    }
    // SAFETY: the host's runtime is a static, and its table has an int for each value of the range.
    unsafe {
        let ints =
            (&raw mut ffi::_PyRuntime.static_objects.singletons.small_ints).cast::<ffi::PyLongObject>();
        Some(ints.offset(value - SMALL_INTS.start).cast())
    }
}
