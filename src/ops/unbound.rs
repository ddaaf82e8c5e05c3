//! Exceptions for names and variables that have no value. Source: `ceval.c`.

use core::ffi::{CStr, c_int};

use crate::host::object::tuple_item;
use crate::host::{Code, PyObject, ThreadState, ffi};

const UNBOUND_LOCAL: &CStr = c"cannot access local variable '%s' where it is not associated with a value";
const UNBOUND_FREE: &CStr =
    c"cannot access free variable '%s' where it is not associated with a value in enclosing scope";

/// Sets UnboundLocalError for local variable `index` of `code`.
///
/// # Safety
/// The thread is attached, the current frame published, and `code` is live and has that local.
#[cold]
#[inline(never)]
pub(crate) unsafe fn unbound_local(code: Code, index: usize) {
    // SAFETY: the caller's promise.
    unsafe {
        let name = tuple_item((*code.as_ptr()).co_localsplusnames, index);
        raise_about(ThreadState::current(), ffi::PyExc_UnboundLocalError, UNBOUND_LOCAL, name);
    }
}

/// Sets `exception` with a message about `object`, a str: `format` has one `%s`, for its text. A NameError also
/// gets `object` as its `name`, from which suggestions are made later. Sets another exception if `object` has no
/// text, and none at all if it is null.
///
/// # Safety
/// The thread is attached and `tstate` its state, no exception is set, `exception` is an exception class, `format`
/// a format as described, and `object` null or live.
#[cold]
pub(crate) unsafe fn raise_about(
    tstate: ThreadState,
    exception: *mut PyObject,
    format: &CStr,
    object: *mut PyObject,
) {
    // SAFETY: the caller's promise.
    unsafe {
        if object.is_null() {
            return;
        }
        let text = ffi::PyUnicode_AsUTF8(object);
        if text.is_null() {
            return;
        }
        ffi::_PyErr_Format(tstate.as_ptr(), exception, format.as_ptr(), text);
        if exception == ffi::PyExc_NameError {
            name_the_exception(object);
        }
    }
}

/// Gives the NameError that is set its `name`, unless it has one.
unsafe fn name_the_exception(name: *mut PyObject) {
    // SAFETY: an exception is set; it is ours while it is off the thread.
    unsafe {
        let exception = ffi::PyErr_GetRaisedException();
        if ffi::PyErr_GivenExceptionMatches(exception, ffi::PyExc_NameError) != 0
            && (*exception.cast::<ffi::PyNameErrorObject>()).name.is_null()
        {
            // Failing costs a suggestion only; setting the exception again forgets why.
            let _ = ffi::PyObject_SetAttr(exception, id!(_py_name), name);
        }
        ffi::PyErr_SetRaisedException(exception);
    }
}

/// Sets the exception for the unbound variable `index` of `code`: UnboundLocalError for a local (also one in a
/// cell), NameError for a free variable. An exception that is set already stays.
///
/// # Safety
/// The thread is attached and `tstate` its state; `code` is live and has that variable.
#[cold]
pub(crate) unsafe fn unbound(tstate: ThreadState, code: Code, index: usize) {
    // SAFETY: the caller's promise.
    unsafe {
        if !tstate.raised().is_null() {
            return;
        }
        let co = code.as_ptr();
        let first_free = (*co).co_nlocalsplus - (*co).co_nfreevars;
        let (exception, message) = if (index as c_int) < first_free {
            (ffi::PyExc_UnboundLocalError, UNBOUND_LOCAL)
        } else {
            (ffi::PyExc_NameError, UNBOUND_FREE)
        };
        let name = tuple_item((*co).co_localsplusnames, index);
        raise_about(tstate, exception, message, name);
    }
}
