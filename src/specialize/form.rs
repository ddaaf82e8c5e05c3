//! Forms: the opcode that an instruction takes, and the contents of its inline cache.

use core::mem::offset_of;

use super::refusal::Refusal;
use crate::host::code::CacheValue;
use crate::host::{CodeUnit, FunctionVersion, KeysVersion, PyObject, ShortKeysVersion, TypeVersion, ffi};

/// A specialized form of an instruction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Form {
    pub(crate) opcode: u8,
    pub(crate) cache: Cache,
}

impl Form {
    /// A form without data in its cache.
    pub(crate) const fn plain(opcode: u8) -> Form {
        Form { opcode, cache: Cache::Unused }
    }
}

/// The contents of an inline cache, the counter excepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Cache {
    Unused,
    /// An offset in an instance, or an index in the keys of its dictionary (`_PyAttrCache`).
    Attribute {
        version: TypeVersion,
        index: u16,
    },
    /// An index in the keys of a module's dictionary (`_PyAttrCache`).
    ModuleAttribute {
        version: KeysVersion,
        index: u16,
    },
    /// An attribute of a type (`_PyLoadMethodCache`). The descriptor is borrowed: the type keeps it alive for
    /// as long as the type keeps its version.
    Descriptor {
        type_version: TypeVersion,
        condition: Condition,
        descriptor: *mut PyObject,
    },
    /// A global variable (`_PyLoadGlobalCache`).
    Global {
        keys_version: ShortKeysVersion,
        builtins_version: Option<ShortKeysVersion>,
        index: u16,
    },
    /// The function that is called (`_PyCallCache`).
    Function(FunctionVersion),
    /// The class that is called (`_PyCallCache`), or the type of the value (`_PyToBoolCache`).
    Type(TypeVersion),
    /// The description of a binary operation (`_PyBinaryOpCache`).
    Extension(*const ffi::_PyBinaryOpSpecializationDescr),
}

/// A further condition for instances to have the attribute of their type.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Condition {
    None,
    /// This version of the metaclass.
    Metaclass(TypeVersion),
    /// This version of the keys that instances share.
    Keys(KeysVersion),
    /// This version of the function that is called.
    Function(FunctionVersion),
    /// No dictionary at this offset, counted from the place of a managed dictionary.
    NoDictAt(u16),
}

static_assertions::const_assert!(
    offset_of!(ffi::_PyCallCache, func_version) == offset_of!(ffi::_PyToBoolCache, version)
);

impl Cache {
    /// Writes the cache of the instruction. The counter stays as it is.
    ///
    /// # Safety
    /// `instr` is an instruction in the thread's own bytecode, and its cache has the fields of this variant.
    #[inline]
    pub(super) unsafe fn write(self, instr: CodeUnit) {
        // SAFETY: the cache has these fields (caller).
        unsafe {
            match self {
                Cache::Unused => {}
                Cache::Attribute { version, index } => {
                    put(instr, offset_of!(ffi::_PyAttrCache, version), version);
                    put(instr, offset_of!(ffi::_PyAttrCache, index), index);
                }
                Cache::ModuleAttribute { version, index } => {
                    put(instr, offset_of!(ffi::_PyAttrCache, version), version);
                    put(instr, offset_of!(ffi::_PyAttrCache, index), index);
                }
                Cache::Descriptor { type_version, condition, descriptor } => {
                    put(instr, offset_of!(ffi::_PyLoadMethodCache, type_version), type_version);
                    let at = offset_of!(ffi::_PyLoadMethodCache, __bindgen_anon_1);
                    match condition {
                        Condition::None => {}
                        Condition::Metaclass(version) => put(instr, at, version),
                        Condition::Keys(version) => put(instr, at, version),
                        Condition::Function(version) => put(instr, at, version),
                        Condition::NoDictAt(offset) => put(instr, at, offset),
                    }
                    put(instr, offset_of!(ffi::_PyLoadMethodCache, descr), descriptor);
                }
                Cache::Global { keys_version, builtins_version, index } => {
                    put(instr, offset_of!(ffi::_PyLoadGlobalCache, module_keys_version), keys_version);
                    if let Some(version) = builtins_version {
                        put(instr, offset_of!(ffi::_PyLoadGlobalCache, builtin_keys_version), version);
                    }
                    put(instr, offset_of!(ffi::_PyLoadGlobalCache, index), index);
                }
                Cache::Function(version) => put(instr, offset_of!(ffi::_PyCallCache, func_version), version),
                Cache::Type(version) => put(instr, offset_of!(ffi::_PyCallCache, func_version), version),
                Cache::Extension(description) => {
                    let object = description.cast_mut().cast::<PyObject>();
                    put(instr, offset_of!(ffi::_PyBinaryOpCache, external_cache), object);
                }
            }
        }
    }
}

/// Writes the field at byte `offset` of the cache.
///
/// # Safety
/// `instr` is an instruction in the thread's own bytecode, and its cache has a field of type `T` at `offset`.
#[inline(always)]
unsafe fn put<T: CacheValue>(instr: CodeUnit, offset: usize, value: T) {
    let units = 1 + offset / size_of::<ffi::_Py_CODEUNIT>();
    // SAFETY: the cache begins one unit after `instr`, and has such a field (caller).
    unsafe { instr.add(units as isize).write(value) }
}

/// Converts an index or offset for a cache. Fails if it does not fit.
#[inline]
pub(super) fn narrow(index: usize) -> Result<u16, Refusal> {
    u16::try_from(index).map_err(|_| Refusal::OutOfRange)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The ten units of an instruction with the largest cache, filled with ones before the write.
    fn written(cache: Cache) -> [u16; 10] {
        let mut units = [0xFFFF; 10];
        // SAFETY: the units have room for the largest cache.
        unsafe { cache.write(CodeUnit::from_ptr(units.as_mut_ptr().cast())) };
        units
    }

    const __: u16 = 0xFFFF;
    const TYPE_VERSION: TypeVersion = TypeVersion::new(0x0002_0001).unwrap();

    #[test]
    fn each_cache_writes_its_own_units() {
        assert_eq!(written(Cache::Unused), [__; 10]);
        let attribute = Cache::Attribute { version: TYPE_VERSION, index: 3 };
        assert_eq!(written(attribute), [__, __, 1, 2, 3, __, __, __, __, __]);
        let keys = KeysVersion::new(0x0002_0001).unwrap();
        let module = Cache::ModuleAttribute { version: keys, index: 3 };
        assert_eq!(written(module), [__, __, 1, 2, 3, __, __, __, __, __]);
        assert_eq!(written(Cache::Type(TYPE_VERSION)), [__, __, 1, 2, __, __, __, __, __, __]);
        let function = FunctionVersion::new(0x0002_0001).unwrap();
        assert_eq!(written(Cache::Function(function)), [__, __, 1, 2, __, __, __, __, __, __]);
        let [one, two] = [1, 2].map(|field| KeysVersion::new(field).and_then(KeysVersion::short).unwrap());
        let global = Cache::Global { keys_version: one, builtins_version: None, index: 3 };
        assert_eq!(written(global), [__, __, 1, __, 3, __, __, __, __, __]);
        let builtin = Cache::Global { keys_version: one, builtins_version: Some(two), index: 3 };
        assert_eq!(written(builtin), [__, __, 1, 2, 3, __, __, __, __, __]);
        let extension = Cache::Extension(core::ptr::without_provenance(0x0004_0003_0002_0001));
        assert_eq!(written(extension), [__, __, 1, 2, 3, 4, __, __, __, __]);
    }

    #[test]
    fn a_descriptor_leaves_alone_what_its_condition_does_not_need() {
        let descriptor = |condition| Cache::Descriptor {
            type_version: TYPE_VERSION,
            condition,
            descriptor: core::ptr::without_provenance_mut(0x0008_0007_0006_0005),
        };
        assert_eq!(written(descriptor(Condition::None)), [__, __, 1, 2, __, __, 5, 6, 7, 8]);
        let conditions = [
            Condition::Metaclass(TypeVersion::new(0x0004_0003).unwrap()),
            Condition::Keys(KeysVersion::new(0x0004_0003).unwrap()),
            Condition::Function(FunctionVersion::new(0x0004_0003).unwrap()),
        ];
        for condition in conditions {
            assert_eq!(written(descriptor(condition)), [__, __, 1, 2, 3, 4, 5, 6, 7, 8]);
        }
        assert_eq!(written(descriptor(Condition::NoDictAt(3))), [__, __, 1, 2, 3, __, 5, 6, 7, 8]);
    }

    #[test]
    fn what_does_not_fit_is_refused() {
        assert_eq!(narrow(0xFFFF), Ok(0xFFFF));
        assert_eq!(narrow(0x1_0000), Err(Refusal::OutOfRange));
    }
}
