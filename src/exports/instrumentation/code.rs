//! The symbols of `instrumentation.o` that change code objects, or tell what instructions were before.

use core::ffi::c_int;

use crate::host::owned::{into_host, into_status};
use crate::host::{Code, PyObject, ffi};
use crate::instrument::{branches, writer};

#[cfg(feature = "attach")]
hidden! {
    _PyInstrumentation_BranchesIterator, _Py_Instrument, _Py_GetBaseCodeUnit, _PyInstruction_GetLength
}

/// Returns an iterator over the branches of `code`, borrowed: the result of `co_branches()`. Declared in
/// `pycore_code.h`.
///
/// Returns a new reference, or NULL with MemoryError set.
///
/// # Safety
/// The calling thread is attached; `code` is live.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _PyInstrumentation_BranchesIterator(code: *mut ffi::PyCodeObject) -> *mut PyObject {
    // SAFETY: the callee has the same contract.
    into_host(unsafe { branches::iterator(Code::from_ptr(code)) })
}

/// Brings the instrumentation of `code`, borrowed, up to date with the events that tools watch. Declared in
/// `pycore_code.h`.
///
/// Returns 0, or -1 with MemoryError set. Afterwards the thread's eval breaker has the interpreter's version of
/// the instrumentation, whatever it had before, so that the next comparison of versions finds no difference.
///
/// # Safety
/// The calling thread is attached to `interp` and has not stopped the world; `code` is live.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _Py_Instrument(
    code: *mut ffi::PyCodeObject,
    interp: *mut ffi::PyInterpreterState,
) -> c_int {
    // SAFETY: the callee has the same contract.
    into_status(unsafe { writer::bring_up_to_date(Code::from_ptr(code), interp) })
}

/// Returns the instruction at code unit `offset` of `code`, borrowed, without instrumentation, specialization
/// and executors. Declared in `pycore_code.h`; cannot fail.
///
/// # Safety
/// `code` is live and has an instruction at `offset`; no other thread instruments it meanwhile.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _Py_GetBaseCodeUnit(
    code: *mut ffi::PyCodeObject,
    offset: c_int,
) -> ffi::_Py_CODEUNIT {
    // SAFETY: the instruction is there and stays as it is (caller). Zeros are a valid code unit.
    unsafe {
        let base = writer::location(Code::from_ptr(code), offset as usize).base;
        let mut unit: ffi::_Py_CODEUNIT = core::mem::zeroed();
        unit.op.code = base.opcode;
        unit.op.arg = base.argument;
        unit
    }
}

/// Returns the length of the instruction at code unit `offset` of `code`, borrowed, in code units, including
/// its caches. Declared in `pycore_code.h`; cannot fail.
///
/// # Safety
/// As for `_Py_GetBaseCodeUnit`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _PyInstruction_GetLength(code: *mut ffi::PyCodeObject, offset: c_int) -> c_int {
    // SAFETY: the callee has the same contract.
    unsafe { writer::location(Code::from_ptr(code), offset as usize).base.length as c_int }
}
