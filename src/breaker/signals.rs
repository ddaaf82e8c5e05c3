//! Signals: noted wherever they arrive, handled in the main thread of the main interpreter. Source:
//! `pycore_ceval.h`, `pycore_pystate.h`.

use super::pending::{is_main_interpreter, is_main_thread};
use super::requests;
use super::word::{EvalBreaker, Event};
use crate::host::{Raised, ThreadState, ffi};

/// Calls the Python handlers of the signals that have arrived, if the calling thread is the one that may.
///
/// # Safety
/// The thread is attached and `tstate` is its state.
pub unsafe fn handle(tstate: ThreadState) -> Result<(), Raised> {
    // SAFETY: the caller's promise.
    unsafe {
        tstate.check();
        let breaker = EvalBreaker::of(tstate);
        breaker.clear(Event::SIGNALS_PENDING);
        if !is_main_thread() || !is_main_interpreter(tstate.interp()) {
            return Ok(());
        }
        if ffi::_PyErr_CheckSignalsTstate(tstate.as_ptr()) < 0 {
            // There may be more of them.
            breaker.set(Event::SIGNALS_PENDING);
            return Err(Raised);
        }
        Ok(())
    }
}

/// Has the main thread look for signals soon. Stands for the host's symbol of this name
/// (`pycore_ceval.h`).
///
/// # Safety
/// The main thread's state is live. Signal handlers may call this.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _PyEval_SignalReceived() {
    // SAFETY: the caller's promise.
    unsafe { requests::main_thread() }.set(Event::SIGNALS_PENDING);
}
