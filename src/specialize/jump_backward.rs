//! JUMP_BACKWARD: the first time that it runs, it takes the form for interpreters with a JIT, or the one for
//! interpreters without. Its counter is the JIT's.

use crate::bytecode::opcode::{JUMP_BACKWARD, JUMP_BACKWARD_JIT, JUMP_BACKWARD_NO_JIT};
#[cfg(py_tier2)]
use crate::host::tier2;
use crate::host::{CodeUnit, ffi};

/// The host may have a JIT that this library was built without.
///
/// # Safety
/// The thread is attached to `interp`.
unsafe fn decide(interp: *mut ffi::PyInterpreterState) -> u8 {
    #[cfg(py_tier2)]
    // SAFETY: the contract is the same.
    let has_tier2 = unsafe { tier2::is_on(interp) };
    #[cfg(not(py_tier2))]
    let (has_tier2, _) = (false, interp);
    if has_tier2 { JUMP_BACKWARD_JIT } else { JUMP_BACKWARD_NO_JIT }
}

/// Specializes the JUMP_BACKWARD at `instr`. Returns false if it is another opcode by now. Free-threaded
/// hosts have no JIT, so there it stays as it is, and this returns false.
///
/// # Safety
/// The thread is attached to `interp`, and `instr` is an instruction in its own bytecode.
#[inline(always)]
pub(crate) unsafe fn specialize(instr: CodeUnit, interp: *mut ffi::PyInterpreterState) -> bool {
    // SAFETY: the thread is attached to `interp`, and `instr` is an instruction in live bytecode (caller).
    unsafe { !cfg!(py_gil_disabled) && instr.replace_opcode(JUMP_BACKWARD, decide(interp)) }
}
