//! What calls need besides the instruction bodies. Source: `ceval.c`.

use core::ffi::c_int;
use core::mem::offset_of;

use crate::host::object::{has_feature, tuple_slice, type_of};
use crate::host::{Owned, PyObject, Raised, ffi};
use crate::raise;

/// Where a function object keeps what SET_FUNCTION_ATTRIBUTE gives it, by the instruction's argument
/// (`MAKE_FUNCTION_*`); zero for what is no such argument. Stands for the host's table of this name.
#[unsafe(no_mangle)]
pub static _Py_FunctionAttributeOffsets: [usize; ffi::MAKE_FUNCTION_ANNOTATE as usize + 1] = {
    let mut offsets = [0; ffi::MAKE_FUNCTION_ANNOTATE as usize + 1];
    offsets[ffi::MAKE_FUNCTION_DEFAULTS as usize] = offset_of!(ffi::PyFunctionObject, func_defaults);
    offsets[ffi::MAKE_FUNCTION_KWDEFAULTS as usize] = offset_of!(ffi::PyFunctionObject, func_kwdefaults);
    offsets[ffi::MAKE_FUNCTION_ANNOTATIONS as usize] = offset_of!(ffi::PyFunctionObject, func_annotations);
    offsets[ffi::MAKE_FUNCTION_CLOSURE as usize] = offset_of!(ffi::PyFunctionObject, func_closure);
    offsets[ffi::MAKE_FUNCTION_ANNOTATE as usize] = offset_of!(ffi::PyFunctionObject, func_annotate);
    offsets
};

/// Zero if `args` can be spread by `func(*args)`; otherwise -1 with TypeError set. Stands for the
/// host's symbol of this name (`ceval.c`). An exception that is set already is replaced. All arguments
/// are borrowed.
///
/// # Safety
/// The thread is attached, `tstate` is its state, and the objects are live.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _Py_Check_ArgsIterable(
    _tstate: *mut ffi::PyThreadState,
    func: *mut PyObject,
    args: *mut PyObject,
) -> c_int {
    // SAFETY: the caller's promise.
    unsafe {
        if (*type_of(args)).tp_iter.is_some() || ffi::PySequence_Check(args) != 0 {
            return 0;
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
        -1
    }
}

/// Makes the exception that merging `kwargs` into the keywords of a call of `func` has raised one about
/// the call: TypeError for what is no mapping (AttributeError of a missing `keys`), or for a keyword
/// that is there already (KeyError with the keyword). Others stay. Stands for the host's symbol of this
/// name (`ceval.c`). All arguments are borrowed.
///
/// # Safety
/// The thread is attached with an exception set, `tstate` is its state, and the objects are live.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _PyEval_FormatKwargsError(
    _tstate: *mut ffi::PyThreadState,
    func: *mut PyObject,
    kwargs: *mut PyObject,
) {
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

/// Raises an exception that names `func` as its user knows it. If the name cannot be had, the exception
/// of that stays.
unsafe fn describe(func: *mut PyObject, raise: impl FnOnce(*mut PyObject) -> Raised) {
    // SAFETY: the thread is attached and the function live.
    if let Ok(name) = unsafe { Owned::from_host(ffi::_PyObject_FunctionStr(func)) } {
        raise(name.as_ptr());
    }
}
