//! CALL_KW.

use super::call::{Callable, version_of_python_function};
use super::{Cache, Decision, Form, Refusal, conclude};
use crate::bytecode::opcode::*;
use crate::host::{CodeUnit, PyObject, StackRef};

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

/// Looks for a form of a CALL_KW, and gives it to the instruction.
///
/// # Safety
/// The thread is attached and no exception set; `instr` is the instruction that it runs, and the callable is
/// live.
pub(crate) unsafe fn specialize(callable: StackRef, instr: CodeUnit) {
    // SAFETY: the caller's promise.
    unsafe { conclude(instr, decide(callable.object())) }
}
