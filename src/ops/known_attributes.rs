//! Attributes that are found without code, for traces.

use super::attributes::address;
use crate::host::object::{type_flags, type_of};
use crate::host::{PyObject, StackRef, ThreadState, ffi};
use crate::specialize::side_cache::{self, Found};

/// What a LOAD_ATTR of `owner.name` finds, a new reference, and whether that is a method of the owner, for a call. `None` if it is not
/// known where the attribute is. Runs no code.
///
/// # Safety
/// The thread is attached, and `tstate` is its state, on a host with a GIL. The owner is live, and the name is one of a live code object.
pub(crate) unsafe fn known_attribute(
    tstate: ThreadState,
    owner: *mut PyObject,
    name: *mut PyObject,
    for_call: bool,
) -> Option<(StackRef, bool)> {
    // SAFETY: the contract is the same.
    unsafe {
        match side_cache::known(tstate, owner, name, for_call) {
            Found::Nothing if for_call => None,
            Found::Nothing => bound_method(owner, name).map(|method| (method, false)),
            Found::Attribute(attr) => Some((attr, false)),
            Found::Method(method) => Some((method, true)),
        }
    }
}

/// `owner.name`, a new reference, if that is a method in C of a type of the host, which becomes bound to the owner. `None` if it is
/// something else, or without memory.
///
/// # Safety
/// The thread is attached. The objects are live.
unsafe fn bound_method(owner: *mut PyObject, name: *mut PyObject) -> Option<StackRef> {
    // SAFETY: the objects are live (caller). Nothing hides an attribute of such a type, and binding a method runs no code.
    unsafe {
        let type_ = type_of(owner);
        let flags = type_flags(type_);
        let has_no_dict = (*type_).tp_dictoffset == 0 && flags & ffi::Py_TPFLAGS_MANAGED_DICT == 0;
        let is_usual = address((*type_).tp_getattro) == address(Some(ffi::PyObject_GenericGetAttr));
        if !is_usual || !has_no_dict || flags & ffi::Py_TPFLAGS_IMMUTABLETYPE == 0 {
            return None;
        }
        let method = ffi::_PyType_Lookup(type_, name);
        if method.is_null() || type_of(method) != &raw mut ffi::PyMethodDescr_Type {
            return None;
        }
        let bound = ffi::PyObject_GetAttr(owner, name);
        if bound.is_null() {
            ffi::PyErr_Clear();
            return None;
        }
        Some(StackRef::steal(bound))
    }
}
