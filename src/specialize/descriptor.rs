//! Attributes of types: what a type says about an attribute. Used by LOAD_ATTR and STORE_ATTR before they
//! look at the instance ([`super::instance`]), and by BINARY_OP for [`lookup`].

use core::ptr::fn_addr_eq;

use super::form::narrow;
use super::refusal::Refusal;
use crate::host::function::Function;
use crate::host::hidden::Hidden;
use crate::host::object::{type_flags, type_of};
use crate::host::{Owned, PyObject, PyTypeObject, ThreadState, TypeVersion, ffi, refcount};

/// The kind of an attribute of a type. An attribute keeps its kind for as long as the type keeps its version,
/// except for [`Kind::Mutable`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// The type does not have the attribute.
    Absent,
    /// The attribute's class is not immutable, so it may become a descriptor, or stop being one.
    Mutable,
    /// Not a descriptor.
    NonDescriptor,

    // Data descriptors: they take precedence over attributes of the instance.
    /// A slot (`__slots__`, or a member of a C type) that holds an object.
    ObjectSlot,
    /// A slot that holds a C value.
    OtherSlot,
    Property,
    /// `object.__class__`.
    DunderClass,
    /// Any other data descriptor.
    Overriding,

    // Non-data descriptors: attributes of the instance take precedence over them.
    /// Calls bind it to the receiver (`Py_TPFLAGS_METHOD_DESCRIPTOR`).
    Method,
    BuiltinClassMethod,
    ClassMethod,
    /// Any other non-data descriptor.
    NonOverriding,

    // The type does not look up attributes as `object` does.
    /// `__getattribute__` is a Python function, and there is no `__getattr__`.
    PythonGetattribute,
    /// A property, and `__getattr__` is called if it raises AttributeError.
    PropertyWithGetattr,
}

/// The attribute that a type has under a name.
pub(super) struct Attribute {
    pub(crate) kind: Kind,
    /// The attribute; for [`Kind::PythonGetattribute`], the `__getattribute__`.
    pub(crate) descriptor: Option<Owned>,
    /// The version of the type for which this is true.
    pub(crate) version: TypeVersion,
}

impl Attribute {
    /// The attribute, borrowed; null if there is none.
    pub(super) fn descriptor(&self) -> *mut PyObject {
        self.descriptor.as_ref().map_or(core::ptr::null_mut(), Owned::as_ptr)
    }
}

/// Whether attributes of the type can be looked up (`_PyType_IsReady`).
///
/// # Safety
/// The type is live.
pub(super) unsafe fn is_ready(type_: *mut PyTypeObject) -> bool {
    // SAFETY: the type is live (caller).
    unsafe { !ffi::_PyType_GetDict(type_).is_null() }
}

/// The attribute of the type, and the type's version.
///
/// # Safety
/// As the module says; the type is ready.
pub(super) unsafe fn lookup(
    type_: *mut PyTypeObject,
    name: *mut PyObject,
) -> (Option<Owned>, Option<TypeVersion>) {
    let mut version = 0;
    // SAFETY: the type is live and ready, and the thread attached (caller).
    let found = unsafe { Owned::optional(ffi::_PyType_LookupRefAndVersion(type_, name, &raw mut version)) };
    (found, TypeVersion::new(version))
}

/// What a load of the attribute from an instance of the type finds on the type. Fails if no form can load it.
///
/// # Safety
/// As the module says; the type is ready.
pub(super) unsafe fn for_load(type_: *mut PyTypeObject, name: *mut PyObject) -> Result<Attribute, Refusal> {
    // SAFETY: the type is live and ready, and the thread attached (caller).
    unsafe {
        let way = (*type_).tp_getattro;
        let is = |known: *const ()| way.is_some_and(|way| way as *const () == known);
        if is(ffi::PyObject_GenericGetAttr as *const ()) {
            let (descriptor, version) = lookup(type_, name);
            return classified(name, descriptor, version, false);
        }
        // Types with `__getattribute__` or `__getattr__` have `_Py_slot_tp_getattr_hook`, and after a lookup that
        // has found no `__getattr__`, `_Py_slot_tp_getattro`.
        if !is(Hidden::SlotGetattro.address()) && !is(Hidden::SlotGetattrHook.address()) {
            return Err(Refusal::Overridden);
        }
        let (getattribute, version) = lookup(type_, id!(_py___getattribute__));
        let has_getattr = !ffi::_PyType_Lookup(type_, id!(_py___getattr__)).is_null();
        let ordinary = (*ThreadState::current().interp()).callable_cache.object__getattribute__;
        if let Some(function) = getattribute.filter(|found| found.as_ptr() != ordinary) {
            if has_getattr || Function::cast(function.as_ptr()).is_none() {
                return Err(Refusal::Overridden);
            }
            let version = version.ok_or(Refusal::OutOfVersions)?;
            return Ok(Attribute { kind: Kind::PythonGetattribute, descriptor: Some(function), version });
        }
        let (descriptor, _) = lookup(type_, name);
        classified(name, descriptor, version, has_getattr)
    }
}

/// What a store to the attribute of an instance of the type finds on the type. Fails if no form can store it.
///
/// # Safety
/// As the module says; the type is ready.
pub(super) unsafe fn for_store(type_: *mut PyTypeObject, name: *mut PyObject) -> Result<Attribute, Refusal> {
    // SAFETY: the type is live and ready, and the thread attached (caller).
    unsafe {
        let generic = (*type_).tp_setattro.is_some_and(|way| {
            fn_addr_eq(way, ffi::PyObject_GenericSetAttr as unsafe extern "C" fn(_, _, _) -> _)
        });
        if !generic {
            return Err(Refusal::Overridden);
        }
        let (descriptor, version) = lookup(type_, name);
        classified(name, descriptor, version, false)
    }
}

/// The attribute `descriptor` with its kind. `has_getattr`: the type has a `__getattr__`. Fails if the type has no
/// version.
///
/// # Safety
/// As the module says.
unsafe fn classified(
    name: *mut PyObject,
    descriptor: Option<Owned>,
    version: Option<TypeVersion>,
    has_getattr: bool,
) -> Result<Attribute, Refusal> {
    let version = version.ok_or(Refusal::OutOfVersions)?;
    // SAFETY: the thread is attached, and `name` is an interned string (caller), so identity is equality.
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
        Ok(Attribute { kind, descriptor, version })
    }
}

/// The kind of an attribute. With `has_getattr`, the type calls `__getattr__` if the attribute raises
/// AttributeError.
///
/// # Safety
/// `descriptor` is live.
pub(super) unsafe fn kind(descriptor: *mut PyObject, has_getattr: bool) -> Kind {
    // SAFETY: the attribute is live, so its class is, too (caller).
    unsafe {
        let class = type_of(descriptor);
        let flags = type_flags(class);
        if flags & ffi::Py_TPFLAGS_IMMUTABLETYPE == 0 {
            Kind::Mutable
        } else if (*class).tp_descr_set.is_some() {
            if class == &raw mut ffi::PyMemberDescr_Type {
                match (*member(descriptor)).type_ as u32 {
                    ffi::Py_T_OBJECT_EX | ffi::_Py_T_OBJECT => Kind::ObjectSlot,
                    _ => Kind::OtherSlot,
                }
            } else if class == &raw mut ffi::PyProperty_Type {
                // Only calling the property tells whether it raises AttributeError.
                if has_getattr { Kind::PropertyWithGetattr } else { Kind::Property }
            } else {
                Kind::Overriding
            }
        } else if (*class).tp_descr_get.is_some() {
            if flags & ffi::Py_TPFLAGS_METHOD_DESCRIPTOR != 0 {
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

/// The definition of a slot.
///
/// # Safety
/// `descriptor` is a live member descriptor.
unsafe fn member(descriptor: *mut PyObject) -> *mut ffi::PyMemberDef {
    // SAFETY: the descriptor is a live member descriptor (caller).
    unsafe { (*descriptor.cast::<ffi::PyMemberDescrObject>()).d_member }
}

/// The offset of the slot in instances of `type_`. Fails if instances do not have the slot, or if it has one
/// of the flags `forbidden`.
///
/// # Safety
/// Both are live, and the descriptor is a [`Kind::ObjectSlot`].
pub(super) unsafe fn slot(
    descriptor: *mut PyObject,
    type_: *mut PyTypeObject,
    forbidden: u32,
) -> Result<u16, Refusal> {
    // SAFETY: both are live, and an object slot is a member descriptor (caller).
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

/// Checks that a cache may hold the object as a borrowed reference. On a free-threaded host, a valid type
/// version does not keep the object alive until the reader has taken a reference. A deferred reference count
/// does: such objects are freed only while the world is stopped.
///
/// # Safety
/// The object is live.
pub(super) unsafe fn cacheable(object: *mut PyObject) -> Result<(), Refusal> {
    // SAFETY: the object is live (caller).
    if cfg!(py_gil_disabled) && !unsafe { refcount::is_deferred(object) } {
        return Err(Refusal::NotDeferred);
    }
    Ok(())
}
