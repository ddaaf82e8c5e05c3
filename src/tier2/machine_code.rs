//! Machine code for executors, by the host's JIT.

use super::executor::Executor;
use super::interpreter;
use crate::bytecode::micro_op;
use crate::host::PyResult;
#[cfg(tier2_jit)]
use crate::host::{Raised, ffi};

/// Compiles a new executor. One with own micro-ops, which the host's JIT does not know, runs in the micro-op
/// interpreter, and so do all if there is no JIT. Fails with an exception set.
///
/// # Safety
/// The thread is attached. The executor is live, and nothing uses it yet.
pub(super) unsafe fn compile(executor: Executor) -> PyResult<()> {
    // SAFETY: the executor is live, and finished (caller).
    unsafe {
        let has_own = executor.trace().iter().any(|uop| micro_op::is_own(uop.number()));
        debug_assert!(interpreter::RUNS_OWN_MICRO_OPS || !has_own);
        #[cfg(feature = "attach")]
        super::host_loop::prepare(executor);
        #[cfg(tier2_jit)]
        {
            let head = executor.as_ptr();
            if has_own {
                (*head).jit_side_entry = interpreter::side_entry();
            } else if ffi::_PyJIT_Compile(head, (*head).trace, (*head).code_size as usize) != 0 {
                return Err(Raised);
            }
        }
    }
    Ok(())
}
