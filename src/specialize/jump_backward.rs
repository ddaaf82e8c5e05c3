//! JUMP_BACKWARD: takes the form for interpreters with or without a JIT the first time that it runs. Its
//! counter is that of the JIT.

use crate::bytecode::opcode::{JUMP_BACKWARD, JUMP_BACKWARD_JIT, JUMP_BACKWARD_NO_JIT};
use crate::host::{CodeUnit, ffi};

unsafe fn decide(interp: *mut ffi::PyInterpreterState) -> u8 {
    // SAFETY: the interpreter is live.
    if unsafe { (*interp).jit } { JUMP_BACKWARD_JIT } else { JUMP_BACKWARD_NO_JIT }
}

/// Gives the JUMP_BACKWARD at `instr` its form; false if it is something else by now. Free-threaded hosts
/// have no JIT, and leave it as it is.
///
/// # Safety
/// The thread is attached to `interp`, and `instr` is in its own bytecode.
#[inline(always)]
pub(crate) unsafe fn specialize(instr: CodeUnit, interp: *mut ffi::PyInterpreterState) -> bool {
    // SAFETY: the caller's promise.
    unsafe { !cfg!(py_gil_disabled) && instr.replace_opcode(JUMP_BACKWARD, decide(interp)) }
}
