//! Creating and destroying the GILs of interpreters, `fork`, the switch interval, and enabling and disabling
//! the GIL of a free-threaded host. Source: `pycore_gil.h`, `pycore_ceval.h`.

use core::ffi::{c_int, c_ulong};
use core::sync::atomic::Ordering;

use super::host_gil::HostGil;
use super::queues::Queues;
use super::{pending, threads};
use crate::host::{AtomicULong, ThreadState, ffi};

/// The default switch interval, in microseconds.
const DEFAULT_INTERVAL: c_ulong = 5000;

/// The value of `locked` for a lock that does not exist.
const NOT_CREATED: c_int = -1;

impl HostGil {
    /// Creates the lock, free. In the child after a fork, creates it anew.
    ///
    /// # Safety
    /// The memory is live, and no other thread uses it.
    unsafe fn create(self) {
        // SAFETY: the memory is live and used by no other thread (caller); the queues exist when the lock is
        // borrowed.
        let lock = unsafe {
            Queues::of(self.as_ptr()).create();
            self.lock()
        };
        lock.last_holder.store(0, Ordering::Relaxed);
        lock.locked.store(0, Ordering::Release);
    }

    /// Destroys the lock; its memory stays.
    ///
    /// # Safety
    /// The lock exists, and no thread will take it again.
    unsafe fn destroy(self) {
        // SAFETY: the lock exists (caller).
        let lock = unsafe { self.lock() };
        lock.locked.store(NOT_CREATED, Ordering::Release);
    }

    /// The switch interval.
    ///
    /// # Safety
    /// The lock's memory outlives the uses of the result.
    unsafe fn interval(self) -> &'static AtomicULong {
        // SAFETY: the memory lives long enough (caller), and all code changes the interval atomically once the
        // lock exists.
        unsafe { AtomicULong::from_ptr(&raw mut (*self.as_ptr()).interval) }
    }
}

/// Initializes the memory of an interpreter's GIL.
///
/// # Safety
/// The interpreter is being created; no other thread knows it.
pub(crate) unsafe fn init_state(interp: *mut ffi::PyInterpreterState) {
    // SAFETY: the interpreter's memory is there and used by no other thread (caller).
    unsafe {
        let gil = &raw mut (*interp)._gil;
        (*gil).locked = NOT_CREATED;
        (*gil).interval = DEFAULT_INTERVAL;
    }
}

/// Creates the GIL of the interpreter of `tstate` if `own_gil`, else makes the interpreter share the main
/// interpreter's. Then attaches the calling thread.
///
/// # Safety
/// `tstate` is the first thread state of an interpreter without a GIL, and the calling thread is not attached.
/// Unless `own_gil`, the main interpreter has its GIL.
pub(crate) unsafe fn create_gil(tstate: ThreadState, own_gil: bool) {
    // SAFETY: state and interpreter are live, and only this thread uses them yet (caller).
    unsafe {
        let interp = tstate.interp();
        let gil = if own_gil {
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
        (*interp).ceval.own_gil = c_int::from(own_gil);
        ffi::_PyThreadState_Attach(tstate.as_ptr());
    }
}

/// Detaches the interpreter from its GIL, and destroys the GIL if it is the interpreter's own.
///
/// # Safety
/// The interpreter is live, and no thread of it will attach again.
pub(crate) unsafe fn destroy_gil(interp: *mut ffi::PyInterpreterState) {
    // SAFETY: the interpreter is live, and its own GIL is not taken again (caller).
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

/// Whether the main interpreter has a GIL.
///
/// # Safety
/// No other thread is creating or destroying the main interpreter.
pub(crate) unsafe fn main_gil_exists() -> bool {
    // SAFETY: the main interpreter is null or live, and stays so (caller).
    unsafe {
        let main = ffi::_PyInterpreterState_Main();
        !main.is_null() && HostGil::of(main).is_created()
    }
}

/// Creates the GIL and the lock of pending calls anew in the child after a fork, and takes the GIL. Pending
/// calls that were left to a thread of the parent are this thread's now.
///
/// # Safety
/// `tstate` is the state of the process's only thread, in the main interpreter.
pub(crate) unsafe fn after_fork(tstate: ThreadState) {
    // SAFETY: no other thread exists (caller), so none uses the GIL or the queue's mutex.
    unsafe {
        let interp = tstate.interp();
        let gil = HostGil::of(interp);
        if gil.is_created() {
            gil.create();
            threads::take_gil(tstate);
            pending::after_fork(tstate);
        }
    }
}

/// Sets how many microseconds a thread waits for the interpreter's GIL before it requests the GIL.
///
/// # Safety
/// The thread is attached and `tstate` is its state.
pub(crate) unsafe fn set_switch_interval(tstate: ThreadState, microseconds: c_ulong) {
    // SAFETY: interpreter and GIL are live, since the thread is attached (caller).
    unsafe {
        let gil = HostGil::of(tstate.interp());
        gil.interval().store(microseconds, Ordering::Relaxed);
    }
}

/// The interval of [`set_switch_interval`], in microseconds.
///
/// # Safety
/// The thread is attached and `tstate` is its state.
pub(crate) unsafe fn switch_interval(tstate: ThreadState) -> c_ulong {
    // SAFETY: interpreter and GIL are live, since the thread is attached (caller).
    unsafe {
        let gil = HostGil::of(tstate.interp());
        gil.interval().load(Ordering::Relaxed)
    }
}

/// Enabling and disabling the GIL of a free-threaded host: it is needed while a module is loaded that relies on
/// it.
#[cfg(py_gil_disabled)]
pub(crate) mod optional {
    use super::*;
    use crate::breaker::word::{EvalBreaker, Request};

    /// The number of requests that stands for "enabled permanently".
    const PERMANENT: c_int = c_int::MAX;

    /// The interpreter's GIL; None if the configuration fixes whether it is enabled.
    ///
    /// # Safety
    /// The thread is attached and `tstate` is its state.
    unsafe fn changeable(tstate: ThreadState) -> Option<HostGil> {
        // SAFETY: the interpreter is live, since the thread is attached (caller).
        unsafe {
            let config = ffi::_PyInterpreterState_GetConfig(tstate.interp());
            ((*config).enable_gil == ffi::_PyConfig_GIL_DEFAULT).then(|| HostGil::of(tstate.interp()))
        }
    }

    /// Requests that the GIL be enabled until one of the two functions below is called. Returns whether it was
    /// disabled before.
    ///
    /// # Safety
    /// The thread is attached and `tstate` is its state; it has not stopped the world.
    pub(crate) unsafe fn need_for_now(tstate: ThreadState) -> bool {
        // SAFETY: the interpreter is live, since the thread is attached (caller). The number of requests
        // changes only in the holder of an enabled GIL, or while the world is stopped.
        unsafe {
            let Some(gil) = changeable(tstate) else { return false };
            let requests = gil.enabled().load(Ordering::Relaxed);
            match requests {
                PERMANENT => return false,
                0 => {}
                _ if requests == PERMANENT - 1 => ffi::_Py_FatalErrorFunc(
                    c"_PyEval_EnableGILTransient".as_ptr(),
                    c"Too many transient requests to enable the GIL".as_ptr(),
                ),
                _ => {
                    gil.enabled().store(requests + 1, Ordering::Relaxed);
                    return false;
                }
            }
            // The meaning of "attached" changes, so no thread may be attached while it does.
            ffi::_PyThreadState_Detach(tstate.as_ptr());
            let runtime = &raw mut ffi::_PyRuntime;
            ffi::_PyEval_StopTheWorldAll(runtime);
            let before = gil.enabled().fetch_add(1, Ordering::Relaxed);
            ffi::_PyEval_StartTheWorldAll(runtime);
            ffi::_PyThreadState_Attach(tstate.as_ptr());
            before == 0
        }
    }

    /// Enables the GIL permanently. Ends the request that the thread made by [`need_for_now`]. Returns whether
    /// the GIL was not permanent before.
    ///
    /// # Safety
    /// The thread is attached and `tstate` is its state; it has called [`need_for_now`], and has not ended that
    /// request.
    pub(crate) unsafe fn need_for_ever(tstate: ThreadState) -> bool {
        // SAFETY: the interpreter is live, since the thread is attached (caller). Unless the configuration
        // fixes whether the GIL is enabled, the open request (caller) means that this thread holds it, so it
        // may change the number of requests.
        unsafe {
            let Some(gil) = changeable(tstate) else { return false };
            gil.enabled().swap(PERMANENT, Ordering::Relaxed) != PERMANENT
        }
    }

    /// Ends the request that the thread made by [`need_for_now`]. Returns whether the GIL is disabled now.
    ///
    /// # Safety
    /// As for [`need_for_ever`].
    pub(crate) unsafe fn need_no_more(tstate: ThreadState) -> bool {
        // SAFETY: the interpreter is live, since the thread is attached (caller). Unless the configuration
        // fixes whether the GIL is enabled, the open request (caller) means that this thread holds it, so it
        // may change the number of requests.
        unsafe {
            let Some(gil) = changeable(tstate) else { return false };
            let requests = gil.enabled().load(Ordering::Relaxed);
            if requests == PERMANENT {
                return false;
            }
            gil.enabled().store(requests - 1, Ordering::Relaxed);
            if requests > 1 {
                return false;
            }
            // Threads that wait for the GIL find that they no longer need it. This thread stays attached, and
            // no thread waits for it to drop the GIL.
            threads::drop_gil(tstate.interp(), tstate, true);
            EvalBreaker::of(tstate).clear(Request::GIL_DROP_REQUEST);
            true
        }
    }
}
