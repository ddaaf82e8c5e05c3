//! Raises exceptions for names and variables without a value. Source: `ceval.c`.

use core::ffi::{CStr, c_int};

use crate::host::object::tuple_item;
use crate::host::{Code, PyObject, ThreadState, ffi};

const UNBOUND_LOCAL: &CStr = c"cannot access local variable '%s' where it is not associated with a value";
const UNBOUND_FREE: &CStr =
    c"cannot access free variable '%s' where it is not associated with a value in enclosing scope";

/// Sets UnboundLocalError for the local variable `index` of `code`.
///
/// # Safety
/// The thread is attached, no exception is set, and the current frame is published. `code` is live and has a
/// local variable of that index.
#[cold]
#[inline(never)]
pub(crate) unsafe fn unbound_local(code: Code, index: usize) {
    // SAFETY: the code is live and the index in range (caller), so the name is a live str. No exception is
    // set (caller).
    unsafe {
        let name = tuple_item((*code.as_ptr()).co_localsplusnames, index);
        raise_about(ThreadState::current(), ffi::PyExc_UnboundLocalError, UNBOUND_LOCAL, name);
    }
}

/// Sets `exception` with a message about `object`, a str. `format` has one `%s`, for the text of `object`. A
/// NameError also gets `object` as its attribute `name`, from which suggestions are made. Sets another
/// exception if the text of `object` is not available, and none if `object` is null.
///
/// # Safety
/// The thread is attached, `tstate` is its state, and no exception is set. `exception` is an exception class,
/// `format` has exactly one conversion, `%s`, and `object` is null or a live object.
#[cold]
pub(crate) unsafe fn raise_about(
    tstate: ThreadState,
    exception: *mut PyObject,
    format: &CStr,
    object: *mut PyObject,
) {
    // SAFETY: the thread is attached and the object live (caller). The text lives as long as the object and
    // matches the only conversion of `format`.
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

/// Sets the attribute `name` of the raised exception, if that is a NameError without a name.
///
/// # Safety
/// The thread is attached, an exception is set, and `name` is live.
unsafe fn name_the_exception(name: *mut PyObject) {
    // SAFETY: an exception is set (caller). It is owned here while it is not the thread's.
    unsafe {
        let exception = ffi::PyErr_GetRaisedException();
        if ffi::PyErr_GivenExceptionMatches(exception, ffi::PyExc_NameError) != 0
            && (*exception.cast::<ffi::PyNameErrorObject>()).name.is_null()
        {
            // A failure only costs a suggestion. Setting the raised exception again replaces the new one.
            let _ = ffi::PyObject_SetAttr(exception, id!(_py_name), name);
        }
        ffi::PyErr_SetRaisedException(exception);
    }
}

/// Sets the exception for the unbound variable `index` of `code`: UnboundLocalError for a local variable
/// (also one in a cell), NameError for a free variable. Does nothing if an exception is set already.
///
/// # Safety
/// The thread is attached and `tstate` is its state. `code` is live and has a variable of that index.
#[cold]
pub(crate) unsafe fn unbound(tstate: ThreadState, code: Code, index: usize) {
    // SAFETY: the code is live and the index in range (caller), so the name is a live str. No exception is
    // set, since that was checked.
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
