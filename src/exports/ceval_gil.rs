//! The symbols of `ceval_gil.o`.

use core::ffi::{c_int, c_ulong, c_void};

#[cfg(py_gil_disabled)]
use crate::breaker::lifecycle::optional;
use crate::breaker::pending::Full;
use crate::breaker::word::Event;
use crate::breaker::{handling, lifecycle, pending, remote, requests, threads};
use crate::host::owned::status;
use crate::host::{ThreadState, ffi};

// --- the life of a GIL ----------------------------------------------------------------------

/// Prepares the memory of an interpreter's GIL. Stands for the host's symbol of this name
/// (`pycore_ceval.h`).
///
/// # Safety
/// The interpreter is being made.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _PyEval_InitState(interp: *mut ffi::PyInterpreterState) {
    // SAFETY: the contract of this function.
    unsafe { lifecycle::init_state(interp) }
}

/// Gives the interpreter of `tstate` a GIL of its own, or the main interpreter's, and attaches the
/// thread. Stands for the host's symbol of this name (`pycore_ceval.h`).
///
/// # Safety
/// `tstate` is the first thread state of an interpreter without a GIL, and the calling thread is not
/// attached. The main interpreter has a GIL of its own.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _PyEval_InitGIL(tstate: *mut ffi::PyThreadState, own_gil: c_int) {
    // SAFETY: the contract of this function.
    unsafe { lifecycle::create_gil(ThreadState::from_ptr(tstate), own_gil != 0) }
}

/// Takes the interpreter's GIL away, and ends it if it is the interpreter's own. Stands for the host's
/// symbol of this name (`pycore_ceval.h`).
///
/// # Safety
/// No thread of the interpreter will attach any more.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _PyEval_FiniGIL(interp: *mut ffi::PyInterpreterState) {
    // SAFETY: the contract of this function.
    unsafe { lifecycle::destroy_gil(interp) }
}

/// What is left to do when the runtime ends: nothing. Stands for the host's symbol of this name
/// (`pycore_ceval.h`).
#[unsafe(no_mangle)]
pub extern "C" fn _PyEval_Fini() {}

/// Nothing: there is a GIL as soon as there is an interpreter. Stands for the host's symbol of this name
/// (`ceval.h`), kept for old callers.
#[unsafe(no_mangle)]
pub extern "C" fn PyEval_InitThreads() {}

/// Whether the main interpreter has its GIL. Stands for the host's symbol of this name
/// (`pycore_ceval.h`).
///
/// # Safety
/// The main interpreter, if there is one, is live.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _PyEval_ThreadsInitialized() -> c_int {
    // SAFETY: the contract of this function.
    unsafe { lifecycle::main_gil_exists() }.into()
}

/// Whether the main interpreter has its GIL. Stands for the host's symbol of this name, which is left of
/// an old C API.
///
/// # Safety
/// As for [`_PyEval_ThreadsInitialized`].
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyEval_ThreadsInitialized() -> c_int {
    // SAFETY: the contract of this function.
    unsafe { _PyEval_ThreadsInitialized() }
}

/// Makes the GIL of the main interpreter and the lock of its pending calls anew in the child process
/// after a fork, and takes the GIL. Stands for the host's symbol of this name (`pycore_ceval.h`); cannot
/// fail.
///
/// # Safety
/// `tstate` is the state of the process's only thread, in the main interpreter.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _PyEval_ReInitThreads(tstate: *mut ffi::PyThreadState) -> ffi::PyStatus {
    // SAFETY: the contract of this function. A status of zeros is success.
    unsafe {
        lifecycle::after_fork(ThreadState::from_ptr(tstate));
        core::mem::zeroed()
    }
}

/// Changes the interval, in microseconds, after which a thread that waits for the interpreter's GIL asks
/// for it. Stands for the host's symbol of this name (`pycore_ceval.h`).
///
/// # Safety
/// The thread is attached.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _PyEval_SetSwitchInterval(microseconds: c_ulong) {
    // SAFETY: the contract of this function.
    unsafe { lifecycle::set_switch_interval(ThreadState::current(), microseconds) }
}

/// The interval of [`_PyEval_SetSwitchInterval`]. Stands for the host's symbol of this name
/// (`pycore_ceval.h`).
///
/// # Safety
/// The thread is attached.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _PyEval_GetSwitchInterval() -> c_ulong {
    // SAFETY: the contract of this function.
    unsafe { lifecycle::switch_interval(ThreadState::current()) }
}

// --- the GIL of free-threaded hosts ---------------------------------------------------------

/// Asks for the GIL of the calling thread's interpreter to be needed until one of the two functions
/// below is called. Gives 1 if it was not needed before, else 0. Stands for the host's symbol of this
/// name (`pycore_ceval.h`).
///
/// # Safety
/// The thread is attached and `tstate` is its state.
#[cfg(py_gil_disabled)]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _PyEval_EnableGILTransient(tstate: *mut ffi::PyThreadState) -> c_int {
    // SAFETY: the contract of this function.
    unsafe { optional::need_for_now(ThreadState::from_ptr(tstate)) }.into()
}

/// Makes the GIL, which [`_PyEval_EnableGILTransient`] has turned on, needed for ever. Gives 1, or 0
/// if it was so already. Stands for the host's symbol of this name (`pycore_ceval.h`).
///
/// # Safety
/// As for [`_PyEval_EnableGILTransient`]; the thread holds the GIL.
#[cfg(py_gil_disabled)]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _PyEval_EnableGILPermanent(tstate: *mut ffi::PyThreadState) -> c_int {
    // SAFETY: the contract of this function.
    unsafe { optional::need_for_ever(ThreadState::from_ptr(tstate)) }.into()
}

/// Takes back what [`_PyEval_EnableGILTransient`] asked for. Gives 1 if the GIL is not needed any
/// more, else 0. Stands for the host's symbol of this name (`pycore_ceval.h`).
///
/// # Safety
/// As for [`_PyEval_EnableGILPermanent`].
#[cfg(py_gil_disabled)]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _PyEval_DisableGIL(tstate: *mut ffi::PyThreadState) -> c_int {
    // SAFETY: the contract of this function.
    unsafe { optional::need_no_more(ThreadState::from_ptr(tstate)) }.into()
}

// --- taking and dropping it -----------------------------------------------------------------

/// Takes the interpreter's GIL for the calling thread. Does not return if the program is ending. Stands
/// for the host's symbol of this name (`pycore_ceval.h`); no references.
///
/// # Safety
/// `tstate` is the calling thread's state, live and not attached, or null, which ends the process.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _PyEval_AcquireLock(tstate: *mut ffi::PyThreadState) {
    let tstate = ThreadState::from_ptr(tstate);
    // SAFETY: the contract of this function.
    unsafe {
        requests::ensure_not_null(tstate, c"_PyEval_AcquireLock");
        threads::take(tstate);
    }
}

/// Drops the GIL of `interp`; for the last time in this thread if `final_release`, and then thread state
/// and interpreter may be gone when it returns. Stands for the host's symbol of this name
/// (`pycore_ceval.h`); no references.
///
/// # Safety
/// The calling thread holds the GIL of `interp`, and `tstate` is its state.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _PyEval_ReleaseLock(
    interp: *mut ffi::PyInterpreterState,
    tstate: *mut ffi::PyThreadState,
    final_release: c_int,
) {
    // SAFETY: the contract of this function.
    unsafe { threads::drop(interp, ThreadState::from_ptr(tstate), final_release != 0) }
}

/// Takes the GIL for the current thread state. Stands for the host's symbol of this name, which is left
/// of an old C API; no references.
///
/// # Safety
/// The calling thread has a current state and does not hold the GIL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyEval_AcquireLock() {
    let tstate = ThreadState::current();
    // SAFETY: the contract of this function.
    unsafe {
        requests::ensure_not_null(tstate, c"PyEval_AcquireLock");
        threads::take(tstate);
    }
}

/// Drops the GIL, leaving the current thread state. Stands for the host's symbol of this name, which is
/// left of an old C API; no references.
///
/// # Safety
/// The thread is attached.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyEval_ReleaseLock() {
    let tstate = ThreadState::current();
    // SAFETY: the contract of this function.
    unsafe { threads::drop(tstate.interp(), tstate, false) }
}

/// Attaches the calling thread with the state `tstate`. Does not return if the program is ending. Stands
/// for the host's symbol of this name (`ceval.h`); no references.
///
/// # Safety
/// The calling thread is not attached; `tstate` is live and no thread's, or null, which ends the process.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyEval_AcquireThread(tstate: *mut ffi::PyThreadState) {
    // SAFETY: the contract of this function.
    unsafe { threads::attach(ThreadState::from_ptr(tstate), c"PyEval_AcquireThread") }
}

/// Detaches the calling thread from its state `tstate`. Stands for the host's symbol of this name
/// (`ceval.h`); no references.
///
/// # Safety
/// The thread is attached and `tstate` is its state.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyEval_ReleaseThread(tstate: *mut ffi::PyThreadState) {
    // SAFETY: the contract of this function.
    unsafe {
        ThreadState::from_ptr(tstate).check();
        ffi::_PyThreadState_Detach(tstate);
    }
}

/// Detaches the calling thread and gives its state. Stands for the host's symbol of this name
/// (`ceval.h`); no references.
///
/// # Safety
/// The thread is attached.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyEval_SaveThread() -> *mut ffi::PyThreadState {
    let tstate = ThreadState::current().as_ptr();
    // SAFETY: the contract of this function.
    unsafe { ffi::_PyThreadState_Detach(tstate) };
    tstate
}

/// Attaches the calling thread with the state that [`PyEval_SaveThread`] gave. Does not return if the
/// program is ending. Stands for the host's symbol of this name (`ceval.h`); no references.
///
/// # Safety
/// As for [`PyEval_AcquireThread`].
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyEval_RestoreThread(tstate: *mut ffi::PyThreadState) {
    // SAFETY: the contract of this function.
    unsafe { threads::attach(ThreadState::from_ptr(tstate), c"PyEval_RestoreThread") }
}

// --- what is asked of threads ---------------------------------------------------------------

/// Does what the eval breaker of the calling thread asks for: stopping, signals, pending calls,
/// collecting garbage, dropping the GIL, an exception from another thread, a script from another process.
/// Gives 0, or -1 with an exception set. Stands for the host's symbol of this name (`pycore_ceval.h`); no
/// references.
///
/// # Safety
/// The thread is attached, `tstate` is its state, and its current frame is published.
#[cold]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _Py_HandlePending(tstate: *mut ffi::PyThreadState) -> c_int {
    // SAFETY: the contract of this function.
    status(unsafe { handling::handle(ThreadState::from_ptr(tstate)) })
}

/// Sets the events of `bit` for every thread of the interpreter. Stands for the host's symbol of this name
/// (`pycore_ceval.h`); no references.
///
/// # Safety
/// The interpreter is live.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _Py_set_eval_breaker_bit_all(interp: *mut ffi::PyInterpreterState, bit: usize) {
    // SAFETY: the contract of this function.
    unsafe { requests::for_all(interp, |breaker| breaker.set(Event::from_bits(bit))) }
}

/// Undoes [`_Py_set_eval_breaker_bit_all`]. Stands for the host's symbol of this name (`pycore_ceval.h`);
/// no references.
///
/// # Safety
/// The interpreter is live.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _Py_unset_eval_breaker_bit_all(interp: *mut ffi::PyInterpreterState, bit: usize) {
    // SAFETY: the contract of this function.
    unsafe { requests::for_all(interp, |breaker| breaker.clear(Event::from_bits(bit))) }
}

/// Has the main thread look for signals soon. Stands for the host's symbol of this name
/// (`pycore_ceval.h`).
///
/// # Safety
/// The main thread's state is live. Signal handlers may call this.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _PyEval_SignalReceived() {
    // SAFETY: the contract of this function.
    unsafe { requests::main_thread() }.set(Event::SIGNALS_PENDING);
}

/// Runs the script that another process has asked the thread to run, if there is one. Gives 0; what goes
/// wrong is reported as unraisable. Stands for the host's symbol of this name (`pycore_ceval.h`); no
/// references.
///
/// # Safety
/// The thread is attached and `tstate` is its state.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _PyRunRemoteDebugger(tstate: *mut ffi::PyThreadState) -> c_int {
    // SAFETY: the contract of this function.
    unsafe { remote::run_pending_script(ThreadState::from_ptr(tstate)) };
    0
}

/// Has `func(arg)` called soon in some thread of `interp`, or if `flags` says so in the main thread.
/// Gives `_Py_ADD_PENDING_SUCCESS`, or `_Py_ADD_PENDING_FULL` if too many calls wait; sets no exception.
/// The call gives 0, or -1 with an exception set. Stands for the host's symbol of this name
/// (`pycore_ceval.h`); no references.
///
/// # Safety
/// The interpreter is live, the main one if it is to be the main thread; `func` is not null. Any thread
/// may call this, attached or not.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _PyEval_AddPendingCall(
    interp: *mut ffi::PyInterpreterState,
    func: ffi::_Py_pending_call_func,
    arg: *mut c_void,
    flags: c_int,
) -> ffi::_Py_add_pending_call_result {
    // SAFETY: the contract of this function.
    unsafe {
        match pending::add(interp, func, arg, flags) {
            Ok(()) => ffi::_Py_ADD_PENDING_SUCCESS as ffi::_Py_add_pending_call_result,
            Err(Full) => ffi::_Py_ADD_PENDING_FULL,
        }
    }
}

/// Has `func(arg)` called soon in the main thread. Gives 0, or -1 without an exception if too many calls
/// wait. Stands for the host's symbol of this name (`ceval.h`); no references.
///
/// # Safety
/// The main interpreter is live; `func` is not null. Any thread may call this, attached or not.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn Py_AddPendingCall(func: ffi::_Py_pending_call_func, arg: *mut c_void) -> c_int {
    // SAFETY: the contract of this function.
    unsafe { _PyEval_AddPendingCall(ffi::_PyInterpreterState_Main(), func, arg, pending::MAIN_THREAD_ONLY) }
}

/// Makes all calls that wait, however many. Their exceptions are printed. Stands for the host's symbol of
/// this name (`pycore_ceval.h`); no references.
///
/// # Safety
/// The thread is attached and `tstate` is its state.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _Py_FinishPendingCalls(tstate: *mut ffi::PyThreadState) {
    // SAFETY: the contract of this function.
    unsafe { pending::finish(ThreadState::from_ptr(tstate)) }
}

/// Makes calls that wait, and in the main thread handles signals first. Gives 0, or -1 with an exception
/// set. Stands for the host's symbol of this name (`pycore_ceval.h`); no references.
///
/// # Safety
/// The thread is attached and `tstate` is its state.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _PyEval_MakePendingCalls(tstate: *mut ffi::PyThreadState) -> c_int {
    // SAFETY: the contract of this function.
    status(unsafe { pending::make_with_signals(ThreadState::from_ptr(tstate)) })
}

/// Handles signals and makes calls that wait, in the main thread; elsewhere does nothing. Gives 0, or -1
/// with an exception set. Stands for the host's symbol of this name (`ceval.h`); no references.
///
/// # Safety
/// The thread is attached.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn Py_MakePendingCalls() -> c_int {
    // SAFETY: the contract of this function.
    status(unsafe { pending::make_in_main_thread() })
}
