//! STORE_ATTR: forms for slots, and for values in an instance or its dictionary. It looks at types with
//! [`super::descriptor`], and at instances with [`super::instance`].

use super::descriptor::{self, Kind};
use super::instance::{self, Access};
use super::{Cache, Decision, Form, Refusal, conclude};
use crate::bytecode::opcode::*;
use crate::host::object::type_of;
use crate::host::{CodeUnit, PyObject, StackRef, ffi};

/// # Safety
/// As the module says.
pub(super) unsafe fn decide(owner: *mut PyObject, name: *mut PyObject) -> Decision {
    // SAFETY: the objects are live and the thread attached (caller).
    unsafe {
        // The form is for this type, even if another thread changes the type of the owner meanwhile.
        let type_ = type_of(owner);
        if !descriptor::is_ready(type_) {
            return Err(Refusal::TypeNotReady);
        }
        if type_ == &raw mut ffi::PyModule_Type {
            return Err(Refusal::Overridden);
        }
        let attribute = descriptor::for_store(type_, name)?;
        let version = attribute.version;
        match attribute.kind {
            Kind::Absent => instance::decide(owner, type_, name, version, Access::Store),
            Kind::ObjectSlot => {
                let index = descriptor::slot(attribute.descriptor(), type_, ffi::Py_READONLY)?;
                Ok(Form { opcode: STORE_ATTR_SLOT, cache: Cache::Attribute { version, index } })
            }
            Kind::Mutable
            | Kind::NonDescriptor
            | Kind::OtherSlot
            | Kind::Property
            | Kind::PropertyWithGetattr
            | Kind::DunderClass
            | Kind::Overriding
            | Kind::Method
            | Kind::BuiltinClassMethod
            | Kind::ClassMethod
            | Kind::NonOverriding
            | Kind::PythonGetattribute => Err(Refusal::KindOfAttribute),
        }
    }
}

/// Specializes a STORE_ATTR.
///
/// # Safety
/// As the module says.
pub(crate) unsafe fn specialize(owner: StackRef, instr: CodeUnit, name: *mut PyObject) {
    // SAFETY: the owner and the name are live, and `instr` is a STORE_ATTR (caller).
    unsafe { conclude(instr, decide(owner.object(), name)) }
}
