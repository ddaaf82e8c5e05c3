//! LOAD_CONST: takes its final form the first time that it runs. It has no counter.

use crate::bytecode::opcode::{LOAD_CONST, LOAD_CONST_IMMORTAL, LOAD_CONST_MORTAL};
use crate::host::{CodeUnit, PyObject, refcount};

/// # Safety
/// The constant is live.
unsafe fn decide(constant: *mut PyObject) -> u8 {
    // SAFETY: the constant is live (caller).
    if unsafe { refcount::is_immortal(constant) } { LOAD_CONST_IMMORTAL } else { LOAD_CONST_MORTAL }
}

/// Specializes the LOAD_CONST at `instr`, unless it is another opcode by now.
///
/// # Safety
/// The thread is attached, `instr` is an instruction in its own bytecode, and the constant is live.
#[inline(always)]
pub(crate) unsafe fn specialize(instr: CodeUnit, constant: *mut PyObject) {
    // SAFETY: `instr` is an instruction in live bytecode, and the constant is live (caller).
    unsafe { instr.replace_opcode(LOAD_CONST, decide(constant)) };
}
