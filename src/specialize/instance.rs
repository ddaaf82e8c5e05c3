//! Attributes of instances, as opposed to those of their type: the second half of specializing LOAD_ATTR
//! and STORE_ATTR.

use super::form::narrow;
use super::{Cache, Decision, Form, Refusal};
use crate::bytecode::opcode::*;
use crate::host::dict::{Dict, DictKeys, InlineValues};
use crate::host::object::{managed_dict, type_flags};
use crate::host::{PyObject, PyTypeObject, ffi, lock};

/// What the instruction does with the attribute.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Access {
    Load,
    Store,
}

impl Access {
    /// The form for a value inside the object.
    fn inline(self) -> u8 {
        match self {
            Access::Load => LOAD_ATTR_INSTANCE_VALUE,
            Access::Store => STORE_ATTR_INSTANCE_VALUE,
        }
    }

    /// The form for a value in the object's dictionary, at a likely place.
    fn in_dict(self) -> u8 {
        match self {
            Access::Load => LOAD_ATTR_WITH_HINT,
            Access::Store => STORE_ATTR_WITH_HINT,
        }
    }
}

/// Whether the attribute is likely to be found in the instance.
#[derive(Debug, Clone, Copy)]
pub(super) struct Likelihood {
    pub(crate) likely: bool,
    /// The version of the keys that the instances of the type share; zero if there are none, or none is
    /// to be had.
    pub(crate) keys_version: u32,
}

/// The object's dictionary, if it has one that is exactly a `dict`.
unsafe fn plain_dict(object: *mut PyObject) -> Option<Dict> {
    // SAFETY: the object is live and has a place for a managed dictionary.
    unsafe {
        let dict = Dict::from_ptr(managed_dict(object));
        (!dict.is_null() && dict.is_exact()).then_some(dict)
    }
}

/// Whether instances like `owner` are likely to have the attribute: by the keys that they share, or by
/// the dictionary of this one.
///
/// # Safety
/// The objects are live and the thread attached; the owner is, or was a moment ago, of that type.
pub(super) unsafe fn likelihood(
    owner: *mut PyObject,
    type_: *mut PyTypeObject,
    name: *mut PyObject,
) -> Likelihood {
    // SAFETY: the caller's promise. Types that an object can change between keep dictionaries in one place.
    unsafe {
        let flags = type_flags(type_);
        if flags & u64::from(ffi::Py_TPFLAGS_MANAGED_DICT) == 0 {
            return Likelihood { likely: false, keys_version: 0 };
        }
        if flags & u64::from(ffi::Py_TPFLAGS_INLINE_VALUES) != 0 {
            let (index, keys_version) = DictKeys::shared_by(type_).shared_index_and_version_of(name);
            return Likelihood { likely: index.is_some(), keys_version };
        }
        let likely = plain_dict(owner).is_some_and(|dict| {
            lock::with_lock(dict.object(), || !dict.is_split() && dict.index_of(name).is_some())
        });
        Likelihood { likely, keys_version: 0 }
    }
}

/// The form that finds the attribute in instances like `owner`, of a type that has that version and nothing
/// that would come before it.
///
/// # Safety
/// As for [`likelihood`].
pub(super) unsafe fn decide(
    owner: *mut PyObject,
    type_: *mut PyTypeObject,
    name: *mut PyObject,
    version: u32,
    access: Access,
) -> Decision {
    // SAFETY: the caller's promise.
    unsafe {
        let flags = type_flags(type_);
        if flags & u64::from(ffi::Py_TPFLAGS_MANAGED_DICT) == 0 {
            return Err(Refusal::NoPlainNamespace);
        }
        let has_values =
            flags & u64::from(ffi::Py_TPFLAGS_INLINE_VALUES) != 0 && InlineValues::of(owner).are_valid();
        // A store to a value inside an object must be known to a dictionary that looks at the same values.
        if has_values && (access == Access::Load || managed_dict(owner).is_null()) {
            lock::with_lock(owner, || inline(owner, type_, name, version, access))
        } else {
            let dict = plain_dict(owner).ok_or(Refusal::NoPlainNamespace)?;
            lock::with_lock(dict.object(), || in_dict(dict, name, version, access))
        }
    }
}

/// A value inside the object, which is locked.
unsafe fn inline(
    owner: *mut PyObject,
    type_: *mut PyTypeObject,
    name: *mut PyObject,
    version: u32,
    access: Access,
) -> Decision {
    // SAFETY: the caller's promise.
    unsafe {
        // An object that has changed its type has a dictionary, too.
        if !managed_dict(owner).is_null() {
            return Err(Refusal::NoPlainNamespace);
        }
        let keys = DictKeys::shared_by(type_);
        let index = keys.shared_index_of(name).ok_or(Refusal::NotInTable)?;
        let offset = narrow(InlineValues::of(owner).offset_in(owner, index))?;
        Ok(Form { opcode: access.inline(), cache: Cache::Attribute { version, index: offset } })
    }
}

/// A value in the object's dictionary, which is locked.
unsafe fn in_dict(dict: Dict, name: *mut PyObject, version: u32, access: Access) -> Decision {
    // SAFETY: the caller's promise.
    unsafe {
        dict.share();
        if dict.is_split() {
            return Err(Refusal::KindOfKeys);
        }
        let index = narrow(dict.index_of(name).ok_or(Refusal::NotInTable)?)?;
        Ok(Form { opcode: access.in_dict(), cache: Cache::Attribute { version, index } })
    }
}
