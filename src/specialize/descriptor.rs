//! What a type says about an attribute: the first half of specializing LOAD_ATTR and STORE_ATTR.

use core::ffi::c_uint;
use core::ptr::fn_addr_eq;

use super::form::narrow;
use super::refusal::Refusal;
use crate::host::function::Function;
use crate::host::object::{type_flags, type_of, type_version};
use crate::host::{Owned, PyObject, PyTypeObject, ThreadState, ffi, refcount};

/// The kinds of attributes of types. Where it matters, it will stay of that kind for as long as the type
/// keeps its version.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// The type does not have it.
    Absent,
    /// Of a class that may change, and with it whether this is a descriptor.
    Mutable,
    /// Not a descriptor.
    NonDescriptor,

    // Descriptors that come before the attributes of the instance:
    /// A slot that holds an object.
    ObjectSlot,
    /// A slot that holds something else.
    OtherSlot,
    Property,
    /// `object.__class__`.
    DunderClass,
    /// Any other one.
    Overriding,

    // Descriptors that come after the attributes of the instance:
    /// Bound to its receiver by a call (`Py_TPFLAGS_METHOD_DESCRIPTOR`).
    Method,
    BuiltinClassMethod,
    ClassMethod,
    /// Any other one.
    NonOverriding,

    // The type does not look attributes up as `object` does:
    /// `__getattribute__` is a function in Python, and there is no `__getattr__`.
    PythonGetattribute,
    /// Any other way, or one that may lead to `__getattr__`.
    Overridden,
}

/// An attribute as a type has it.
pub(super) struct Attribute {
    pub(crate) kind: Kind,
    /// What the type has; for [`Kind::PythonGetattribute`], that function.
    pub(crate) descriptor: Option<Owned>,
    /// The version of the type for which this holds; zero if it has none.
    pub(crate) version: u32,
}

impl Attribute {
    fn overridden(version: u32) -> Attribute {
        Attribute { kind: Kind::Overridden, descriptor: None, version }
    }

    /// What the type has, borrowed; null if it has nothing.
    pub(super) fn descriptor(&self) -> *mut PyObject {
        self.descriptor.as_ref().map_or(core::ptr::null_mut(), Owned::as_ptr)
    }
}

/// Whether the attributes of a type can be looked up at all (`_PyType_IsReady`).
///
/// # Safety
/// The type is live.
pub(super) unsafe fn is_ready(type_: *mut PyTypeObject) -> bool {
    // SAFETY: the type is live.
    unsafe { !ffi::_PyType_GetDict(type_).is_null() }
}

/// What the type has under that name, as a new reference, and its version; zero if it has none.
///
/// # Safety
/// The type is live and ready, and the thread attached.
pub(super) unsafe fn lookup(type_: *mut PyTypeObject, name: *mut PyObject) -> (Option<Owned>, u32) {
    let mut version: c_uint = 0;
    // SAFETY: the caller's promise.
    let found = unsafe { Owned::optional(ffi::_PyType_LookupRefAndVersion(type_, name, &raw mut version)) };
    (found, version)
}

/// What a load of the attribute from an instance of the type would meet.
///
/// # Safety
/// As for [`lookup`].
pub(super) unsafe fn for_load(type_: *mut PyTypeObject, name: *mut PyObject) -> Attribute {
    // SAFETY: the caller's promise.
    unsafe {
        let way = (*type_).tp_getattro;
        let is = |known: unsafe extern "C" fn(*mut PyObject, *mut PyObject) -> *mut PyObject| {
            way.is_some_and(|way| fn_addr_eq(way, known))
        };
        if is(ffi::PyObject_GenericGetAttr) {
            let (descriptor, version) = lookup(type_, name);
            return classified(name, descriptor, version, false);
        }
        // Types with methods of these names have the one slot before the first lookup, and the other after it
        // has found no `__getattr__`.
        if !is(ffi::_Py_slot_tp_getattro) && !is(ffi::_Py_slot_tp_getattr_hook) {
            return Attribute::overridden(type_version(type_));
        }
        let (getattribute, version) = lookup(type_, id!(_py___getattribute__));
        let has_getattr = !ffi::_PyType_Lookup(type_, id!(_py___getattr__)).is_null();
        let ordinary = (*ThreadState::current().interp()).callable_cache.object__getattribute__;
        if let Some(function) = getattribute.filter(|found| found.as_ptr() != ordinary) {
            if has_getattr || Function::cast(function.as_ptr()).is_none() {
                return Attribute::overridden(version);
            }
            return Attribute { kind: Kind::PythonGetattribute, descriptor: Some(function), version };
        }
        let (descriptor, _) = lookup(type_, name);
        classified(name, descriptor, version, has_getattr)
    }
}

/// What a store to the attribute of an instance of the type would meet.
///
/// # Safety
/// As for [`lookup`].
pub(super) unsafe fn for_store(type_: *mut PyTypeObject, name: *mut PyObject) -> Attribute {
    // SAFETY: the caller's promise.
    unsafe {
        let generic = (*type_).tp_setattro.is_some_and(|way| {
            fn_addr_eq(way, ffi::PyObject_GenericSetAttr as unsafe extern "C" fn(_, _, _) -> _)
        });
        if !generic {
            return Attribute::overridden(0);
        }
        let (descriptor, version) = lookup(type_, name);
        classified(name, descriptor, version, false)
    }
}

unsafe fn classified(
    name: *mut PyObject,
    descriptor: Option<Owned>,
    version: u32,
    has_getattr: bool,
) -> Attribute {
    // SAFETY: the callers' promise. Names in code are interned, so equal ones are the same.
    unsafe {
        let is_class = |found: &Owned| {
            name == id!(_py___class__)
                && found.as_ptr() == ffi::_PyType_Lookup(&raw mut ffi::PyBaseObject_Type, name)
        };
        let kind = match &descriptor {
            Some(found) if is_class(found) => Kind::DunderClass,
            Some(found) => kind(found.as_ptr(), has_getattr),
            None => Kind::Absent,
        };
        Attribute { kind, descriptor, version }
    }
}

/// The kind of an attribute that a type has; with `has_getattr`, a failing one leads to `__getattr__`.
///
/// # Safety
/// The attribute is live.
pub(super) unsafe fn kind(descriptor: *mut PyObject, has_getattr: bool) -> Kind {
    // SAFETY: the attribute is live.
    unsafe {
        let class = type_of(descriptor);
        let flags = type_flags(class);
        if flags & u64::from(ffi::Py_TPFLAGS_IMMUTABLETYPE) == 0 {
            Kind::Mutable
        } else if (*class).tp_descr_set.is_some() {
            if class == &raw mut ffi::PyMemberDescr_Type {
                match (*member(descriptor)).type_ as u32 {
                    ffi::Py_T_OBJECT_EX | ffi::_Py_T_OBJECT => Kind::ObjectSlot,
                    _ => Kind::OtherSlot,
                }
            } else if class == &raw mut ffi::PyProperty_Type {
                // Whether the property raises AttributeError shows only when it runs.
                if has_getattr { Kind::Overridden } else { Kind::Property }
            } else {
                Kind::Overriding
            }
        } else if (*class).tp_descr_get.is_some() {
            if flags & u64::from(ffi::Py_TPFLAGS_METHOD_DESCRIPTOR) != 0 {
                Kind::Method
            } else if class == &raw mut ffi::PyClassMethodDescr_Type {
                Kind::BuiltinClassMethod
            } else if class == &raw mut ffi::PyClassMethod_Type {
                Kind::ClassMethod
            } else {
                Kind::NonOverriding
            }
        } else {
            Kind::NonDescriptor
        }
    }
}

/// What a slot's descriptor is defined by.
unsafe fn member(descriptor: *mut PyObject) -> *mut ffi::PyMemberDef {
    // SAFETY: the descriptor is one of a slot.
    unsafe { (*descriptor.cast::<ffi::PyMemberDescrObject>()).d_member }
}

/// Where in instances of `type_` the slot is that this describes, unless its flags have a `forbidden` one.
///
/// # Safety
/// Both are live, and the descriptor is an [`Kind::ObjectSlot`].
pub(super) unsafe fn slot(
    descriptor: *mut PyObject,
    type_: *mut PyTypeObject,
    forbidden: u32,
) -> Result<u16, Refusal> {
    // SAFETY: the caller's promise.
    unsafe {
        let class = (*descriptor.cast::<ffi::PyMemberDescrObject>()).d_common.d_type;
        if type_ != class && ffi::PyType_IsSubtype(type_, class) == 0 {
            return Err(Refusal::AboutToFail);
        }
        if (*member(descriptor)).flags as u32 & forbidden != 0 {
            return Err(Refusal::KindOfAttribute);
        }
        // Offsets of slots are positive.
        narrow((*member(descriptor)).offset as usize)
    }
}

/// That a cache may hold the object borrowed. In a free-threaded host a version that is still right does not
/// keep it alive until we have counted it; that its count is deferred does: it is freed with the world stopped.
///
/// # Safety
/// The object is live.
pub(super) unsafe fn cacheable(object: *mut PyObject) -> Result<(), Refusal> {
    // SAFETY: the object is live.
    if cfg!(py_gil_disabled) && !unsafe { refcount::is_deferred(object) } {
        return Err(Refusal::NotDeferred);
    }
    Ok(())
}
