//! Locks of the host: the locks of objects, the stopped world, and `PyMutex`. With a GIL the GIL protects
//! objects, so locking an object does nothing there.

#[cfg(py_gil_disabled)]
use core::sync::atomic::{AtomicU8, Ordering};

use super::ffi::{self, PyObject};

/// Runs `action` in a critical section of `object` (`Py_BEGIN_CRITICAL_SECTION`). Waiting for the lock may
/// detach
/// the thread.
///
/// # Safety
/// `object` is live and stays live until `action` returns. The thread is attached, and its frames are
/// published.
#[inline(always)]
pub(crate) unsafe fn with_lock<T>(object: *mut PyObject, action: impl FnOnce() -> T) -> T {
    #[cfg(not(py_gil_disabled))]
    {
        let _ = object;
        action()
    }
    #[cfg(py_gil_disabled)]
    // SAFETY: `object` is live and the thread attached (caller). The section is not moved between `Begin` and
    // `End`, while the host links it into the thread.
    unsafe {
        let mut section: ffi::PyCriticalSection = core::mem::zeroed();
        ffi::PyCriticalSection_Begin(&raw mut section, object);
        let result = action();
        ffi::PyCriticalSection_End(&raw mut section);
        result
    }
}

/// Like [`with_lock`], for two objects at once (`Py_BEGIN_CRITICAL_SECTION2`).
///
/// # Safety
/// As for [`with_lock`]; both objects are live.
#[inline(always)]
pub(crate) unsafe fn with_locks<T>(
    first: *mut PyObject,
    second: *mut PyObject,
    action: impl FnOnce() -> T,
) -> T {
    #[cfg(not(py_gil_disabled))]
    {
        let _ = (first, second);
        action()
    }
    #[cfg(py_gil_disabled)]
    // SAFETY: as in `with_lock`, for both objects.
    unsafe {
        let mut section: ffi::PyCriticalSection2 = core::mem::zeroed();
        ffi::PyCriticalSection2_Begin(&raw mut section, first, second);
        let result = action();
        ffi::PyCriticalSection2_End(&raw mut section);
        result
    }
}

/// Locks `object` if it can do so without waiting, and returns whether it did (`LOCK_OBJECT`).
///
/// # Safety
/// `object` is live and the thread is attached. After success the caller calls [`unlock`] once, and runs
/// nothing before that which could run Python code or detach the thread.
#[inline(always)]
pub(crate) unsafe fn try_lock(object: *mut PyObject) -> bool {
    #[cfg(not(py_gil_disabled))]
    {
        let _ = object;
        true
    }
    #[cfg(py_gil_disabled)]
    // SAFETY: `object` is live (caller).
    unsafe {
        state(object).compare_exchange(UNLOCKED, LOCKED, Ordering::Acquire, Ordering::Relaxed).is_ok()
    }
}

/// Releases the lock that [`try_lock`] took (`UNLOCK_OBJECT`).
///
/// # Safety
/// This thread locked `object` with [`try_lock`], and `object` is live.
#[inline(always)]
pub(crate) unsafe fn unlock(object: *mut PyObject) {
    #[cfg(not(py_gil_disabled))]
    let _ = object;
    #[cfg(py_gil_disabled)]
    // SAFETY: `object` is live and locked by this thread (caller).
    unsafe {
        if state(object).compare_exchange(LOCKED, UNLOCKED, Ordering::Release, Ordering::Relaxed).is_err() {
            // Other threads wait for the lock: the host wakes one.
            core::hint::cold_path();
            ffi::PyMutex_Unlock(&raw mut (*object).ob_mutex);
        }
    }
}

/// The values of the lock byte of an object when no thread waits for it. Waiting threads set other bits.
#[cfg(py_gil_disabled)]
const UNLOCKED: u8 = ffi::_Py_UNLOCKED as u8;
#[cfg(py_gil_disabled)]
const LOCKED: u8 = ffi::_Py_LOCKED as u8;

/// The lock byte of `object`.
///
/// # Safety
/// `object` stays live while the result is used.
#[cfg(py_gil_disabled)]
#[inline(always)]
unsafe fn state<'a>(object: *mut PyObject) -> &'a AtomicU8 {
    // SAFETY: `object` is live (caller); every thread accesses the byte atomically.
    unsafe { AtomicU8::from_ptr(&raw mut (*object).ob_mutex._bits) }
}

/// Runs `action` with `object` locked. If the lock is held by another thread, calls `prepare` before it waits:
/// waiting may detach the thread, so `prepare` publishes the frame.
///
/// # Safety
/// `object` is live and stays live until `action` returns. The thread is attached, and `prepare` publishes its
/// frame. `action` is short and runs no Python code.
#[inline(always)]
pub(crate) unsafe fn with_short_lock<T>(
    object: *mut PyObject,
    prepare: impl FnOnce(),
    action: impl FnOnce() -> T,
) -> T {
    // SAFETY: `object` is live and the thread attached (caller). `action` runs no Python code (caller), so it
    // may run between `try_lock` and `unlock`. The frame is published before `with_lock`.
    unsafe {
        if !try_lock(object) {
            core::hint::cold_path();
            prepare();
            return with_lock(object, action);
        }
        let result = action();
        unlock(object);
        result
    }
}

/// Runs `action` while every other thread of the interpreter is parked (`_PyEval_StopTheWorld`). With a GIL the
/// other threads do not run anyway, and the host does nothing. The calling thread may wait for other threads,
/// and so detach, before and after `action`.
///
/// # Safety
/// The thread is attached to `interp`. It holds no lock that another thread may wait for while attached, and it
/// has not stopped the world already. `action` does not run Python code.
#[inline]
pub(crate) unsafe fn with_world_stopped<T>(
    interp: *mut ffi::PyInterpreterState,
    action: impl FnOnce() -> T,
) -> T {
    // SAFETY: the thread is attached to the live `interp` and has not stopped the world (caller).
    unsafe {
        ffi::_PyEval_StopTheWorld(interp);
        let result = action();
        ffi::_PyEval_StartTheWorld(interp);
        result
    }
}

/// Runs `action` while it holds `mutex` (`PyMutex_Lock`). Waiting for the mutex may detach an attached thread.
///
/// # Safety
/// The mutex is live, and this thread does not hold it.
#[inline]
pub(crate) unsafe fn with_mutex<T>(mutex: *mut ffi::PyMutex, action: impl FnOnce() -> T) -> T {
    // SAFETY: the mutex is live and not held by this thread (caller).
    unsafe {
        ffi::PyMutex_Lock(mutex);
        let result = action();
        ffi::PyMutex_Unlock(mutex);
        result
    }
}
