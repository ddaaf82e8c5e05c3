//! Moving frames between copies of their bytecode. Called by RESUME and by the code that throws an exception
//! into a frame; [`super::unused`] moves frames back.

use crate::host::{Frame, PyResult, ThreadState};
use crate::seams;

/// Moves `frame` to the thread's own copy of its bytecode; makes the copy if there is none yet. Fails with
/// MemoryError; then the frame stays where it was.
///
/// # Safety
/// The thread is attached and `tstate` is its state; `frame` is its current frame, published, and between two
/// instructions.
pub(crate) unsafe fn use_own_copy(tstate: ThreadState, frame: Frame) -> PyResult<()> {
    // SAFETY: the thread is attached and the frame its current one (caller), so the code object is live. Making
    // the copy may detach the thread, and the frame may be moved meanwhile; so the frame's index is read
    // afterwards.
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

/// Moves `frame` to the main copy of its bytecode. RESUME will move it from there.
///
/// # Safety
/// The frame is live and executes a code object, and the world is stopped. No thread runs the frame, or that
/// thread is in [`use_own_copy`].
pub(crate) unsafe fn use_main_copy(frame: Frame) {
    // SAFETY: the frame is live, and no thread relies on which copy it is in (caller). The main copy is as long
    // as all others.
    unsafe { frame.change_copy(0, frame.code().bytecode()) }
}
