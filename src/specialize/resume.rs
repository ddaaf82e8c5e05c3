//! RESUME: after it has run once, it becomes the form that only checks whether there is anything new to do.
//! It has no counter.

use crate::bytecode::opcode::{RESUME, RESUME_CHECK};
use crate::host::{CodeUnit, ThreadState};

/// Specializes the RESUME at `instr`, unless it is another opcode by now, or the thread is tracing: then the
/// code may not be instrumented as it should be. Returns whether it has become another form.
///
/// # Safety
/// The thread is attached, `tstate` is its state, and `instr` is an instruction in its own bytecode.
#[inline(always)]
pub(crate) unsafe fn specialize(instr: CodeUnit, tstate: ThreadState) -> bool {
    // SAFETY: `tstate` is live, and `instr` is an instruction in live bytecode (caller).
    unsafe { (*tstate.as_ptr()).tracing == 0 && instr.replace_opcode(RESUME, RESUME_CHECK) }
}
