//! Exceptions for names and variables that have no value. Source: `ceval.c`.

use core::ffi::{CStr, c_char, c_int};

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
pub unsafe fn unbound_local(code: Code, index: usize) {
    // SAFETY: the caller's promise.
    unsafe {
        let name = tuple_item((*code.as_ptr()).co_localsplusnames, index);
        let tstate = ThreadState::current().as_ptr();
        _PyEval_FormatExcCheckArg(tstate, ffi::PyExc_UnboundLocalError, UNBOUND_LOCAL.as_ptr(), name);
    }
}

/// Sets `exc` with a message about `obj`, a str. Stands for the host's symbol of this name (`ceval.c`).
///
/// `format_str` has one `%s`, for the text of `obj`. A NameError also gets `obj` as its `name`, from
/// which suggestions are made later. All arguments are borrowed. Sets another exception if `obj` has
/// no text, and none at all if it is null.
///
/// # Safety
/// The thread is attached and `tstate` its state, no exception is set, `exc` is an exception class,
/// `format_str` a format as described, and `obj` null or live.
#[cold]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _PyEval_FormatExcCheckArg(
    tstate: *mut ffi::PyThreadState,
    exc: *mut PyObject,
    format_str: *const c_char,
    obj: *mut PyObject,
) {
    // SAFETY: the caller's promise.
    unsafe {
        if obj.is_null() {
            return;
        }
        let text = ffi::PyUnicode_AsUTF8(obj);
        if text.is_null() {
            return;
        }
        ffi::_PyErr_Format(tstate, exc, format_str, text);
        if exc == ffi::PyExc_NameError {
            name_the_exception(obj);
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

/// Sets the exception for an unbound variable: UnboundLocalError for a local (also one in a cell),
/// NameError for a free variable. Stands for the host's symbol of this name (`ceval.c`).
///
/// An exception that is set already stays. `co` is borrowed.
///
/// # Safety
/// The thread is attached and `tstate` its state; `co` is live and has a local `oparg`.
#[cold]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _PyEval_FormatExcUnbound(
    tstate: *mut ffi::PyThreadState,
    co: *mut ffi::PyCodeObject,
    oparg: c_int,
) {
    // SAFETY: the caller's promise.
    unsafe {
        if !ThreadState::from_ptr(tstate).raised().is_null() {
            return;
        }
        let first_free = (*co).co_nlocalsplus - (*co).co_nfreevars;
        let (exception, message) = if oparg < first_free {
            (ffi::PyExc_UnboundLocalError, UNBOUND_LOCAL)
        } else {
            (ffi::PyExc_NameError, UNBOUND_FREE)
        };
        let name = tuple_item((*co).co_localsplusnames, oparg as usize);
        _PyEval_FormatExcCheckArg(tstate, exception, message.as_ptr(), name);
    }
}
