//! The special methods that LOAD_SPECIAL loads. Source: `ceval.c`.

use core::ffi::CStr;

use crate::host::object::type_of;
use crate::host::{PyObject, PyTypeObject, ffi};

/// The number of special methods that LOAD_SPECIAL loads.
const METHODS: usize = ffi::SPECIAL_MAX as usize + 1;

/// The type of [`SPECIAL_METHODS`]; an array to C.
#[derive(Clone, Copy)]
#[repr(transparent)]
pub(crate) struct SpecialMethods([ffi::_Py_SpecialMethod; METHODS]);

// SAFETY: its pointers are to constants, and to strings of the host that are immortal.
unsafe impl Sync for SpecialMethods {}

/// The special methods behind LOAD_SPECIAL, by its argument (`SPECIAL_*` in `pycore_ceval.h`): the name,
/// and the formats of TypeError for an object without it, the second one for an object that would do
/// in the other kind of `with` statement.
pub(crate) static SPECIAL_METHODS: SpecialMethods = {
    const fn method(
        name: *mut PyObject,
        error: &'static CStr,
        suggestion: &'static CStr,
    ) -> ffi::_Py_SpecialMethod {
        ffi::_Py_SpecialMethod { name, error: error.as_ptr(), error_suggestion: suggestion.as_ptr() }
    }
    let mut methods = [method(core::ptr::null_mut(), c"", c""); METHODS];
    // SAFETY: addresses of the host's strings; nothing is read.
    unsafe {
        methods[ffi::SPECIAL___ENTER__ as usize] = method(
            id!(_py___enter__),
            c"'%T' object does not support the context manager protocol (missed __enter__ method)",
            c"'%T' object does not support the context manager protocol (missed __enter__ method) but it \
              supports the asynchronous context manager protocol. Did you mean to use 'async with'?",
        );
        methods[ffi::SPECIAL___EXIT__ as usize] = method(
            id!(_py___exit__),
            c"'%T' object does not support the context manager protocol (missed __exit__ method)",
            c"'%T' object does not support the context manager protocol (missed __exit__ method) but it \
              supports the asynchronous context manager protocol. Did you mean to use 'async with'?",
        );
        methods[ffi::SPECIAL___AENTER__ as usize] = method(
            id!(_py___aenter__),
            c"'%T' object does not support the asynchronous context manager protocol (missed __aenter__ method)",
            c"'%T' object does not support the asynchronous context manager protocol (missed __aenter__ \
              method) but it supports the context manager protocol. Did you mean to use 'with'?",
        );
        methods[ffi::SPECIAL___AEXIT__ as usize] = method(
            id!(_py___aexit__),
            c"'%T' object does not support the asynchronous context manager protocol (missed __aexit__ method)",
            c"'%T' object does not support the asynchronous context manager protocol (missed __aexit__ \
              method) but it supports the context manager protocol. Did you mean to use 'with'?",
        );
    }
    SpecialMethods(methods)
};

/// The special method for an argument of LOAD_SPECIAL.
///
/// # Safety
/// `index` is one of the host's `SPECIAL_*`.
#[inline(always)]
pub(crate) unsafe fn special_method(index: usize) -> &'static ffi::_Py_SpecialMethod {
    // SAFETY: the caller's promise.
    unsafe { SPECIAL_METHODS.0.get_unchecked(index) }
}

/// Whether an object without the special method `index` (one of the host's `SPECIAL_*`) has those of the other
/// kind of `with` statement. The object is borrowed. Sets no exception.
///
/// # Safety
/// The thread is attached with no exception set, and `object` is live.
pub(crate) unsafe fn has_other_kind(object: *mut PyObject, index: u32) -> bool {
    // SAFETY: the caller's promise; an argument of another instruction ends the process.
    unsafe {
        let others = match index {
            ffi::SPECIAL___ENTER__ | ffi::SPECIAL___EXIT__ => [id!(_py___aenter__), id!(_py___aexit__)],
            ffi::SPECIAL___AENTER__ | ffi::SPECIAL___AEXIT__ => [id!(_py___enter__), id!(_py___exit__)],
            _ => ffi::_Py_FatalErrorFunc(
                c"_PyEval_SpecialMethodCanSuggest".as_ptr(),
                c"unsupported special method".as_ptr(),
            ),
        };
        others.iter().all(|&name| has_special_method(type_of(object), name))
    }
}

/// Whether a class has `name` as a descriptor.
unsafe fn has_special_method(class: *mut PyTypeObject, name: *mut PyObject) -> bool {
    // SAFETY: the class is live; what it has is borrowed from it.
    unsafe {
        let method = ffi::_PyType_Lookup(class, name);
        !method.is_null() && (*type_of(method)).tp_descr_get.is_some()
    }
}
