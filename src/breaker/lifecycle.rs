//! Making and ending the GILs of interpreters, `fork`, the switch interval, and turning the GIL of a
//! free-threaded host on and off. Source: `pycore_gil.h`, `pycore_ceval.h`.

use core::ffi::{c_int, c_ulong};
use core::sync::atomic::{AtomicUsize, Ordering};

use super::host_gil::HostGil;
use super::queues::Queues;
use super::threads;
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

/// Prepares the memory of an interpreter's GIL.
///
/// # Safety
/// The interpreter is being made.
pub(crate) unsafe fn init_state(interp: *mut ffi::PyInterpreterState) {
    // SAFETY: the caller's promise.
    unsafe {
        let gil = &raw mut (*interp)._gil;
        (*gil).locked = NOT_CREATED;
        (*gil).interval = DEFAULT_INTERVAL;
    }
}

/// Gives the interpreter of `tstate` a GIL of its own, or the main interpreter's, and attaches the thread.
///
/// # Safety
/// `tstate` is the first thread state of an interpreter without a GIL, and the calling thread is not
/// attached. The main interpreter has a GIL of its own.
pub(crate) unsafe fn create_gil(tstate: ThreadState, own_gil: bool) {
    // SAFETY: the caller's promise.
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

/// Takes the interpreter's GIL away, and ends it if it is the interpreter's own.
///
/// # Safety
/// No thread of the interpreter will attach any more.
pub(crate) unsafe fn destroy_gil(interp: *mut ffi::PyInterpreterState) {
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

/// Whether the main interpreter has a GIL.
///
/// # Safety
/// The main interpreter is not being made or ended.
pub(crate) unsafe fn main_gil_exists() -> bool {
    // SAFETY: the caller's promise.
    unsafe {
        let main = ffi::_PyInterpreterState_Main();
        !main.is_null() && HostGil::of(main).is_created()
    }
}

/// Makes the GIL and the lock of pending calls anew in the child after a fork, and takes the GIL.
///
/// # Safety
/// `tstate` is the state of the process's only thread, in the main interpreter.
pub(crate) unsafe fn after_fork(tstate: ThreadState) {
    // SAFETY: the caller's promise.
    unsafe {
        let interp = tstate.interp();
        let gil = HostGil::of(interp);
        if gil.is_created() {
            gil.create();
            threads::take(tstate);
            (*interp).ceval.pending.mutex = core::mem::zeroed();
        }
    }
}

/// Changes the interval after which a thread that waits for the GIL of the interpreter asks for it.
///
/// # Safety
/// The thread is attached.
pub(crate) unsafe fn set_switch_interval(tstate: ThreadState, microseconds: c_ulong) {
    // SAFETY: the caller's promise.
    unsafe {
        let gil = HostGil::of(tstate.interp());
        gil.interval().store(microseconds as usize, Ordering::Relaxed);
    }
}

/// The interval of [`set_switch_interval`], in microseconds.
///
/// # Safety
/// The thread is attached.
pub(crate) unsafe fn switch_interval(tstate: ThreadState) -> c_ulong {
    // SAFETY: the caller's promise.
    unsafe {
        let gil = HostGil::of(tstate.interp());
        gil.interval().load(Ordering::Relaxed) as c_ulong
    }
}

/// The GIL of free-threaded hosts, which is needed while some module is loaded that relies on it.
#[cfg(py_gil_disabled)]
pub(crate) mod optional {
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

    /// Asks for the GIL to be needed until one of the two functions below is called. Returns whether it was not
    /// needed before.
    ///
    /// # Safety
    /// The thread is attached and `tstate` is its state.
    pub(crate) unsafe fn need_for_now(tstate: ThreadState) -> bool {
        // SAFETY: the caller's promise. Whoever holds the GIL, or has stopped the world, may change it.
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
            // What it means to be attached changes, so nobody is while it does.
            ffi::_PyThreadState_Detach(tstate.as_ptr());
            let runtime = &raw mut ffi::_PyRuntime;
            ffi::_PyEval_StopTheWorldAll(runtime);
            let before = gil.enabled().fetch_add(1, Ordering::Relaxed);
            ffi::_PyEval_StartTheWorldAll(runtime);
            ffi::_PyThreadState_Attach(tstate.as_ptr());
            before == 0
        }
    }

    /// Makes the GIL, which [`need_for_now`] has turned on, needed for ever. Returns whether it was not so
    /// already.
    ///
    /// # Safety
    /// As for [`need_for_now`]; the thread holds the GIL.
    pub(crate) unsafe fn need_for_ever(tstate: ThreadState) -> bool {
        // SAFETY: the caller's promise.
        unsafe {
            let Some(gil) = changeable(tstate) else { return false };
            gil.enabled().swap(PERMANENT, Ordering::Relaxed) != PERMANENT
        }
    }

    /// Takes back what [`need_for_now`] asked for. Returns whether the GIL is not needed any more.
    ///
    /// # Safety
    /// As for [`need_for_ever`].
    pub(crate) unsafe fn need_no_more(tstate: ThreadState) -> bool {
        // SAFETY: the caller's promise.
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
            // Those that wait for it find that they do not need it. The thread stays attached, and
            // nobody waits for it to make way.
            threads::drop(tstate.interp(), tstate, true);
            EvalBreaker::of(tstate).clear(Event::GIL_DROP_REQUEST);
            true
        }
    }
}
