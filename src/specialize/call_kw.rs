//! CALL_KW.

use core::ffi::c_int;

use super::call::{Callable, version_of_python_function};
use super::{Cache, Decision, Form, Refusal, conclude};
use crate::bytecode::opcode::*;
use crate::host::{CodeUnit, PyObject, StackRef, ffi};

unsafe fn decide(callable: *mut PyObject) -> Decision {
    // SAFETY: the callable is live.
    unsafe {
        let (function, opcode) = match Callable::of(callable) {
            Callable::Python(function) => (function, CALL_KW_PY),
            Callable::BoundPython(function) => (function, CALL_KW_BOUND_METHOD),
            Callable::BoundOther => return Err(Refusal::BoundMethodOfOther),
            Callable::Class(_) | Callable::Builtin(_) | Callable::BuiltinMethod(_) | Callable::Other => {
                return Ok(Form::plain(CALL_KW_NON_PY));
            }
        };
        let version = version_of_python_function(function)?;
        Ok(Form { opcode, cache: Cache::Version(version) })
    }
}

/// Specializes a CALL_KW of this callable. Takes no references and cannot fail. Stands for the host's
/// symbol of this name (`specialize.c`).
///
/// # Safety
/// The thread is attached and no exception set; `instr` is the instruction that it runs, and the
/// callable is live.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _Py_Specialize_CallKw(
    callable: ffi::_PyStackRef,
    instr: *mut ffi::_Py_CODEUNIT,
    _nargs: c_int,
) {
    // SAFETY: the caller's promise.
    unsafe { conclude(CodeUnit::from_ptr(instr), decide(StackRef::from_raw(callable).object())) }
}
