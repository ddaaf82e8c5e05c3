//! The symbols of `legacy_tracing.o`.

use core::ffi::c_int;

use crate::host::owned::status;
use crate::host::{PyObject, ThreadState, ffi};
use crate::instrument::legacy::{self, Profile, Trace, handler};

/// Makes `func` (null: none) the profile function of the thread `tstate`, called with `arg` (null: none),
/// of which it takes a reference. Fails with -1 if an audit hook raises or memory is short. Stands for the
/// host's symbol of this name (`pycore_ceval.h`).
///
/// # Safety
/// The calling thread is attached, `tstate` is live and of the same interpreter, and `arg` is live or
/// null.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _PyEval_SetProfile(
    tstate: *mut ffi::PyThreadState,
    func: ffi::Py_tracefunc,
    arg: *mut PyObject,
) -> c_int {
    // SAFETY: the contract of this function.
    status(unsafe { legacy::set::<Profile>(ThreadState::from_ptr(tstate), func, arg) })
}

/// Like [`_PyEval_SetProfile`], for every thread of the interpreter. Stands for the host's symbol of this
/// name (`pycore_ceval.h`).
///
/// # Safety
/// The calling thread is attached to `interp`; `arg` is live or null.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _PyEval_SetProfileAllThreads(
    interp: *mut ffi::PyInterpreterState,
    func: ffi::Py_tracefunc,
    arg: *mut PyObject,
) -> c_int {
    // SAFETY: the contract of this function.
    status(unsafe { legacy::set_all::<Profile>(interp, func, arg) })
}

/// Makes `func` (null: none) the trace function of the thread `tstate`, called with `arg` (null: none),
/// of which it takes a reference. Fails with -1 if an audit hook raises or memory is short. Stands for the
/// host's symbol of this name (`pycore_ceval.h`).
///
/// # Safety
/// As for [`_PyEval_SetProfile`].
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _PyEval_SetTrace(
    tstate: *mut ffi::PyThreadState,
    func: ffi::Py_tracefunc,
    arg: *mut PyObject,
) -> c_int {
    // SAFETY: the contract of this function.
    status(unsafe { legacy::set::<Trace>(ThreadState::from_ptr(tstate), func, arg) })
}

/// Like [`_PyEval_SetTrace`], for every thread of the interpreter. Stands for the host's symbol of this
/// name (`pycore_ceval.h`).
///
/// # Safety
/// As for [`_PyEval_SetProfileAllThreads`].
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _PyEval_SetTraceAllThreads(
    interp: *mut ffi::PyInterpreterState,
    func: ffi::Py_tracefunc,
    arg: *mut PyObject,
) -> c_int {
    // SAFETY: the contract of this function.
    status(unsafe { legacy::set_all::<Trace>(interp, func, arg) })
}

/// Makes the trace function hear of every instruction of the code that `frame` runs, or not any more: what
/// `f_trace_opcodes` stands for. Fails with -1 if memory is short. Stands for the host's symbol of this
/// name (`pycore_ceval.h`).
///
/// # Safety
/// The calling thread is attached and `frame` live.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _PyEval_SetOpcodeTrace(frame: *mut ffi::PyFrameObject, enable: bool) -> c_int {
    // SAFETY: the contract of this function.
    status(unsafe { legacy::trace::want_opcodes(frame, enable) })
}

/// The type of callback objects. Stands for the host's symbol of this name; the host makes it ready with
/// its other static types.
#[unsafe(no_mangle)]
pub static mut _PyLegacyEventHandler_Type: ffi::PyTypeObject = handler::TYPE;
