//! Locks of the host: those of objects, which are nothing with a GIL since that is the lock, and mutexes.

#[cfg(py_gil_disabled)]
use core::sync::atomic::{AtomicU8, Ordering};

use super::ffi::{self, PyObject};

/// Runs `action` in a critical section of `object` (`Py_BEGIN_CRITICAL_SECTION`), which may detach the
/// thread while it waits.
///
/// # Safety
/// `object` is live and stays so; the thread is attached.
#[inline(always)]
pub(crate) unsafe fn with_lock<T>(object: *mut PyObject, action: impl FnOnce() -> T) -> T {
    #[cfg(not(py_gil_disabled))]
    {
        let _ = object;
        action()
    }
    #[cfg(py_gil_disabled)]
    // SAFETY: the section stays where it is while the host has it linked into the thread.
    unsafe {
        let mut section: ffi::PyCriticalSection = core::mem::zeroed();
        ffi::PyCriticalSection_Begin(&raw mut section, object);
        let result = action();
        ffi::PyCriticalSection_End(&raw mut section);
        result
    }
}

/// Like [`with_lock`], of two objects at once (`Py_BEGIN_CRITICAL_SECTION2`).
///
/// # Safety
/// As for [`with_lock`], of both.
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
    // SAFETY: as in `with_lock`.
    unsafe {
        let mut section: ffi::PyCriticalSection2 = core::mem::zeroed();
        ffi::PyCriticalSection2_Begin(&raw mut section, first, second);
        let result = action();
        ffi::PyCriticalSection2_End(&raw mut section);
        result
    }
}

/// Locks `object` if that needs no waiting (`LOCK_OBJECT`). Each success is paired with [`unlock`], and
/// nothing that could run Python code happens in between.
///
/// # Safety
/// `object` is live; the thread is attached.
#[inline(always)]
pub(crate) unsafe fn try_lock(object: *mut PyObject) -> bool {
    #[cfg(not(py_gil_disabled))]
    {
        let _ = object;
        true
    }
    #[cfg(py_gil_disabled)]
    // SAFETY: the caller's promise.
    unsafe {
        state(object).compare_exchange(UNLOCKED, LOCKED, Ordering::Acquire, Ordering::Relaxed).is_ok()
    }
}

/// Ends what [`try_lock`] began (`UNLOCK_OBJECT`).
///
/// # Safety
/// This thread holds the lock.
#[inline(always)]
pub(crate) unsafe fn unlock(object: *mut PyObject) {
    #[cfg(not(py_gil_disabled))]
    let _ = object;
    #[cfg(py_gil_disabled)]
    // SAFETY: the caller's promise.
    unsafe {
        if state(object).compare_exchange(LOCKED, UNLOCKED, Ordering::Release, Ordering::Relaxed).is_err() {
            // Somebody waits.
            core::hint::cold_path();
            ffi::PyMutex_Unlock(&raw mut (*object).ob_mutex);
        }
    }
}

/// The byte that an object's lock is, without those who wait (which other bits are for).
#[cfg(py_gil_disabled)]
const UNLOCKED: u8 = ffi::_Py_UNLOCKED as u8;
#[cfg(py_gil_disabled)]
const LOCKED: u8 = ffi::_Py_LOCKED as u8;

#[cfg(py_gil_disabled)]
#[inline(always)]
unsafe fn state<'a>(object: *mut PyObject) -> &'a AtomicU8 {
    // SAFETY: the callers' promise: the object is live.
    unsafe { AtomicU8::from_ptr(&raw mut (*object).ob_mutex._bits) }
}

/// Runs `action`, which is short and runs no Python code, with `object` locked. `prepare` runs before that
/// if the lock has to be waited for, which may detach the thread: it publishes the frame.
///
/// # Safety
/// `object` is live and stays so; the thread is attached.
#[inline(always)]
pub(crate) unsafe fn with_short_lock<T>(
    object: *mut PyObject,
    prepare: impl FnOnce(),
    action: impl FnOnce() -> T,
) -> T {
    // SAFETY: the caller's promise.
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

/// Runs `action` while every other thread of the interpreter is parked (`_PyEval_StopTheWorld`); with a
/// GIL that is so anyway, and nothing happens. Threads may be waited for, so the calling one may detach
/// before and after.
///
/// # Safety
/// The thread is attached to `interp`, holds no lock that others wait for while attached, and has not
/// stopped the world already. `action` does not run Python code.
#[inline]
pub(crate) unsafe fn with_world_stopped<T>(
    interp: *mut ffi::PyInterpreterState,
    action: impl FnOnce() -> T,
) -> T {
    // SAFETY: the caller's promise.
    unsafe {
        ffi::_PyEval_StopTheWorld(interp);
        let result = action();
        ffi::_PyEval_StartTheWorld(interp);
        result
    }
}

/// Runs `action` while holding `mutex` (`PyMutex_Lock`), for which an attached thread may be detached.
///
/// # Safety
/// The mutex is live, and the thread does not hold it.
#[inline]
pub(crate) unsafe fn with_mutex<T>(mutex: *mut ffi::PyMutex, action: impl FnOnce() -> T) -> T {
    // SAFETY: the caller's promise.
    unsafe {
        ffi::PyMutex_Lock(mutex);
        let result = action();
        ffi::PyMutex_Unlock(mutex);
        result
    }
}
