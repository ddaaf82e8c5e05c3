//! RESUME: the first time that it runs it has done what there is to do, and becomes the form that only
//! checks whether there is something new. It has no counter.

use crate::bytecode::opcode::{RESUME, RESUME_CHECK};
use crate::host::{CodeUnit, ThreadState};

/// Gives the RESUME at `instr` its form, unless it is something else by now, or a tool runs: then the code
/// may not be instrumented as it should be.
///
/// # Safety
/// The thread is attached, and `instr` is in its own bytecode.
#[inline(always)]
pub(crate) unsafe fn specialize(instr: CodeUnit, tstate: ThreadState) {
    // SAFETY: the caller's promise.
    unsafe {
        if (*tstate.as_ptr()).tracing == 0 {
            instr.replace_opcode(RESUME, RESUME_CHECK);
        }
    }
}
