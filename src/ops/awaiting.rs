//! Awaiting and asynchronous iteration. Source: `ceval.c`.

use core::ffi::c_int;

use crate::host::object::{is_exact, type_of};
use crate::host::{Owned, PyObject, PyResult, PyTypeObject, ffi};
use crate::raise;

/// The iterator that `await` runs for `iterable`. `oparg` says what is awaited: 1 and 2 are the results of
/// `__aenter__` and `__aexit__`. Fails with TypeError for what cannot be awaited, RuntimeError for a coroutine that
/// something awaits already.
///
/// # Safety
/// The thread is attached, its current frame published, and `iterable` is live.
pub(crate) unsafe fn awaitable_iterator(iterable: *mut PyObject, oparg: c_int) -> PyResult {
    // SAFETY: the object is live.
    unsafe {
        let iterator = Owned::from_host(ffi::_PyCoro_GetAwaitableIter(iterable)).inspect_err(|_| {
            explain_not_awaitable(type_of(iterable), oparg);
        })?;
        if is_exact(iterator.as_ptr(), &raw mut ffi::PyCoro_Type)
            && let Some(awaited) = Owned::optional(ffi::_PyGen_yf(iterator.as_ptr().cast()))
        {
            drop(awaited);
            drop(iterator);
            return Err(raise!(PyExc_RuntimeError, c"coroutine is being awaited already"));
        }
        Ok(iterator)
    }
}

/// Replaces the exception for something that cannot be awaited by one that says where it came from, if that was
/// `__aenter__` (`oparg` 1) or `__aexit__` (2).
///
/// # Safety
/// The thread is attached, an exception is set, and `type_`, that of what cannot be awaited, is live.
#[cold]
pub(crate) unsafe fn explain_not_awaitable(type_: *mut PyTypeObject, oparg: c_int) {
    // SAFETY: the caller's promise.
    unsafe {
        let methods = (*type_).tp_as_async;
        if !methods.is_null() && (*methods).am_await.is_some() {
            return;
        }
        let name = (*type_).tp_name;
        match oparg {
            1 => {
                raise!(
                    PyExc_TypeError,
                    c"'async with' received an object from __aenter__ that does not implement __await__: %.100s",
                    name
                );
            }
            2 => {
                raise!(
                    PyExc_TypeError,
                    c"'async with' received an object from __aexit__ that does not implement __await__: %.100s",
                    name
                );
            }
            _ => {}
        }
    }
}

/// What `async for` awaits to get the next item of `aiter`.
///
/// # Safety
/// The thread is attached, its current frame published, and `aiter` is live.
pub(crate) unsafe fn next_awaitable(aiter: *mut PyObject) -> PyResult {
    // SAFETY: the object is live.
    unsafe {
        let type_ = type_of(aiter);
        let methods = (*type_).tp_as_async.as_ref();
        let Some(anext) = methods.and_then(|methods| methods.am_anext) else {
            return Err(raise!(
                PyExc_TypeError,
                c"'async for' requires an iterator with __anext__ method, got %.100s",
                (*type_).tp_name,
            ));
        };
        let next = Owned::from_host(anext(aiter))?;
        if is_exact(aiter, &raw mut ffi::PyAsyncGen_Type) {
            // An asynchronous generator's own awaitable is its iterator too.
            return Ok(next);
        }
        Owned::from_host(ffi::_PyCoro_GetAwaitableIter(next.as_ptr())).inspect_err(|_| {
            ffi::_PyErr_FormatFromCause(
                ffi::PyExc_TypeError,
                c"'async for' received an invalid object from __anext__: %.100s".as_ptr(),
                (*type_of(next.as_ptr())).tp_name,
            );
        })
    }
}
