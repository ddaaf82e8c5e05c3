//! Attributes of instances: what the instance says, after its type has allowed it ([`super::descriptor`]).
//! Used by LOAD_ATTR and STORE_ATTR.

use super::form::narrow;
use super::{Cache, Decision, Form, Refusal};
use crate::bytecode::opcode::*;
use crate::host::dict::{Dict, DictKeys, InlineValues};
use crate::host::object::type_flags;
use crate::host::{KeysVersion, PyObject, PyTypeObject, TypeVersion, ffi, lock};

/// What the instruction does to the attribute.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Access {
    Load,
    Store,
}

impl Access {
    /// The form for inline values.
    fn inline(self) -> u8 {
        match self {
            Access::Load => LOAD_ATTR_INSTANCE_VALUE,
            Access::Store => STORE_ATTR_INSTANCE_VALUE,
        }
    }

    /// The form for a value in the object's dictionary, with a hint for its index.
    fn in_dict(self) -> u8 {
        match self {
            Access::Load => LOAD_ATTR_WITH_HINT,
            Access::Store => STORE_ATTR_WITH_HINT,
        }
    }
}

/// Whether the attribute is likely to be in the instance.
#[derive(Debug, Clone, Copy)]
pub(super) struct Likelihood {
    pub(crate) likely: bool,
    /// The version of the keys that instances of the type share, if they share any.
    pub(crate) keys_version: Option<KeysVersion>,
}

/// The object's dictionary, if it has one that is exactly a `dict`.
///
/// # Safety
/// `object` is live, and its type has managed dictionaries.
unsafe fn plain_dict(object: *mut PyObject) -> Option<Dict> {
    // SAFETY: the object is live, with a slot for a managed dictionary (caller).
    unsafe { Dict::managed(object).filter(|dict| dict.is_exact()) }
}

/// Whether instances like `owner` are likely to have the attribute. That is decided by the keys that they
/// share, or by the dictionary of `owner`.
///
/// # Safety
/// As the module says; `type_` is the type of `owner`, or was a moment ago.
pub(super) unsafe fn likelihood(
    owner: *mut PyObject,
    type_: *mut PyTypeObject,
    name: *mut PyObject,
) -> Likelihood {
    // SAFETY: the objects are live (caller). All types that an object can change between keep their
    // dictionaries in the same place.
    unsafe {
        let flags = type_flags(type_);
        if flags & ffi::Py_TPFLAGS_MANAGED_DICT == 0 {
            return Likelihood { likely: false, keys_version: None };
        }
        if flags & ffi::Py_TPFLAGS_INLINE_VALUES != 0 {
            let (index, keys_version) = DictKeys::shared_by(type_).shared_index_and_version_of(name);
            return Likelihood { likely: index.is_some(), keys_version };
        }
        let likely = plain_dict(owner).is_some_and(|dict| {
            lock::with_lock(dict.object(), || !dict.is_split() && dict.index_of(name).is_some())
        });
        Likelihood { likely, keys_version: None }
    }
}

/// The form that finds the attribute in instances like `owner`. Their type has the version `version`, and no
/// attribute that takes precedence.
///
/// # Safety
/// As for [`likelihood`].
pub(super) unsafe fn decide(
    owner: *mut PyObject,
    type_: *mut PyTypeObject,
    name: *mut PyObject,
    version: TypeVersion,
    access: Access,
) -> Decision {
    // SAFETY: the objects are live, and the thread is attached (caller). All types that an object can change
    // between keep their dictionaries in the same place.
    unsafe {
        let flags = type_flags(type_);
        if flags & ffi::Py_TPFLAGS_MANAGED_DICT == 0 {
            return Err(Refusal::NoPlainNamespace);
        }
        let has_values = flags & ffi::Py_TPFLAGS_INLINE_VALUES != 0 && InlineValues::of(owner).are_valid();
        // A store to inline values must not bypass a dictionary that shares these values.
        if has_values && (access == Access::Load || Dict::managed(owner).is_none()) {
            lock::with_lock(owner, || inline(owner, type_, name, version, access))
        } else {
            let dict = plain_dict(owner).ok_or(Refusal::NoPlainNamespace)?;
            lock::with_lock(dict.object(), || in_dict(dict, name, version, access))
        }
    }
}

/// The form for inline values.
///
/// # Safety
/// As for [`likelihood`]; `owner` is locked, and has inline values.
unsafe fn inline(
    owner: *mut PyObject,
    type_: *mut PyTypeObject,
    name: *mut PyObject,
    version: TypeVersion,
    access: Access,
) -> Decision {
    // SAFETY: the owner is live and locked, with inline values (caller).
    unsafe {
        // An object that has changed its type has a dictionary, too.
        if Dict::managed(owner).is_some() {
            return Err(Refusal::NoPlainNamespace);
        }
        let keys = DictKeys::shared_by(type_);
        let index = keys.shared_index_of(name).ok_or(Refusal::NotInTable)?;
        let offset = narrow(InlineValues::of(owner).offset_in(owner, index))?;
        Ok(Form { opcode: access.inline(), cache: Cache::Attribute { version, index: offset } })
    }
}

/// The form for a value in the object's dictionary.
///
/// # Safety
/// As the module says; `dict` is live and locked, and is exactly a `dict`.
unsafe fn in_dict(dict: Dict, name: *mut PyObject, version: TypeVersion, access: Access) -> Decision {
    // SAFETY: the dictionary is live and locked (caller).
    unsafe {
        dict.share();
        if dict.is_split() {
            return Err(Refusal::KindOfKeys);
        }
        let index = narrow(dict.index_of(name).ok_or(Refusal::NotInTable)?)?;
        Ok(Form { opcode: access.in_dict(), cache: Cache::Attribute { version, index } })
    }
}
