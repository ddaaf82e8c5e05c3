//! The form that an instruction takes, with what its inline cache is to hold.

use core::mem::offset_of;

use super::refusal::Refusal;
use crate::host::code::CacheValue;
use crate::host::{CodeUnit, PyObject, ffi};

/// A specialized form of an instruction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Form {
    pub(crate) opcode: u8,
    pub(crate) cache: Cache,
}

impl Form {
    /// A form that needs nothing in its cache.
    pub(crate) const fn plain(opcode: u8) -> Form {
        Form { opcode, cache: Cache::Unused }
    }
}

/// What an inline cache holds beside the counter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Cache {
    Unused,
    /// A place in an instance or in a table of keys (`_PyAttrCache`). The version is that of the type, or
    /// of a module's keys.
    Attribute {
        version: u32,
        index: u16,
    },
    /// An attribute of a type (`_PyLoadMethodCache`); the descriptor is borrowed from the type, which
    /// keeps it for as long as it keeps its version.
    Descriptor {
        type_version: u32,
        condition: Condition,
        descriptor: *mut PyObject,
    },
    /// A global variable (`_PyLoadGlobalCache`).
    Global {
        keys_version: u16,
        builtins_version: Option<u16>,
        index: u16,
    },
    /// The version of the function or type that is called, or of the type that has no truth value
    /// (`_PyCallCache`, `_PyToBoolCache`).
    Version(u32),
    /// A binary operation that is described elsewhere (`_PyBinaryOpCache`).
    Extension(*const ffi::_PyBinaryOpSpecializationDescr),
}

/// What else must hold for an attribute of the type to be that of the instance.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Condition {
    None,
    /// This version: of the keys of the instances, of the metaclass, or of the function that is called.
    Version(u32),
    /// No dictionary in this place, counted from where a managed one would be.
    NoDictAt(u16),
}

static_assertions::const_assert!(
    offset_of!(ffi::_PyCallCache, func_version) == offset_of!(ffi::_PyToBoolCache, version)
);

impl Cache {
    /// Writes it behind the instruction; the counter stays as it is.
    ///
    /// # Safety
    /// `instr` is an instruction with such a cache, in the thread's own bytecode.
    #[inline]
    pub(super) unsafe fn write(self, instr: CodeUnit) {
        // SAFETY: the caller's promise.
        unsafe {
            match self {
                Cache::Unused => {}
                Cache::Attribute { version, index } => {
                    put(instr, offset_of!(ffi::_PyAttrCache, version), version);
                    put(instr, offset_of!(ffi::_PyAttrCache, index), index);
                }
                Cache::Descriptor { type_version, condition, descriptor } => {
                    put(instr, offset_of!(ffi::_PyLoadMethodCache, type_version), type_version);
                    let at = offset_of!(ffi::_PyLoadMethodCache, __bindgen_anon_1);
                    match condition {
                        Condition::None => {}
                        Condition::Version(version) => put(instr, at, version),
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
                Cache::Version(version) => put(instr, offset_of!(ffi::_PyCallCache, func_version), version),
                Cache::Extension(description) => {
                    let object = description.cast_mut().cast::<PyObject>();
                    put(instr, offset_of!(ffi::_PyBinaryOpCache, external_cache), object);
                }
            }
        }
    }
}

/// Writes a field that is `offset` bytes into the cache.
#[inline(always)]
unsafe fn put<T: CacheValue>(instr: CodeUnit, offset: usize, value: T) {
    let units = 1 + offset / size_of::<ffi::_Py_CODEUNIT>();
    // SAFETY: the caller's promise.
    unsafe { instr.add(units as isize).write(value) }
}

/// An index or offset as a cache holds it.
#[inline]
pub(super) fn narrow(index: usize) -> Result<u16, Refusal> {
    u16::try_from(index).map_err(|_| Refusal::OutOfRange)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The ten units of an instruction with the largest cache, all ones before.
    fn written(cache: Cache) -> [u16; 10] {
        let mut units = [0xFFFF; 10];
        // SAFETY: there is room for the largest cache.
        unsafe { cache.write(CodeUnit::from_ptr(units.as_mut_ptr().cast())) };
        units
    }

    const __: u16 = 0xFFFF;

    #[test]
    fn each_cache_writes_its_own_units() {
        assert_eq!(written(Cache::Unused), [__; 10]);
        let attribute = Cache::Attribute { version: 0x0002_0001, index: 3 };
        assert_eq!(written(attribute), [__, __, 1, 2, 3, __, __, __, __, __]);
        assert_eq!(written(Cache::Version(0x0002_0001)), [__, __, 1, 2, __, __, __, __, __, __]);
        let global = Cache::Global { keys_version: 1, builtins_version: None, index: 3 };
        assert_eq!(written(global), [__, __, 1, __, 3, __, __, __, __, __]);
        let builtin = Cache::Global { keys_version: 1, builtins_version: Some(2), index: 3 };
        assert_eq!(written(builtin), [__, __, 1, 2, 3, __, __, __, __, __]);
        let extension = Cache::Extension(core::ptr::without_provenance(0x0004_0003_0002_0001));
        assert_eq!(written(extension), [__, __, 1, 2, 3, 4, __, __, __, __]);
    }

    #[test]
    fn a_descriptor_leaves_alone_what_its_condition_does_not_need() {
        let descriptor = |condition| Cache::Descriptor {
            type_version: 0x0002_0001,
            condition,
            descriptor: core::ptr::without_provenance_mut(0x0008_0007_0006_0005),
        };
        assert_eq!(written(descriptor(Condition::None)), [__, __, 1, 2, __, __, 5, 6, 7, 8]);
        assert_eq!(written(descriptor(Condition::Version(0x0004_0003))), [__, __, 1, 2, 3, 4, 5, 6, 7, 8]);
        assert_eq!(written(descriptor(Condition::NoDictAt(3))), [__, __, 1, 2, 3, __, 5, 6, 7, 8]);
    }

    #[test]
    fn what_does_not_fit_is_refused() {
        assert_eq!(narrow(0xFFFF), Ok(0xFFFF));
        assert_eq!(narrow(0x1_0000), Err(Refusal::OutOfRange));
    }
}
