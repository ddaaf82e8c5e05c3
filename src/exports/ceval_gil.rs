//! The symbols of `ceval_gil.o`: the GIL, attaching and detaching threads, the eval breaker, pending calls. The
//! implementation is [`crate::breaker`].

use core::ffi::{c_int, c_ulong, c_void};

#[cfg(py_gil_disabled)]
use crate::breaker::lifecycle::optional;
use crate::breaker::pending::Full;
use crate::breaker::word::Request;
use crate::breaker::{handling, lifecycle, pending, remote, requests, threads};
use crate::host::owned::into_status;
use crate::host::{ThreadState, ffi};

// --- making and destroying a GIL ------------------------------------------------------------

/// Initializes the memory of an interpreter's GIL. Declared in `pycore_ceval.h`.
///
/// # Safety
/// The interpreter is being created; no other thread knows it.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _PyEval_InitState(interp: *mut ffi::PyInterpreterState) {
    // SAFETY: the callee has the same contract.
    unsafe { lifecycle::init_state(interp) }
}

/// Creates the GIL of the interpreter of `tstate` if `own_gil` is nonzero, else makes the interpreter share the
/// main interpreter's. Then attaches the calling thread. Declared in `pycore_ceval.h`.
///
/// # Safety
/// `tstate` is the first thread state of an interpreter without a GIL, and the calling thread is not attached.
/// If `own_gil` is zero, the main interpreter has its GIL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _PyEval_InitGIL(tstate: *mut ffi::PyThreadState, own_gil: c_int) {
    // SAFETY: the callee has the same contract.
    unsafe { lifecycle::create_gil(ThreadState::from_ptr(tstate), own_gil != 0) }
}

/// Detaches the interpreter from its GIL, and destroys the GIL if it is the interpreter's own. Declared in
/// `pycore_ceval.h`.
///
/// # Safety
/// The interpreter is live, and no thread of it will attach again.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _PyEval_FiniGIL(interp: *mut ffi::PyInterpreterState) {
    // SAFETY: the callee has the same contract.
    unsafe { lifecycle::destroy_gil(interp) }
}

/// Does nothing. The host calls it at the end of the runtime. Declared in `pycore_ceval.h`.
#[unsafe(no_mangle)]
pub extern "C" fn _PyEval_Fini() {}

/// Does nothing: a GIL exists as soon as an interpreter does. Kept for old callers. Declared in `ceval.h`.
#[unsafe(no_mangle)]
pub extern "C" fn PyEval_InitThreads() {}

/// Returns 1 if the main interpreter has its GIL, else 0. Declared in `pycore_ceval.h`.
///
/// # Safety
/// The main interpreter is not being created or destroyed by another thread.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _PyEval_ThreadsInitialized() -> c_int {
    // SAFETY: the callee has the same contract.
    unsafe { lifecycle::main_gil_exists() }.into()
}

/// Returns 1 if the main interpreter has its GIL, else 0. Part of an old C API.
///
/// # Safety
/// As for `_PyEval_ThreadsInitialized`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyEval_ThreadsInitialized() -> c_int {
    // SAFETY: the callee has the same contract.
    unsafe { _PyEval_ThreadsInitialized() }
}

/// Makes the main interpreter's GIL and the lock of its pending calls anew in the child process after a fork,
/// and takes the GIL. Pending calls that were left to another thread are this thread's now. Always returns
/// success. Declared in `pycore_ceval.h`.
///
/// # Safety
/// `tstate` is the state of the process's only thread, in the main interpreter.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _PyEval_ReInitThreads(tstate: *mut ffi::PyThreadState) -> ffi::PyStatus {
    // SAFETY: `after_fork` has the same contract. A `PyStatus` of zeros is success.
    unsafe {
        lifecycle::after_fork(ThreadState::from_ptr(tstate));
        core::mem::zeroed()
    }
}

/// Changes how many microseconds a thread waits for the interpreter's GIL before it requests the GIL. Declared
/// in `pycore_ceval.h`.
///
/// # Safety
/// The calling thread is attached.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _PyEval_SetSwitchInterval(microseconds: c_ulong) {
    // SAFETY: the callee has the same contract.
    unsafe { lifecycle::set_switch_interval(ThreadState::current(), microseconds) }
}

/// Returns the interval that `_PyEval_SetSwitchInterval` sets, in microseconds. Declared in `pycore_ceval.h`.
///
/// # Safety
/// The calling thread is attached.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _PyEval_GetSwitchInterval() -> c_ulong {
    // SAFETY: the callee has the same contract.
    unsafe { lifecycle::switch_interval(ThreadState::current()) }
}

// --- the GIL of free-threaded hosts ---------------------------------------------------------

/// Requests that the GIL of the calling thread's interpreter be enabled until `_PyEval_EnableGILPermanent` or
/// `_PyEval_DisableGIL` is called. Returns 1 if the GIL was disabled before, else 0. Stops the world to enable
/// it. Declared in `pycore_ceval.h`.
///
/// # Safety
/// The calling thread is attached and `tstate` is its state; it has not stopped the world.
#[cfg(py_gil_disabled)]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _PyEval_EnableGILTransient(tstate: *mut ffi::PyThreadState) -> c_int {
    // SAFETY: the callee has the same contract.
    unsafe { optional::need_for_now(ThreadState::from_ptr(tstate)) }.into()
}

/// Enables the GIL for the rest of the process's life. Ends the request that the thread made by
/// `_PyEval_EnableGILTransient`. Returns 1, or 0 if the GIL was enabled permanently already, or if the
/// configuration fixes whether it is enabled. Declared in `pycore_ceval.h`.
///
/// # Safety
/// The calling thread is attached and `tstate` is its state; it has called `_PyEval_EnableGILTransient`, and
/// has not ended that request.
#[cfg(py_gil_disabled)]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _PyEval_EnableGILPermanent(tstate: *mut ffi::PyThreadState) -> c_int {
    // SAFETY: the callee has the same contract.
    unsafe { optional::need_for_ever(ThreadState::from_ptr(tstate)) }.into()
}

/// Ends the request that the thread made by `_PyEval_EnableGILTransient`. Returns 1 if that was the last
/// request and the GIL is disabled now, else 0. Declared in `pycore_ceval.h`.
///
/// # Safety
/// As for `_PyEval_EnableGILPermanent`.
#[cfg(py_gil_disabled)]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _PyEval_DisableGIL(tstate: *mut ffi::PyThreadState) -> c_int {
    // SAFETY: the callee has the same contract.
    unsafe { optional::need_no_more(ThreadState::from_ptr(tstate)) }.into()
}

// --- taking and dropping the GIL ------------------------------------------------------------

/// Takes the interpreter's GIL for the calling thread. Does not return if the interpreter is being finalized:
/// the thread then sleeps for ever. Declared in `pycore_ceval.h`.
///
/// # Safety
/// `tstate` is the calling thread's state, live and not attached, and the thread holds no GIL. NULL ends the
/// process.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _PyEval_AcquireLock(tstate: *mut ffi::PyThreadState) {
    let tstate = ThreadState::from_ptr(tstate);
    // SAFETY: null ends the process in `ensure_not_null`; otherwise `take_gil` has the same contract.
    unsafe {
        requests::ensure_not_null(tstate, c"_PyEval_AcquireLock");
        threads::take_gil(tstate);
    }
}

/// Drops the GIL of `interp`; does nothing if the GIL is disabled. If `final_release` is nonzero, the thread
/// will not take the GIL with `tstate` again, and `tstate` and `interp` may be freed before this function
/// returns. Declared in `pycore_ceval.h`.
///
/// # Safety
/// The interpreter is live. `tstate` is the calling thread's state, and the thread holds the GIL unless the GIL
/// is disabled.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _PyEval_ReleaseLock(
    interp: *mut ffi::PyInterpreterState,
    tstate: *mut ffi::PyThreadState,
    final_release: c_int,
) {
    // SAFETY: the callee has the same contract.
    unsafe { threads::drop_gil(interp, ThreadState::from_ptr(tstate), final_release != 0) }
}

/// Takes the GIL for the current thread state. Part of an old C API.
///
/// # Safety
/// The calling thread has a current thread state and does not hold the GIL. Without a current thread state the
/// process ends.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyEval_AcquireLock() {
    let tstate = ThreadState::current();
    // SAFETY: null ends the process in `ensure_not_null`; otherwise `take_gil` has the same contract.
    unsafe {
        requests::ensure_not_null(tstate, c"PyEval_AcquireLock");
        threads::take_gil(tstate);
    }
}

/// Drops the GIL; the current thread state stays current. Part of an old C API.
///
/// # Safety
/// The calling thread is attached.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyEval_ReleaseLock() {
    let tstate = ThreadState::current();
    // SAFETY: the thread is attached (caller), so it has a state and holds its interpreter's GIL.
    unsafe { threads::drop_gil(tstate.interp(), tstate, false) }
}

/// Attaches the calling thread with the state `tstate`. Does not return if the interpreter is being finalized.
/// Declared in `ceval.h`.
///
/// # Safety
/// The calling thread is not attached. `tstate` is live and no thread is attached with it. NULL ends the
/// process.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyEval_AcquireThread(tstate: *mut ffi::PyThreadState) {
    // SAFETY: the callee has the same contract.
    unsafe { threads::attach(ThreadState::from_ptr(tstate), c"PyEval_AcquireThread") }
}

/// Detaches the calling thread from its state `tstate`. Declared in `ceval.h`.
///
/// # Safety
/// The calling thread is attached and `tstate` is its state.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyEval_ReleaseThread(tstate: *mut ffi::PyThreadState) {
    // SAFETY: `tstate` is the attached thread's state (caller).
    unsafe {
        ThreadState::from_ptr(tstate).check();
        ffi::_PyThreadState_Detach(tstate);
    }
}

/// Detaches the calling thread and returns its state. Declared in `ceval.h`.
///
/// # Safety
/// The calling thread is attached.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyEval_SaveThread() -> *mut ffi::PyThreadState {
    let tstate = ThreadState::current().as_ptr();
    // SAFETY: `tstate` is the current state, with which the thread is attached (caller).
    unsafe { ffi::_PyThreadState_Detach(tstate) };
    tstate
}

/// Attaches the calling thread with the state that `PyEval_SaveThread` returned. Does not return if the
/// interpreter is being finalized. Preserves `errno`, and on Windows what `GetLastError` returns. Declared in
/// `ceval.h`.
///
/// # Safety
/// As for `PyEval_AcquireThread`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyEval_RestoreThread(tstate: *mut ffi::PyThreadState) {
    // SAFETY: the callee has the same contract.
    unsafe { threads::attach_again(ThreadState::from_ptr(tstate), c"PyEval_RestoreThread") }
}

// --- requests to threads --------------------------------------------------------------------

/// Handles the requests in the calling thread's eval breaker: stopping, signals, pending calls, collecting
/// garbage, dropping the GIL, an exception from another thread, a script from another process. Declared in
/// `pycore_ceval.h`.
///
/// Returns 0, or -1 with an exception set.
///
/// # Safety
/// The calling thread is attached, `tstate` is its state, and its current frame is published.
#[cold]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _Py_HandlePending(tstate: *mut ffi::PyThreadState) -> c_int {
    // SAFETY: the callee has the same contract.
    into_status(unsafe { handling::handle(ThreadState::from_ptr(tstate)) })
}

/// Sets the requests in `bit` in the eval breaker of every thread of the interpreter. Declared in
/// `pycore_ceval.h`.
///
/// # Safety
/// The interpreter is live, and the calling thread does not hold the runtime's lock on interpreters.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _Py_set_eval_breaker_bit_all(interp: *mut ffi::PyInterpreterState, bit: usize) {
    // SAFETY: the callee has the same contract.
    unsafe { requests::for_all(interp, |breaker| breaker.set(Request::from_bits(bit))) }
}

/// Clears the requests in `bit` in the eval breaker of every thread of the interpreter. Declared in
/// `pycore_ceval.h`.
///
/// # Safety
/// As for `_Py_set_eval_breaker_bit_all`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _Py_unset_eval_breaker_bit_all(interp: *mut ffi::PyInterpreterState, bit: usize) {
    // SAFETY: the callee has the same contract.
    unsafe { requests::for_all(interp, |breaker| breaker.clear(Request::from_bits(bit))) }
}

/// Makes the main thread check for signals soon. Signal handlers may call this. Declared in `pycore_ceval.h`.
///
/// # Safety
/// The runtime is initialized, and the main thread's state is live.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _PyEval_SignalReceived() {
    // SAFETY: the callee has the same contract.
    unsafe { requests::main_thread() }.set(Request::SIGNALS_PENDING);
}

/// Runs the script that another process has requested for this thread, if there is one (`sys.remote_exec`).
/// Always returns 0; failures are reported as unraisable. Declared in `pycore_ceval.h`.
///
/// # Safety
/// The calling thread is attached and `tstate` is its state.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _PyRunRemoteDebugger(tstate: *mut ffi::PyThreadState) -> c_int {
    // SAFETY: the callee has the same contract.
    unsafe { remote::run_pending_script(ThreadState::from_ptr(tstate)) };
    0
}

/// Schedules a call `func(arg)` in some thread of `interp`, or in the main thread if `flags` has
/// `_Py_PENDING_MAINTHREADONLY`. With `_Py_PENDING_RAWFREE`, `arg` is freed with `PyMem_RawFree` after the
/// call. Declared in `pycore_ceval.h`.
///
/// Returns `_Py_ADD_PENDING_SUCCESS`, or `_Py_ADD_PENDING_FULL` if the queue is full; sets no exception. `func`
/// must return 0, or -1 with an exception set.
///
/// # Safety
/// The interpreter is live and has its GIL; with `_Py_PENDING_MAINTHREADONLY`, the main thread's state is live.
/// `func` is not NULL and may be called with `arg` at any later time. Any thread may call this, attached or
/// not.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _PyEval_AddPendingCall(
    interp: *mut ffi::PyInterpreterState,
    func: ffi::_Py_pending_call_func,
    arg: *mut c_void,
    flags: c_int,
) -> ffi::_Py_add_pending_call_result {
    // SAFETY: the callee has the same contract.
    unsafe {
        match pending::add(interp, func, arg, flags) {
            Ok(()) => ffi::_Py_ADD_PENDING_SUCCESS as ffi::_Py_add_pending_call_result,
            Err(Full) => ffi::_Py_ADD_PENDING_FULL,
        }
    }
}

/// Schedules a call `func(arg)` in the main thread. Returns 0, or -1 without an exception if the queue is full.
/// Declared in `ceval.h`.
///
/// # Safety
/// The main interpreter is live. `func` is not NULL and may be called with `arg` at any later time. Any thread
/// may call this, attached or not.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn Py_AddPendingCall(func: ffi::_Py_pending_call_func, arg: *mut c_void) -> c_int {
    // SAFETY: the callee has the same contract.
    unsafe { _PyEval_AddPendingCall(ffi::_PyInterpreterState_Main(), func, arg, pending::MAIN_THREAD_ONLY) }
}

/// Makes all pending calls until none is left, and prints their exceptions. Declared in `pycore_ceval.h`.
///
/// # Safety
/// The calling thread is attached and `tstate` is its state.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _Py_FinishPendingCalls(tstate: *mut ffi::PyThreadState) {
    // SAFETY: the callee has the same contract.
    unsafe { pending::finish(ThreadState::from_ptr(tstate)) }
}

/// Makes pending calls; in the main thread, handles signals first. Returns 0, or -1 with an exception set.
/// Declared in `pycore_ceval.h`.
///
/// # Safety
/// The calling thread is attached and `tstate` is its state.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _PyEval_MakePendingCalls(tstate: *mut ffi::PyThreadState) -> c_int {
    // SAFETY: the callee has the same contract.
    into_status(unsafe { pending::make_with_signals(ThreadState::from_ptr(tstate)) })
}

/// In the main thread of the main interpreter, handles signals and makes pending calls; elsewhere does nothing.
/// Returns 0, or -1 with an exception set. Declared in `ceval.h`.
///
/// # Safety
/// The calling thread is attached.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn Py_MakePendingCalls() -> c_int {
    // SAFETY: the callee has the same contract.
    into_status(unsafe { pending::make_in_main_thread() })
}
