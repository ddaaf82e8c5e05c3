//! LOAD_CONST: takes its form the first time that it runs, for good, so it has no counter.

use crate::bytecode::opcode::{LOAD_CONST, LOAD_CONST_IMMORTAL, LOAD_CONST_MORTAL};
use crate::host::{CodeUnit, PyObject, refcount};

unsafe fn decide(constant: *mut PyObject) -> u8 {
    // SAFETY: the constant is live.
    if unsafe { refcount::is_immortal(constant) } { LOAD_CONST_IMMORTAL } else { LOAD_CONST_MORTAL }
}

/// Gives the LOAD_CONST at `instr` the form for its constant, unless it is something else by now.
///
/// # Safety
/// The thread is attached, `instr` is in its own bytecode, and the constant is live.
#[inline(always)]
pub(crate) unsafe fn specialize(instr: CodeUnit, constant: *mut PyObject) {
    // SAFETY: the caller's promise.
    unsafe { instr.replace_opcode(LOAD_CONST, decide(constant)) };
}
