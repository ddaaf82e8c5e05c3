//! The symbols of `optimizer.o`: creating, finding and invalidating executors. The implementation is
//! [`crate::tier2`].

use core::ffi::{c_int, c_void};

use crate::host::{Code, CodeUnit, Frame, ThreadState, ffi};
use crate::raise;
use crate::tier2::executor::Executor;
use crate::tier2::{deletion, dump, install, invalidate, python_type, record};

#[cfg(feature = "attach")]
hidden! {
    _PyOptimizer_Optimize, _Py_GetExecutor, _Py_ExecutorDetach, _Py_Executor_DependsOn,
    _Py_Executors_InvalidateDependency, _Py_Executors_InvalidateAll, _Py_Executors_InvalidateCold,
    _Py_ClearExecutorDeletionList, _PyDumpExecutors
}
#[cfg(feature = "attach")]
hidden! { static _PyUOpExecutor_Type }

/// Asks for an executor for the code that `frame` runs from `start` on. If there is one already, stores a new reference to
/// it in `exec_ptr`. Otherwise a trace is recorded when the evaluator goes on, which the caller must do at `start` (or,
/// for a jump that closes a loop, at the start of the loop). `chain_depth` is the number of executors that side exits lead
/// through from one in the bytecode to the wanted one: 0 for a loop. If it is divisible by four, the executor is going to
/// take the place of the instruction at `start`. Declared in `pycore_optimizer.h`.
///
/// Returns 1 if there is an executor, else 0. Sets no exception.
///
/// # Safety
/// The calling thread is attached and no exception is set; `frame` is its current frame and published; `start` is
/// an instruction in the frame's bytecode, at the first of its EXTENDED_ARGs; `exec_ptr` is writable;
/// `chain_depth` is not negative.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _PyOptimizer_Optimize(
    frame: *mut ffi::_PyInterpreterFrame,
    start: *mut ffi::_Py_CODEUNIT,
    exec_ptr: *mut *mut ffi::_PyExecutorObject,
    chain_depth: c_int,
) -> c_int {
    // SAFETY: the callee has the same contract, and `exec_ptr` is writable (caller).
    unsafe {
        match record::ask(Frame::from_ptr(frame), CodeUnit::from_ptr(start), (chain_depth % 4) as u8) {
            Some(executor) => {
                *exec_ptr = executor.into_ptr();
                1
            }
            None => 0,
        }
    }
}

/// Returns a new reference to the executor at the byte `offset` of the bytecode of `code`. Declared in
/// `pycore_optimizer.h`.
///
/// Returns NULL with ValueError set if there is none.
///
/// # Safety
/// The calling thread is attached; `code` is live.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _Py_GetExecutor(
    code: *mut ffi::PyCodeObject,
    offset: c_int,
) -> *mut ffi::_PyExecutorObject {
    const UNIT: c_int = size_of::<ffi::_Py_CODEUNIT>() as c_int;
    // SAFETY: `code` is live, and the attached thread holds the GIL, which all hosts with tier 2 have.
    unsafe {
        let executor = (offset >= 0 && offset % UNIT == 0)
            .then(|| install::at(Code::from_ptr(code), (offset / UNIT) as usize))
            .flatten();
        match executor {
            Some(executor) => executor.new_ref().into_ptr(),
            None => {
                raise!(PyExc_ValueError, c"no executor at given byte offset");
                core::ptr::null_mut()
            }
        }
    }
}

/// Takes an executor out of the bytecode that it is in, if any, restores the instruction there, and releases the
/// code object's reference. The executor stays valid. Declared in `pycore_optimizer.h`; cannot fail.
///
/// # Safety
/// The calling thread is attached; `executor` is live.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _Py_ExecutorDetach(executor: *mut ffi::_PyExecutorObject) {
    // SAFETY: the executor is live (caller).
    unsafe { Executor::from_ptr(executor).into_iter().for_each(|executor| install::detach(executor)) }
}

/// From now on, `executor` is invalidated when `obj` changes. Keeps no reference to `obj`. Declared in
/// `pycore_optimizer.h`; cannot fail.
///
/// # Safety
/// The calling thread is attached; `executor` is live.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _Py_Executor_DependsOn(executor: *mut ffi::_PyExecutorObject, obj: *mut c_void) {
    // SAFETY: the executor is live (caller).
    unsafe { Executor::from_ptr(executor).into_iter().for_each(|executor| executor.depend_on(obj)) }
}

/// Invalidates the executors of the interpreter that may depend on `obj`. `is_invalidation` is for statistics, of
/// which there are none. Declared in `pycore_optimizer.h`; cannot fail.
///
/// # Safety
/// The calling thread is attached to `interp`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _Py_Executors_InvalidateDependency(
    interp: *mut ffi::PyInterpreterState,
    obj: *mut c_void,
    _is_invalidation: c_int,
) {
    // SAFETY: the callee has the same contract.
    unsafe { invalidate::dependents(interp, obj) }
}

/// Invalidates all executors of the interpreter. Declared in `pycore_optimizer.h`; cannot fail.
///
/// # Safety
/// The calling thread is attached to `interp`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _Py_Executors_InvalidateAll(
    interp: *mut ffi::PyInterpreterState,
    _is_invalidation: c_int,
) {
    // SAFETY: the callee has the same contract.
    unsafe { invalidate::all(interp) }
}

/// Invalidates the executors of the interpreter that have not run since the last call. Declared in
/// `pycore_optimizer.h`; cannot fail.
///
/// # Safety
/// The calling thread is attached to `interp`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _Py_Executors_InvalidateCold(interp: *mut ffi::PyInterpreterState) {
    // SAFETY: the callee has the same contract.
    unsafe { invalidate::cold(interp) }
}

/// Frees the executors that have no references and that no thread runs. Declared in `pycore_optimizer.h`; cannot
/// fail.
///
/// # Safety
/// The calling thread is attached to `interp`, and does not hold the lock of the runtime's interpreters.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _Py_ClearExecutorDeletionList(interp: *mut ffi::PyInterpreterState) {
    // SAFETY: the callee has the same contract.
    unsafe { deletion::free_unused(interp) }
}

/// The type of executors. The host initializes it with its other static types. Declared in `pycore_optimizer.h`.
#[unsafe(no_mangle)]
pub static mut _PyUOpExecutor_Type: ffi::PyTypeObject = python_type::TYPE;

/// Writes all valid executors of the thread's interpreter to `out`, as a graph in the language of graphviz.
/// Declared in `pycore_optimizer.h`.
///
/// Returns 0.
///
/// # Safety
/// The calling thread is attached; `out` is open for writing.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _PyDumpExecutors(out: *mut ffi::FILE) -> c_int {
    // SAFETY: the callee has the same contract; the thread is attached (caller).
    unsafe { dump::dump(ThreadState::current().interp(), out) };
    0
}
