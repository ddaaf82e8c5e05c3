//! The executor in the place of the instruction that is recorded.

use crate::bytecode::opcode;
use crate::host::{Code, CodeUnit};
use crate::tier2::executor::OwnedExecutor;
use crate::tier2::install;

/// An executor that is out of the bytecode while another one is recorded that begins at the same instruction: tier 1
/// specializes the instruction meanwhile. It is put back when this is dropped.
pub(super) struct Displaced {
    executor: OwnedExecutor,
    code: Code,
    start: CodeUnit,
}

impl Displaced {
    /// Takes the executor out that is in the place of the instruction at `start`, if there is one.
    ///
    /// # Safety
    /// The thread is attached, also when the result is dropped. The code stays alive until then, and `start` is in its
    /// bytecode.
    pub(super) unsafe fn take_out(code: Code, start: CodeUnit) -> Option<Displaced> {
        // SAFETY: the code is live (caller). `detach` releases the code's reference to the executor; the new one keeps it alive.
        unsafe {
            if start.opcode() != opcode::ENTER_EXECUTOR {
                return None;
            }
            let executor = install::at(code, start.offset_from(code.bytecode()) as usize)?.new_ref();
            install::detach(executor.executor());
            Some(Displaced { executor, code, start })
        }
    }
}

impl Drop for Displaced {
    fn drop(&mut self) {
        // SAFETY: the thread is attached, and the code live (contract of `take_out`). Nothing has put the executor anywhere
        // meanwhile: only recordings do so, with new ones.
        unsafe {
            let is_free = self.start.opcode() != opcode::ENTER_EXECUTOR;
            if is_free && self.executor.executor().is_valid() && install::can_replace(self.code, self.start) {
                // If memory is short, it stays out.
                install::install(self.code, self.start, self.executor.executor());
            }
        }
    }
}
