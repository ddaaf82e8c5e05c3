//! Unpacking iterables. Source: `ceval.c`.

use core::ffi::c_int;

use crate::host::object::{is_exact, list_items, set_size, size, type_of};
use crate::host::owned::exception_is_set;
use crate::host::{Owned, PyObject, PyResult, Raised, StackRef, ThreadState, ffi};
use crate::raise;

/// Unpacks `iterable` into the slots below `top`, the first item topmost: `before` items or, unless `after` is -1,
/// `before` items, a list, and `after` items. On failure the slots stay empty.
///
/// # Safety
/// The thread is attached and its frame published; `iterable` is live, and below `top` is room for the items.
pub(crate) unsafe fn unpack_iterable(
    tstate: ThreadState,
    iterable: *mut PyObject,
    before: c_int,
    after: c_int,
    top: *mut StackRef,
) -> PyResult<()> {
    // SAFETY: the caller's promise.
    unsafe {
        let iterator = iterator(tstate, iterable)?;
        let mut values = Values { top, count: 0 };
        match after {
            -1 => take_all(iterable, &iterator, before, &mut values)?,
            after => take_some(&iterator, before, after, &mut values)?,
        }
        values.keep();
    }
    Ok(())
}

/// Values stored on a stack from the top down. Dropping them closes them, the last one first.
struct Values {
    /// The slot of the last value.
    top: *mut StackRef,
    count: usize,
}

impl Values {
    /// Stores one more.
    ///
    /// # Safety
    /// There is room for it.
    unsafe fn push(&mut self, value: Owned) {
        // SAFETY: the caller's promise; the stack takes the reference over.
        unsafe {
            self.top = self.top.sub(1);
            *self.top = StackRef::steal(value.into_ptr());
        }
        self.count += 1;
    }

    /// Leaves the values where they are.
    fn keep(self) {
        core::mem::forget(self);
    }
}

impl Drop for Values {
    fn drop(&mut self) {
        for _ in 0..self.count {
            // SAFETY: that many values have been stored from here up.
            unsafe {
                (*self.top).close();
                self.top = self.top.add(1);
            }
        }
    }
}

/// `iter(iterable)`, with a message about unpacking.
unsafe fn iterator(tstate: ThreadState, iterable: *mut PyObject) -> PyResult {
    // SAFETY: the object is live and the thread attached, as the caller of the API promised.
    unsafe {
        let iterator = Owned::from_host(ffi::PyObject_GetIter(iterable));
        if iterator.is_err()
            && ffi::_PyErr_ExceptionMatches(tstate.as_ptr(), ffi::PyExc_TypeError) != 0
            && (*type_of(iterable)).tp_iter.is_none()
            && ffi::PySequence_Check(iterable) == 0
        {
            raise!(
                PyExc_TypeError,
                c"cannot unpack non-iterable %.200s object",
                (*type_of(iterable)).tp_name
            );
        }
        iterator
    }
}

/// `next(iterator)`; none at its end.
unsafe fn next(iterator: &Owned) -> PyResult<Option<Owned>> {
    // SAFETY: the reference is live and the thread attached.
    match unsafe { Owned::optional(ffi::PyIter_Next(iterator.as_ptr())) } {
        None if exception_is_set() => Err(Raised),
        item => Ok(item),
    }
}

/// The items of a form without a star: exactly `expected`.
unsafe fn take_all(
    iterable: *mut PyObject,
    iterator: &Owned,
    expected: c_int,
    values: &mut Values,
) -> PyResult<()> {
    // SAFETY: the caller of the API has promised room for them.
    unsafe {
        for got in 0..expected {
            let Some(item) = next(iterator)? else {
                return Err(raise!(
                    PyExc_ValueError,
                    c"not enough values to unpack (expected %d, got %d)",
                    expected,
                    got
                ));
            };
            values.push(item);
        }
        match next(iterator)? {
            None => Ok(()),
            Some(item) => {
                drop(item);
                Err(too_many(iterable, expected))
            }
        }
    }
}

/// The items of a form with a star: `before`, a list, `after`.
unsafe fn take_some(iterator: &Owned, before: c_int, after: c_int, values: &mut Values) -> PyResult<()> {
    // SAFETY: the caller of the API has promised room for them; the new list is nobody else's, and has
    // the items that move from its end to the stack.
    unsafe {
        for got in 0..before {
            let Some(item) = next(iterator)? else {
                return Err(raise!(
                    PyExc_ValueError,
                    c"not enough values to unpack (expected at least %d, got %d)",
                    before + after,
                    got
                ));
            };
            values.push(item);
        }
        let rest = Owned::from_host(ffi::PySequence_List(iterator.as_ptr()))?;
        let list = rest.as_ptr();
        values.push(rest);
        let length = size(list);
        let starred = length - after as isize;
        if starred < 0 {
            return Err(raise!(
                PyExc_ValueError,
                c"not enough values to unpack (expected at least %d, got %zd)",
                before + after,
                before as isize + length
            ));
        }
        for index in starred..length {
            values.push(Owned::from_host(*list_items(list).offset(index))?);
        }
        set_size(list, starred);
        Ok(())
    }
}

/// There was an item more than expected. How many there are is told where a look suffices.
#[cold]
unsafe fn too_many(iterable: *mut PyObject, expected: c_int) -> Raised {
    // SAFETY: the object is live and the thread attached, as the caller of the API promised.
    unsafe {
        let length = if is_exact(iterable, &raw mut ffi::PyDict_Type) {
            ffi::PyDict_Size(iterable)
        } else if is_exact(iterable, &raw mut ffi::PyList_Type)
            || is_exact(iterable, &raw mut ffi::PyTuple_Type)
        {
            size(iterable)
        } else {
            0
        };
        // It may have shrunk since.
        if length > expected as isize {
            return raise!(
                PyExc_ValueError,
                c"too many values to unpack (expected %d, got %zd)",
                expected,
                length
            );
        }
        raise!(PyExc_ValueError, c"too many values to unpack (expected %d)", expected)
    }
}
