//! Places of attributes, for [`super::side_cache`]: what the specialized forms keep in inline caches.

use core::ptr::{fn_addr_eq, null_mut};

use super::Form;
use super::descriptor::{self, Kind};
use super::form::{Cache, Condition};
use crate::bytecode::opcode::*;
use crate::host::dict::{Dict, DictKeys, InlineValues, Slot, lazy_dict_slot};
use crate::host::dict_lookup::Lookup;
use crate::host::object::{tuple_slice, type_has_version, type_of};
use crate::host::{KeysVersion, PyObject, PyTypeObject, StackRef, TypeVersion, ffi};

/// Where the objects of a type have an attribute. Each kind stands for the specialized forms with the same guards.
/// Objects of the type are borrowed: it keeps them alive for as long as it has its version.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(super) enum Place {
    /// None of the others, or not known. All bytes of such a place may be zero.
    Unknown = 0,
    /// In inline values, at this offset in the object.
    InlineValue { offset: u16 },
    /// In a slot (`__slots__`), at this offset in the object.
    Slot { offset: u16 },
    /// In the object's dictionary, probably at this index.
    InDict { hint: u16 },
    /// The object is a class, and this is its attribute, if its metaclass still has the version.
    OfClass { metaclass: Option<TypeVersion>, attr: *mut PyObject },
    /// An attribute of the type, whose instances have no dictionary.
    OfType { attr: *mut PyObject },
    /// An attribute of the type. No instance hides it while the keys that they share have the version.
    OfTypeWithKeys { keys: KeysVersion, attr: *mut PyObject },
    /// An attribute of the type, for instances without a dictionary at this offset so far.
    OfTypeWithoutDict { offset: u16, attr: *mut PyObject },
    /// A method that `super` finds behind the class with this version, in the method resolution order of the type. Null
    /// if it finds none, or something else.
    BehindClass { class: TypeVersion, method: *mut PyObject },
}

// An entry of the side cache has half a cache line.
static_assertions::assert_eq_size!(Place, [u64; 2]);

impl Place {
    /// The place that a form stands for, if objects whose type has the version `version` have it there. For a class,
    /// that is its own version.
    pub(super) fn of_form(form: Form, version: TypeVersion) -> Place {
        match (form.opcode, form.cache) {
            (opcode, Cache::Attribute { version: of_form, index }) if of_form == version => match opcode {
                LOAD_ATTR_INSTANCE_VALUE | STORE_ATTR_INSTANCE_VALUE => Place::InlineValue { offset: index },
                LOAD_ATTR_SLOT | STORE_ATTR_SLOT => Place::Slot { offset: index },
                LOAD_ATTR_WITH_HINT | STORE_ATTR_WITH_HINT => Place::InDict { hint: index },
                _ => Place::Unknown,
            },
            (opcode, Cache::Descriptor { type_version, condition, descriptor: attr })
                if type_version == version =>
            {
                match (opcode, condition) {
                    (LOAD_ATTR_CLASS, _) => Place::OfClass { attr, metaclass: None },
                    (LOAD_ATTR_CLASS_WITH_METACLASS_CHECK, Condition::Metaclass(version)) => {
                        Place::OfClass { attr, metaclass: Some(version) }
                    }
                    (LOAD_ATTR_METHOD_NO_DICT | LOAD_ATTR_NONDESCRIPTOR_NO_DICT, _) => Place::OfType { attr },
                    (
                        LOAD_ATTR_METHOD_WITH_VALUES | LOAD_ATTR_NONDESCRIPTOR_WITH_VALUES,
                        Condition::Keys(keys),
                    ) => Place::OfTypeWithKeys { attr, keys },
                    (LOAD_ATTR_METHOD_LAZY_DICT, Condition::NoDictAt(offset)) => {
                        Place::OfTypeWithoutDict { attr, offset }
                    }
                    _ => Place::Unknown,
                }
            }
            _ => Place::Unknown,
        }
    }

    /// The class behind which `super` looks, if that is what the place is for.
    #[inline(always)]
    pub(super) fn behind(self) -> Option<TypeVersion> {
        match self {
            Place::BehindClass { class, .. } => Some(class),
            _ => None,
        }
    }

    /// Whether the attribute is one of the owner's type. For a call, that is a method.
    #[inline(always)]
    pub(super) fn is_in_type(self) -> bool {
        matches!(self, Place::OfType { .. } | Place::OfTypeWithKeys { .. } | Place::OfTypeWithoutDict { .. })
    }

    /// The attribute `name` of `owner` as a new reference, if it is in this place.
    ///
    /// # Safety
    /// The thread is attached. The objects are live. The place was found for this name and an owner whose type (or
    /// which, being a class) had the version that this one has.
    #[inline(always)]
    pub(super) unsafe fn load(self, owner: *mut PyObject, name: *mut PyObject) -> Option<StackRef> {
        // SAFETY: the version says that instances have inline values, a slot or a managed dictionary where the form was
        // for these, and keeps the attribute of a type alive (caller).
        unsafe {
            match self {
                Place::Unknown | Place::BehindClass { .. } => None,
                Place::InlineValue { offset } => {
                    InlineValues::of(owner).are_valid().then_some(())?;
                    Slot::of_object(owner, offset).load(|| {})
                }
                Place::Slot { offset } => Slot::of_object(owner, offset).load(|| {}),
                Place::InDict { hint } => hinted(Dict::managed(owner)?, hint, name)?.load(|| {}),
                Place::OfClass { attr, metaclass } => {
                    let metaclass = metaclass.is_none_or(|version| type_has_version(type_of(owner), version));
                    metaclass.then(|| StackRef::new(attr))
                }
                Place::OfType { attr } => Some(StackRef::new(attr)),
                Place::OfTypeWithKeys { attr, keys } => {
                    let hidden = !InlineValues::of(owner).are_valid()
                        || !DictKeys::shared_by(type_of(owner)).has_version(keys);
                    (!hidden).then(|| StackRef::new(attr))
                }
                Place::OfTypeWithoutDict { attr, offset } => {
                    lazy_dict_slot(owner, offset).is_empty().then(|| StackRef::new(attr))
                }
            }
        }
    }

    /// Stores the attribute `name` of `owner`, if it is in this place. Returns the old value, which the caller owns
    /// then; null if there was none. If this fails, nothing has changed.
    ///
    /// # Safety
    /// As for [`Place::load`], with a place for stores; the frame is published. If this succeeds, it has taken over
    /// `value`.
    #[inline(always)]
    pub(super) unsafe fn store(
        self,
        owner: *mut PyObject,
        name: *mut PyObject,
        value: StackRef,
    ) -> Option<*mut PyObject> {
        // SAFETY: as in `load`.
        unsafe {
            match self {
                Place::InlineValue { offset } => {
                    let values = InlineValues::of(owner);
                    (Dict::managed(owner).is_none() && values.are_valid()).then_some(())?;
                    let slot = Slot::of_object(owner, offset);
                    let old = slot.replace(value.into_object());
                    if old.is_null() {
                        values.append_to_order(slot);
                    }
                    Some(old)
                }
                Place::Slot { offset } => Some(Slot::of_object(owner, offset).replace(value.into_object())),
                Place::InDict { hint } => {
                    let dict = Dict::managed(owner)?;
                    let slot = hinted(dict, hint, name).filter(|slot| !slot.is_empty())?;
                    if dict.watchers() != 0 {
                        dict.notify_modified(name, value.object());
                    }
                    Some(slot.replace(value.into_object()))
                }
                _ => None,
            }
        }
    }
}

/// The method that `super(class, instance).name` finds for an instance of `type_`, borrowed from the class that has it. Null
/// if it finds none, or something else, or if that calls a `__getattribute__`. Runs no other code.
///
/// # Safety
/// The thread is attached. The types and the name, an interned string, are live.
pub(super) unsafe fn method_behind(
    class: *mut PyTypeObject,
    type_: *mut PyTypeObject,
    name: *mut PyObject,
) -> *mut PyObject {
    // SAFETY: the types are live (caller), and keep the order and the dictionaries of their bases alive.
    unsafe {
        let is_generic = (*type_).tp_getattro.is_some_and(|way| {
            fn_addr_eq(way, ffi::PyObject_GenericGetAttr as unsafe extern "C" fn(_, _) -> _)
        });
        if !is_generic || (*type_).tp_mro.is_null() {
            return null_mut();
        }
        let order = tuple_slice((*type_).tp_mro).iter();
        for &base in order.skip_while(|&&base| base != class.cast()).skip(1) {
            let Some(dict) = Dict::cast(ffi::_PyType_GetDict(base.cast())) else { break };
            match dict.find(name) {
                Lookup::Absent => {}
                Lookup::Found(value) if descriptor::kind(value.borrow(), false) == Kind::Method => {
                    return value.borrow();
                }
                Lookup::Found(_) | Lookup::Unknown => break,
            }
        }
        null_mut()
    }
}

/// The slot of the value of `name`, if that is at index `hint`.
///
/// # Safety
/// The dictionary is live.
#[inline(always)]
unsafe fn hinted(dict: Dict, hint: u16, name: *mut PyObject) -> Option<Slot> {
    // SAFETY: the dictionary is live, and the GIL protects it (caller).
    unsafe {
        let entry = dict.hinted_entry(hint)?;
        (entry.key() == name).then(|| entry.value())
    }
}

#[cfg(test)]
mod tests {
    use core::ptr::without_provenance_mut;

    use super::*;

    const VERSION: TypeVersion = TypeVersion::new(7).unwrap();
    const OTHER: TypeVersion = TypeVersion::new(8).unwrap();

    fn attribute(opcode: u8, version: TypeVersion) -> Form {
        Form { opcode, cache: Cache::Attribute { version, index: 3 } }
    }

    #[test]
    fn each_form_has_its_place() {
        let forms = [
            (LOAD_ATTR_INSTANCE_VALUE, Place::InlineValue { offset: 3 }),
            (STORE_ATTR_INSTANCE_VALUE, Place::InlineValue { offset: 3 }),
            (LOAD_ATTR_SLOT, Place::Slot { offset: 3 }),
            (STORE_ATTR_SLOT, Place::Slot { offset: 3 }),
            (LOAD_ATTR_WITH_HINT, Place::InDict { hint: 3 }),
            (STORE_ATTR_WITH_HINT, Place::InDict { hint: 3 }),
        ];
        for (opcode, place) in forms {
            assert_eq!(Place::of_form(attribute(opcode, VERSION), VERSION), place);
        }
        let attr = without_provenance_mut(64);
        let keys = KeysVersion::new(9).unwrap();
        let forms = [
            (LOAD_ATTR_CLASS, Condition::None, Place::OfClass { metaclass: None, attr }),
            (
                LOAD_ATTR_CLASS_WITH_METACLASS_CHECK,
                Condition::Metaclass(OTHER),
                Place::OfClass { metaclass: Some(OTHER), attr },
            ),
            (LOAD_ATTR_METHOD_NO_DICT, Condition::None, Place::OfType { attr }),
            (LOAD_ATTR_NONDESCRIPTOR_NO_DICT, Condition::None, Place::OfType { attr }),
            (LOAD_ATTR_METHOD_WITH_VALUES, Condition::Keys(keys), Place::OfTypeWithKeys { keys, attr }),
            (
                LOAD_ATTR_NONDESCRIPTOR_WITH_VALUES,
                Condition::Keys(keys),
                Place::OfTypeWithKeys { keys, attr },
            ),
            (
                LOAD_ATTR_METHOD_LAZY_DICT,
                Condition::NoDictAt(5),
                Place::OfTypeWithoutDict { offset: 5, attr },
            ),
            // These enter a frame, which the caller does not expect.
            (LOAD_ATTR_PROPERTY, Condition::None, Place::Unknown),
        ];
        for (opcode, condition, place) in forms {
            let cache = Cache::Descriptor { type_version: VERSION, condition, descriptor: attr };
            assert_eq!(Place::of_form(Form { opcode, cache }, VERSION), place);
            assert_eq!(Place::of_form(Form { opcode, cache }, OTHER), Place::Unknown);
        }
    }

    #[test]
    fn a_form_for_another_version_has_none() {
        assert_eq!(Place::of_form(attribute(LOAD_ATTR_SLOT, VERSION), OTHER), Place::Unknown);
        let module = Cache::ModuleAttribute { version: KeysVersion::new(7).unwrap(), index: 3 };
        assert_eq!(Place::of_form(Form { opcode: LOAD_ATTR_MODULE, cache: module }, VERSION), Place::Unknown);
    }
}
