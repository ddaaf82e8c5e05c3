//! LOAD_GLOBAL: forms for names in the module's namespace, and for names in builtins.

use super::form::narrow;
use super::{Cache, Decision, Form, Refusal, conclude};
use crate::bytecode::opcode::*;
use crate::host::dict::Dict;
use crate::host::{CodeUnit, PyObject, ShortKeysVersion, ThreadState, ffi, lock};

/// # Safety
/// As the module says; `interp` is the thread's interpreter, and both namespaces are locked. They need not be
/// dictionaries.
unsafe fn decide(
    interp: *mut ffi::PyInterpreterState,
    globals: *mut PyObject,
    builtins: *mut PyObject,
    name: *mut PyObject,
) -> Decision {
    // SAFETY: both namespaces are live and locked, and `interp` is the thread's (caller).
    unsafe {
        let globals = Dict::cast(globals).ok_or(Refusal::NoPlainNamespace)?;
        if let Some(index) = find(globals, name)? {
            let index = narrow(index)?;
            let keys_version = keys_version(interp, globals)?;
            let cache = Cache::Global { keys_version, builtins_version: None, index };
            return Ok(Form { opcode: LOAD_GLOBAL_MODULE, cache });
        }
        let builtins = Dict::cast(builtins).ok_or(Refusal::NoPlainNamespace)?;
        let index = narrow(find(builtins, name)?.ok_or(Refusal::NotInTable)?)?;
        let keys_version = keys_version(interp, globals)?;
        let builtins_version = Some(self::keys_version(interp, builtins)?);
        let cache = Cache::Global { keys_version, builtins_version, index };
        Ok(Form { opcode: LOAD_GLOBAL_BUILTIN, cache })
    }
}

/// The index of the name in the keys of a namespace. Fails if no form can use the keys.
///
/// # Safety
/// As the module says; the namespace is locked, and is exactly a `dict`.
unsafe fn find(namespace: Dict, name: *mut PyObject) -> Result<Option<usize>, Refusal> {
    // SAFETY: the namespace is a live and locked dictionary (caller).
    unsafe {
        if namespace.keys().kind() == ffi::DICT_KEYS_GENERAL {
            return Err(Refusal::KindOfKeys);
        }
        Ok(namespace.keys().index_of(name))
    }
}

/// The version of the keys, for the cache.
///
/// # Safety
/// As the module says; `interp` is the thread's interpreter, and the namespace is locked and exactly a
/// `dict`.
unsafe fn keys_version(
    interp: *mut ffi::PyInterpreterState,
    namespace: Dict,
) -> Result<ShortKeysVersion, Refusal> {
    // SAFETY: the namespace is a live and locked dictionary (caller).
    let version = unsafe { namespace.current_keys_version(interp) }.ok_or(Refusal::OutOfVersions)?;
    version.short().ok_or(Refusal::OutOfRange)
}

/// Specializes a LOAD_GLOBAL.
///
/// # Safety
/// As the module says.
pub(crate) unsafe fn specialize(
    globals: *mut PyObject,
    builtins: *mut PyObject,
    instr: CodeUnit,
    name: *mut PyObject,
) {
    // SAFETY: the namespaces and the name are live, and `instr` is a LOAD_GLOBAL (caller).
    unsafe {
        let interp = ThreadState::current().interp();
        let decision = lock::with_locks(globals, builtins, || decide(interp, globals, builtins, name));
        conclude(instr, decision);
    }
}
