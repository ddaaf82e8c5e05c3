//! LOAD_ATTR: forms for attributes of modules, classes and instances. It looks at types with
//! [`super::descriptor`], and at instances with [`super::instance`].

use super::descriptor::{self, Attribute, Kind, cacheable};
use super::form::{Condition, narrow};
use super::instance::{self, Access};
use super::python_function::{default_evaluator, takes, version as function_version};
use super::{Cache, Decision, Form, Refusal, conclude};
use crate::bytecode::opcode::*;
use crate::host::dict::{Dict, MANAGED_DICT_OFFSET, lazy_dict_slot};
use crate::host::function::Function;
use crate::host::hidden::Hidden;
use crate::host::object::{has_feature, type_flags, type_of};
use crate::host::{CodeUnit, KeysVersion, PyObject, PyTypeObject, StackRef, ThreadState, ffi, lock};

/// The operands of the instruction itself.
#[derive(Debug, Clone, Copy)]
struct Load {
    name: *mut PyObject,
    /// The attribute is loaded for a call: a method is pushed with its receiver.
    for_call: bool,
}

impl Load {
    /// # Safety
    /// As the module says.
    unsafe fn decide(self, owner: *mut PyObject) -> Decision {
        // SAFETY: the objects are live and the thread attached (caller).
        unsafe {
            let type_ = type_of(owner);
            if !descriptor::is_ready(type_) {
                Err(Refusal::TypeNotReady)
            } else if looks_up_like_modules(type_) {
                self.module(owner)
            } else if has_feature(owner, ffi::Py_TPFLAGS_TYPE_SUBCLASS) {
                self.class(owner.cast())
            } else {
                self.instance(owner, type_)
            }
        }
    }

    // --- modules -------------------------------------------------------------------------------

    /// The form for a module.
    ///
    /// # Safety
    /// As the module says; `module` has the layout of a module.
    unsafe fn module(self, module: *mut PyObject) -> Decision {
        // SAFETY: `module` is live, with the layout of a module (caller).
        unsafe {
            let dict = (*module.cast::<ffi::PyModuleObject>()).md_dict;
            let dict = Dict::new(dict.cast()).ok_or(Refusal::NoPlainNamespace)?;
            lock::with_lock(dict.object(), || self.module_dict(dict))
        }
    }

    /// The form for a module with the namespace `dict`.
    ///
    /// # Safety
    /// As the module says; `dict` is live and locked, and is exactly a `dict`.
    unsafe fn module_dict(self, dict: Dict) -> Decision {
        // SAFETY: the dictionary is live, locked and exactly a `dict` (caller).
        unsafe {
            if dict.keys().kind() != ffi::DICT_KEYS_UNICODE {
                return Err(Refusal::KindOfKeys);
            }
            if dict.index_of(id!(_py___getattr__)).is_some() {
                return Err(Refusal::Overridden);
            }
            let index = narrow(dict.index_of(self.name).ok_or(Refusal::NotInTable)?)?;
            let interp = ThreadState::current().interp();
            let version = dict.current_keys_version(interp).ok_or(Refusal::OutOfVersions)?;
            Ok(Form { opcode: LOAD_ATTR_MODULE, cache: Cache::ModuleAttribute { version, index } })
        }
    }

    // --- classes -------------------------------------------------------------------------------

    /// The form for a class.
    ///
    /// # Safety
    /// As the module says; the class is ready.
    unsafe fn class(self, class: *mut PyTypeObject) -> Decision {
        // SAFETY: the class is live and ready, and the thread attached (caller).
        unsafe {
            let metaclass = type_of(class.cast());
            let ordinary = (*metaclass)
                .tp_getattro
                .is_some_and(|way| way as *const () == Hidden::TypeGetattro.address());
            if !ordinary {
                return Err(Refusal::Overridden);
            }
            let (found, metaclass_version) = descriptor::lookup(metaclass, self.name);
            let on_metaclass = found.map_or(Kind::Absent, |found| descriptor::kind(found.as_ptr(), false));
            if !comes_after_the_instance(on_metaclass) {
                return Err(Refusal::KindOfAttribute);
            }
            let attribute = descriptor::for_load(class, self.name)?;
            if !matches!(attribute.kind, Kind::Method | Kind::NonDescriptor) {
                return Err(Refusal::KindOfAttribute);
            }
            cacheable(attribute.descriptor())?;
            let metaclass_may_change = type_flags(metaclass) & ffi::Py_TPFLAGS_IMMUTABLETYPE == 0;
            let (opcode, condition) = if metaclass_may_change {
                let version = metaclass_version.ok_or(Refusal::OutOfVersions)?;
                (LOAD_ATTR_CLASS_WITH_METACLASS_CHECK, Condition::Metaclass(version))
            } else {
                (LOAD_ATTR_CLASS, Condition::None)
            };
            Ok(descriptor_form(opcode, &attribute, condition, attribute.descriptor()))
        }
    }

    // --- instances -----------------------------------------------------------------------------

    /// The form for an instance. It is for `type_`, even if another thread changes the type of `owner`
    /// meanwhile.
    ///
    /// # Safety
    /// As the module says; `type_` is ready, and is the type of `owner`, or was a moment ago.
    unsafe fn instance(self, owner: *mut PyObject, type_: *mut PyTypeObject) -> Decision {
        // SAFETY: the owner is live, its type is ready, and the thread is attached (caller).
        unsafe {
            let in_instance = instance::likelihood(owner, type_, self.name);
            let attribute = descriptor::for_load(type_, self.name)?;
            let version = attribute.version;
            match attribute.kind {
                kind if in_instance.likely && comes_after_the_instance(kind) => {
                    instance::decide(owner, type_, self.name, version, Access::Load)
                }
                Kind::Absent => Err(Refusal::NothingToGoBy),
                Kind::Method if self.for_call => {
                    from_type(owner, type_, &attribute, in_instance.keys_version, METHOD)
                }
                Kind::NonDescriptor if !self.for_call => {
                    from_type(owner, type_, &attribute, in_instance.keys_version, NON_DESCRIPTOR)
                }
                Kind::Property if !self.for_call => property(&attribute),
                Kind::PythonGetattribute if !self.for_call => python_getattribute(&attribute),
                Kind::ObjectSlot => {
                    let index = descriptor::slot(attribute.descriptor(), type_, ffi::Py_AUDIT_READ)?;
                    Ok(Form { opcode: LOAD_ATTR_SLOT, cache: Cache::Attribute { version, index } })
                }
                Kind::DunderClass => {
                    let index = narrow(core::mem::offset_of!(PyObject, ob_type))?;
                    Ok(Form { opcode: LOAD_ATTR_SLOT, cache: Cache::Attribute { version, index } })
                }
                Kind::PropertyWithGetattr => Err(Refusal::Overridden),
                Kind::Mutable
                | Kind::NonDescriptor
                | Kind::OtherSlot
                | Kind::Property
                | Kind::Overriding
                | Kind::Method
                | Kind::BuiltinClassMethod
                | Kind::ClassMethod
                | Kind::NonOverriding
                | Kind::PythonGetattribute => Err(Refusal::KindOfAttribute),
            }
        }
    }
}

/// Whether the type looks up attributes as `module` does. Only modules and their subclasses do.
///
/// # Safety
/// `type_` is live.
unsafe fn looks_up_like_modules(type_: *mut PyTypeObject) -> bool {
    // SAFETY: the type is live (caller), and `module` is a static of the host.
    unsafe {
        (*type_).tp_getattro.map(|way| way as usize) == ffi::PyModule_Type.tp_getattro.map(|way| way as usize)
    }
}

/// Whether attributes of the instance take precedence over an attribute of this kind of its type.
fn comes_after_the_instance(kind: Kind) -> bool {
    match kind {
        Kind::Absent
        | Kind::NonDescriptor
        | Kind::Method
        | Kind::BuiltinClassMethod
        | Kind::ClassMethod
        | Kind::NonOverriding => true,
        Kind::Mutable
        | Kind::ObjectSlot
        | Kind::OtherSlot
        | Kind::Property
        | Kind::PropertyWithGetattr
        | Kind::DunderClass
        | Kind::Overriding
        | Kind::PythonGetattribute => false,
    }
}

/// The forms for an attribute of the type, by where instances keep their own attributes.
#[derive(Debug, Clone, Copy)]
struct FromType {
    /// In inline values, perhaps with a dictionary.
    with_values: u8,
    /// Nowhere: they have no dictionary.
    no_dict: u8,
    /// In a dictionary that is created when needed.
    lazy_dict: Option<u8>,
}

const METHOD: FromType = FromType {
    with_values: LOAD_ATTR_METHOD_WITH_VALUES,
    no_dict: LOAD_ATTR_METHOD_NO_DICT,
    lazy_dict: Some(LOAD_ATTR_METHOD_LAZY_DICT),
};
const NON_DESCRIPTOR: FromType = FromType {
    with_values: LOAD_ATTR_NONDESCRIPTOR_WITH_VALUES,
    no_dict: LOAD_ATTR_NONDESCRIPTOR_NO_DICT,
    lazy_dict: None,
};

/// The form for an attribute of the type that instances do not hide. `keys_version` is the version of the
/// keys that they share.
///
/// # Safety
/// As the module says; `type_` is the type of `owner`, or was a moment ago, and has the attribute.
unsafe fn from_type(
    owner: *mut PyObject,
    type_: *mut PyTypeObject,
    attribute: &Attribute,
    keys_version: Option<KeysVersion>,
    forms: FromType,
) -> Decision {
    // SAFETY: the owner is live and the thread attached (caller).
    unsafe {
        let descriptor = attribute.descriptor();
        cacheable(descriptor)?;
        let flags = type_flags(type_);
        let (opcode, condition) = if flags & ffi::Py_TPFLAGS_INLINE_VALUES != 0 {
            (forms.with_values, Condition::Keys(keys_version.ok_or(Refusal::OutOfVersions)?))
        } else {
            let managed = flags & ffi::Py_TPFLAGS_MANAGED_DICT != 0;
            let offset = if managed { MANAGED_DICT_OFFSET } else { (*type_).tp_dictoffset };
            match (dict_place(offset)?, forms.lazy_dict) {
                (None, _) => (forms.no_dict, Condition::None),
                (Some(place), Some(form)) if lazy_dict_slot(owner, place).is_empty() => {
                    (form, Condition::NoDictAt(place))
                }
                _ => return Err(Refusal::NoPlainNamespace),
            }
        };
        Ok(descriptor_form(opcode, attribute, condition, descriptor))
    }
}

/// Where instances have their dictionary, as the distance from the place of a managed dictionary, which is
/// never negative. `None` if they cannot have one.
fn dict_place(offset: isize) -> Result<Option<u16>, Refusal> {
    const FURTHEST: isize = i16::MAX as isize + MANAGED_DICT_OFFSET;
    match offset {
        0 => Ok(None),
        MANAGED_DICT_OFFSET => Ok(Some(0)),
        1..=FURTHEST => Ok(Some((offset - MANAGED_DICT_OFFSET) as u16)),
        _ => Err(Refusal::OutOfRange),
    }
}

/// The form for a property whose getter is a Python function.
///
/// # Safety
/// As the module says; the attribute is a [`Kind::Property`].
unsafe fn property(attribute: &Attribute) -> Decision {
    // SAFETY: the descriptor is a property, and the thread is attached (caller).
    unsafe {
        let getter = (*attribute.descriptor().cast::<ffi::_PyPropertyObject>()).prop_get;
        if getter.is_null() {
            return Err(Refusal::AboutToFail);
        }
        takes(Function::cast(getter).ok_or(Refusal::KindOfAttribute)?, 1)?;
        default_evaluator()?;
        cacheable(getter)?;
        Ok(descriptor_form(LOAD_ATTR_PROPERTY, attribute, Condition::None, getter))
    }
}

/// The form for a `__getattribute__` in Python.
///
/// # Safety
/// As the module says; the attribute is a [`Kind::PythonGetattribute`].
unsafe fn python_getattribute(attribute: &Attribute) -> Decision {
    // SAFETY: the descriptor is a Python function, and the thread is attached (caller).
    unsafe {
        let function = Function::from_object(attribute.descriptor());
        takes(function, 2)?;
        let version = function_version(function)?;
        default_evaluator()?;
        cacheable(function.object())?;
        let condition = Condition::Function(version);
        Ok(descriptor_form(LOAD_ATTR_GETATTRIBUTE_OVERRIDDEN, attribute, condition, function.object()))
    }
}

/// A form with a borrowed reference in its cache. The type keeps it alive for as long as the type keeps its
/// version.
fn descriptor_form(
    opcode: u8,
    attribute: &Attribute,
    condition: Condition,
    descriptor: *mut PyObject,
) -> Form {
    Form { opcode, cache: Cache::Descriptor { type_version: attribute.version, condition, descriptor } }
}

/// # Safety
/// As the module says.
pub(super) unsafe fn decide(owner: *mut PyObject, name: *mut PyObject, for_call: bool) -> Decision {
    // SAFETY: the objects are live and the thread attached (caller).
    unsafe { Load { name, for_call }.decide(owner) }
}

/// Specializes a LOAD_ATTR.
///
/// # Safety
/// As the module says.
pub(crate) unsafe fn specialize(owner: StackRef, instr: CodeUnit, name: *mut PyObject) {
    // SAFETY: the owner and the name are live, and `instr` is a LOAD_ATTR (caller).
    unsafe { conclude(instr, decide(owner.object(), name, instr.decode().1 & 1 != 0)) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_place_of_a_dictionary_fits_the_cache() {
        assert_eq!(dict_place(0), Ok(None));
        assert_eq!(dict_place(MANAGED_DICT_OFFSET), Ok(Some(0)));
        assert_eq!(dict_place(16), Ok(Some(16 + MANAGED_DICT_OFFSET.unsigned_abs() as u16)));
        let furthest = i16::MAX as isize + MANAGED_DICT_OFFSET;
        assert_eq!(dict_place(furthest), Ok(Some(i16::MAX as u16)));
        assert_eq!(dict_place(furthest + 1), Err(Refusal::OutOfRange));
        assert_eq!(dict_place(-8 + MANAGED_DICT_OFFSET), Err(Refusal::OutOfRange));
    }
}
