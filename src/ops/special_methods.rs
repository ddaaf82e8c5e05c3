//! LOAD_SPECIAL, and the special methods that it looks up. Source: `ceval.c`.

use core::ffi::CStr;

use crate::engine::{Engine, Exit, Kept, Op};
use crate::host::object::type_of;
use crate::host::{PyObject, PyTypeObject, StackRef, ffi};

/// The number of these special methods.
const METHODS: usize = ffi::SPECIAL_MAX as usize + 1;

/// The type of [`SPECIAL_METHODS`], which C sees as an array.
#[derive(Clone, Copy)]
#[repr(transparent)]
pub(crate) struct SpecialMethods([ffi::_Py_SpecialMethod; METHODS]);

// SAFETY: its pointers are never written through here. They point to string constants and to immortal strings
// of the host.
unsafe impl Sync for SpecialMethods {}

/// The special methods by the argument of LOAD_SPECIAL (`SPECIAL_*` in `pycore_ceval.h`). Each entry has the
/// name and two formats of a TypeError for an object without the method. The second format is for an object
/// that works in the other kind of `with` statement.
pub(crate) static SPECIAL_METHODS: SpecialMethods = {
    const fn method(
        name: *mut PyObject,
        error: &'static CStr,
        suggestion: &'static CStr,
    ) -> ffi::_Py_SpecialMethod {
        ffi::_Py_SpecialMethod { name, error: error.as_ptr(), error_suggestion: suggestion.as_ptr() }
    }
    let mut methods = [method(core::ptr::null_mut(), c"", c""); METHODS];
    // SAFETY: this takes addresses of the host's strings and reads nothing.
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

/// The special method for `index`, an argument of LOAD_SPECIAL.
///
/// # Safety
/// `index` is one of the host's `SPECIAL_*`.
#[inline(always)]
pub(crate) unsafe fn special_method(index: usize) -> &'static ffi::_Py_SpecialMethod {
    // SAFETY: the table has an entry for each `SPECIAL_*` (caller).
    unsafe { SPECIAL_METHODS.0.get_unchecked(index) }
}

/// Whether an object without the special method `index` (one of the host's `SPECIAL_*`) has both methods of
/// the other kind of `with` statement. Borrows the object. Sets no exception. Any other index ends the
/// process.
///
/// # Safety
/// The thread is attached with no exception set, and `object` is live.
pub(crate) unsafe fn has_other_kind(object: *mut PyObject, index: u32) -> bool {
    // SAFETY: the object is live and keeps its type alive (caller). The names are immortal. The messages are
    // C strings.
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

/// Whether the attribute `name` of `class` is a descriptor.
///
/// # Safety
/// The thread is attached, and `class` and `name` are live.
unsafe fn has_special_method(class: *mut PyTypeObject, name: *mut PyObject) -> bool {
    // SAFETY: class and name are live (caller). The class holds the method that the lookup borrows.
    unsafe {
        let method = ffi::_PyType_Lookup(class, name);
        !method.is_null() && (*type_of(method)).tp_descr_get.is_some()
    }
}

// --- LOAD_SPECIAL ------------------------------------------------------------------------------

/// Inserts an empty slot below the topmost value.
///
/// # Safety
/// As [`crate::engine`] says for every micro-op.
#[inline(always)]
pub(crate) unsafe fn insert_null<E: Engine>(_e: &mut E, [this]: [StackRef; 1]) -> Op<[StackRef; 2]> {
    Ok([StackRef::NULL, this])
}

/// Looks up a special method of the topmost value for a call. Puts a function into the empty slot below its
/// `self`. If the method is already bound, puts it into that slot and empties the one above.
///
/// # Safety
/// As [`crate::engine`] says for every micro-op. `insert_null` has run before.
#[inline(always)]
pub(crate) unsafe fn load_special<E: Engine>(e: &mut E, Kept([_, this]): Kept<[StackRef; 2]>) -> Op {
    // SAFETY: the two slots are on the published stack. The compiler emits only arguments that are in the
    // table.
    unsafe {
        e.publish();
        let slots = e.sp().sub(2).cast();
        let status = ffi::_PyObject_LookupSpecialMethod(special_method(e.oparg()).name, slots);
        if status <= 0 {
            if status == 0 {
                missing_special_method(this.object(), e.oparg());
            }
            return Err(Exit::ErrorNoPop);
        }
    }
    Ok([])
}

/// Sets TypeError for a `with` statement on an object without the special method `index`.
///
/// # Safety
/// The thread is attached with no exception set, `owner` is live, and `index` is one of the host's `SPECIAL_*`.
#[cold]
#[inline(never)]
unsafe fn missing_special_method(owner: *mut PyObject, index: usize) {
    // SAFETY: the index is in the table (caller), and both messages are formats for one object.
    unsafe {
        let method = special_method(index);
        let can_suggest = has_other_kind(owner, index as u32);
        let message = if can_suggest { method.error_suggestion } else { method.error };
        ffi::PyErr_Format(ffi::PyExc_TypeError, message, owner);
    }
}
