//! Notices that a recording has become outdated.

use super::executor::OwnedExecutor;
use super::{Dependencies, invalidate, list};
use crate::host::{ThreadState, ffi};

/// An executor without a trace, which nothing runs and which depends on everything. Whatever invalidates others for a
/// change invalidates it, also if the host does that.
pub(super) struct Watch(OwnedExecutor);

impl Watch {
    /// Watches from now on. `None` if there is no memory for it.
    ///
    /// # Safety
    /// The thread is attached to `interp`, and stays so while the result lives.
    pub(super) unsafe fn begin(interp: *mut ffi::PyInterpreterState) -> Option<Watch> {
        // SAFETY: the thread is attached (caller). The new executor is in no list.
        unsafe {
            let Ok(executor) = OwnedExecutor::new(&[], &Dependencies::ALL) else {
                ffi::PyErr_Clear();
                return None;
            };
            list::link(interp, executor.executor());
            Some(Watch(executor))
        }
    }

    /// Whether nothing has changed on which traces may rely.
    pub(super) fn saw_nothing(&self) -> bool {
        // SAFETY: the executor is live, because of the reference.
        unsafe { self.0.executor().is_valid() }
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        // SAFETY: the thread is still attached ([`Watch::begin`]), and the executor live.
        unsafe { invalidate::clear(ThreadState::current().interp(), self.0.executor()) }
    }
}
