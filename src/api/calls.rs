//! What calls need besides the instruction bodies. Source: `ceval.c`.

use core::mem::offset_of;

use crate::host::object::{has_feature, tuple_slice, type_of};
use crate::host::{Owned, PyObject, PyResult, Raised, ffi};
use crate::raise;

/// Fails with TypeError unless `args` can be spread by `func(*args)`. An exception that is set already is
/// replaced. Both are borrowed.
///
/// # Safety
/// The thread is attached, and the objects are live.
pub(crate) unsafe fn check_iterable(func: *mut PyObject, args: *mut PyObject) -> PyResult<()> {
    // SAFETY: the caller's promise.
    unsafe {
        if (*type_of(args)).tp_iter.is_some() || ffi::PySequence_Check(args) != 0 {
            return Ok(());
        }
        ffi::PyErr_Clear();
        describe(func, |name| {
            raise!(
                PyExc_TypeError,
                c"%U argument after * must be an iterable, not %.200s",
                name,
                (*type_of(args)).tp_name
            )
        });
        Err(Raised)
    }
}

/// Makes the exception that merging `kwargs` into the keywords of a call of `func` has raised one about the
/// call: TypeError for what is no mapping (AttributeError of a missing `keys`), or for a keyword that is there
/// already (KeyError with the keyword). Others stay. Both are borrowed.
///
/// # Safety
/// The thread is attached with an exception set, and the objects are live.
pub(crate) unsafe fn explain_keywords_error(func: *mut PyObject, kwargs: *mut PyObject) {
    // SAFETY: the caller's promise.
    unsafe {
        if ffi::PyErr_ExceptionMatches(ffi::PyExc_AttributeError) != 0 {
            ffi::PyErr_Clear();
            describe(func, |name| {
                raise!(
                    PyExc_TypeError,
                    c"%U argument after ** must be a mapping, not %.200s",
                    name,
                    (*type_of(kwargs)).tp_name
                )
            });
        } else if ffi::PyErr_ExceptionMatches(ffi::PyExc_KeyError) != 0 {
            let Some(exception) = Owned::optional(ffi::PyErr_GetRaisedException()) else { return };
            let Ok(arguments) = Owned::from_host(ffi::PyException_GetArgs(exception.as_ptr())) else {
                return;
            };
            let is_tuple = has_feature(arguments.as_ptr(), ffi::Py_TPFLAGS_TUPLE_SUBCLASS);
            let arguments = if is_tuple { tuple_slice(arguments.as_ptr()) } else { &[] };
            let &[keyword] = arguments else {
                return ffi::PyErr_SetRaisedException(exception.into_ptr());
            };
            describe(func, |name| {
                raise!(PyExc_TypeError, c"%U got multiple values for keyword argument '%S'", name, keyword)
            });
        }
    }
}

/// Where a function object keeps what SET_FUNCTION_ATTRIBUTE gives it, by the instruction's argument
/// (`MAKE_FUNCTION_*`); zero for what is no such argument.
pub(crate) static FUNCTION_ATTRIBUTES: [usize; ffi::MAKE_FUNCTION_ANNOTATE as usize + 1] = {
    let mut offsets = [0; ffi::MAKE_FUNCTION_ANNOTATE as usize + 1];
    offsets[ffi::MAKE_FUNCTION_DEFAULTS as usize] = offset_of!(ffi::PyFunctionObject, func_defaults);
    offsets[ffi::MAKE_FUNCTION_KWDEFAULTS as usize] = offset_of!(ffi::PyFunctionObject, func_kwdefaults);
    offsets[ffi::MAKE_FUNCTION_ANNOTATIONS as usize] = offset_of!(ffi::PyFunctionObject, func_annotations);
    offsets[ffi::MAKE_FUNCTION_CLOSURE as usize] = offset_of!(ffi::PyFunctionObject, func_closure);
    offsets[ffi::MAKE_FUNCTION_ANNOTATE as usize] = offset_of!(ffi::PyFunctionObject, func_annotate);
    offsets
};

/// Raises an exception that names `func` as its user knows it. If the name cannot be had, the exception
/// of that stays.
unsafe fn describe(func: *mut PyObject, raise: impl FnOnce(*mut PyObject) -> Raised) {
    // SAFETY: the thread is attached and the function live.
    if let Ok(name) = unsafe { Owned::from_host(ffi::_PyObject_FunctionStr(func)) } {
        raise(name.as_ptr());
    }
}
