//! LOAD_GLOBAL.

use super::form::narrow;
use super::{Cache, Decision, Form, Refusal, conclude};
use crate::bytecode::opcode::*;
use crate::host::dict::Dict;
use crate::host::{CodeUnit, PyObject, ThreadState, ffi, lock};

/// # Safety
/// The namespaces are live and locked; the thread is attached and `interp` its interpreter.
unsafe fn decide(
    interp: *mut ffi::PyInterpreterState,
    globals: Dict,
    builtins: Dict,
    name: *mut PyObject,
) -> Decision {
    // SAFETY: the caller's promise.
    unsafe {
        if let Some(index) = find(globals, name)? {
            let index = narrow(index)?;
            let keys_version = keys_version(interp, globals)?;
            let cache = Cache::Global { keys_version, builtins_version: None, index };
            return Ok(Form { opcode: LOAD_GLOBAL_MODULE, cache });
        }
        let index = narrow(find(builtins, name)?.ok_or(Refusal::NotInTable)?)?;
        let keys_version = keys_version(interp, globals)?;
        let builtins_version = Some(self::keys_version(interp, builtins)?);
        let cache = Cache::Global { keys_version, builtins_version, index };
        Ok(Form { opcode: LOAD_GLOBAL_BUILTIN, cache })
    }
}

/// Where the name is in a namespace that a form can look into.
unsafe fn find(namespace: Dict, name: *mut PyObject) -> Result<Option<usize>, Refusal> {
    // SAFETY: the caller's promise.
    unsafe {
        if !namespace.is_exact() {
            return Err(Refusal::NoPlainNamespace);
        }
        if namespace.keys().kind() == ffi::DICT_KEYS_GENERAL {
            return Err(Refusal::KindOfKeys);
        }
        Ok(namespace.keys().index_of(name))
    }
}

/// The version of the keys, as the cache holds it.
unsafe fn keys_version(interp: *mut ffi::PyInterpreterState, namespace: Dict) -> Result<u16, Refusal> {
    // SAFETY: the caller's promise.
    let version = unsafe { namespace.current_keys_version(interp) }.ok_or(Refusal::OutOfVersions)?;
    u16::try_from(version.get()).map_err(|_| Refusal::OutOfRange)
}

/// Looks for a form of a LOAD_GLOBAL, and gives it to the instruction.
///
/// # Safety
/// The thread is attached and no exception set; `instr` is the instruction that it runs, and the objects are
/// live.
pub(crate) unsafe fn specialize(
    globals: *mut PyObject,
    builtins: *mut PyObject,
    instr: CodeUnit,
    name: *mut PyObject,
) {
    // SAFETY: the caller's promise.
    unsafe {
        let interp = ThreadState::current().interp();
        let decision = lock::with_locks(globals, builtins, || {
            decide(interp, Dict::from_ptr(globals.cast()), Dict::from_ptr(builtins.cast()), name)
        });
        conclude(instr, decision);
    }
}
