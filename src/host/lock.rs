//! Per-object locks. Nothing with a GIL, where the GIL is the lock.

use super::ffi::{self, PyObject};

/// Runs `action` in a critical section of `object` (`Py_BEGIN_CRITICAL_SECTION`), which may detach the
/// thread while it waits.
///
/// # Safety
/// `object` is live and stays so; the thread is attached.
#[inline(always)]
pub unsafe fn with_lock<T>(object: *mut PyObject, action: impl FnOnce() -> T) -> T {
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
pub unsafe fn with_locks<T>(first: *mut PyObject, second: *mut PyObject, action: impl FnOnce() -> T) -> T {
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
pub unsafe fn try_lock(object: *mut PyObject) -> bool {
    #[cfg(not(py_gil_disabled))]
    {
        let _ = object;
        true
    }
    #[cfg(py_gil_disabled)]
    // SAFETY: the mutex is a byte: 0 unlocked, 1 locked, and more only by those who wait.
    unsafe {
        use core::sync::atomic::{AtomicU8, Ordering};
        AtomicU8::from_ptr(&raw mut (*object).ob_mutex._bits)
            .compare_exchange(0, 1, Ordering::Acquire, Ordering::Relaxed)
            .is_ok()
    }
}

/// Ends what [`try_lock`] began (`UNLOCK_OBJECT`).
///
/// # Safety
/// This thread holds the lock.
#[inline(always)]
pub unsafe fn unlock(object: *mut PyObject) {
    #[cfg(not(py_gil_disabled))]
    let _ = object;
    #[cfg(py_gil_disabled)]
    // SAFETY: the caller's promise.
    unsafe {
        ffi::PyMutex_Unlock(&raw mut (*object).ob_mutex);
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
pub unsafe fn with_world_stopped<T>(interp: *mut ffi::PyInterpreterState, action: impl FnOnce() -> T) -> T {
    // SAFETY: the caller's promise.
    unsafe {
        ffi::_PyEval_StopTheWorld(interp);
        let result = action();
        ffi::_PyEval_StartTheWorld(interp);
        result
    }
}
