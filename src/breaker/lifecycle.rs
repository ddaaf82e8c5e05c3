//! Making and ending the GILs of interpreters, `fork`, the switch interval, and turning the GIL of a
//! free-threaded host on and off. Source: `pycore_gil.h`, `pycore_ceval.h`.

use core::ffi::{c_int, c_ulong};
use core::sync::atomic::{AtomicUsize, Ordering};

use super::queues::Queues;
use super::threads::{self, HostGil};
use crate::host::{ThreadState, ffi};

/// Microseconds.
const DEFAULT_INTERVAL: c_ulong = 5000;

/// `locked` of a lock that does not exist.
const NOT_CREATED: c_int = -1;

impl HostGil {
    /// Makes the lock, free; or, in the child after a fork, makes it again.
    ///
    /// # Safety
    /// The memory is live, and no other thread uses it.
    unsafe fn create(self) {
        // SAFETY: the caller's promise.
        let lock = unsafe {
            Queues::of(self.as_ptr()).create();
            self.lock()
        };
        lock.last_holder.store(0, Ordering::Relaxed);
        lock.locked.store(0, Ordering::Release);
    }

    /// Ends the lock; its memory stays.
    ///
    /// # Safety
    /// The lock exists, and nobody will want it any more.
    unsafe fn destroy(self) {
        // SAFETY: the caller's promise.
        let lock = unsafe { self.lock() };
        lock.locked.store(NOT_CREATED, Ordering::Release);
    }

    unsafe fn interval(self) -> &'static AtomicUsize {
        // SAFETY: the lock is live.
        unsafe { AtomicUsize::from_ptr((&raw mut (*self.as_ptr()).interval).cast()) }
    }
}

/// Prepares the memory of an interpreter's GIL. Stands for the host's symbol of this name
/// (`pycore_ceval.h`).
///
/// # Safety
/// The interpreter is being made.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _PyEval_InitState(interp: *mut ffi::PyInterpreterState) {
    // SAFETY: the caller's promise.
    unsafe {
        let gil = &raw mut (*interp)._gil;
        (*gil).locked = NOT_CREATED;
        (*gil).interval = DEFAULT_INTERVAL;
    }
}

/// Gives the interpreter of `tstate` a GIL of its own, or the main interpreter's, and attaches the
/// thread. Stands for the host's symbol of this name (`pycore_ceval.h`).
///
/// # Safety
/// `tstate` is the first thread state of an interpreter without a GIL, and the calling thread is not
/// attached. The main interpreter has a GIL of its own.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _PyEval_InitGIL(tstate: *mut ffi::PyThreadState, own_gil: c_int) {
    // SAFETY: the caller's promise.
    unsafe {
        let interp = (*tstate).interp;
        let gil = if own_gil != 0 {
            ffi::PyThread_init_thread();
            let gil = HostGil::from_ptr(&raw mut (*interp)._gil);
            #[cfg(py_gil_disabled)]
            {
                let config = ffi::_PyInterpreterState_GetConfig(interp);
                let needed = (*config).enable_gil == ffi::_PyConfig_GIL_ENABLE;
                gil.enabled().store(if needed { c_int::MAX } else { 0 }, Ordering::Relaxed);
            }
            gil.create();
            gil
        } else {
            HostGil::of(ffi::_PyInterpreterState_Main())
        };
        (*interp).ceval.gil = gil.as_ptr();
        (*interp).ceval.own_gil = c_int::from(own_gil != 0);
        ffi::_PyThreadState_Attach(tstate);
    }
}

/// Takes the interpreter's GIL away, and ends it if it is the interpreter's own. Stands for the host's
/// symbol of this name (`pycore_ceval.h`).
///
/// # Safety
/// No thread of the interpreter will attach any more.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _PyEval_FiniGIL(interp: *mut ffi::PyInterpreterState) {
    // SAFETY: the caller's promise.
    unsafe {
        let gil = HostGil::of(interp);
        if (*interp).ceval.own_gil != 0 {
            if !gil.is_created() {
                return;
            }
            gil.destroy();
        }
        (*interp).ceval.gil = core::ptr::null_mut();
    }
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
    // SAFETY: the caller's promise.
    unsafe {
        let main = ffi::_PyInterpreterState_Main();
        c_int::from(!main.is_null() && HostGil::of(main).is_created())
    }
}

/// Whether the main interpreter has its GIL. Stands for the host's symbol of this name, which is left of
/// an old C API.
///
/// # Safety
/// As for [`_PyEval_ThreadsInitialized`].
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyEval_ThreadsInitialized() -> c_int {
    // SAFETY: the caller's promise.
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
    // SAFETY: the caller's promise. A status of zeros is success.
    unsafe {
        let interp = (*tstate).interp;
        let gil = HostGil::of(interp);
        if gil.is_created() {
            gil.create();
            threads::take(ThreadState::from_ptr(tstate));
            (*interp).ceval.pending.mutex = core::mem::zeroed();
        }
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
    // SAFETY: the caller's promise.
    unsafe {
        let gil = HostGil::of(ThreadState::current().interp());
        gil.interval().store(microseconds as usize, Ordering::Relaxed);
    }
}

/// The interval of [`_PyEval_SetSwitchInterval`]. Stands for the host's symbol of this name
/// (`pycore_ceval.h`).
///
/// # Safety
/// The thread is attached.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _PyEval_GetSwitchInterval() -> c_ulong {
    // SAFETY: the caller's promise.
    unsafe {
        let gil = HostGil::of(ThreadState::current().interp());
        gil.interval().load(Ordering::Relaxed) as c_ulong
    }
}

/// The GIL of free-threaded hosts, which is needed while some module is loaded that relies on it.
#[cfg(py_gil_disabled)]
mod optional {
    use super::*;
    use crate::breaker::word::{EvalBreaker, Event};

    /// Needed for ever.
    const PERMANENT: c_int = c_int::MAX;

    /// The interpreter's GIL, unless the configuration has decided about it.
    unsafe fn changeable(tstate: ThreadState) -> Option<HostGil> {
        // SAFETY: the thread is attached.
        unsafe {
            let config = ffi::_PyInterpreterState_GetConfig(tstate.interp());
            ((*config).enable_gil == ffi::_PyConfig_GIL_DEFAULT).then(|| HostGil::of(tstate.interp()))
        }
    }

    /// Asks for the GIL of the calling thread's interpreter to be needed until one of the two functions
    /// below is called. Gives 1 if it was not needed before, else 0. Stands for the host's symbol of this
    /// name (`pycore_ceval.h`).
    ///
    /// # Safety
    /// The thread is attached and `tstate` is its state.
    #[unsafe(no_mangle)]
    pub unsafe extern "C" fn _PyEval_EnableGILTransient(tstate: *mut ffi::PyThreadState) -> c_int {
        // SAFETY: the caller's promise. Whoever holds the GIL, or has stopped the world, may change it.
        unsafe {
            let Some(gil) = changeable(ThreadState::from_ptr(tstate)) else { return 0 };
            let requests = gil.enabled().load(Ordering::Relaxed);
            match requests {
                PERMANENT => return 0,
                0 => {}
                _ if requests == PERMANENT - 1 => ffi::_Py_FatalErrorFunc(
                    c"_PyEval_EnableGILTransient".as_ptr(),
                    c"Too many transient requests to enable the GIL".as_ptr(),
                ),
                _ => {
                    gil.enabled().store(requests + 1, Ordering::Relaxed);
                    return 0;
                }
            }
            // What it means to be attached changes, so nobody is while it does.
            ffi::_PyThreadState_Detach(tstate);
            let runtime = &raw mut ffi::_PyRuntime;
            ffi::_PyEval_StopTheWorldAll(runtime);
            let before = gil.enabled().fetch_add(1, Ordering::Relaxed);
            ffi::_PyEval_StartTheWorldAll(runtime);
            ffi::_PyThreadState_Attach(tstate);
            c_int::from(before == 0)
        }
    }

    /// Makes the GIL, which [`_PyEval_EnableGILTransient`] has turned on, needed for ever. Gives 1, or 0
    /// if it was so already. Stands for the host's symbol of this name (`pycore_ceval.h`).
    ///
    /// # Safety
    /// As for [`_PyEval_EnableGILTransient`]; the thread holds the GIL.
    #[unsafe(no_mangle)]
    pub unsafe extern "C" fn _PyEval_EnableGILPermanent(tstate: *mut ffi::PyThreadState) -> c_int {
        // SAFETY: the caller's promise.
        unsafe {
            let Some(gil) = changeable(ThreadState::from_ptr(tstate)) else { return 0 };
            c_int::from(gil.enabled().swap(PERMANENT, Ordering::Relaxed) != PERMANENT)
        }
    }

    /// Takes back what [`_PyEval_EnableGILTransient`] asked for. Gives 1 if the GIL is not needed any
    /// more, else 0. Stands for the host's symbol of this name (`pycore_ceval.h`).
    ///
    /// # Safety
    /// As for [`_PyEval_EnableGILPermanent`].
    #[unsafe(no_mangle)]
    pub unsafe extern "C" fn _PyEval_DisableGIL(tstate: *mut ffi::PyThreadState) -> c_int {
        // SAFETY: the caller's promise.
        unsafe {
            let tstate = ThreadState::from_ptr(tstate);
            let Some(gil) = changeable(tstate) else { return 0 };
            let requests = gil.enabled().load(Ordering::Relaxed);
            if requests == PERMANENT {
                return 0;
            }
            gil.enabled().store(requests - 1, Ordering::Relaxed);
            if requests > 1 {
                return 0;
            }
            // Those that wait for it find that they do not need it. The thread stays attached, and
            // nobody waits for it to make way.
            threads::drop(tstate.interp(), tstate, true);
            EvalBreaker::of(tstate).clear(Event::GIL_DROP_REQUEST);
            1
        }
    }
}
