//! The symbols of `legacy_tracing.o`: trace and profile functions (`sys.settrace`, `sys.setprofile`). The
//! implementation is [`crate::instrument::legacy`].

use core::ffi::c_int;

use crate::host::owned::into_status;
use crate::host::{PyObject, ThreadState, ffi};
use crate::instrument::legacy::{self, Profile, Trace, callback};

/// Sets the profile function of the thread `tstate` to `func` (NULL removes it), called with `arg` (may be
/// NULL). Takes a new reference to `arg`. Returns 0, or -1 with an exception set: an audit hook's, or
/// MemoryError. Declared in `pycore_ceval.h`.
///
/// # Safety
/// The calling thread is attached and has not stopped the world; `tstate` is live and of the same interpreter;
/// `arg` is live or NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _PyEval_SetProfile(
    tstate: *mut ffi::PyThreadState,
    func: ffi::Py_tracefunc,
    arg: *mut PyObject,
) -> c_int {
    // SAFETY: the callee has the same contract.
    into_status(unsafe { legacy::set::<Profile>(ThreadState::from_ptr(tstate), func, arg) })
}

/// Like `_PyEval_SetProfile`, for every thread of the interpreter. Declared in `pycore_ceval.h`.
///
/// # Safety
/// The calling thread is attached to `interp` and has not stopped the world; `arg` is live or NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _PyEval_SetProfileAllThreads(
    interp: *mut ffi::PyInterpreterState,
    func: ffi::Py_tracefunc,
    arg: *mut PyObject,
) -> c_int {
    // SAFETY: the callee has the same contract.
    into_status(unsafe { legacy::set_all::<Profile>(interp, func, arg) })
}

/// Sets the trace function of the thread `tstate` to `func` (NULL removes it), called with `arg` (may be NULL).
/// Takes a new reference to `arg`. Returns 0, or -1 with an exception set: an audit hook's, or MemoryError.
/// Declared in `pycore_ceval.h`.
///
/// # Safety
/// As for `_PyEval_SetProfile`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _PyEval_SetTrace(
    tstate: *mut ffi::PyThreadState,
    func: ffi::Py_tracefunc,
    arg: *mut PyObject,
) -> c_int {
    // SAFETY: the callee has the same contract.
    into_status(unsafe { legacy::set::<Trace>(ThreadState::from_ptr(tstate), func, arg) })
}

/// Like `_PyEval_SetTrace`, for every thread of the interpreter. Declared in `pycore_ceval.h`.
///
/// # Safety
/// As for `_PyEval_SetProfileAllThreads`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _PyEval_SetTraceAllThreads(
    interp: *mut ffi::PyInterpreterState,
    func: ffi::Py_tracefunc,
    arg: *mut PyObject,
) -> c_int {
    // SAFETY: the callee has the same contract.
    into_status(unsafe { legacy::set_all::<Trace>(interp, func, arg) })
}

/// Turns trace events for every instruction of the code that `frame` executes on or off: what setting
/// `f_trace_opcodes` does. Returns 0, or -1 with MemoryError set. Declared in `pycore_ceval.h`.
///
/// # Safety
/// The calling thread is attached and has not stopped the world; `frame` is live.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _PyEval_SetOpcodeTrace(frame: *mut ffi::PyFrameObject, enable: bool) -> c_int {
    // SAFETY: the callee has the same contract.
    into_status(unsafe { legacy::trace::want_opcodes(frame, enable) })
}

/// The type of the callbacks that call trace and profile functions. The host initializes it with its other
/// static types.
#[unsafe(no_mangle)]
pub static mut _PyLegacyEventHandler_Type: ffi::PyTypeObject = callback::TYPE;
