//! Signals: recorded wherever they arrive, handled in the main thread of the main interpreter. Source:
//! `pycore_ceval.h`, `pycore_pystate.h`.

use super::requests::{is_main_interpreter, is_main_thread};
use super::word::{EvalBreaker, Request};
use crate::host::{Raised, ThreadState, ffi};

/// In the main thread of the main interpreter, calls the Python handlers of the signals that have arrived.
/// Elsewhere only clears the request.
///
/// # Safety
/// The thread is attached and `tstate` is its state.
pub(crate) unsafe fn handle(tstate: ThreadState) -> Result<(), Raised> {
    // SAFETY: the state is live, and the thread may run Python code, since it is attached (caller).
    unsafe {
        tstate.check();
        let breaker = EvalBreaker::of(tstate);
        breaker.clear(Request::SIGNALS_PENDING);
        if !is_main_thread() || !is_main_interpreter(tstate.interp()) {
            return Ok(());
        }
        if ffi::_PyErr_CheckSignalsTstate(tstate.as_ptr()) < 0 {
            // More signals may be waiting.
            breaker.set(Request::SIGNALS_PENDING);
            return Err(Raised);
        }
        Ok(())
    }
}
