//! From machine code of the host's JIT to this interpreter and back.
//!
//! Machine code continues with the executor behind a side exit, or with one that an ENTER_EXECUTOR names, by a jump to
//! its `jit_side_entry`. It does not ask whether that executor has machine code. So every executor has such an entry:
//! the one of its machine code or, if it contains micro-ops that the host does not have, [`interpret`].
//!
//! Both sides have the same calling convention: the host compiles its JIT's code as `preserve_none`, with frame, stack
//! pointer and thread state as the parameters. A handler has one parameter more, which machine code ignores.

use core::mem::transmute;

use super::current_executor;
use super::dispatch::*;
use crate::host::{Frame, StackRef, ThreadState};
use crate::tier2::Uop;
use crate::tier2::executor::Executor;

handler! {
    /// The entry of an executor without machine code: runs its micro-ops. The last parameter has no value.
    ///
    /// # Safety
    /// As for a [`Handler`], without a micro-op. The stack is as the current executor expects it.
    pub(super) interpret(frame, sp, tstate, _) {
        // SAFETY: the executor is live, and begins with a micro-op.
        unsafe { continue_at!(frame, sp, tstate, current_executor(tstate).trace().as_ptr()) }
    }
}

/// The entry of an executor, with or without machine code.
///
/// # Safety
/// The executor is live, and was created with the host's JIT.
pub(super) unsafe fn entry(executor: Executor) -> Handler {
    // SAFETY: the executor is live, and has an entry: `interpret`, or one of machine code, which is a function with the
    // same first parameters in the same registers.
    unsafe { transmute((*executor.as_ptr()).jit_side_entry) }
}
