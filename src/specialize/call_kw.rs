//! CALL_KW: forms for Python functions and bound methods of them, and for other callables.

use super::call::{Callable, version_of_python_function};
use super::{Cache, Decision, Form, Refusal, conclude};
use crate::bytecode::opcode::*;
use crate::host::{CodeUnit, PyObject, StackRef};

/// # Safety
/// As the module says.
unsafe fn decide(callable: *mut PyObject) -> Decision {
    // SAFETY: the callable is live and the thread attached (caller).
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
        Ok(Form { opcode, cache: Cache::Function(version) })
    }
}

/// Specializes a CALL_KW.
///
/// # Safety
/// As the module says.
pub(crate) unsafe fn specialize(callable: StackRef, instr: CodeUnit) {
    // SAFETY: the callable is live, and `instr` is a CALL_KW (caller).
    unsafe { conclude(instr, decide(callable.object())) }
}
