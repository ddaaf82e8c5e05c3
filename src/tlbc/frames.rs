//! Frames that go on in another copy of their bytecode.

use crate::host::{Frame, PyResult, ThreadState};
use crate::seams;

/// Moves `frame` to the thread's own copy of its bytecode, which is made if there is none yet. Fails with
/// MemoryError; then the frame stays where it was.
///
/// # Safety
/// The thread is attached, `frame` is its current one, published, and not part way through an instruction.
pub(crate) unsafe fn use_own_copy(tstate: ThreadState, frame: Frame) -> PyResult<()> {
    // SAFETY: the caller's promise. The thread may have waited for its copy, and the frame may have been moved
    // meanwhile: where it is, is asked afterwards.
    unsafe {
        let code = frame.code();
        let copy = match tstate.bytecode_copy(code) {
            Some(copy) => copy,
            None => seams::codeobject::bytecode_copy(code)?,
        };
        if frame.copy_index() != tstate.tlbc_index() {
            frame.change_copy(tstate.tlbc_index(), copy);
        }
        Ok(())
    }
}

/// Moves `frame`, which does not run, to the main copy of its bytecode: RESUME will take it from there.
///
/// # Safety
/// The frame is live and executes code; no thread runs it, and the world is stopped.
pub(crate) unsafe fn use_main_copy(frame: Frame) {
    // SAFETY: the caller's promise.
    unsafe { frame.change_copy(0, frame.code().bytecode()) }
}
