//! `await` and asynchronous iteration. Source: `ceval.c`.

use core::ffi::c_int;

use crate::host::object::{is_exact, type_of};
use crate::host::{Owned, PyObject, PyResult, PyTypeObject, ffi};
use crate::raise;

/// Returns the iterator that `await` runs for `iterable`. `oparg` says where the awaitable comes from: 1 and
/// 2 are the results of `__aenter__` and `__aexit__`. Fails with TypeError if `iterable` is not awaitable,
/// and with RuntimeError if it is a coroutine that is being awaited already.
///
/// # Safety
/// The thread is attached, its current frame is published, and `iterable` is live.
pub(crate) unsafe fn awaitable_iterator(iterable: *mut PyObject, oparg: c_int) -> PyResult {
    // SAFETY: the object is live (caller). The iterator is owned, and a coroutine by the exact type check.
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

/// Replaces the exception about a type that is not awaitable by one that says that the object came from
/// `__aenter__` (`oparg` 1) or `__aexit__` (2). Keeps it for other arguments, and for types with `__await__`.
///
/// # Safety
/// The thread is attached, an exception is set, and `type_`, the type of the object, is live.
#[cold]
pub(crate) unsafe fn explain_not_awaitable(type_: *mut PyTypeObject, oparg: c_int) {
    // SAFETY: the type is live (caller), and so are its slots and its name.
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

/// Returns what `async for` awaits for the next item of `aiter`: an iterator. Fails with TypeError if `aiter`
/// has no `__anext__` or if its result is not awaitable.
///
/// # Safety
/// The thread is attached, its current frame is published, and `aiter` is live.
pub(crate) unsafe fn next_awaitable(aiter: *mut PyObject) -> PyResult {
    // SAFETY: the object is live (caller), keeps its type alive, and `am_anext` is called with it.
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
            // The awaitable of an asynchronous generator is its own iterator.
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
