//! Function objects, and intrinsics: host functions that the compiler calls by number.

use crate::engine::{Engine, Exit, Op, Settled};
use crate::host::function::Function;
use crate::host::{Code, Owned, PyObject, PyResult, StackRef, ffi};
use core::mem::offset_of;

/// Makes a function from a code object.
///
/// # Safety
/// As [`crate::engine`] says for every micro-op.
#[inline(always)]
pub(crate) unsafe fn make_function<E: Engine>(e: &mut E, [code]: [StackRef; 1]) -> Op<Settled<1>> {
    // SAFETY: the input is a code object, live and owned by this micro-op.
    unsafe {
        e.publish();
        let function = new_function(code.object(), e.frame().globals());
        e.settle_object([code], function)
    }
}

/// A new function of a code object, or null with an exception set.
///
/// # Safety
/// The thread is attached. The code object and the globals are live.
#[inline(always)]
pub(crate) unsafe fn new_function(code: *mut PyObject, globals: *mut PyObject) -> *mut PyObject {
    // SAFETY: both are live (caller).
    unsafe {
        let function = ffi::PyFunction_New(code, globals);
        if !function.is_null() {
            let version = (*Code::from_ptr(code.cast()).as_ptr()).co_version;
            ffi::_PyFunction_SetVersion(function.cast(), version);
        }
        function
    }
}

/// Sets the defaults, keyword defaults, annotations, closure or `__annotate__` of a new function. The
/// argument says which.
///
/// # Safety
/// As [`crate::engine`] says for every micro-op.
#[inline(always)]
pub(crate) unsafe fn set_function_attribute<E: Engine>(
    e: &mut E,
    [attribute, function]: [StackRef; 2],
) -> Op<Settled<1>> {
    // SAFETY: the topmost value is a function that MAKE_FUNCTION has just made. No other thread has seen it,
    // and it does not have this attribute yet, so the reference below moves into it. The compiler emits only
    // arguments that are in the table.
    unsafe {
        let attribute = attribute.into_object();
        e.poke(2, function);
        let offset = *FUNCTION_ATTRIBUTES.get_unchecked(e.oparg());
        *function.object().byte_add(offset).cast() = attribute;
        if e.oparg() == ffi::MAKE_FUNCTION_ANNOTATE as usize
            && let Some(annotate) = Function::cast(attribute)
        {
            e.publish_at(e.sp().sub(1));
            if name_annotate(Function::from_object(function.object()), annotate).is_err() {
                e.close_at(function, e.sp().sub(2));
                return Err(Exit::Error);
            }
        }
        Ok(Settled::new())
    }
}

/// Sets the qualified name of the function that computes annotations: that of the annotated function, then
/// `.__annotate__`.
///
/// # Safety
/// The thread is attached, its frame is published, and both functions are live.
#[inline(never)]
unsafe fn name_annotate(function: Function, annotate: Function) -> PyResult<()> {
    // SAFETY: both functions are live, and so are their names (caller). The old name is released after it is
    // replaced.
    unsafe {
        let format = c"%U.__annotate__".as_ptr();
        let name = Owned::from_host(ffi::PyUnicode_FromFormat(format, (*function.as_ptr()).func_qualname))?;
        let slot = &raw mut (*annotate.as_ptr()).func_qualname;
        drop(Owned::optional(slot.replace(name.into_ptr())));
    }
    Ok(())
}

/// Calls a unary intrinsic of the host: `_PyIntrinsics_UnaryFunctions[oparg]`.
///
/// # Safety
/// As [`crate::engine`] says for every micro-op.
#[inline(always)]
pub(crate) unsafe fn call_intrinsic_1<E: Engine>(e: &mut E, [value]: [StackRef; 1]) -> Op<Settled<1>> {
    // SAFETY: the compiler emits only indices of the table whose function exists. The input is live and owned
    // by this micro-op.
    unsafe {
        e.publish();
        let table = (&raw const ffi::_PyIntrinsics_UnaryFunctions).cast::<ffi::intrinsic_func1_info>();
        let function = (*table.add(e.oparg())).func.unwrap_unchecked();
        let result = function(e.tstate().as_ptr(), value.object());
        e.settle_object([value], result)
    }
}

/// Calls a binary intrinsic of the host: `_PyIntrinsics_BinaryFunctions[oparg]`.
///
/// # Safety
/// As [`crate::engine`] says for every micro-op.
#[inline(always)]
pub(crate) unsafe fn call_intrinsic_2<E: Engine>(e: &mut E, [left, right]: [StackRef; 2]) -> Op<Settled<1>> {
    // SAFETY: the compiler emits only indices of the table whose function exists. The inputs are live and
    // owned by this micro-op.
    unsafe {
        e.publish();
        let table = (&raw const ffi::_PyIntrinsics_BinaryFunctions).cast::<ffi::intrinsic_func2_info>();
        let function = (*table.add(e.oparg())).func.unwrap_unchecked();
        let result = function(e.tstate().as_ptr(), left.object(), right.object());
        e.settle_object([right, left], result)
    }
}

// --- attributes --------------------------------------------------------------------------------

/// Offsets of the fields of a function object that SET_FUNCTION_ATTRIBUTE sets, by its argument
/// (`MAKE_FUNCTION_*`). Zero for numbers that are no such argument.
pub(crate) static FUNCTION_ATTRIBUTES: [usize; ffi::MAKE_FUNCTION_ANNOTATE as usize + 1] = {
    let mut offsets = [0; ffi::MAKE_FUNCTION_ANNOTATE as usize + 1];
    offsets[ffi::MAKE_FUNCTION_DEFAULTS as usize] = offset_of!(ffi::PyFunctionObject, func_defaults);
    offsets[ffi::MAKE_FUNCTION_KWDEFAULTS as usize] = offset_of!(ffi::PyFunctionObject, func_kwdefaults);
    offsets[ffi::MAKE_FUNCTION_ANNOTATIONS as usize] = offset_of!(ffi::PyFunctionObject, func_annotations);
    offsets[ffi::MAKE_FUNCTION_CLOSURE as usize] = offset_of!(ffi::PyFunctionObject, func_closure);
    offsets[ffi::MAKE_FUNCTION_ANNOTATE as usize] = offset_of!(ffi::PyFunctionObject, func_annotate);
    offsets
};
